"""What a browser does leaves artifacts behind: the store grows with the executed cases."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from tau_rollout_gate.evidence.values import Cycle
from tau_rollout_gate.policy.findings import GateStatus
from tau_rollout_gate.policy.gates.interface import REENTER, Finding, PhaseWindow, WindowGate

_REENTER = "then start the phase anew with 'reenter --reason'"


class ArtifactsGrowGate(WindowGate):
    """`artifact_records` rises in every cycle with `executed_cases`, and falls in none.

    Neighbouring cycles of the window are compared. It is unknown where a line does not tell one of
    the two, and until a case was executed after the window's first cycle: a store that nobody used
    proves nothing. What did not grow once stays so in this window.
    """

    kind: Literal["artifacts_grow"] = "artifacts_grow"

    @property
    def required(self) -> str:
        """Return what has to be seen."""
        return "artifact_records grows in every cycle with executed_cases, and falls in none"

    def judge(self, window: PhaseWindow) -> Finding:
        """Return how it stands."""
        for cycle in window.cycles:
            if _records(cycle) is None or _executed(cycle) is None:
                return Finding(
                    status=GateStatus.UNKNOWN,
                    observed="a cycle does not tell artifact_records and executed_cases",
                    cycle=cycle,
                    remedy=f"have the writer record both in every cycle, {_REENTER}",
                    command=REENTER,
                )
        pairs = [
            (cycle, _records(before) or 0, _records(cycle) or 0, _executed(cycle) or 0)
            for before, cycle in pairwise(window.cycles)
        ]
        for cycle, before, after, executed in pairs:
            if after < before + (executed > 0):
                return Finding(
                    status=GateStatus.FAIL,
                    observed=f"{before} records, then {after} after {executed} executed cases",
                    cycle=cycle,
                    remedy="find out why the artifact store lost records or got none (disk, "
                    f"retention, permissions), mend it, {_REENTER}",
                    command=REENTER,
                )
        if not any(executed for *_, executed in pairs):
            return Finding(
                status=GateStatus.UNKNOWN,
                observed="no case was executed after the window's first cycle",
                cycle=window.cycles[-1] if window.cycles else None,
                remedy="go on running cycles with cases that the browser executes",
                cycles_help=True,
            )
        return Finding(
            status=GateStatus.PASS,
            observed=f"{pairs[0][1]} records, then {pairs[-1][2]}",
            cycle=window.cycles[-1],
        )


def _records(cycle: Cycle) -> int | None:
    return cycle.event.counters.get("artifact_records")


def _executed(cycle: Cycle) -> int | None:
    return cycle.event.counters.get("executed_cases")
