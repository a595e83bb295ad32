"""A line of an event log as this program reads it: one cycle, valid or refused with the reason.

The rules are the contract's (runbooks/state-files.md, "runtime-events.jsonl").
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from itertools import chain
from operator import attrgetter
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple

from msgspec import UNSET, Meta, UnsetType, defstruct

from tau_rollout_gate.contract.forms import (
    Count,
    Number,
    Read,
    Sha256,
    Text,
    Version,
    form_of,
    object_of,
)
from tau_rollout_gate.contract.long_json import Fold, Items, pieces_of
from tau_rollout_gate.contract.plain_json import plain_object
from tau_rollout_gate.errors import FormRefusedError

FAILING_STREAK = 3
"""Cycles in a row with a failed case from which on the health is failing (state-files.md)."""

LONGEST_LINE_BYTES = 16 * 1024 * 1024
"""A longer line is invalid whatever it holds."""

COUNTERS_OF_CODES: Mapping[str, tuple[str, ...]] = {
    "queue_backpressure_applied": ("backlog_cases",),
    "duplicate_cases_skipped": ("duplicate_skips",),
    "malformed_inputs_observed": ("malformed_cases", "unexpected_malformed_cases"),
    "retry_attempted": ("retry_attempts",),
    "retryable_failures_observed": ("retryable_failures",),
    "case_processing_failed": ("failed_cases",),
    "command_registry_mutated": ("upserted_commands", "deleted_commands"),
    "command_runs_recorded": ("executed_runs",),
    "command_run_timeout_observed": ("run_timeout_failures",),
    "command_run_non_zero_exit_observed": ("run_non_zero_exit_failures",),
    "command_run_spawn_failures_observed": ("run_spawn_failures",),
    "command_run_missing_command_observed": ("run_missing_command_failures",),
}
"""Which counters above 0 give a reason code (state-files.md, "Reason codes")."""

KNOWN_REASON_CODES = frozenset({*COUNTERS_OF_CODES, "healthy_cycle"})
"""The codes of the custom command; other surfaces have their own beside these."""


class HealthState(StrEnum):
    """How a surface is, best first."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    FAILING = "failing"


def classify(*, failure_streak: int, failed_cases: int) -> HealthState:
    """Judge the health that two numbers of a cycle give."""
    if failure_streak >= FAILING_STREAK:
        return HealthState.FAILING
    if failure_streak > 0 or failed_cases > 0:
        return HealthState.DEGRADED
    return HealthState.HEALTHY


class Timeline(NamedTuple):
    """What decides of a browser's steps: how many there are, and the first that failed, in words.

    A step failed whose status is not `ok` or that has an `error_code`.
    """

    length: int
    failed: str | None


class _Line(Read, frozen=True, kw_only=True):
    """The keys of a line that are judged."""

    schema_version: Version = 1
    timestamp_unix_ms: Count
    health_state: HealthState
    health_reason: str | None = None
    reason_codes: Annotated[tuple[str, ...], Meta(min_length=1)]
    cycle_duration_ms: Count = 0
    cycle_id: Text | None = None
    cycle_number: Number | None = None
    previous_sha256: Sha256 | None = None
    run_mode: Literal["record", "execute"] | None = None
    recovered: bool = False
    runtime_version: str | None = None
    release: str | None = None
    fixture_name: str | None = None
    fixture_sha256: Sha256 | None = None


_COUNTS = (
    *("failure_streak", *chain.from_iterable(COUNTERS_OF_CODES.values())),
    *("discovered_cases", "queued_cases", "applied_cases", "executed_cases", "artifact_records"),
)
_REQUIRED_COUNTS = ("failed_cases", "failure_streak", "backlog_cases", "malformed_cases")
_Counts = defstruct(
    "_Counts",
    [
        *((name, Count) for name in _REQUIRED_COUNTS),
        *((name, Count | UnsetType, UNSET) for name in _COUNTS if name not in _REQUIRED_COUNTS),
    ],
    frozen=True,
    kw_only=True,
)
"""The counters of a line, of which a writer may leave out most."""

_KEYS = frozenset({*_Line.__struct_fields__, *_COUNTS})
_CHAIN_KEYS = ("cycle_id", "cycle_number", "previous_sha256")
_NEVER_NULL = {
    *("health_reason", "cycle_id", "cycle_number", "run_mode", "runtime_version", "release"),
    *("fixture_name", "fixture_sha256", "timeline"),
}  # and not `previous_sha256`, which is null in the first line of a log


class Event(NamedTuple):
    """A valid line. What its writer left out is None, and a counter is not in `counters`.

    `counters` has the line's counts by their names in the contract; `failed_cases`,
    `failure_streak`, `backlog_cases` and `malformed_cases` are always there.
    """

    timestamp_unix_ms: int
    health_state: HealthState
    reason_codes: tuple[str, ...]
    counters: Mapping[str, int]
    cycle_duration_ms: int = 0
    cycle_id: str | None = None
    cycle_number: int | None = None
    previous_sha256: str | None = None
    run_mode: str | None = None
    recovered: bool = False
    runtime_version: str | None = None
    release: str | None = None
    fixture_name: str | None = None
    fixture_sha256: str | None = None
    timeline: Timeline | None = None

    @property
    def is_chained(self) -> bool:
        """Tell whether the line is part of a chain."""
        return self.cycle_number is not None


