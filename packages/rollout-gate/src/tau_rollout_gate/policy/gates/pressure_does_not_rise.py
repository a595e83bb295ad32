"""Counters of trouble, such as retries, are no higher on average late than early in the phase."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tau_rollout_gate.evidence.values import Cycle
from tau_rollout_gate.policy.findings import GateStatus
from tau_rollout_gate.policy.gates.interface import REENTER, Finding, PhaseWindow, WindowGate
from tau_rollout_gate.policy.signals import Counters, Signal


class PressureDoesNotRiseGate(WindowGate):
    """Of each counter, the second half's mean a cycle is at most that of the first half.

    An empty half is unknown, and so is a counter that some line of the window does not tell: a
    cycle without a number must not count as one without trouble.
    """

    kind: Literal["pressure_does_not_rise"] = "pressure_does_not_rise"
    counters: Annotated[Counters, Field(min_length=1)]

    @property
    def required(self) -> str:
        """Return what has to be seen."""
        names = " and ".join(self.counters)
        return f"{names} a cycle no higher in the second half of the window than in the first"

    def judge(self, window: PhaseWindow) -> Finding:
        """Return how it stands."""
        silent = self._without_a_counter(window.cycles)
        if silent is not None:
            return silent
        first, second = window.halves()
        if not first or not second:
            return Finding(
                status=GateStatus.UNKNOWN,
                observed=f"{len(first)} and {len(second)} cycles in the two halves",
                cycle=window.cycles[-1] if window.cycles else None,
                remedy="go on running cycles: both halves of the window need at least one",
                cycles_help=True,
            )
        sums = [(name, _sum(first, name), _sum(second, name)) for name in self.counters]
        # Products instead of means, so that equal is equal: no division, no rounding.
        risen = [name for name, one, two in sums if two * len(first) > one * len(second)]
        observed = "; ".join(
            f"{name} {one} in {len(first)} cycles, then {two} in {len(second)}"
            for name, one, two in sums
        )
        if not risen:
            return Finding(status=GateStatus.PASS, observed=observed, cycle=window.cycles[-1])
        return Finding(
            status=GateStatus.FAIL,
            observed=observed,
            cycle=max(second, key=lambda cycle: cycle.event.counters[risen[0].key]),
            remedy=f"find out what makes {' and '.join(risen)} rise, mend it, and let cycles run "
            "until the later half is no worse than the earlier",
            cycles_help=True,
        )

    def _without_a_counter(self, cycles: tuple[Cycle, ...]) -> Finding | None:
        told = [(name, name.key) for name in self.counters]
        for cycle in cycles:
            for name, key in told:
                if key not in cycle.event.counters:
                    return Finding(
                        status=GateStatus.UNKNOWN,
                        observed=f"a cycle does not tell {name}",
                        cycle=cycle,
                        remedy=f"have the writer record {key} in every cycle, then start the "
                        "phase anew with 'reenter --reason'",
                        command=REENTER,
                    )
        return None


def _sum(cycles: tuple[Cycle, ...], counter: Signal) -> int:
    key = counter.key
    return sum(cycle.event.counters[key] for cycle in cycles)
