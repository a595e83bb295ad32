"""What a gate is: a typed kind with its parameters, which judges evidence.

There are three shapes. A `CycleGate` is judged in every single cycle, so that it moves the start of
the soak; a `WindowGate` over many cycles together, of which it keeps a `Tally`; a `RolloutGate`
over what no cycle tells, such as a report or the sign-off. A kind is a module of this folder and
one line in `gates/kinds.py`.
"""

from abc import abstractmethod
from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from operator import ge
from typing import ClassVar, NamedTuple

from tau_rollout_gate.contract.forms import AbstractForm, Form, Name, Surfaces
from tau_rollout_gate.contract.pin import SurfacePin
from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.evidence.values import Cycle, Evidence
from tau_rollout_gate.policy.alike import Alike
from tau_rollout_gate.policy.findings import EvidenceRef, GateStatus
from tau_rollout_gate.policy.gates.series import Counting, Series, counting_of

REENTER = "reenter --reason 'WHAT HAPPENED'"
"""What to type where the phase has to start anew."""


class Finding(NamedTuple):
    """How a gate stands; `cycle` is the one to look at, if any.

    `from_unix_ms` is when clean cycles can make it pass at the earliest; None where the next can.
    """

    status: GateStatus
    observed: str | None
    cycle: Cycle | None = None
    evidence: EvidenceRef | None = None
    remedy: str = ""
    cycles_help: bool = False
    command: str = ""
    from_unix_ms: int | None = None


class Window:
    """A surface's cycles since a phase was entered, as far as gates ask for them.

    It runs from the entry to the last cycle; its halves are by time, and a cycle at the middle
    belongs to the first (rollout-gate-ops.md, "Soak"). A cycle that is dated before an earlier
    one, which holds anyway, counts as of that one's time: so the middle only ever moves on, and
    each cycle passes it once.

    Args:
        rollout: The rollout.
        pin: The surface.
        entered_unix_ms: When the phase was entered, or canary-1.
        gates: All gates; those that are over them, and for the surface, are tallied.
        soak_ms: How long the phase's gates have to hold.
        is_since_canary: Whether it is over all cycles since canary-1 was entered.

    Attributes:
        count: How many cycles there are.
        last: The last one.
        latest: The one with the latest date.
    """

    def __init__(  # noqa: PLR0913 - what a window is of
        self,
        rollout: Rollout,
        pin: SurfacePin,
        entered_unix_ms: int,
        gates: Iterable["Gate"],
        *,
        soak_ms: int,
        is_since_canary: bool,
    ) -> None:
        self.rollout = rollout
        self.pin = pin
        self.entered_unix_ms = entered_unix_ms
        self.soak_ms = soak_ms
        self.count = 0
        self.last: Cycle | None = None
        self.latest: Cycle | None = None
        self._tallies = {
            gate: gate.tally(pin.name)
            for gate in gates
            if isinstance(gate, WindowGate)
            if gate.applies_to(pin.name) and gate.is_since_canary == is_since_canary
        }
        series = [one for tally in self._tallies.values() for one in tally.series]
        alike = [one for one in series if one.looks_at is not None]
        self._others = [one for one in series if one.looks_at is None]
        self._of_alike = Alike(
            lambda cycle: counting_of(alike, cycle),
            {name for one in alike for name in one.looks_at or ()},
        )
        # As of when each cycle counts, and where the second half begins among them.
        self._ends = array("q")
        self._middle = 0
        # The cycles of the second half that count for something, by their place among all.
        self._counting: deque[tuple[int, Counting]] = deque()

    def add(self, cycle: Cycle) -> None:
        """Take the next cycle."""
        end = cycle.event.timestamp_unix_ms
        if self.latest is None or end > self.latest.event.timestamp_unix_ms:
            self.latest = cycle
        else:
            end = self.latest.event.timestamp_unix_ms
        counting = self._of_alike(cycle)
        if self._others:
            counting = (*counting, *counting_of(self._others, cycle))
        if counting:
            for one, value in counting:
                one.add(self.count, value, cycle)
            self._counting.append((self.count, counting))
        self._ends.append(end)
        self.count += 1
        self.last = cycle

    def extend(self, cycles: Sequence[Cycle]) -> None:
        """Take the next cycles, one at least."""
        ends = [cycle.event.timestamp_unix_ms for cycle in cycles]
        latest = -1 if self.latest is None else self.latest.event.timestamp_unix_ms
        if self._others or any(map(ge, (latest, *ends), ends)):
            for cycle in cycles:
                self.add(cycle)
            return
        # Where no gate asks, as mostly of all since canary-1, nothing has to be counted.
        counted = zip(self._of_alike.all(cycles), cycles, strict=True) if self._tallies else ()
        for index, (counting, cycle) in enumerate(counted, self.count):
            if counting:
                for one, value in counting:
                    one.add(index, value, cycle)
                self._counting.append((index, counting))
        self._ends.extend(ends)
        self.count += len(cycles)
        self.last = self.latest = cycles[-1]

    def status(self, gate: "WindowGate") -> GateStatus:
        """The status of a finding of one of the gates, after the cycles so far."""
        self._pass_middle()
        return self._tallies[gate].status(self)

    def finding(self, gate: "WindowGate", now_unix_ms: int) -> Finding:
        """Say how one of the gates stands now, after the cycles so far."""
        self._pass_middle()
        return self._tallies[gate].finding(self, now_unix_ms)

    @property
    def halves(self) -> tuple[int, int]:
        """How many cycles are in the first half, and how many in the second."""
        self._pass_middle()
        return self._middle, self.count - self._middle

    def _pass_middle(self) -> None:
        """Take into the first half what belongs there by now; only who asks needs it."""
        if self._middle == self.count:
            return
        middle_unix_ms = (self.entered_unix_ms + self._ends[-1]) // 2
        if self._ends[self._middle] > middle_unix_ms:
            return
        self._middle = bisect_right(self._ends, middle_unix_ms, self._middle)
        while self._counting and self._counting[0][0] < self._middle:
            index, counting = self._counting.popleft()
            for one, value in counting:
                one.pass_middle(index, value)


