"""A surface does its work all along: a canary that nobody uses proves nothing."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from msgspec import Meta

from tau_rollout_gate.contract.forms import Form, Name
from tau_rollout_gate.contract.pin import CHAINED_SURFACE
from tau_rollout_gate.evidence.values import Cycle
from tau_rollout_gate.policy.findings import GateStatus
from tau_rollout_gate.policy.gates.halves import in_first_half
from tau_rollout_gate.policy.gates.interface import Finding, Tally, Window, WindowGate
from tau_rollout_gate.policy.gates.series import Series
from tau_rollout_gate.policy.signals import Counters, ReasonCodes, Signal, refuse_words

_COUNTERS = (Signal.APPLIED_CASES, Signal.EXECUTED_RUNS)
_REMEDIES = {
    CHAINED_SURFACE: "run cycles with cases that were not done before, since a duplicate is no "
    "work: 'tau-custom-command run --fresh' does every case anew"
}


class Work(Form, frozen=True, kw_only=True):
    """What else shows that a surface worked: reason codes, and counters above 0."""

    surface: Name
    codes: ReasonCodes = ()
    counters: Counters = ()

    def __post_init__(self) -> None:
        """Refuse signals that are no counters."""
        refuse_words(self.counters)


class WorkAdvancesGate(WindowGate, frozen=True, kw_only=True, tag="work_advances"):
    """At least one cycle of each half of the window worked.

    A cycle did if a case was applied in it or a run carried out, or if it shows what `work` knows
    of its surface. What was done before (a duplicate) is no work. A surface whose lines tell none
    of the counters, and of which no code is known, is unknown.
    """

    work: Annotated[tuple[Work, ...], Meta(max_length=32)] = ()

    @property
    def required(self) -> str:
        """What has to be seen."""
        return "work in at least one cycle of each half of the window"

    @property
    def named_surfaces(self) -> tuple[str, ...]:
        """The surfaces that it names, those of which it knows more among them."""
        return (*super().named_surfaces, *(one.surface for one in self.work))

    def tally(self, surface: str, /) -> Tally:
        """Count the cycles that worked."""
        known = [one for one in self.work if one.surface == surface]
        counters = [*_COUNTERS, *(counter for one in known for counter in one.counters)]
        worked = Series(
            partial(
                _worked, codes=[code for one in known for code in one.codes], counters=counters
            ),
            ("reason_codes", *(counter.key for counter in counters)),
        )
        return Tally(
            series=(worked,),
            status=partial(_status, worked),
            finding=partial(self._finding, worked),
        )

    def _finding(self, worked: Series, window: Window, now_unix_ms: int) -> Finding:
        first, second = window.halves
        surface, last = window.pin.name, window.last
        observed = (
            f"work in {worked.first} of {first} and {worked.second} of {second} cycles of the two "
            "halves"
        )
        status = _status(worked, window)
        if status is GateStatus.PASS:
            return Finding(status=status, observed=observed, cycle=worked.last)
        if worked.untold is not None:
            return Finding(
                status=status,
                observed=f"a cycle tells neither {' nor '.join(_COUNTERS)}, and the policy knows "
                f"no other sign of work of {surface}",
                cycle=worked.untold[1],
                remedy=f'add to the gate {self.name} of the policy: work = [{{ surface = "{surface}'
                '", codes = ["A_REASON_CODE_OF_ITS_WORK"] }], and adopt it with \'policy adopt\'',
                command="policy adopt --policy FILE --reason 'WHAT ITS WORK IS KNOWN BY'",
            )
        goes_on = worked.last is last
        finding = Finding(
            status=status,
            observed=None if last is None else observed,
            cycle=last,
            remedy="go on running cycles that work"
            if goes_on and last is not None
            else _REMEDIES.get(surface, f"see that {surface} is used, and run cycles"),
            cycles_help=goes_on,
            command="" if goes_on else "run FIXTURE --fresh",
        )
        return in_first_half(finding, worked, window, now_unix_ms, what="work")


def _status(worked: Series, window: Window) -> GateStatus:
    if worked.first and worked.second:
        return GateStatus.PASS
    first, second = window.halves
    is_known = worked.untold is None and first and second
    return GateStatus.FAIL if is_known else GateStatus.UNKNOWN


def _worked(cycle: Cycle, *, codes: Sequence[str], counters: Sequence[Signal]) -> int | None:
    event = cycle.event
    counts = [event.counters[one.key] for one in counters if one.key in event.counters]
    if not counts and not codes:
        return None
    return int(any(counts) or any(code in event.reason_codes for code in codes))
