"""Every item of a cycle's timeline went well (browser)."""

from __future__ import annotations

from typing import Literal

from tau_rollout_gate.evidence.values import Cycle
from tau_rollout_gate.policy.gates.interface import CycleGate, Observation
from tau_rollout_gate.policy.signals import failed_item


class TimelineOkGate(CycleGate):
    """Each item has status `ok` and no `error_code`.

    A line without a timeline, or with an empty one although it does not say that no case was
    executed, tells nothing: the gate is unknown, which holds the release.
    """

    kind: Literal["timeline_ok"] = "timeline_ok"

    @property
    def required(self) -> str:
        """Return what has to be seen."""
        return "every timeline item is ok and has no error_code"

    @property
    def remedy(self) -> str:
        """Return what to do where it does not hold."""
        return (
            "look into the cycle's timeline for the step that failed, mend the cause, and let the "
            "next cycles run clean"
        )

    @property
    def remedy_untold(self) -> str:
        """Return what to do where the cycle's line does not tell."""
        return "have the writer record the timeline of every cycle that executes cases"

    def observe(self, cycle: Cycle) -> Observation:
        """Return what this cycle shows."""
        timeline = cycle.event.timeline
        if timeline is None:
            return Observation(observed="no timeline is told", holds=None)
        if not timeline:
            idle = cycle.event.counters.get("executed_cases") == 0
            return Observation(observed="an empty timeline", holds=True if idle else None)
        failed = failed_item(timeline)
        return Observation(observed=failed or "every item ok", holds=failed is None)
