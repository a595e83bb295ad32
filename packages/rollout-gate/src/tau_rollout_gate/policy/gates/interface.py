"""What a gate is: a typed kind with its parameters, which judges evidence.

There are three shapes. A `CycleGate` is judged in every single cycle, so that it moves the start of
the soak; a `WindowGate` over the cycles of the phase together; a `RolloutGate` over what is no
cycle at all. A kind is a module of this folder and one line in `gates/__init__.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from tau_rollout_gate.contract.forms import Form, Name, Surfaces
from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.evidence.values import Cycle, Evidence
from tau_rollout_gate.policy.findings import EvidenceRef, GateStatus

REENTER = "reenter --reason 'WHAT HAPPENED'"
"""What to type where the phase has to start anew."""


class Observation(NamedTuple):
    """What one cycle shows of a gate: in words, and whether it holds; None where it is not told."""

    observed: str
    holds: bool | None


class Finding(NamedTuple):
    """How a gate stands over a window or a rollout; `cycle` is the one to look at, if any."""

    status: GateStatus
    observed: str | None
    cycle: Cycle | None = None
    evidence: EvidenceRef | None = None
    remedy: str = ""
    cycles_help: bool = False
    command: str = ""


class PhaseWindow(NamedTuple):
    """A surface's cycles as a gate over a window sees them.

    Args:
        surface: The surface's name.
        entered_unix_ms: When the phase was entered.
        cycles: The cycles since, oldest first.
        canary_cycles: Those since canary-1 was entered, these among them.
        carried_reason_codes: The codes seen since canary-1 in cycles that are judged no longer.
        registry_changes_expected: Whether the operator said so at the start.
    """

    surface: str
    entered_unix_ms: int
    cycles: tuple[Cycle, ...]
    canary_cycles: tuple[Cycle, ...]
    carried_reason_codes: tuple[str, ...]
    registry_changes_expected: bool

    def halves(self) -> tuple[tuple[Cycle, ...], tuple[Cycle, ...]]:
        """Return the cycles of the first and of the second half of the window.

        The window runs from the entry to the last cycle, its halves are by time, and a cycle at the
        middle belongs to the first (spec: "Windows and evidence").
        """
        if not self.cycles:
            return (), ()
        double_middle = self.entered_unix_ms + self.cycles[-1].event.timestamp_unix_ms
        first = tuple(
            cycle for cycle in self.cycles if 2 * cycle.event.timestamp_unix_ms <= double_middle
        )
        return first, self.cycles[len(first) :]


class Gate(Form, ABC):
    """A gate of a policy: its kind, its name, and the surfaces it applies to (None: all)."""

    name: Name
    surfaces: Surfaces | None = None

    @property
    @abstractmethod
    def required(self) -> str:
        """Return what has to be seen, in words: `queue_depth <= 1`."""

    def applies_to(self, surface: str) -> bool:
        """Tell whether the gate judges this surface."""
        return self.surfaces is None or surface in self.surfaces


class CycleGate(Gate):
    """A gate that must hold in every cycle of the soak."""

    @abstractmethod
    def observe(self, cycle: Cycle) -> Observation:
        """Return what this cycle shows."""

    @property
    @abstractmethod
    def remedy(self) -> str:
        """Return what to do where it does not hold."""

    @property
    def remedy_untold(self) -> str:
        """Return what to do where the cycle's line does not tell."""
        return self.remedy


class WindowGate(Gate):
    """A gate over all cycles of the phase together."""

    @abstractmethod
    def judge(self, window: PhaseWindow) -> Finding:
        """Return how it stands."""


class RolloutGate(Gate):
    """A gate over what is no cycle: reports, the sign-off, the rollback target."""

    @abstractmethod
    def judge(self, rollout: Rollout, evidence: Evidence) -> Finding:
        """Return how it stands."""
