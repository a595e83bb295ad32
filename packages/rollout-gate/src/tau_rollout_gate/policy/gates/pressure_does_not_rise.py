"""Counters of trouble, such as retries, are no higher on average late than early in the phase."""

from __future__ import annotations

from collections import deque
from typing import Annotated, Literal

from pydantic import Field

from tau_rollout_gate.contract.rollout import Rollout, SurfacePin
from tau_rollout_gate.evidence.values import Cycle
from tau_rollout_gate.policy.findings import GateStatus
from tau_rollout_gate.policy.gates.interface import (
    REENTER,
    Finding,
    PhaseWindow,
    Tally,
    WindowGate,
)
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

    def tally(self, rollout: Rollout, pin: SurfacePin) -> Tally:
        """Begin to add up the counters."""
        del rollout, pin
        return _Pressure(self.counters)


class _Pressure(Tally):
    def __init__(self, counters: tuple[Signal, ...]) -> None:
        self._sums = {counter: _Sums(counter.key) for counter in counters}
        self._silent: tuple[Signal, Cycle] | None = None

    def add(self, cycle: Cycle) -> None:
        told = cycle.event.counters
        if self._silent is None:
            silent = (counter for counter in self._sums if counter.key not in told)
            self._silent = next(((counter, cycle) for counter in silent), None)
        if self._silent is None:
            for sums in self._sums.values():
                sums.add(cycle)

    def pass_middle(self, cycle: Cycle) -> None:
        if self._silent is None:
            for sums in self._sums.values():
                sums.pass_middle(cycle)

    def finding(self, window: PhaseWindow) -> Finding:
        if self._silent is not None:
            return _untold(*self._silent)
        first, second = window.halves
        if not first or not second:
            return Finding(
                status=GateStatus.UNKNOWN,
                observed=f"{first} and {second} cycles in the two halves",
                cycle=window.last,
                remedy="go on running cycles: both halves of the window need at least one",
                cycles_help=True,
            )
        # Products instead of means, so that equal is equal: no division, no rounding.
        risen = [
            counter
            for counter, one in self._sums.items()
            if one.second * first > one.first * second
        ]
        observed = "; ".join(
            f"{counter} {one.first} in {first} cycles, then {one.second} in {second}"
            for counter, one in self._sums.items()
        )
        if not risen:
            return Finding(status=GateStatus.PASS, observed=observed, cycle=window.last)
        return Finding(
            status=GateStatus.FAIL,
            observed=observed,
            cycle=self._sums[risen[0]].peak,
            remedy=f"find out what makes {' and '.join(risen)} rise, mend it, and let cycles run "
            "until the later half is no worse than the earlier",
            cycles_help=True,
        )


class _Sums:
    """A counter's sum in each half, and the first cycle with its highest value in the second."""

    def __init__(self, key: str) -> None:
        self._key = key
        self.first = self.second = 0
        # Only cycles that no later one exceeds: the first of them is the highest.
        self._peaks: deque[Cycle] = deque()

    @property
    def peak(self) -> Cycle:
        return self._peaks[0]

    def add(self, cycle: Cycle) -> None:
        value = cycle.event.counters[self._key]
        self.second += value
        while self._peaks and self._peaks[-1].event.counters[self._key] < value:
            self._peaks.pop()
        self._peaks.append(cycle)

    def pass_middle(self, cycle: Cycle) -> None:
        value = cycle.event.counters[self._key]
        self.second -= value
        self.first += value
        if self._peaks[0] is cycle:
            self._peaks.popleft()


def _untold(counter: Signal, cycle: Cycle) -> Finding:
    return Finding(
        status=GateStatus.UNKNOWN,
        observed=f"a cycle does not tell {counter}",
        cycle=cycle,
        remedy=f"have the writer record {counter.key} in every cycle, then start the phase anew "
        "with 'reenter --reason'",
        command=REENTER,
    )
