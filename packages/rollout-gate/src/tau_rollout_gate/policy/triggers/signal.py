"""A signal is bad enough, once or in several cycles in a row: `failure_streak` at least 3."""

from functools import cached_property
from typing import Annotated

from msgspec import Meta

from tau_rollout_gate.contract.cycle import HealthState
from tau_rollout_gate.contract.forms import Number
from tau_rollout_gate.evidence.values import Cycle
from tau_rollout_gate.policy.signals import Comparison, Signal, Value
from tau_rollout_gate.policy.triggers.interface import CycleTrigger

_UNHEALTHY = {
    Signal.HEALTH_STATE: (HealthState.DEGRADED.value, HealthState.FAILING.value),
    Signal.ROLLOUT_GATE: ("hold",),
}


class SignalTrigger(CycleTrigger, frozen=True, kw_only=True, tag="signal", dict=True):
    """Exactly one of `at_least` and `one_of` says what is bad; `consecutive` in how many cycles.

    Neighbours are neighbours in the log. Where the cycle before the first one is only known to have
    been unhealthy, it counts for every bad health: the more careful reading. A cycle that does not
    tell the signal ends a row; a gate on the signal holds the release then.
    """

    signal: Signal
    at_least: Number | None = None
    one_of: Annotated[tuple[Value, ...], Meta(min_length=1, max_length=32)] | None = None
    consecutive: Annotated[int, Meta(ge=1, le=1000)] = 1

    def __post_init__(self) -> None:
        """Refuse what compares nothing."""
        super().__post_init__()
        if (self.at_least is None) == (self.one_of is None):
            raise ValueError("needs exactly one of at_least and one_of")
        if problem := self.comparison.problem():
            raise ValueError(problem)

    @cached_property
    def comparison(self) -> Comparison:
        """What is compared with what."""
        return Comparison(signal=self.signal, one_of=self.one_of, at_least=self.at_least)

    @property
    def reach(self) -> int:
        """How many neighbouring cycles together fire it."""
        return self.consecutive

    @property
    def threshold(self) -> str:
        """When it fires."""
        row = f" in {self.consecutive} consecutive cycles" if self.consecutive > 1 else ""
        return f"{self.comparison.in_words()}{row}"

    @property
    def is_about_bad_health(self) -> bool:
        """Whether it is bad health of some kind that is looked for."""
        bad = _UNHEALTHY.get(self.signal, ())
        return any(self.comparison.holds_for(word) for word in bad)

    @property
    def looks_at(self) -> tuple[str, ...]:
        """What it depends on."""
        return self.comparison.looks_at

    def is_bad(self, cycle: Cycle) -> bool:
        """Tell whether the signal is bad in the cycle; what is not told is not."""
        return self.comparison.holds_in(cycle.event) is True

    def seen_in(self, cycle: Cycle) -> str:
        """Say what the cycle tells of the signal."""
        return self.comparison.seen_in(cycle.event)
