"""Gates that tie each cycle to the release: its run mode, its version, its fixture.

The policy says which run mode, and the operator says what else to expect at `start`
(runbooks/rollout-gate-ops.md, "Reasons to hold").
"""

from tau_rollout_gate.contract.rollout import SurfacePin
from tau_rollout_gate.evidence.values import Cycle
from tau_rollout_gate.policy.gates.interface import CycleGate


class PinnedField(CycleGate):
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
        return "run FIXTURE" + (f" --run-mode {self.value}" if self.field == "run_mode" else "")

    def holds(self, cycle: Cycle) -> bool | None:
        """Tell whether the cycle has the value; None where its line has none."""
        seen = getattr(cycle.event, self.field)
        return None if seen is None else bool(seen == self.value)

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
