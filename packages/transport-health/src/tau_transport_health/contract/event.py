"""A line of the event log as this program reads it: one cycle, valid or refused with the reason.

The rules are the contract's (runbooks/state-files.md, "runtime-events.jsonl").
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from tau_transport_health.contract.fields import (
    count,
    digest,
    flag,
    json_of,
    one_of,
    text,
    version_1,
)
from tau_transport_health.contract.state import HealthState, classify
from tau_transport_health.errors import FormRefusedError

KNOWN_REASON_CODES = frozenset(
    {
        "queue_backpressure_applied",
        "duplicate_cases_skipped",
        "malformed_inputs_observed",
        "retry_attempted",
        "retryable_failures_observed",
        "case_processing_failed",
        "command_registry_mutated",
        "command_runs_recorded",
        "command_run_timeout_observed",
        "command_run_non_zero_exit_observed",
        "command_run_spawn_failures_observed",
        "command_run_missing_command_observed",
        "healthy_cycle",
    }
)
"""The codes of the contract; another one is worth a warning, and no error."""

_REQUIRED_COUNTS = (
    "timestamp_unix_ms",
    "failed_cases",
    "failure_streak",
    "backlog_cases",
    "malformed_cases",
)
_OPTIONAL_TEXTS = ("health_reason", "fixture_name", "runtime_version")
_RUN_MODES = ("record", "execute")

LONGEST_LINE_BYTES = 16 * 1024 * 1024
"""A longer line is invalid whatever it holds; readers hand over only its beginning."""


class Event(NamedTuple):
    """A valid line: what is asked of it. Counts that the writer left out are 0.

    `cycle_number` and `cycle_id` are None where the writer chains nothing; `previous_sha256` is
    None there too, and in the first line of a chain.
    """

    timestamp_unix_ms: int
    health_state: HealthState
    health_reason: str | None
    reason_codes: tuple[str, ...]
    failed_cases: int
    failure_streak: int
    backlog_cases: int
    malformed_cases: int
    cycle_id: str | None = None
    cycle_number: int | None = None
    previous_sha256: str | None = None
    discovered_cases: int = 0
    queued_cases: int = 0
    applied_cases: int = 0
    duplicate_skips: int = 0
    unexpected_malformed_cases: int = 0
    retryable_failures: int = 0
    retry_attempts: int = 0
    upserted_commands: int = 0
    deleted_commands: int = 0
    executed_runs: int = 0
    run_timeout_failures: int = 0
    run_non_zero_exit_failures: int = 0
    run_spawn_failures: int = 0
    run_missing_command_failures: int = 0
    cycle_duration_ms: int = 0
    fixture_name: str = ""


_OPTIONAL_COUNTS = [key for key, default in Event._field_defaults.items() if default == 0]


def line_digest(line: bytes) -> str:
    """The SHA-256 of a line over its bytes without the line break, in hex."""
    return sha256(line.removesuffix(b"\n")).hexdigest()


def parse_event(line: bytes, *, chained: bool) -> Event:
    """The event that a line holds.

    Args:
        line: The line's bytes, with or without its line break.
        chained: Whether the writer chains its events, so that the chain keys are required.

    Raises:
        FormRefusedError: if it is not of the contract's form, or contradicts itself.
    """
    if len(line) > LONGEST_LINE_BYTES:
        raise FormRefusedError(f"the line is longer than {LONGEST_LINE_BYTES // 1024 // 1024} MiB")
    value = json_of(line)
    if not isinstance(value, dict):
        raise FormRefusedError("the line is not an object")
    if "schema_version" in value:
        version_1(value)
    for key in _OPTIONAL_TEXTS:
        if key in value:
            text(value, key)
    if "run_mode" in value:
        one_of(_RUN_MODES, value, "run_mode")
    if "fixture_sha256" in value:
        digest(value, "fixture_sha256")
    if "recovered" in value:
        flag(value, "recovered")
    event = Event(
        health_state=_health_state(value),
        health_reason=value.get("health_reason"),
        fixture_name=value.get("fixture_name", ""),
        reason_codes=_reason_codes(value),
        **_chain_keys(value, required=chained),
        **_counts(value),
    )
    if reason := contradiction_of(event):
        raise FormRefusedError(reason)
    return event


def contradiction_of(event: Event) -> str | None:
    """How a line contradicts itself, or None; nothing but this is judged so."""
    codes, failed, streak = event.reason_codes, event.failed_cases, event.failure_streak
    given = classify(failed_cases=failed, failure_streak=streak)
    if event.health_state != given:
        return f"health_state: {event.health_state}, but streak and failed cases give {given}"
    malformed = event.malformed_cases + event.unexpected_malformed_cases
    if ("case_processing_failed" in codes) != (failed > 0):
        return f"reason_codes: case_processing_failed does not fit failed_cases, {failed}"
    if ("malformed_inputs_observed" in codes) != (malformed > 0):
        return f"reason_codes: malformed_inputs_observed does not fit its counters, {malformed}"
    return None


def _counts(value: Mapping[str, Any]) -> dict[str, Any]:
    present = (key for key in _OPTIONAL_COUNTS if key in value)
    return {key: count(value, key) for key in (*_REQUIRED_COUNTS, *present)}


def _health_state(value: Mapping[str, Any]) -> HealthState:
    state = text(value, "health_state")
    if state not in {HealthState.HEALTHY, HealthState.DEGRADED, HealthState.FAILING}:
        raise FormRefusedError(f"health_state: {state!r:.60} is not healthy, degraded or failing")
    return HealthState(state)


def _reason_codes(value: Mapping[str, Any]) -> tuple[str, ...]:
    codes = value.get("reason_codes")
    if not isinstance(codes, list) or not all(isinstance(code, str) for code in codes):
        raise FormRefusedError("reason_codes: must be an array of strings")
    if not codes:
        raise FormRefusedError("reason_codes: must name at least one")
    return tuple(codes)


def _chain_keys(value: Mapping[str, Any], *, required: bool) -> dict[str, Any]:
    if not required and not ({"cycle_id", "cycle_number", "previous_sha256"} & value.keys()):
        return {}
    if "previous_sha256" not in value:
        raise FormRefusedError("previous_sha256: is missing")
    previous = value["previous_sha256"]
    return {
        "cycle_id": text(value, "cycle_id", at_least=1),
        "cycle_number": count(value, "cycle_number", at_least=1),
        "previous_sha256": None if previous is None else digest(value, "previous_sha256"),
    }
