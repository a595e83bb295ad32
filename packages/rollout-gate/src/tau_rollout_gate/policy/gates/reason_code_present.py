"""A reason code was seen since the canary began, where the operator announced what causes it."""

from functools import partial
from typing import ClassVar, Literal

from tau_rollout_gate.counted import counted
from tau_rollout_gate.policy.findings import GateStatus
from tau_rollout_gate.policy.gates.interface import Finding, Tally, Window, WindowGate
from tau_rollout_gate.policy.gates.series import Series
from tau_rollout_gate.policy.signals import ReasonCode


class ReasonCodePresentGate(WindowGate, frozen=True, kw_only=True, tag="reason_code_present"):
    """The code is in any cycle since canary-1 was entered, those that were left behind included.

    Not applicable unless the rollout was started with what `when` names. Waiting does not help:
    somebody has to make the change that was announced.
    """

    is_since_canary: ClassVar[bool] = True
    code: ReasonCode
    when: Literal["registry_changes_expected"]

    @property
    def required(self) -> str:
        """What has to be seen."""
        return f"{self.code} in a cycle since the canary began, as registry changes are expected"

    def tally(self, _surface: str, /) -> Tally:
        """Look for it."""
        having = Series(lambda cycle: int(self.code in cycle.event.reason_codes), ("reason_codes",))
        return Tally(
            series=(having,),
            status=partial(_status, having),
            finding=partial(self._finding, having),
        )

    def _finding(self, having: Series, window: Window, _now_unix_ms: int) -> Finding:
        status = _status(having, window)
        if status is GateStatus.NOT_APPLICABLE:
            return Finding(status=status, observed="no registry changes are expected")
        if status is GateStatus.PASS:
            return Finding(status=status, observed="present", cycle=having.last)
        return Finding(
            status=status,
            observed=f"in none of {counted(window.count, 'cycle')}",
            cycle=window.last,
            remedy="run a cycle with the registry changes that were announced at the start",
            command="run FIXTURE",
        )


def _status(having: Series, window: Window) -> GateStatus:
    if not window.rollout.registry_changes_expected:
        return GateStatus.NOT_APPLICABLE
    if having.last is not None:
        return GateStatus.PASS
    return GateStatus.FAIL if window.count else GateStatus.UNKNOWN
