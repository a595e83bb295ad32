"""Works out once what cycles show that are alike: most differ in nothing that is looked at."""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Generic, TypeVar

from tau_rollout_gate.contract.cycle import Told
from tau_rollout_gate.evidence.values import Cycle

_MOST_KEPT = 1024
_MOST_CODES = 64  # a longer line would be kept for it

Shown = TypeVar("Shown")


class Alike(Generic[Shown]):
    """A function of a cycle, worked out once for those that are alike in what it looks at.

    Args:
        function: It.
        looks_at: What it depends on: fields of what a line tells, and counters.
    """

    looks_at: frozenset[str]

    def __init__(self, function: Callable[[Cycle], Shown], looks_at: Iterable[str]) -> None:
        self.looks_at = names = frozenset(looks_at)
        self._function = function
        self._fields = attrgetter("reason_codes", *sorted(names & {*Told._fields}))
        self._counters = tuple(sorted(names.difference(Told._fields)))
        self._known: dict[object, Shown] = {}
        # Mostly it is the very same: what was told is kept with it, so that no other gets its id.
        self._same: dict[int, tuple[Told, Shown]] = {}

    def __call__(self, cycle: Cycle) -> Shown:
        """What the function gives for a cycle."""
        told = cycle.event.told
        same = self._same.get(id(told))
        return self._shown(cycle, told) if same is None else same[1]

    def all(self, cycles: Sequence[Cycle]) -> list[Shown]:
        """What it gives for each of some cycles."""
        same = self._same
        return [
            self(cycle) if (known := same.get(id(cycle.event.told))) is None else known[1]
            for cycle in cycles
        ]

    def _shown(self, cycle: Cycle, told: Told) -> Shown:
        key = self._fields(told), *map(told.counters.get, self._counters)
        known = self._known
        shown = known[key] if key in known else self._function(cycle)
        if len(told.reason_codes) <= _MOST_CODES:
            for kept in (known, self._same):
                if len(kept) >= _MOST_KEPT:
                    kept.clear()
            known[key] = shown
            self._same[id(told)] = told, shown
        return shown
