"""The line of the monitoring-plugins convention: a verdict, then figures behind a bar."""

from tau_transport_health.health.assessment import Inspection
from tau_transport_health.printable import printable

_LONGEST_REASON = 500
"""Monitoring systems cut what is long, and would cut the figures."""


def plugin_line(inspection: Inspection) -> str:
    """`OK - custom-command healthy, gate pass: reason | figure=value …` on one line.

    What was not judged stands in brackets after the reason: nothing is passed over in silence.
    """
    assessment = inspection.assessment
    reason = assessment.holds[0][1] if assessment.holds else assessment.health_reason
    reason = reason if len(reason) <= _LONGEST_REASON else reason[:_LONGEST_REASON] + "…"
    warnings = f" (warning: {'; '.join(assessment.warnings)})" if assessment.warnings else ""
    # The convention gives the bar a meaning, so none may come from the files.
    words = printable(
        f"{assessment.plugin_code.name} - {inspection.target.name} {assessment.health_state}, "
        f"gate {assessment.gate}: {reason}{warnings}"
    ).replace("|", "/")
    figures = _figures(inspection)
    return f"{words} | {figures}" if figures else words


def _figures(inspection: Inspection) -> str:
    assessment = inspection.assessment
    if assessment.snapshot is None or assessment.age_ms is None:
        return ""
    health = assessment.snapshot
    return " ".join(
        (
            f"age={max(assessment.age_ms, 0) / 1000:.3f}s",
            f"failure_streak={health.failure_streak}",
            f"queue_depth={health.queue_depth}",
            f"failed={health.last_cycle_failed}",
            f"completed={health.last_cycle_completed}",
            f"duplicates={health.last_cycle_duplicates}",
            f"cycle_duration={health.cycle_duration_ms / 1000:.3f}s",
        )
    )
