"""`state.json` as this program reads it: the health block of any transport, and the runtime's rest.

The rules are the contract's (runbooks/state-files.md). Types are held to strictly, keys that are
not known are ignored, and a required key that is missing is never read as 0.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from tau_transport_health.contract.fields import (
    array,
    count,
    digest,
    json_of,
    object_of,
    one_of,
    text,
    version_1,
)
from tau_transport_health.errors import FormRefusedError

FAILING_STREAK = 3
"""Consecutive cycles with a failed case from which on the health is failing."""

_OPERATIONS = ("CREATE", "UPDATE", "RUN")
_OUTCOMES = ("success", "malformed_input", "retryable_failure")


class HealthState(StrEnum):
    """How a transport is, best first; `UNKNOWN` where no valid snapshot says it."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    FAILING = "failing"
    UNKNOWN = "unknown"


class HealthSnapshot(NamedTuple):
    """The health block, the same for every transport; about the last cycle.

    Times and durations are in milliseconds, the rest are counts.
    """

    updated_unix_ms: int
    cycle_duration_ms: int
    queue_depth: int
    active_runs: int
    failure_streak: int
    last_cycle_discovered: int
    last_cycle_processed: int
    last_cycle_completed: int
    last_cycle_failed: int
    last_cycle_duplicates: int

    @property
    def state(self) -> HealthState:
        """The health that the snapshot's numbers give."""
        return classify(failure_streak=self.failure_streak, failed_cases=self.last_cycle_failed)

    def as_json(self) -> dict[str, int]:
        """The block as it stands in the file."""
        return self._asdict()


class LastCycle(NamedTuple):
    """Which line of the event log the state belongs to."""

    cycle_id: str
    cycle_number: int
    event_sha256: str


class CommandSummary(NamedTuple):
    """What the status report counts of a registered command."""

    command_name: str
    operation: str
    last_outcome: str
    last_status_code: int
    run_count: int


class State(NamedTuple):
    """A valid state file; `last_cycle` is None where the writer does not chain its events."""

    health: HealthSnapshot
    last_cycle: LastCycle | None
    processed_case_count: int
    commands: tuple[CommandSummary, ...]


def classify(*, failure_streak: int, failed_cases: int) -> HealthState:
    """The health that two numbers of the last cycle give."""
    if failure_streak >= FAILING_STREAK:
        return HealthState.FAILING
    if failure_streak > 0 or failed_cases > 0:
        return HealthState.DEGRADED
    return HealthState.HEALTHY


def parse_state(raw: bytes, *, chained: bool) -> State:
    """The state that the bytes of a `state.json` hold.

    Args:
        raw: The file's bytes.
        chained: Whether the writer chains its events, so that `last_cycle` is required.

    Raises:
        FormRefusedError: if it is not of the contract's form; the text names the field.
    """
    value = object_of(json_of(raw), "the file")
    version_1(value)
    health = object_of(value.get("health"), "health")
    last_cycle = None
    if chained or "last_cycle" in value:
        last_cycle = _last_cycle(object_of(value.get("last_cycle"), "last_cycle"))
    return State(
        health=HealthSnapshot(
            **{key: count(health, key, "health.") for key in HealthSnapshot._fields}
        ),
        last_cycle=last_cycle,
        processed_case_count=len(_case_keys(value, "processed_case_keys")),
        commands=tuple(
            _command(item, f"commands[{index}]")
            for index, item in enumerate(array(value, "commands"))
        ),
    )


def _case_keys(holder: Mapping[str, Any], key: str) -> list[Any]:
    keys = array(holder, key)
    if not all(isinstance(item, str) for item in keys):
        raise FormRefusedError(f"{key}: must be an array of strings")
    return keys


def _last_cycle(value: Mapping[str, Any]) -> LastCycle:
    path = "last_cycle."
    return LastCycle(
        cycle_id=text(value, "cycle_id", path, at_least=1),
        cycle_number=count(value, "cycle_number", path, at_least=1),
        event_sha256=digest(value, "event_sha256", path),
    )


def _command(value: object, path: str) -> CommandSummary:
    record = object_of(value, path)
    return CommandSummary(
        command_name=text(record, "command_name", f"{path}."),
        operation=one_of(_OPERATIONS, record, "operation", f"{path}."),
        last_outcome=one_of(_OUTCOMES, record, "last_outcome", f"{path}."),
        last_status_code=count(record, "last_status_code", f"{path}.", at_least=1),
        run_count=count(record, "run_count", f"{path}."),
    )
