"""Works out once what cycles show that are alike: most differ in nothing that is looked at."""

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Generic, TypeVar

from tau_rollout_gate.contract.event import Event
from tau_rollout_gate.evidence.values import Cycle

_MOST_KEPT = 1024
_MOST_CODES = 64  # a longer line would be kept for it

Shown = TypeVar("Shown")


class Alike(Generic[Shown]):
    """A function of a cycle, worked out once for those that are alike in what it looks at.

    Args:
        function: It.
        looks_at: The fields of an event, and the counters, that it depends on.
    """

    def __init__(self, function: Callable[[Cycle], Shown], looks_at: Iterable[str]) -> None:
        names = set(looks_at)
        self._function = function
        self._fields = attrgetter("reason_codes", *sorted(names & {*Event._fields}))
        self._counters = tuple(sorted(names.difference(Event._fields)))
        self._known: dict[object, Shown] = {}

    def __call__(self, cycle: Cycle) -> Shown:
        """What the function gives for a cycle."""
        event = cycle.event
        key = self._fields(event), *map(event.counters.get, self._counters)
        if key in self._known:
            return self._known[key]
        shown = self._function(cycle)
        if len(event.reason_codes) <= _MOST_CODES:
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            self._known[key] = shown
        return shown
