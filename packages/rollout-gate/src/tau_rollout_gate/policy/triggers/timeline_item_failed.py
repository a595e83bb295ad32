"""A step of a browser's run failed."""

from __future__ import annotations

from typing import Literal

from tau_rollout_gate.evidence.values import Cycle
from tau_rollout_gate.policy.signals import failed_item
from tau_rollout_gate.policy.triggers.interface import CycleTrigger, Sign


class TimelineItemFailedTrigger(CycleTrigger):
    """A timeline item that is not `ok`, or has an `error_code`, in any cycle since canary-1.

    A line without a timeline fires nothing; the gate `timeline_ok` holds the release then.
    """

    kind: Literal["timeline_item_failed"] = "timeline_item_failed"

    @property
    def threshold(self) -> str:
        """Return when it fires."""
        return "a timeline item that is not ok, or has an error_code"

    def look(self, cycles: tuple[Cycle, ...], *, is_before_unhealthy: bool) -> Sign:
        """Return the first cycle that fires it, or what the last one shows."""
        del is_before_unhealthy  # each cycle fires it alone
        for cycle in cycles:
            if failed := failed_item(cycle.event.timeline or ()):
                return Sign(fired=True, observed=failed, cycle=cycle)
        if not cycles:
            return Sign(fired=False, observed="no cycle yet")
        return Sign(fired=False, observed="no failed item", cycle=cycles[-1])
