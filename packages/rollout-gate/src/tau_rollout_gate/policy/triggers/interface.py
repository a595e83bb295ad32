"""What a rollback trigger is: a typed kind with its threshold, which looks for one bad sign.

A `CycleTrigger` is looked for in every cycle since canary-1 was entered; a `RolloutTrigger` in the
reports, in every phase. A kind is a module of this folder and one line in `triggers/kinds.py`.
"""

from abc import abstractmethod
from typing import NamedTuple

from tau_rollout_gate.contract.forms import (
    Form,
    Name,
    Sentence,
    Surfaces,
    refuse_unprintable,
)
from tau_rollout_gate.evidence.values import Cycle, Evidence
from tau_rollout_gate.policy.findings import EvidenceRef


class Sign(NamedTuple):
    """What was seen: in words, whether it fires, and where to look."""

    fired: bool
    observed: str
    cycle: Cycle | None = None
    evidence: EvidenceRef | None = None


class Trigger(Form, frozen=True, kw_only=True, tag_field="kind"):
    """A trigger of a policy: its kind, its name, its surfaces (None: all), and what to do then."""

    name: Name
    surfaces: Surfaces | None = None
    action: Sentence

    def __post_init__(self) -> None:
        """Refuse an action that is not one line."""
        refuse_unprintable(self.action, "action")

    @property
    @abstractmethod
    def threshold(self) -> str:
        """When it fires, in words: `failure_streak >= 3`."""

    @property
    def named_surfaces(self) -> tuple[str, ...]:
        """The surfaces that it names."""
        return self.surfaces or ()

    def applies_to(self, surface: str) -> bool:
        """Tell whether the trigger looks at this surface."""
        return self.surfaces is None or surface in self.surfaces


class CycleTrigger(Trigger, frozen=True):
    """A trigger over the cycles of a surface, in the order of its log."""

    @property
    def reach(self) -> int:
        """How many neighbouring cycles together fire it: it needs no more of them."""
        return 1

    @property
    def is_about_bad_health(self) -> bool:
        """Whether a cycle that is only known to have been unhealthy counts as one of them."""
        return False

    @property
    @abstractmethod
    def looks_at(self) -> tuple[str, ...]:
        """The fields of an event, and the counters, that it depends on whether a cycle is bad."""

    @abstractmethod
    def is_bad(self, cycle: Cycle) -> bool:
        """Tell whether a cycle is one of those that together fire it."""

    @abstractmethod
    def seen_in(self, cycle: Cycle) -> str:
        """Say what a cycle shows of it."""


class Watch:
    """What a trigger has seen of a surface's cycles since canary-1 was entered.

    Args:
        trigger: The trigger.
    """

    def __init__(self, trigger: CycleTrigger) -> None:
        self._trigger = trigger
        self._reach = trigger.reach
        self._row = 0
        self._last: Cycle | None = None
        self._fired = False

    def add(self, cycle: Cycle, *, is_bad: bool) -> None:
        """Take the next cycle; once fired it stays with the cycle that fired it."""
        if self._fired:
            return
        self._last = cycle
        self._row = self._row + 1 if is_bad else 0
        self._fired = self._row >= self._reach

    def carry(self, unhealthy_row: int) -> None:
        """Take that at least so many cycles in a row, up to here, were degraded or failing."""
        if self._trigger.is_about_bad_health:
            self._row = max(self._row, unhealthy_row)

    @property
    def fired(self) -> bool:
        """Tell whether it fired."""
        return self._fired

    @property
    def sign(self) -> Sign:
        """The cycle that fired it, or what the last one shows."""
        if self._last is None:
            return Sign(fired=False, observed="no cycle yet")
        observed = self._trigger.seen_in(self._last)
        if self._trigger.reach > 1:
            observed += f"; {self._row} such in a row"
        return Sign(fired=self._fired, observed=observed, cycle=self._last)


class RolloutTrigger(Trigger, frozen=True):
    """A trigger over what no cycle tells, such as a report."""

    @abstractmethod
    def look(self, evidence: Evidence) -> Sign:
        """Whether it fires."""
