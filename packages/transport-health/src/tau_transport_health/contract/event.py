"""A line of the event log as this program reads it: one cycle, valid or refused with the reason.

The rules are the contract's (runbooks/state-files.md, "runtime-events.jsonl").
"""

from hashlib import sha256
from typing import Annotated, Any, NamedTuple

from tau_transport_health.contract import fields
from tau_transport_health.contract.long_json import pieces_of
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

REQUIRED: Any = object()
"""Stands where there is no default."""

CODES = fields.Rule(
    lambda value: bool(value) and fields.TEXTS.fits(value),
    "must be an array of strings, of one at least",
)
HEALTH = fields.one_of(HealthState.HEALTHY, HealthState.DEGRADED, HealthState.FAILING)
RUN_MODE = fields.one_of("record", "execute")
DIGEST_OR_NULL = fields.or_null(fields.DIGEST)

LONGEST_LINE_BYTES = 16 * 1024 * 1024
"""A longer line is invalid whatever it holds; readers hand over only its beginning."""

TOO_LONG = f"the line is longer than {LONGEST_LINE_BYTES // 1024 // 1024} MiB"


class Event(NamedTuple):
    """A valid line: the keys of the contract in the order that the runtime writes them.

    A key that may be left out has its default. `cycle_number` and `cycle_id` are None where the
    writer chains nothing; `previous_sha256` is None there too, and in the first line of a chain.
    """

    schema_version: Annotated[int, fields.VERSION_1] = 1
    timestamp_unix_ms: fields.Count = REQUIRED
    cycle_id: Annotated[str | None, fields.NAME] = None
    cycle_number: Annotated[int | None, fields.NUMBER] = None
    previous_sha256: Annotated[str | None, DIGEST_OR_NULL] = None
    run_mode: Annotated[str, RUN_MODE] = ""
    health_state: Annotated[HealthState, HEALTH] = REQUIRED
    health_reason: Annotated[str | None, fields.TEXT] = None
    reason_codes: Annotated[tuple[str, ...], CODES] = REQUIRED
    discovered_cases: fields.Count = 0
    queued_cases: fields.Count = 0
    applied_cases: fields.Count = 0
    duplicate_skips: fields.Count = 0
    malformed_cases: fields.Count = REQUIRED
    unexpected_malformed_cases: fields.Count = 0
    retryable_failures: fields.Count = 0
    retry_attempts: fields.Count = 0
    failed_cases: fields.Count = REQUIRED
    upserted_commands: fields.Count = 0
    deleted_commands: fields.Count = 0
    executed_runs: fields.Count = 0
    run_timeout_failures: fields.Count = 0
    run_non_zero_exit_failures: fields.Count = 0
    run_spawn_failures: fields.Count = 0
    run_missing_command_failures: fields.Count = 0
    backlog_cases: fields.Count = REQUIRED
    failure_streak: fields.Count = REQUIRED
    recovered: fields.Flag = False
    cycle_duration_ms: fields.Count = 0
    fixture_name: fields.Text = ""
    fixture_sha256: fields.Digest = ""
    runtime_version: fields.Text = ""

    @property
    def began_unix_ms(self) -> int:
        """When the cycle began, at the latest: both of its times are rounded down."""
        return self.timestamp_unix_ms - self.cycle_duration_ms - 1


RULES = fields.rules_of(Event)
"""What each key of a line must be."""

_REQUIRED_KEYS = {key for key, value in Event._field_defaults.items() if value is REQUIRED}
_CHAIN_KEYS = {"cycle_id", "cycle_number", "previous_sha256"}


def line_digest(line: bytes) -> str:
    """The SHA-256 of a line over its bytes without the line break, in hex."""
    end = len(line) - line.endswith(b"\n")
    return sha256(memoryview(line)[:end]).hexdigest()  # a long line is not copied


def parse_event(line: bytes, *, chained: bool) -> Event:
    """The event that a line holds.

    Args:
        line: The line's bytes, with or without its line break.
        chained: Whether the writer chains its events, so that the chain keys are required.

    Raises:
        FormRefusedError: if it is not of the contract's form, or contradicts itself.
    """
    if len(line) > LONGEST_LINE_BYTES:
        raise FormRefusedError(TOO_LONG)
    value = fields.read_object(pieces_of(line), RULES)
    if not isinstance(value, dict):
        raise FormRefusedError("the line is not an object")
    rules = RULES
    if not rules.keys() <= value.keys():
        keys = _REQUIRED_KEYS | value.keys()
        if chained or not _CHAIN_KEYS.isdisjoint(keys):
            keys |= _CHAIN_KEYS
        rules = {key: rule for key, rule in rules.items() if key in keys}
    found = fields.held(value, rules)
    found["health_state"] = HealthState(found["health_state"])
    found["reason_codes"] = tuple(found["reason_codes"])
    event = Event(**found)
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
