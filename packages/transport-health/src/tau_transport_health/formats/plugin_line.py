"""The line of the monitoring-plugins convention: a verdict, then figures behind a bar."""

from typing import NamedTuple

from tau_transport_health.counted import counted
from tau_transport_health.errors import PluginCode
from tau_transport_health.health.assessment import Inspection
from tau_transport_health.printable import printable

_LONGEST_REASON = 500
"""Monitoring systems cut what is long, and would cut the figures."""


class QueueLimits(NamedTuple):
    """Above how many cases left over `check` warns, and is critical; None for any number."""

    warn: int | None = None
    critical: int | None = None


def plugin_code(inspection: Inspection, limits: QueueLimits) -> PluginCode:
    """What `check` exits with: the worse of the judgement and the queue; critical is the worst."""
    code, depth = inspection.assessment.plugin_code, inspection.assessment.queue_depth
    if limits.critical is not None and depth > limits.critical:
        return PluginCode.CRITICAL
    if code is PluginCode.OK and limits.warn is not None and depth > limits.warn:
        return PluginCode.WARNING
    return code


def plugin_line(inspection: Inspection, limits: QueueLimits) -> str:
    """`OK - custom-command healthy, gate pass: reason | figure=value …` on one line.

    What was not judged stands in brackets after the reason: nothing is passed over in silence.
    """
    assessment, code = inspection.assessment, plugin_code(inspection, limits)
    reason = "; ".join(why for _, why in assessment.holds) or assessment.health_reason
    reason = reason if len(reason) <= _LONGEST_REASON else reason[:_LONGEST_REASON] + "…"
    if code is not assessment.plugin_code:
        left_over = counted(assessment.queue_depth, "case was", "cases were")
        reason = f"{left_over} left over by the queue limit; {reason}"
    warnings = f" (warning: {'; '.join(assessment.warnings)})" if assessment.warnings else ""
    # The convention gives the bar a meaning, so none may come from the files.
    words = printable(
        f"{code.name} - {inspection.target.name} {assessment.health_state}, "
        f"gate {assessment.gate}: {reason}{warnings}"
    ).replace("|", "/")
    figures = _figures(inspection, limits)
    return f"{words} | {figures}" if figures else words


def _figures(inspection: Inspection, limits: QueueLimits) -> str:
    assessment = inspection.assessment
    if assessment.snapshot is None or assessment.age_ms is None:
        return ""
    health = assessment.snapshot
    alarms = ";".join("" if limit is None else str(limit) for limit in limits)
    return " ".join(
        (
            f"age={max(assessment.age_ms, 0) / 1000:.3f}s",
            f"failure_streak={health.failure_streak}",
            f"queue_depth={assessment.queue_depth};{alarms}".rstrip(";"),
            f"failed={health.last_cycle_failed}",
            f"completed={health.last_cycle_completed}",
            f"duplicates={health.last_cycle_duplicates}",
            f"cycle_duration={health.cycle_duration_ms / 1000:.3f}s",
        )
    )
