"""State files as the runtime writes them, built by hand: no code of either package in them."""

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

Json = dict[str, Any]

NOW_UNIX_MS = 1_767_225_600_000
"""When the last cycle of what is built here ended."""

HEALTH_KEYS = (
    "updated_unix_ms",
    "cycle_duration_ms",
    "queue_depth",
    "active_runs",
    "failure_streak",
    "last_cycle_discovered",
    "last_cycle_processed",
    "last_cycle_completed",
    "last_cycle_failed",
    "last_cycle_duplicates",
)
REQUIRED_EVENT_KEYS = (
    "timestamp_unix_ms",
    "health_state",
    "reason_codes",
    "failed_cases",
    "failure_streak",
    "backlog_cases",
    "malformed_cases",
)
CHAIN_KEYS = ("cycle_id", "cycle_number", "previous_sha256")
COUNT_KEYS = (
    "timestamp_unix_ms",
    "discovered_cases",
    "queued_cases",
    "applied_cases",
    "duplicate_skips",
    "malformed_cases",
    "unexpected_malformed_cases",
    "retryable_failures",
    "retry_attempts",
    "failed_cases",
    "upserted_commands",
    "deleted_commands",
    "executed_runs",
    "run_timeout_failures",
    "run_non_zero_exit_failures",
    "run_spawn_failures",
    "run_missing_command_failures",
    "backlog_cases",
    "failure_streak",
    "cycle_duration_ms",
)


def digest(line: bytes) -> str:
    """Return the digest of a line, its line break left out."""
    return sha256(line.removesuffix(b"\n")).hexdigest()


def event(*, number: int = 1, previous: bytes | None = None, **changes: Any) -> Json:  # noqa: ANN401 - any JSON
    """Return a healthy event with every key of the runtime's, in its order, but for `changes`."""
    time = NOW_UNIX_MS
    value: Json = {
        "schema_version": 1,
        "timestamp_unix_ms": time,
        "cycle_id": f"{time}-{number:08}-9f86d081",
        "cycle_number": number,
        "previous_sha256": None if previous is None else digest(previous),
        "run_mode": "record",
        "health_state": "healthy",
        "health_reason": "the last cycle ended without a failed case",
        "reason_codes": ["command_registry_mutated", "command_runs_recorded"],
        "discovered_cases": 5,
        "queued_cases": 4,
        "applied_cases": 3,
        "duplicate_skips": 1,
        "malformed_cases": 0,
        "unexpected_malformed_cases": 0,
        "retryable_failures": 0,
        "retry_attempts": 0,
        "failed_cases": 0,
        "upserted_commands": 2,
        "deleted_commands": 0,
        "executed_runs": 1,
        "run_timeout_failures": 0,
        "run_non_zero_exit_failures": 0,
        "run_spawn_failures": 0,
        "run_missing_command_failures": 0,
        "backlog_cases": 1,
        "failure_streak": 0,
        "recovered": False,
        "cycle_duration_ms": 12,
        "fixture_name": "rollout-pass",
        "fixture_sha256": "96cadce6ffe86639214994155523316bc3c19a94e04038fa9dd50d3eec8086a9",
        "runtime_version": "0.1.0",
    }
    return value | changes


def failed(*, streak: int, cases: int = 2) -> Json:
    """Return what differs in an event of a cycle in which cases failed, the `streak`th in a row."""
    return {
        "health_state": "failing" if streak >= 3 else "degraded",
        "health_reason": f"{cases} cases failed in the last cycle",
        "reason_codes": ["case_processing_failed"],
        "failed_cases": cases,
        "failure_streak": streak,
    }


def line_of(value: object) -> bytes:
    """Return a value as a line of a log, as the runtime writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def chain(count: int = 3, **last: object) -> list[bytes]:
    """Return `count` chained lines; `last` are the changes of the last one."""
    lines: list[bytes] = []
    for number in range(1, count + 1):
        changes = last if number == count else {}
        previous = lines[-1] if lines else None
        lines.append(line_of(event(number=number, previous=previous, **changes)))
    return lines


def snapshot(of: Json | None = None, **changes: object) -> Json:
    """Return the health block after the cycle of an event."""
    value = event() if of is None else of
    completed = value["applied_cases"] + value["malformed_cases"]
    return {
        "updated_unix_ms": value["timestamp_unix_ms"],
        "cycle_duration_ms": value["cycle_duration_ms"],
        "queue_depth": value["backlog_cases"],
        "active_runs": 0,
        "failure_streak": value["failure_streak"],
        "last_cycle_discovered": value["discovered_cases"],
        "last_cycle_processed": completed + value["failed_cases"] + value["duplicate_skips"],
        "last_cycle_completed": completed,
        "last_cycle_failed": value["failed_cases"],
        "last_cycle_duplicates": value["duplicate_skips"],
        **changes,
    }


def record(name: str = "disk-usage", **changes: object) -> Json:
    """Return a command record."""
    return {
        "case_key": f"RUN:{name}:020-run",
        "case_id": "020-run",
        "command_name": name,
        "template": "df -h {{path}}",
        "operation": "RUN",
        "last_status_code": 200,
        "last_outcome": "success",
        "run_count": 3,
        "updated_unix_ms": NOW_UNIX_MS,
        "execution_policy": {"schema_version": 1},
        "last_error_code": "",
        "last_command_line": "",
        "last_exit_code": None,
        "last_stdout": "",
        "last_stderr": "",
        "last_timed_out": False,
        "last_duration_ms": 0,
    } | changes


def state_of(line: bytes, **changes: object) -> Json:
    """Return the state that belongs to a line of the log."""
    value = json.loads(line)
    return {
        "schema_version": 1,
        "processed_case_keys": ["CREATE:disk-usage:010-create", "RUN:disk-usage:020-run"],
        "failed_case_keys": [],
        "commands": [record()],
        "health": snapshot(value),
        "last_cycle": {
            "cycle_id": value["cycle_id"],
            "cycle_number": value["cycle_number"],
            "event_sha256": digest(line),
        },
    } | changes


def minimal_state(**changes: object) -> Json:
    """Return the least that a writer of another transport writes."""
    return {"schema_version": 1, "health": snapshot(None, **changes)}


def minimal_event(**changes: object) -> Json:
    """Return the least that a line of another transport holds."""
    whole = event()
    return {key: whole[key] for key in REQUIRED_EVENT_KEYS} | changes


@dataclass(frozen=True, slots=True)
class StateDirectory:
    """A state directory of the tests' own making, at `root`."""

    root: Path

    @property
    def state(self) -> Path:
        """Return where the state is."""
        return self.root / "state.json"

    @property
    def log(self) -> Path:
        """Return where the event log is."""
        return self.root / "runtime-events.jsonl"

    @property
    def rotated(self) -> Path:
        """Return where the log is that was rotated last."""
        return self.root / "runtime-events.jsonl.1"

    def write(self, state: object, lines: list[bytes] | None) -> None:
        """Write a state, given as bytes or JSON, and a log; None leaves a file out."""
        self.root.mkdir(parents=True, exist_ok=True)
        if state is not None:
            raw = state if isinstance(state, bytes) else json.dumps(state).encode()
            self.state.write_bytes(raw)
        if lines is not None:
            self.log.write_bytes(b"".join(lines))

    def good(self, count: int = 3, **last: object) -> list[bytes]:
        """Write a log of `count` lines and the state that belongs to it; return the lines."""
        lines = chain(count, **last)
        self.write(state_of(lines[-1]), lines)
        return lines
