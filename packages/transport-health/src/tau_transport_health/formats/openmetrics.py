"""OpenMetrics text for a textfile collector: base units, no timestamps, one HELP a metric.

All are gauges: the snapshot is of the last cycle, and counters that start anew would mislead.
"""

from collections.abc import Iterable, Iterator, Sequence

from tau_transport_health.contract.state import HealthState
from tau_transport_health.health.assessment import CLOCK_PINNED, Gate, Inspection
from tau_transport_health.health.remedies import Hold
from tau_transport_health.printable import printable

_PREFIX = "tau_transport_"
_OF_SNAPSHOT = (
    ("queue_depth_cases", "Cases left over by the queue limit.", "queue_depth"),
    ("active_runs", "Commands running when the state was written.", "active_runs"),
    ("failure_streak_cycles", "Consecutive cycles with a failed case.", "failure_streak"),
    ("last_cycle_discovered_cases", "Cases of the fixture.", "last_cycle_discovered"),
    ("last_cycle_processed_cases", "Cases that were dealt with.", "last_cycle_processed"),
    ("last_cycle_completed_cases", "Cases applied or malformed.", "last_cycle_completed"),
    ("last_cycle_failed_cases", "Cases that failed.", "last_cycle_failed"),
    ("last_cycle_duplicate_cases", "Cases skipped as duplicates.", "last_cycle_duplicates"),
)


def openmetrics(inspections: Sequence[Inspection]) -> str:
    """The exposition of these targets, `# EOF` included."""
    return "\n".join((*_lines(inspections), "# EOF")) + "\n"


def _lines(inspections: Sequence[Inspection]) -> Iterator[str]:
    yield from _family(
        "clock_pinned",
        "Whether the time to judge at was given, rather than read from the clock.",
        ((_labels(i), float(CLOCK_PINNED in i.assessment.warnings)) for i in inspections),
    )
    yield from _family(
        "evaluated_timestamp_seconds",
        "When this was judged.",
        ((_labels(i), i.judged_unix_ms / 1000) for i in inspections),
    )
    yield from _family(
        "up",
        "Whether a valid state could be read.",
        ((_labels(i), float(i.assessment.snapshot is not None)) for i in inspections),
    )
    yield from _family(
        "rollout_gate_pass",
        "Whether a rollout may go on, as far as this transport's health says.",
        ((_labels(i), float(i.assessment.gate is Gate.PASS)) for i in inspections),
    )
    yield from _family(
        "hold",
        "Why the gate holds, 1 at each reason that there is.",
        (
            (_labels(i, hold=hold), float(hold in {found for found, _ in i.assessment.holds}))
            for i in inspections
            for hold in Hold
        ),
    )
    yield from _family(
        "health_state",
        "The health, 1 at the state that it is.",
        (
            (_labels(i, health_state=state), float(i.assessment.health_state is state))
            for i in inspections
            for state in HealthState
        ),
    )
    present = [(i, i.assessment.snapshot) for i in inspections if i.assessment.snapshot is not None]
    yield from _family(
        "state_age_seconds",
        "How long ago the state was written.",
        ((_labels(i), (i.assessment.age_ms or 0) / 1000) for i, _ in present),
    )
    yield from _family(
        "last_cycle_duration_seconds",
        "How long the last cycle processed cases.",
        ((_labels(i), health.cycle_duration_ms / 1000) for i, health in present),
    )
    for name, help_text, field in _OF_SNAPSHOT:
        yield from _family(
            name, help_text, ((_labels(i), float(getattr(health, field))) for i, health in present)
        )


def _family(name: str, help_text: str, samples: Iterable[tuple[str, float]]) -> Iterator[str]:
    full_name = _PREFIX + name
    yield f"# TYPE {full_name} gauge"
    if name.endswith("_seconds"):
        yield f"# UNIT {full_name} seconds"
    yield f"# HELP {full_name} {help_text}"
    for labels, value in samples:
        yield f"{full_name}{labels} {_number(value)}"


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


def _labels(inspection: Inspection, **more: str) -> str:
    labels = {"transport": inspection.target.name, "target": inspection.target.label, **more}
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return printable(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
