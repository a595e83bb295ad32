"""`state.json` as this program reads it: the health block of any transport, and the runtime's rest.

The rules are the contract's (runbooks/state-files.md). Types are held to strictly, keys that are
not known are ignored, and a required key that is missing is never read as 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from tau_transport_health.contract import strict_json
from tau_transport_health.errors import FormRefusedError

FAILING_STREAK = 3
"""Consecutive cycles with a failed case from which on the health is failing."""

LARGEST_INTEGER = 2**63 - 1
"""What every program that reads the files has room for."""

_OPERATIONS = ("CREATE", "UPDATE", "RUN")
_OUTCOMES = ("success", "malformed_input", "retryable_failure")
_DIGEST = re.compile(r"[0-9a-f]{64}")


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
        """Return the health that the snapshot's numbers give."""
        return classify(failure_streak=self.failure_streak, failed_cases=self.last_cycle_failed)

    def as_json(self) -> dict[str, int]:
        """Return the block as it stands in the file."""
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
    """Return the health that two numbers of the last cycle give."""
    if failure_streak >= FAILING_STREAK:
        return HealthState.FAILING
    if failure_streak > 0 or failed_cases > 0:
        return HealthState.DEGRADED
    return HealthState.HEALTHY


def json_of(raw: bytes) -> Any:  # noqa: ANN401 - JSON is any value; the caller narrows it
    """Return the value of strict JSON.

    Raises:
        FormRefusedError: for anything else; the text says where and what.
    """
    try:
        return strict_json.decode(raw)
    except strict_json.JsonRefusedError as error:
        message = str(error)
        if b"\n" not in raw.rstrip():  # one line: what it is called is told by whoever read it
            message = message.removeprefix("line 1").lstrip(",: ")
        raise FormRefusedError(message) from None


def parse_state(raw: bytes, *, chained: bool) -> State:
    """Return the state that the bytes of a `state.json` hold.

    Args:
        raw: The file's bytes.
        chained: Whether the writer chains its events, so that `last_cycle` is required.

    Raises:
        FormRefusedError: if it is not of the contract's form; the text names the field.
    """
    value = _object(json_of(raw), "the file")
    version = value.get("schema_version")
    if type(version) is not int or version != 1:
        raise FormRefusedError(f"schema_version: {_found(value, 'schema_version')}; 1 is known")
    health = _object(value.get("health"), "health")
    last_cycle = None
    if chained or "last_cycle" in value:
        last_cycle = _last_cycle(_object(value.get("last_cycle"), "last_cycle"))
    return State(
        health=HealthSnapshot(
            **{key: count(health, key, "health.") for key in HealthSnapshot._fields}
        ),
        last_cycle=last_cycle,
        processed_case_count=len(_case_keys(value, "processed_case_keys")),
        commands=tuple(
            _command(item, f"commands[{index}]")
            for index, item in enumerate(_array(value, "commands"))
        ),
    )


def count(holder: Mapping[str, Any], key: str, path: str = "", *, at_least: int = 0) -> int:
    """Return a counter, time or duration: an integer from `at_least` on, of at most 63 bits.

    Raises:
        FormRefusedError: if it is missing or anything else.
    """
    value = holder.get(key)
    if type(value) is not int or not at_least <= value <= LARGEST_INTEGER:
        found = _found(holder, key)
        raise FormRefusedError(f"{path}{key}: {found}; must be an integer from {at_least} on")
    return value


def text(holder: Mapping[str, Any], key: str, path: str = "", *, at_least: int = 0) -> str:
    """Return a string of at least so many characters.

    Raises:
        FormRefusedError: if it is missing or anything else.
    """
    value = holder.get(key)
    if not isinstance(value, str) or len(value) < at_least:
        kind = "a string that is not empty" if at_least else "a string"
        raise FormRefusedError(f"{path}{key}: {_found(holder, key)}; must be {kind}")
    return value


def digest(holder: Mapping[str, Any], key: str, path: str = "") -> str:
    """Return a SHA-256 digest of 64 lower-case hex digits.

    Raises:
        FormRefusedError: if it is missing or anything else.
    """
    value = text(holder, key, path)
    if not _DIGEST.fullmatch(value):
        raise FormRefusedError(f"{path}{key}: must be 64 lower-case hex digits")
    return value


def _one_of(known: tuple[str, ...], holder: Mapping[str, Any], key: str, path: str) -> str:
    value = text(holder, key, path)
    if value not in known:
        raise FormRefusedError(f"{path}{key}: {_found(holder, key)}; one of {', '.join(known)}")
    return value


def _found(holder: Mapping[str, Any], key: str) -> str:
    if key not in holder:
        return "is missing"
    value = holder[key]
    if isinstance(value, (dict, list)):
        return "found an object" if isinstance(value, dict) else "found an array"
    return f"found {value!r:.60}"


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        found = "is missing or null" if value is None else "is not an object"
        raise FormRefusedError(f"{what}: {found}")
    return value


def _array(holder: Mapping[str, Any], key: str) -> list[Any]:
    value = holder.get(key, [])
    if not isinstance(value, list):
        raise FormRefusedError(f"{key}: {_found(holder, key)}; must be an array")
    return value


def _case_keys(holder: Mapping[str, Any], key: str) -> list[Any]:
    keys = _array(holder, key)
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
    record = _object(value, path)
    return CommandSummary(
        command_name=text(record, "command_name", f"{path}."),
        operation=_one_of(_OPERATIONS, record, "operation", f"{path}."),
        last_outcome=_one_of(_OUTCOMES, record, "last_outcome", f"{path}."),
        last_status_code=count(record, "last_status_code", f"{path}.", at_least=1),
        run_count=count(record, "run_count", f"{path}."),
    )
