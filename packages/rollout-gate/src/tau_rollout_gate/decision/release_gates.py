"""The gates of single cycles that the rollout itself asks for, beside its policy's.

What the policy requires to have run, and what the operator expected at the start
(runbooks/rollout-gate-ops.md, "Reasons to hold").
"""

from __future__ import annotations

from tau_rollout_gate.contract.rollout import SurfacePin
from tau_rollout_gate.evidence.values import Cycle
from tau_rollout_gate.policy.gates.interface import CycleGate, Observation


class RequiredRunMode(CycleGate):
    """The cycle ran in the mode that the policy requires."""

    name: str = "run_mode"
    mode: str

    @property
    def required(self) -> str:
        """Return the mode in words."""
        return f"run_mode = {self.mode}"

    @property
    def remedy(self) -> str:
        """Return what to do where another mode is seen."""
        return f"start the runtime with --run-mode {self.mode}"

    def observe(self, cycle: Cycle) -> Observation:
        """Return the cycle's mode."""
        seen = cycle.event.run_mode
        return Observation(
            observed=seen or "not told", holds=None if seen is None else seen == self.mode
        )


class EvidenceOfRelease(CycleGate):
    """The cycle is of the release under rollout, by a field that was pinned at the start."""

    name: str = "evidence_of_release"
    field: str
    value: str

    @property
    def required(self) -> str:
        """Return the field and its value."""
        return f"{self.field} = {self.value}"

    @property
    def remedy(self) -> str:
        """Return what to do where another value is seen."""
        return (
            f"see that the canary runs the release under rollout ({self.required}); cycles of "
            f"another one restart the soak. If {self.value} was a typing error: it is fixed for "
            "this rollout; 'rollback' and 'start' anew"
        )

    def observe(self, cycle: Cycle) -> Observation:
        """Return the cycle's value."""
        seen = getattr(cycle.event, self.field)
        return Observation(
            observed=seen or "not told", holds=None if seen is None else seen == self.value
        )


def pinned_gates(pin: SurfacePin, required_run_mode: str | None) -> tuple[CycleGate, ...]:
    """Return the cycle gates that the rollout itself asks for, beside its policy's."""
    gates: list[CycleGate] = []
    if required_run_mode is not None:
        gates.append(RequiredRunMode(mode=required_run_mode))
    for field, value in sorted(pin.expected.items()):
        gates.append(
            EvidenceOfRelease(name=f"evidence_of_release:{field}", field=field, value=value)
        )
    return tuple(gates)
