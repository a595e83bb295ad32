"""What a browser does leaves artifacts behind: the store grows with the executed cases."""

from tau_rollout_gate.evidence.values import Cycle
from tau_rollout_gate.policy.findings import GateStatus
from tau_rollout_gate.policy.gates.interface import (
    REENTER,
    Finding,
    Tally,
    Window,
    WindowGate,
)
from tau_rollout_gate.policy.gates.series import Series

_REENTER = "then start the phase anew with 'reenter --reason'"


class ArtifactsGrowGate(WindowGate, frozen=True, kw_only=True, tag="artifacts_grow"):
    """`artifact_records` rises in every cycle with `executed_cases`, and falls in none.

    Neighbouring cycles of the window are compared. It is unknown where a line does not tell one of
    the two, and until a case was executed after the window's first cycle: a store that nobody used
    proves nothing. What did not grow once stays so in this window.
    """

    @property
    def required(self) -> str:
        """What has to be seen."""
        return "artifact_records grows in every cycle with executed_cases, and falls in none"

    def tally(self, _surface: str, /) -> Tally:
        """Compare neighbours."""
        growth = _Growth()
        return Tally(series=(growth.used,), status=growth.status, finding=growth.finding)


class _Growth:
    def __init__(self) -> None:
        self.used = Series(self._compared, looks_at=None)
        self._loss: Finding | None = None
        self._first: int | None = None
        self._records = 0

    def _compared(self, cycle: Cycle) -> int | None:
        """Tell whether a cycle after the first used the store; None where it does not tell."""
        counters = cycle.event.counters
        records, executed = counters.get("artifact_records"), counters.get("executed_cases")
        if records is None or executed is None:
            return None
        if self._first is None:
            self._first = records
            used = 0
        else:
            used = int(executed > 0)
            if records < self._records + used:
                self._loss = self._loss or _lost(cycle, self._records, records, executed)
        self._records = records
        return used

    def status(self, _window: Window) -> GateStatus:
        if self.used.untold is not None:
            return GateStatus.UNKNOWN
        if self._loss is not None:
            return GateStatus.FAIL
        return GateStatus.UNKNOWN if self.used.last is None else GateStatus.PASS

    def finding(self, window: Window, _now_unix_ms: int) -> Finding:
        if self.used.untold is not None:
            return Finding(
                status=GateStatus.UNKNOWN,
                observed="a cycle does not tell artifact_records and executed_cases",
                cycle=self.used.untold[1],
                remedy=f"have the writer record both in every cycle, {_REENTER}",
                command=REENTER,
            )
        if self._loss is not None:
            return self._loss
        if self.used.last is None:
            return Finding(
                status=GateStatus.UNKNOWN,
                observed="no case was executed after the window's first cycle",
                cycle=window.last,
                remedy="go on running cycles with cases that the browser executes",
                cycles_help=True,
            )
        return Finding(
            status=GateStatus.PASS,
            observed=f"{self._first} records, then {self._records}",
            cycle=window.last,
        )


def _lost(cycle: Cycle, before: int, after: int, executed: int) -> Finding:
    return Finding(
        status=GateStatus.FAIL,
        observed=f"{before} records, then {after} after {executed} executed cases",
        cycle=cycle,
        remedy="find out why the artifact store lost records or got none (disk, retention, "
        f"permissions), mend it, {_REENTER}",
        command=REENTER,
    )
