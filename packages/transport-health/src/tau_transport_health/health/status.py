"""What `status` reports: counts of the state and of the whole event log."""

from collections.abc import Iterable, Mapping
from typing import Any

from tau_transport_health.contract.state import CommandCounts
from tau_transport_health.health.assessment import Inspection
from tau_transport_health.log.codes import warnings_of as code_warnings
from tau_transport_health.log.counts import EventCounts


def status_report(inspection: Inspection, counts: EventCounts) -> dict[str, Any]:
    """The report as JSON values, its keys in the order they are documented."""
    assessment, state = inspection.assessment, inspection.reading.state
    commands = CommandCounts() if state is None else state.commands
    health = assessment.snapshot
    return {
        "state_path": inspection.state_path,
        "events_log_path": inspection.events_log_path,
        "events_log_present": inspection.reading.is_log_present,
        "health_state": assessment.health_state,
        "health_reason": assessment.health_reason,
        "rollout_gate": assessment.gate,
        "processed_case_count": 0 if state is None else state.processed_case_count,
        "command_count": commands.total,
        "command_name_counts": _sorted(commands.by_name),
        "operation_counts": _sorted(commands.by_operation),
        "outcome_counts": _sorted(commands.by_outcome),
        "status_code_counts": _sorted({str(k): n for k, n in commands.by_status_code.items()}),
        "total_run_count": commands.runs,
        "cycle_reports": counts.valid,
        "invalid_cycle_reports": counts.invalid.total,
        "last_reason_codes": list(counts.last_reason_codes),
        "reason_code_counts": dict(sorted(counts.reason_code_counts.items())),
        "health": None if health is None else health.as_json(),
        "snapshot_age_ms": assessment.age_ms,
        "stale": assessment.is_stale,
        "holds": [{"code": hold, "reason": reason} for hold, reason in assessment.holds],
        "warnings": [*assessment.warnings, *_log_warnings(counts)],
    }


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def _log_warnings(counts: EventCounts) -> Iterable[str]:
    if total := counts.invalid.total:
        first = counts.invalid.first[0]
        lines = "1 line is" if total == 1 else f"{total} lines are"
        yield f"{lines} invalid in the event log; the first is line {first.line}: {first.reason}"
    yield from code_warnings(counts.reason_code_counts.keys())
