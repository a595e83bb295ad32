"""Gates that tie each cycle to the release: its run mode, its version, its fixture.

The policy says which run mode, and the operator says what else to expect at `start`
(runbooks/rollout-gate-ops.md, "Reasons to hold").
"""

import shlex
from collections.abc import Sequence

from tau_rollout_gate.contract.pin import CHAINED_SURFACE, SurfacePin, Tie
from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.evidence.values import Cycle, SurfaceEvidence
from tau_rollout_gate.policy.findings import EVIDENCE_OF_RELEASE, GateStatus
from tau_rollout_gate.policy.gates.interface import CycleGate, Finding
from tau_rollout_gate.versions import is_same_release


class PinnedField(CycleGate, frozen=True, kw_only=True):
    """A field of every cycle's line has the one value that it may have."""

    name: str
    field: str
    value: str
    advice: str

    @property
    def required(self) -> str:
        """The field and its value."""
        return f"{self.field} = {self.value}"

    @property
    def remedy(self) -> str:
        """What to do where another value is seen."""
        return self.advice

    @property
    def command(self) -> str:
        """A cycle as it should be."""
        option = {"run_mode": "--run-mode", "release": "--release"}.get(self.field)
        return "run FIXTURE" + ("" if option is None else f" {option} {shlex.quote(self.value)}")

    @property
    def looks_at(self) -> tuple[str, ...]:
        """What it depends on."""
        return (self.field,)

    def holds(self, cycle: Cycle) -> bool | None:
        """Tell whether the cycle has the value; None where its line has none."""
        seen = getattr(cycle.event, self.field)
        if seen is None or self.field != "release":
            return None if seen is None else bool(seen == self.value)
        return is_same_release(seen, self.value)

    def seen_in(self, cycle: Cycle) -> str:
        """The cycle's value."""
        return getattr(cycle.event, self.field) or "not told"


def pinned_gates(pin: SurfacePin, required_run_mode: str | None) -> tuple[CycleGate, ...]:
    """The cycle gates that the rollout itself asks for, beside its policy's."""
    of_release = [
        PinnedField(
            name=f"evidence_of_release:{field}",
            field=field,
            value=value,
            advice=f"see that the canary runs the release under rollout ({field} = {value}); "
            f"cycles of another one restart the soak. If {value} was a typing error: it is fixed "
            "for this rollout; 'rollback' and 'start' anew",
        )
        for field, value in sorted(pin.expected.items())
    ]
    if required_run_mode is None:
        return tuple(of_release)
    advice = f"start the runtime with --run-mode {required_run_mode}"
    mode = PinnedField(name="run_mode", field="run_mode", value=required_run_mode, advice=advice)
    return (mode, *of_release)


class ReleaseWatch:
    """Which release the cycles of a surface tell since canary-1 was entered.

    Where any cycle tells one, gates and the soak wait for the first that tells the rollout's; after
    it each has to. Until then a trigger leaves out what exactly the rollback target did.

    Args:
        rollout: The rollout.
        pin: The surface.

    Attributes:
        gate: The gate that is judged in every cycle from that first one on.
        tie: How far it got.
        passed_over: How many cycles of the rollback target no trigger looks at.
    """

    def __init__(self, rollout: Rollout, pin: SurfacePin) -> None:
        self.gate = PinnedField(
            name=EVIDENCE_OF_RELEASE,
            field="release",
            value=rollout.release,
            advice=f"see that the canary runs {rollout.release}, and that its writer says so: "
            f"{how_to_tell(pin.name, rollout.release)}",
        )
        self.tie = Tie.UNTOLD
        self.passed_over = 0
        self._target = rollout.rollback.rollback_version
        self._last: Cycle | None = None

    def add(self, cycle: Cycle) -> bool:
        """Take the next cycle; tell whether triggers look at it."""
        told, self._last = cycle.event.release, cycle
        if self.tie is Tie.SEEN or told is None:
            return True
        self.tie = Tie.SEEN if self.gate.holds(cycle) else Tie.AWAITED
        is_of_target = self.tie is Tie.AWAITED and is_same_release(told, self._target)
        self.passed_over += is_of_target
        return not is_of_target

    def carry(self, tie: Tie) -> None:
        """Go on from what is known of cycles that are lost."""
        self.tie = furthest(self.tie, tie)

    @property
    def is_told(self) -> bool:
        """Whether any cycle told its release."""
        return self.tie is not Tie.UNTOLD

    @property
    def finding(self) -> Finding | None:
        """How the gate stands; None where that is as in the last cycle."""
        if self.tie is Tie.SEEN:
            return None
        if self.tie is Tie.UNTOLD:
            return Finding(status=GateStatus.NOT_APPLICABLE, observed="no cycle tells its release")
        last = self._last
        seen = "" if last is None else f"; the last one: {self.gate.seen_in(last)[:60]}"
        return Finding(
            status=GateStatus.UNKNOWN,
            observed=f"no cycle of {self.gate.value} yet{seen}",
            cycle=last,
            remedy=self.gate.remedy,
            command=self.gate.command,
        )


def furthest(one: Tie, other: Tie) -> Tie:
    """The one of two that got further."""
    return max(one, other, key=list(Tie).index)


def tie_after(rollout: Rollout, pin: SurfacePin, found: SurfaceEvidence) -> Tie:
    """How the cycles that are known, lost ones among them, are tied to the release."""
    watch = ReleaseWatch(rollout, pin)
    before, after = found.cycles[: found.sound_start], found.cycles[found.sound_start :]
    for cycle in _telling(before):
        watch.add(cycle)
    watch.carry(pin.carried.tie)
    for cycle in _telling(after):
        watch.add(cycle)
    return watch.tie


def _telling(cycles: Sequence[Cycle]) -> list[Cycle]:
    """Those that tell a release: others tie nothing."""
    return [cycle for cycle in cycles if cycle.event.told.release is not None]


def how_to_tell(surface: str, release: str) -> str:
    """What makes the lines of a surface tell the release."""
    if surface != CHAINED_SURFACE:
        return "the key 'release' in every line"
    return f"'tau-custom-command run --release {release}', or --release-file"
