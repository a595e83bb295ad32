"""What a gate is: a typed kind with its parameters, which judges evidence.

There are three shapes. A `CycleGate` is judged in every single cycle, so that it moves the start of
the soak; a `WindowGate` over many cycles together, of which it keeps a `Tally`; a `RolloutGate`
over what is no cycle at all. A kind is a module of this folder and one line in `gates/kinds.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from tau_rollout_gate.contract.forms import Form, Name, Surfaces
from tau_rollout_gate.contract.rollout import Rollout, SurfacePin
from tau_rollout_gate.evidence.values import Cycle, Evidence
from tau_rollout_gate.policy.findings import EvidenceRef, GateStatus

REENTER = "reenter --reason 'WHAT HAPPENED'"
"""What to type where the phase has to start anew."""


class Observation(NamedTuple):
    """What one cycle shows of a gate: in words, and whether it holds; None where it is not told."""

    observed: str
    holds: bool | None


class Finding(NamedTuple):
    """How a gate stands; `cycle` is the one to look at, if any."""

    status: GateStatus
    observed: str | None
    cycle: Cycle | None = None
    evidence: EvidenceRef | None = None
    remedy: str = ""
    cycles_help: bool = False
    command: str = ""


class Tally(ABC):
    """What one gate keeps of a surface's cycles: as little as it takes, so that none is kept."""

    @abstractmethod
    def add(self, cycle: Cycle) -> None:
        """Take the next cycle; of a window, it is in the second half."""

    def pass_middle(self, cycle: Cycle) -> None:
        """Take the oldest cycle of the second half over into the first."""
        del cycle  # a gate that looks at halves counts it over

    @abstractmethod
    def finding(self, window: PhaseWindow) -> Finding:
        """Say how the gate stands after the cycles so far."""


class PhaseWindow:
    """A surface's cycles since its phase was entered, as far as gates ask for them.

    It runs from the entry to the last cycle; its halves are by time, and a cycle at the middle
    belongs to the first (spec: "Windows and evidence"). A cycle that is dated before an earlier
    one, which holds anyway, counts as of that one's time: so the middle only ever moves on, and
    each cycle passes it once.

    Args:
        entered_unix_ms: When the phase was entered.
        tallies: What the gates keep of it.

    Attributes:
        count: How many cycles there are.
        first_count: How many of them are in the first half.
        last: The last one.
        latest: The one with the latest date.
    """

    def __init__(self, entered_unix_ms: int, tallies: Sequence[Tally]) -> None:
        self.entered_unix_ms = entered_unix_ms
        self.count = 0
        self.first_count = 0
        self.last: Cycle | None = None
        self.latest: Cycle | None = None
        self._tallies = tallies
        self._second: deque[tuple[int, Cycle]] = deque()

    def add(self, cycle: Cycle) -> None:
        """Take the next cycle."""
        if (
            self.latest is None
            or cycle.event.timestamp_unix_ms > self.latest.event.timestamp_unix_ms
        ):
            self.latest = cycle
        end = self.latest.event.timestamp_unix_ms
        self.count += 1
        self.last = cycle
        self._second.append((end, cycle))
        for tally in self._tallies:
            tally.add(cycle)
        while self._second and 2 * self._second[0][0] <= self.entered_unix_ms + end:
            _, passing = self._second.popleft()
            self.first_count += 1
            for tally in self._tallies:
                tally.pass_middle(passing)

    @property
    def halves(self) -> tuple[int, int]:
        """How many cycles are in the first half, and how many in the second."""
        return self.first_count, self.count - self.first_count


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
    """A gate over many cycles together."""

    is_since_canary: ClassVar[bool] = False
    """Whether it is over all cycles since canary-1 was entered, not over the phase's alone."""

    @abstractmethod
    def tally(self, rollout: Rollout, pin: SurfacePin) -> Tally:
        """Begin to keep what it needs of a surface's cycles."""


class RolloutGate(Gate):
    """A gate over what is no cycle: reports, the sign-off, the rollback target."""

    @abstractmethod
    def judge(self, rollout: Rollout, evidence: Evidence) -> Finding:
        """Return how it stands."""
