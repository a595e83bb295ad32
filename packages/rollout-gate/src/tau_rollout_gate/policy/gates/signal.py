"""A signal of every cycle compares as it must: `queue_depth` at most 1."""

from functools import cached_property

from tau_rollout_gate.contract.forms import Count, Number
from tau_rollout_gate.evidence.values import Cycle
from tau_rollout_gate.policy.gates.interface import CycleGate
from tau_rollout_gate.policy.signals import Comparison, Signal, Value


class SignalGate(CycleGate, frozen=True, kw_only=True, tag="signal", dict=True):
    """Exactly one of `equals`, `at_most` and `at_least` says what is required.

    A signal that a line does not tell leaves the gate unknown, which holds the release.
    """

    signal: Signal
    equals: Value | None = None
    at_most: Count | None = None
    at_least: Number | None = None

    def __post_init__(self) -> None:
        """Refuse what compares nothing."""
        given = [self.equals, self.at_most, self.at_least]
        if sum(value is not None for value in given) != 1:
            raise ValueError("needs exactly one of equals, at_most and at_least")
        if problem := self.comparison.problem():
            raise ValueError(problem)

    @cached_property
    def comparison(self) -> Comparison:
        """What is compared with what."""
        return Comparison(
            signal=self.signal,
            one_of=None if self.equals is None else (self.equals,),
            at_most=self.at_most,
            at_least=self.at_least,
        )

    @property
    def required(self) -> str:
        """What has to be seen."""
        return self.comparison.in_words()

    @property
    def remedy(self) -> str:
        """What to do where it does not hold."""
        return (
            f"find out in the event and the runtime's output why {self.signal.key} is so, mend the "
            "cause, and let the next cycles run clean"
        )

    @property
    def remedy_untold(self) -> str:
        """What to do where the cycle's line does not tell."""
        return f"have the writer record {self.signal.key} in every cycle"

    @property
    def looks_at(self) -> tuple[str, ...]:
        """What it depends on."""
        return self.comparison.looks_at

    def holds(self, cycle: Cycle) -> bool | None:
        """Tell whether the cycle's signal compares as it must; None where it is not told."""
        return self.comparison.holds_in(cycle.event)

    def seen_in(self, cycle: Cycle) -> str:
        """Say what the cycle tells of the signal."""
        return self.comparison.seen_in(cycle.event)
