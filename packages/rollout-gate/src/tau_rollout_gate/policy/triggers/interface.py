"""What a rollback trigger is: a typed kind with its threshold, which looks for one bad sign.

A `CycleTrigger` is looked for in every cycle since canary-1 was entered; a `RolloutTrigger` in what
is no cycle, in every phase. A kind is a module of this folder and one line in
`triggers/__init__.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from tau_rollout_gate.contract.forms import Form, Name, Sentence, Surfaces
from tau_rollout_gate.evidence.values import Cycle, Evidence
from tau_rollout_gate.policy.findings import EvidenceRef


class Sign(NamedTuple):
    """What was seen: in words, whether it fires, and where to look."""

    fired: bool
    observed: str
    cycle: Cycle | None = None
    evidence: EvidenceRef | None = None


class Trigger(Form, ABC):
    """A trigger of a policy: its kind, its name, its surfaces (None: all), and what to do then."""

    name: Name
    surfaces: Surfaces | None = None
    action: Sentence

    @property
    @abstractmethod
    def threshold(self) -> str:
        """Return when it fires, in words: `failure_streak >= 3`."""

    def applies_to(self, surface: str) -> bool:
        """Tell whether the trigger looks at this surface."""
        return self.surfaces is None or surface in self.surfaces


class CycleTrigger(Trigger):
    """A trigger over the cycles of a surface, in the order of its log."""

    @property
    def reach(self) -> int:
        """Return how many neighbouring cycles together fire it: it needs no more of them."""
        return 1

    @abstractmethod
    def look(self, cycles: tuple[Cycle, ...], *, is_before_unhealthy: bool) -> Sign:
        """Return the first cycle that fires it, or what the last one shows.

        Args:
            cycles: All since canary-1 was entered, oldest first.
            is_before_unhealthy: Whether the neighbour before the first of them is known to have
                been degraded or failing, after canary-1 was entered.
        """


class RolloutTrigger(Trigger):
    """A trigger over what is no cycle."""

    @abstractmethod
    def look(self, evidence: Evidence) -> Sign:
        """Return whether it fires."""
