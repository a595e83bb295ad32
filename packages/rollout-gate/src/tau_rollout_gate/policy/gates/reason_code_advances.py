"""A reason code keeps turning up: work of that kind is still done."""

from __future__ import annotations

from typing import Literal

from tau_rollout_gate.evidence.values import Cycle
from tau_rollout_gate.policy.findings import GateStatus
from tau_rollout_gate.policy.gates.interface import Finding, PhaseWindow, WindowGate
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

    def judge(self, window: PhaseWindow) -> Finding:
        """Return how it stands."""
        halves = window.halves()
        numbers = [sum(self._is_in(cycle) for cycle in half) for half in halves]
        observed = " and ".join(
            f"{number} of {len(half)}" for number, half in zip(numbers, halves, strict=True)
        )
        observed += " cycles of the two halves"
        if all(numbers):
            last = next(cycle for cycle in reversed(halves[1]) if self._is_in(cycle))
            return Finding(status=GateStatus.PASS, observed=observed, cycle=last)
        is_known = all(halves)
        return Finding(
            status=GateStatus.FAIL if is_known else GateStatus.UNKNOWN,
            observed=observed,
            cycle=window.cycles[-1] if window.cycles else None,
            remedy=f"see that the fixture has new cases that give {self.code}, and run them"
            if is_known
            else f"go on running cycles with cases that give {self.code}",
            cycles_help=True,
        )

    def _is_in(self, cycle: Cycle) -> bool:
        return self.code in cycle.event.reason_codes