class Tally(NamedTuple):
    """What a gate keeps of the cycles of a window, and how it stands after those so far, now.

    The status is that of the finding, at the cost of none of its words.
    """

    series: tuple[Series, ...]
    status: Callable[[Window], GateStatus]
    finding: Callable[[Window, int], Finding]


class Gate(Form, metaclass=AbstractForm, frozen=True, kw_only=True, tag_field="kind"):
    """A gate of a policy: its kind, its name, and the surfaces it applies to (None: all)."""

    name: Name
    surfaces: Surfaces | None = None

    @property
    @abstractmethod
    def required(self) -> str:
        """What has to be seen, in words: `queue_depth <= 1`."""

    @property
    def named_surfaces(self) -> tuple[str, ...]:
        """The surfaces that it names."""
        return self.surfaces or ()

    def applies_to(self, surface: str) -> bool:
        """Tell whether the gate judges this surface."""
        return self.surfaces is None or surface in self.surfaces


class CycleGate(Gate, frozen=True):
    """A gate that must hold in every cycle of the soak."""

    @property
    @abstractmethod
    def looks_at(self) -> tuple[str, ...]:
        """The fields of an event, and the counters, that it depends on whether it holds."""

    @abstractmethod
    def holds(self, cycle: Cycle) -> bool | None:
        """Tell whether it holds in a cycle; None where the cycle's line does not tell."""

    @abstractmethod
    def seen_in(self, cycle: Cycle) -> str:
        """Say what a cycle shows of it."""

    @property
    @abstractmethod
    def remedy(self) -> str:
        """What to do where it does not hold."""

    @property
    def command(self) -> str:
        """What to type then, as `GateResult.command` has it."""
        return "diagnose"

    @property
    def remedy_untold(self) -> str:
        """What to do where the cycle's line does not tell."""
        return self.remedy


class WindowGate(Gate, frozen=True):
    """A gate over many cycles together."""

    is_since_canary: ClassVar[bool] = False
    """Whether it is over all cycles since canary-1 was entered, not over the phase's alone."""

    @abstractmethod
    def tally(self, surface: str, /) -> Tally:
        """Begin to keep what it needs of every cycle of a surface."""


class RolloutGate(Gate, frozen=True):
    """A gate over what no cycle tells: reports, the sign-off, the rollback target."""

    @abstractmethod
    def judge(self, rollout: Rollout, evidence: Evidence) -> Finding:
        """How it stands."""
