"""A cycle of an event log, as values: what its line tells, and how that can contradict itself."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

FAILING_STREAK = 3
"""Cycles in a row with a failed case from which on the health is failing (state-files.md)."""

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


class Told(NamedTuple):
    """What a line tells of its cycle, beside which one it was and when: most of a log tell alike.

    What its writer left out is None, and a counter is not in `counters`. That has the line's counts
    by their names in the contract; `failed_cases`, `failure_streak`, `backlog_cases` and
    `malformed_cases` are always there.
    """

    health_state: HealthState
    reason_codes: tuple[str, ...]
    counters: Mapping[str, int]
    run_mode: str | None = None
    recovered: bool = False
    runtime_version: str | None = None
    release: str | None = None
    fixture_name: str | None = None
    fixture_sha256: str | None = None
    timeline: Timeline | None = None


class Event(NamedTuple):
    """A valid line. What its writer left out is None; events that tell alike may share `told`."""

    told: Told
    timestamp_unix_ms: int
    cycle_duration_ms: int = 0
    cycle_id: str | None = None
    cycle_number: int | None = None
    previous_sha256: str | None = None

    @property
    def is_chained(self) -> bool:
        """Tell whether the line is part of a chain."""
        return self.cycle_number is not None

    @property
    def health_state(self) -> HealthState:
        """The health that the cycle left."""
        return self.told.health_state

    @property
    def reason_codes(self) -> tuple[str, ...]:
        """Its reason codes."""
        return self.told.reason_codes

    @property
    def counters(self) -> Mapping[str, int]:
        """Its counts, by their names in the contract."""
        return self.told.counters

    @property
    def run_mode(self) -> str | None:
        """What it ran in."""
        return self.told.run_mode

    @property
    def runtime_version(self) -> str | None:
        """Which version ran it."""
        return self.told.runtime_version

    @property
    def release(self) -> str | None:
        """Which release that was."""
        return self.told.release

    @property
    def fixture_name(self) -> str | None:
        """The name of its cases."""
        return self.told.fixture_name

    @property
    def fixture_sha256(self) -> str | None:
        """Their digest."""
        return self.told.fixture_sha256

    @property
    def timeline(self) -> Timeline | None:
        """What a browser did."""
        return self.told.timeline


def contradiction_of(told: Told) -> str | None:
    """How a line contradicts itself, or None; nothing but this is judged so."""
    counters = told.counters
    failed, streak = counters["failed_cases"], counters["failure_streak"]
    given = classify(failed_cases=failed, failure_streak=streak)
    if told.health_state != given:
        return f"health_state: {told.health_state}, but streak and failed cases give {given}"
    if ("case_processing_failed" in told.reason_codes) != (failed > 0):
        return f"reason_codes: case_processing_failed does not fit failed_cases, {failed}"
    malformed = counters["malformed_cases"] + counters.get("unexpected_malformed_cases", 0)
    if ("malformed_inputs_observed" in told.reason_codes) != (malformed > 0):
        return f"reason_codes: malformed_inputs_observed does not fit its counters, {malformed}"
    return None
