"""Every item of a cycle's timeline went well (browser)."""

from tau_rollout_gate.evidence.values import Cycle
from tau_rollout_gate.policy.gates.interface import CycleGate


class TimelineOkGate(CycleGate, frozen=True, kw_only=True, tag="timeline_ok"):
    """Each item has status `ok` and no `error_code`.

    A line without a timeline, or with an empty one although it does not say that no case was
    executed, tells nothing: the gate is unknown, which holds the release.
    """

    @property
    def required(self) -> str:
        """What has to be seen."""
        return "every timeline item is ok and has no error_code"

    @property
    def remedy(self) -> str:
        """What to do where it does not hold."""
        return (
            "look into the cycle's timeline for the step that failed, mend the cause, and let the "
            "next cycles run clean"
        )

    @property
    def remedy_untold(self) -> str:
        """What to do where the cycle's line does not tell."""
        return "have the writer record the timeline of every cycle that executes cases"

    @property
    def looks_at(self) -> tuple[str, ...]:
        """What it depends on."""
        return ("timeline", "executed_cases")

    def holds(self, cycle: Cycle) -> bool | None:
        """Tell whether every item of the cycle is ok; None where that is not told."""
        timeline = cycle.event.timeline
        if timeline is not None and timeline.length:
            return timeline.failed is None
        is_idle = timeline is not None and cycle.event.counters.get("executed_cases") == 0
        return True if is_idle else None

    def seen_in(self, cycle: Cycle) -> str:
        """Name the first item that failed."""
        timeline = cycle.event.timeline
        if timeline is None:
            return "no timeline is told"
        return timeline.failed or ("every item ok" if timeline.length else "an empty timeline")
