"""Health: the snapshot that every transport leaves, its state, and the reasons of a cycle.

The thresholds and codes are the contract's (runbooks/state-files.md, "Health" and "Reason codes");
the inspector and the gate judge by the same numbers, from the files alone.
"""

from enum import StrEnum

FAILING_STREAK = 3
"""Consecutive cycles with a failed case from which on the health is failing."""


class HealthState(StrEnum):
    """How a transport is, best first."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    FAILING = "failing"


class ReasonCode(StrEnum):
    """What was noteworthy in a cycle; the order here is the order in an event."""

    QUEUE_BACKPRESSURE_APPLIED = "queue_backpressure_applied"
    DUPLICATE_CASES_SKIPPED = "duplicate_cases_skipped"
    MALFORMED_INPUTS_OBSERVED = "malformed_inputs_observed"
    RETRY_ATTEMPTED = "retry_attempted"
    RETRYABLE_FAILURES_OBSERVED = "retryable_failures_observed"
    CASE_PROCESSING_FAILED = "case_processing_failed"
    COMMAND_REGISTRY_MUTATED = "command_registry_mutated"
    COMMAND_RUNS_RECORDED = "command_runs_recorded"
    COMMAND_RUN_TIMEOUT_OBSERVED = "command_run_timeout_observed"
    COMMAND_RUN_NON_ZERO_EXIT_OBSERVED = "command_run_non_zero_exit_observed"
    COMMAND_RUN_SPAWN_FAILURES_OBSERVED = "command_run_spawn_failures_observed"
    COMMAND_RUN_MISSING_COMMAND_OBSERVED = "command_run_missing_command_observed"
    HEALTHY_CYCLE = "healthy_cycle"


def classify(*, failure_streak: int, failed_cases: int) -> HealthState:
    """The health that these two numbers of the last cycle give."""
    if failure_streak >= FAILING_STREAK:
        return HealthState.FAILING
    if failure_streak > 0 or failed_cases > 0:
        return HealthState.DEGRADED
    return HealthState.HEALTHY


def explain(*, failure_streak: int, failed_cases: int) -> str:
    """Say the health in a few words: the state's reason, for people."""
    if failed_cases == 0:
        return "the last cycle ended without a failed case"
    cases = "1 case" if failed_cases == 1 else f"{failed_cases} cases"
    if failure_streak == 1:
        return f"{cases} failed in the last cycle"
    return (
        f"{cases} failed in the last cycle, the {_ordinal(failure_streak)} in a row with failures"
    )


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10)
    return f"{number}{ending or 'th'}"
