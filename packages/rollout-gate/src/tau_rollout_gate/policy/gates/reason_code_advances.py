"""A reason code keeps turning up: work of that kind is still done."""

from __future__ import annotations

from typing import Literal

from tau_rollout_gate.contract.rollout import Rollout, SurfacePin
from tau_rollout_gate.evidence.values import Cycle
from tau_rollout_gate.policy.findings import GateStatus
from tau_rollout_gate.policy.gates.interface import Finding, PhaseWindow, Tally, WindowGate
from tau_rollout_gate.policy.signals import ReasonCode


class ReasonCodeAdvancesGate(WindowGate):
    """The code is in at least one cycle of each half of the window; an empty half is unknown.

    Later cycles move the middle, so waiting may help, where work of that kind goes on.
    """

    kind: Literal["reason_code_advances"] = "reason_code_advances"
    code: ReasonCode

    @property
    def required(self) -> str:
        """Return what has to be seen."""
        return f"{self.code} in at least one cycle of each half of the window"

    def tally(self, rollout: Rollout, pin: SurfacePin) -> Tally:
        """Begin to count the cycles that have the code."""
        del rollout, pin
        return _Advance(self.code)


class _Advance(Tally):
    def __init__(self, code: str) -> None:
        self._code = code
        self._first = self._second = 0
        self._last: Cycle | None = None

    def add(self, cycle: Cycle) -> None:
        if self._code in cycle.event.reason_codes:
            self._second += 1
            self._last = cycle

    def pass_middle(self, cycle: Cycle) -> None:
        if self._code in cycle.event.reason_codes:
            self._second -= 1
            self._first += 1

    def finding(self, window: PhaseWindow) -> Finding:
        first, second = window.halves
        observed = (
            f"{self._first} of {first} and {self._second} of {second} cycles of the two halves"
        )
        if self._first and self._second:
            return Finding(status=GateStatus.PASS, observed=observed, cycle=self._last)
        is_known = first > 0 and second > 0
        return Finding(
            status=GateStatus.FAIL if is_known else GateStatus.UNKNOWN,
            observed=observed,
            cycle=window.last,
            remedy=f"see that the fixture has new cases that give {self._code}, and run them"
            if is_known
            else f"go on running cycles with cases that give {self._code}",
            cycles_help=True,
        )
