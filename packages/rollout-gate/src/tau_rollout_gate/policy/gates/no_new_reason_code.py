"""No cycle since the phase's entry has one of some reason codes."""

from typing import Annotated

from msgspec import Meta

from tau_rollout_gate.evidence.values import Cycle
from tau_rollout_gate.policy.gates.interface import CycleGate
from tau_rollout_gate.policy.signals import ReasonCodes


class NoNewReasonCodeGate(CycleGate, frozen=True, kw_only=True, tag="no_new_reason_code"):
    """New is: in a cycle after the phase's entry, since only those are judged."""

    codes: Annotated[ReasonCodes, Meta(min_length=1)]

    @property
    def required(self) -> str:
        """What has to be seen."""
        return f"no new {' or '.join(self.codes)}"

    @property
    def remedy(self) -> str:
        """What to do where it does not hold."""
        return (
            "look into the cycle's cases for what failed and why, mend the cause, and let the next "
            "cycles run clean"
        )

    @property
    def looks_at(self) -> tuple[str, ...]:
        """What it depends on."""
        return ("reason_codes",)

    def holds(self, cycle: Cycle) -> bool:
        """Tell whether the cycle has none of them."""
        return not any(code in cycle.event.reason_codes for code in self.codes)

    def seen_in(self, cycle: Cycle) -> str:
        """Name those that the cycle has."""
        return ", ".join(code for code in self.codes if code in cycle.event.reason_codes) or "none"
