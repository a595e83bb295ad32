"""A reason code was seen since the canary began, where the operator announced what causes it."""

from __future__ import annotations

from typing import ClassVar, Literal

from tau_rollout_gate.contract.rollout import Rollout, SurfacePin
from tau_rollout_gate.evidence.values import Cycle
from tau_rollout_gate.policy.findings import GateStatus
from tau_rollout_gate.policy.gates.interface import Finding, PhaseWindow, Tally, WindowGate
from tau_rollout_gate.policy.signals import ReasonCode


class ReasonCodePresentGate(WindowGate):
    """The code is in any cycle since canary-1 was entered, those that were left behind included.

    Not applicable unless the rollout was started with what `when` names. Waiting does not help:
    somebody has to make the change that was announced.
    """

    kind: Literal["reason_code_present"] = "reason_code_present"
    is_since_canary: ClassVar[bool] = True
    code: ReasonCode
    when: Literal["registry_changes_expected"]

    @property
    def required(self) -> str:
        """Return what has to be seen."""
        return f"{self.code} in a cycle since the canary began, as registry changes are expected"

    def tally(self, rollout: Rollout, pin: SurfacePin) -> Tally:
        """Begin to look for the code."""
        return _Presence(
            self.code,
            is_expected=rollout.registry_changes_expected,
            is_carried=self.code in pin.carried.reason_codes,
        )


class _Presence(Tally):
    def __init__(self, code: str, *, is_expected: bool, is_carried: bool) -> None:
        self._code = code
        self._is_expected = is_expected
        self._is_carried = is_carried
        self._count = 0
        self._last: Cycle | None = None
        self._present: Cycle | None = None

    def add(self, cycle: Cycle) -> None:
        self._count += 1
        self._last = cycle
        if self._code in cycle.event.reason_codes:
            self._present = cycle

    def finding(self, window: PhaseWindow) -> Finding:
        del window  # it is of the phase alone
        if not self._is_expected:
            return Finding(
                status=GateStatus.NOT_APPLICABLE, observed="no registry changes are expected"
            )
        if self._present is not None:
            return Finding(status=GateStatus.PASS, observed="present", cycle=self._present)
        if self._is_carried:
            return Finding(
                status=GateStatus.PASS, observed="present before the phase was re-entered"
            )
        return Finding(
            status=GateStatus.FAIL if self._count else GateStatus.UNKNOWN,
            observed=f"in none of {self._count} cycles",
            cycle=self._last,
            remedy="run a cycle with the registry changes that were announced at the start",
        )
