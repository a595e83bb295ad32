"""Counters of trouble, such as retries, are no higher on average late than early in the phase."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated

from msgspec import Meta

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
from tau_rollout_gate.policy.signals import Counters, Signal, refuse_words


class PressureDoesNotRiseGate(WindowGate, frozen=True, kw_only=True, tag="pressure_does_not_rise"):
    """Of each counter, the second half's mean a cycle is at most that of the first half.

    An empty half is unknown, and so is a counter that some line of the window does not tell: a
    cycle without a number must not count as one without trouble.
    """

    counters: Annotated[Counters, Meta(min_length=1)]

    def __post_init__(self) -> None:
        """Refuse signals that are no counters."""
        refuse_words(self.counters)

    @property
    def required(self) -> str:
        """What has to be seen."""
        names = " and ".join(self.counters)
        return f"{names} a cycle no higher in the second half of the window than in the first"

    def tally(self, _surface: str, /) -> Tally:
        """Add up each counter."""
        sums = {name: Series(partial(_told, key=name.key), (name.key,)) for name in self.counters}
        return Tally(
            series=tuple(sums.values()),
            status=partial(_status, sums),
            finding=partial(_finding, sums),
        )


def _has_risen(one: Series, first: int, second: int) -> bool:
    # Products instead of means, so that equal is equal: no division, no rounding.
    return one.second * first > one.first * second


def _status(sums: Mapping[Signal, Series], window: Window) -> GateStatus:
    first, second = window.halves
    if not first or not second or any(one.untold is not None for one in sums.values()):
        return GateStatus.UNKNOWN
    has_risen = any(_has_risen(one, first, second) for one in sums.values())
    return GateStatus.FAIL if has_risen else GateStatus.PASS


def _finding(sums: Mapping[Signal, Series], window: Window, _now_unix_ms: int) -> Finding:
    untold = [(one.untold, counter) for counter, one in sums.items() if one.untold is not None]
    if untold:
        (_, cycle), counter = min(untold, key=lambda one: one[0][0])
        return _without(counter, cycle)
    first, second = window.halves
    if not first or not second:
        return Finding(
            status=GateStatus.UNKNOWN,
            observed=f"{first} and {second} cycles in the two halves",
            cycle=window.last,
            remedy="go on running cycles: both halves of the window need at least one",
            cycles_help=True,
        )
    risen = [(name, one) for name, one in sums.items() if _has_risen(one, first, second)]
    observed = "; ".join(
        f"{name} {one.first} in {first} cycles, then {one.second} in {second}"
        for name, one in sums.items()
    )
    if not risen:
        return Finding(status=GateStatus.PASS, observed=observed, cycle=window.last)
    return Finding(
        status=GateStatus.FAIL,
        observed=observed,
        cycle=risen[0][1].peak,
        remedy=f"find out what makes {' and '.join(name for name, _ in risen)} rise, mend it, "
        "and let cycles run until the later half is no worse than the earlier",
        cycles_help=True,
        command="diagnose",
    )


def _told(cycle: Cycle, *, key: str) -> int | None:
    return cycle.event.counters.get(key)


def _without(counter: Signal, cycle: Cycle) -> Finding:
    return Finding(
        status=GateStatus.UNKNOWN,
        observed=f"a cycle does not tell {counter}",
        cycle=cycle,
        remedy=f"have the writer record {counter.key} in every cycle, then start the phase anew "
        "with 'reenter --reason'",
        command=REENTER,
    )