_counts_of = attrgetter(*_COUNTS)
_first_of = attrgetter(*Event._fields[:3])
_rest_of = attrgetter(*Event._fields[4:-1])


def line_digest(line: bytes) -> str:
    """The SHA-256 of a line, over its bytes without the line break, in hex."""
    return sha256(line.removesuffix(b"\n")).hexdigest()


def parse_event(line: bytes) -> Event:
    """Read the event that a line holds.

    The chain keys stand together or not at all; whether a writer has to have them, its other lines
    tell. The bytes may be given with or without their line break.

    Raises:
        FormRefusedError: if it is not of the contract's form, or contradicts itself.
    """
    if len(line) > LONGEST_LINE_BYTES:
        raise FormRefusedError(f"the line is longer than {LONGEST_LINE_BYTES // 1024 // 1024} MiB")
    steps = _Steps()
    value = plain_object(line)
    if value is None:
        folds = {"timeline": Fold(steps.take, ("status", "error_code"))}
        value = object_of(pieces_of(line), "the line", _KEYS, folds)
    elif isinstance(items := value.get("timeline"), list):
        steps.take(items)
        value["timeline"] = Items(len(items))
    if None in value.values():
        _check_nulls(value)
    _check_chain_keys(value)
    read = _Line.of(value)
    event = Event._make(
        (
            *_first_of(read),
            _counters(_counts_of(form_of(value, _Counts))),
            *_rest_of(read),
            None if "timeline" not in value else steps.timeline(value["timeline"]),
        )
    )
    if reason := contradiction_of(event):
        raise FormRefusedError(reason)
    return event


def contradiction_of(event: Event) -> str | None:
    """How a line contradicts itself, or None; nothing but this is judged so."""
    counters = event.counters
    failed, streak = counters["failed_cases"], counters["failure_streak"]
    given = classify(failed_cases=failed, failure_streak=streak)
    if event.health_state != given:
        return f"health_state: {event.health_state}, but streak and failed cases give {given}"
    if ("case_processing_failed" in event.reason_codes) != (failed > 0):
        return f"reason_codes: case_processing_failed does not fit failed_cases, {failed}"
    malformed = counters["malformed_cases"] + counters.get("unexpected_malformed_cases", 0)
    if ("malformed_inputs_observed" in event.reason_codes) != (malformed > 0):
        return f"reason_codes: malformed_inputs_observed does not fit its counters, {malformed}"
    return None


def timeline_of(items: Iterable[object]) -> Timeline:
    """What decides of a browser's steps.

    Raises:
        FormRefusedError: if they are not of the contract's form.
    """
    steps = _Steps()
    steps.take(items)
    return Timeline(steps.length, steps.failed)


class _Steps:
    """Takes a browser's steps, some together: there may be very many."""

    def __init__(self) -> None:
        self.length = 0
        self.failed: str | None = None

    def take(self, items: Iterable[object]) -> None:
        for item in items:
            status = item.get("status") if isinstance(item, dict) else None
            if not isinstance(item, dict) or not isinstance(status, str):
                raise FormRefusedError(f"timeline[{self.length}]: must be an object with a status")
            error = item.get("error_code")
            if not (error is None or isinstance(error, str)):
                raise FormRefusedError(f"timeline[{self.length}].error_code: must be text")
            self.length += 1
            if self.failed is None and (status != "ok" or error is not None):
                code = "" if error is None else f", error_code {error}"
                self.failed = f"timeline item {self.length}: status {status}{code}"

    def timeline(self, read: object) -> Timeline:
        """What was taken, where that was an array."""
        if not isinstance(read, Items):
            raise FormRefusedError("timeline: must be an array")
        return Timeline(self.length, self.failed)


def _check_chain_keys(value: Mapping[str, Any]) -> None:
    present = value.keys() & _CHAIN_KEYS
    if 0 < len(present) < len(_CHAIN_KEYS):
        missing = next(key for key in _CHAIN_KEYS if key not in present)
        raise FormRefusedError(f"{missing}: is missing, though the line is chained")


def _check_nulls(value: Mapping[str, Any]) -> None:
    for key, found in value.items():
        if found is None and key in _NEVER_NULL:
            raise FormRefusedError(f"{key}: must not be null; leave it out instead")


@lru_cache(maxsize=1024)
def _counters(counts: tuple[int | UnsetType, ...]) -> Mapping[str, int]:
    """The counters of a line; most cycles of a log have the same, and there may be very many."""
    return MappingProxyType(
        {name: one for name, one in zip(_COUNTS, counts, strict=True) if one is not UNSET}
    )
