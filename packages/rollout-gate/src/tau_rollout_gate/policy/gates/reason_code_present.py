"""A reason code was seen since the canary began, where the operator announced what causes it."""

from __future__ import annotations

from typing import Literal

from tau_rollout_gate.policy.findings import GateStatus
from tau_rollout_gate.policy.gates.interface import Finding, PhaseWindow, WindowGate
from tau_rollout_gate.policy.signals import ReasonCode


class ReasonCodePresentGate(WindowGate):
    """The code is in any cycle since canary-1 was entered, those that were left behind included.

    Not applicable unless the rollout was started with what `when` names. Waiting does not help:
    somebody has to make the change that was announced.
    """

    kind: Literal["reason_code_present"] = "reason_code_present"
    code: ReasonCode
    when: Literal["registry_changes_expected"]

    @property
    def required(self) -> str:
        """Return what has to be seen."""
        return f"{self.code} in a cycle since the canary began, as registry changes are expected"

    def judge(self, window: PhaseWindow) -> Finding:
        """Return how it stands."""
        if not window.registry_changes_expected:
            return Finding(
                status=GateStatus.NOT_APPLICABLE, observed="no registry changes are expected"
            )
        for cycle in reversed(window.canary_cycles):
            if self.code in cycle.event.reason_codes:
                return Finding(status=GateStatus.PASS, observed="present", cycle=cycle)
        if self.code in window.carried_reason_codes:
            return Finding(
                status=GateStatus.PASS, observed="present before the phase was re-entered"
            )
        return Finding(
            status=GateStatus.FAIL if window.canary_cycles else GateStatus.UNKNOWN,
            observed=f"in none of {len(window.canary_cycles)} cycles",
            cycle=window.canary_cycles[-1] if window.canary_cycles else None,
            remedy="run a cycle with the registry changes that were announced at the start",
        )
