"""A reason code that must not appear, or a counter that must stay 0, turned up in the canary."""

from tau_rollout_gate.contract.cycle import Event
from tau_rollout_gate.evidence.values import Cycle
from tau_rollout_gate.policy.signals import Counters, ReasonCodes, refuse_words
from tau_rollout_gate.policy.triggers.interface import CycleTrigger


class NewReasonCodeTrigger(CycleTrigger, frozen=True, kw_only=True, tag="new_reason_code"):
    """Any of `codes`, or any of `counters` above 0, in any cycle since canary-1 was entered.

    A counter that a line does not tell fires nothing; a gate on it holds the release then.
    """

    codes: ReasonCodes = ()
    counters: Counters = ()

    def __post_init__(self) -> None:
        """Refuse what looks for nothing."""
        super().__post_init__()
        refuse_words(self.counters)
        if not self.codes and not self.counters:
            raise ValueError("needs codes, counters, or both")

    @property
    def threshold(self) -> str:
        """When it fires."""
        above = [f"{counter} > 0" for counter in self.counters]
        return f"a new {' or '.join([*self.codes, *above])}"

    @property
    def looks_at(self) -> tuple[str, ...]:
        """What it depends on."""
        return ("reason_codes", *(counter.key for counter in self.counters))

    def is_bad(self, cycle: Cycle) -> bool:
        """Tell whether any of them is in the cycle."""
        return bool(self._found_in(cycle.event))

    def seen_in(self, cycle: Cycle) -> str:
        """Name those that are in the cycle."""
        return ", ".join(self._found_in(cycle.event)) or "none"

    def _found_in(self, event: Event) -> list[str]:
        counts = [(counter, event.counters.get(counter.key, 0)) for counter in self.counters]
        return [
            *(code for code in self.codes if code in event.reason_codes),
            *(f"{counter} = {count}" for counter, count in counts if count > 0),
        ]
