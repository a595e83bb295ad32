"""A reason code keeps turning up: work of that kind is still done."""

from functools import partial

from tau_rollout_gate.policy.findings import GateStatus
from tau_rollout_gate.policy.gates.halves import in_first_half
from tau_rollout_gate.policy.gates.interface import Finding, Tally, Window, WindowGate
from tau_rollout_gate.policy.gates.series import Series
from tau_rollout_gate.policy.signals import ReasonCode


class ReasonCodeAdvancesGate(WindowGate, frozen=True, kw_only=True, tag="reason_code_advances"):
    """The code is in at least one cycle of each half of the window; an empty half is unknown.

    Later cycles move the middle, so waiting may help, where work of that kind goes on.
    """

    code: ReasonCode

    @property
    def required(self) -> str:
        """What has to be seen."""
        return f"{self.code} in at least one cycle of each half of the window"

    def tally(self, _surface: str, /) -> Tally:
        """Count the cycles that have it."""
        having = Series(lambda cycle: int(self.code in cycle.event.reason_codes), ("reason_codes",))
        return Tally(
            series=(having,),
            status=partial(_status, having),
            finding=partial(self._finding, having),
        )

    def _finding(self, having: Series, window: Window, now_unix_ms: int) -> Finding:
        first, second = window.halves
        observed = (
            f"{having.first} of {first} and {having.second} of {second} cycles of the two halves"
        )
        status = _status(having, window)
        if status is GateStatus.PASS:
            return Finding(status=status, observed=observed, cycle=having.last)
        is_missed = status is GateStatus.FAIL and having.last is not window.last
        finding = Finding(
            status=status,
            observed=observed,
            cycle=window.last,
            remedy=f"see that the fixture has new cases that give {self.code}, and run them"
            if is_missed
            else f"go on running cycles with cases that give {self.code}",
            cycles_help=True,
            command="run FIXTURE --fresh" if is_missed else "",
        )
        return in_first_half(finding, having, window, now_unix_ms, what=self.code)


def _status(having: Series, window: Window) -> GateStatus:
    if having.first and having.second:
        return GateStatus.PASS
    first, second = window.halves
    return GateStatus.FAIL if first and second else GateStatus.UNKNOWN
