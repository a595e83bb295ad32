"""A step of a browser's run failed."""

from tau_rollout_gate.evidence.values import Cycle
from tau_rollout_gate.policy.triggers.interface import CycleTrigger


class TimelineItemFailedTrigger(
    CycleTrigger, frozen=True, kw_only=True, tag="timeline_item_failed"
):
    """A timeline item that is not `ok`, or has an `error_code`, in any cycle since canary-1.

    A line without a timeline fires nothing; the gate `timeline_ok` holds the release then.
    """

    @property
    def threshold(self) -> str:
        """When it fires."""
        return "a timeline item that is not ok, or has an error_code"

    @property
    def looks_at(self) -> tuple[str, ...]:
        """What it depends on."""
        return ("timeline",)

    def is_bad(self, cycle: Cycle) -> bool:
        """Tell whether an item of the cycle failed."""
        return self._failed(cycle) is not None

    def seen_in(self, cycle: Cycle) -> str:
        """Name the first item that failed."""
        return self._failed(cycle) or "no failed item"

    @staticmethod
    def _failed(cycle: Cycle) -> str | None:
        timeline = cycle.event.timeline
        return None if timeline is None else timeline.failed
