"""Builds the event and the state that a finished cycle writes.

Every number of an event follows from the settled cases; every number of the health snapshot
follows from the event (runbooks/state-files.md).
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from msgspec import UNSET, structs

from tau_custom_command.contract import health
from tau_custom_command.contract.forms import LARGEST_INTEGER, line_digest
from tau_custom_command.contract.health import ReasonCode
from tau_custom_command.contract.state import HealthSnapshot, LastCycle, RuntimeEvent, StateFile
from tau_custom_command.contract.vocabulary import Outcome
from tau_custom_command.cycle.execution import FailureReason
from tau_custom_command.cycle.plan import CyclePlan
from tau_custom_command.cycle.registry import Registry
from tau_custom_command.cycle.settle import Disposition, Settlement


class ClosedCycle(NamedTuple):
    """A finished cycle: its settled cases, its event (also as the log's line), the state after."""

    settlements: tuple[Settlement, ...]
    event: RuntimeEvent
    event_line: bytes
    state: StateFile


def close(  # noqa: PLR0913 - what was planned and what came of it, and when
    plan: CyclePlan,
    settlements: Sequence[Settlement],
    registry: Registry,
    *,
    ended_unix_ms: int,
    duration_ms: int,
    recovered: bool = False,
) -> ClosedCycle:
    """Close a cycle that took `plan` and settled its cases so; `registry` is as it is then.

    It is `recovered` where a crash ended it. Cases of the plan that were never settled, as where it
    was told to stop, count as not there.
    """
    plan = plan._replace(queue=tuple(settlement.case for settlement in settlements))
    processed, failed = _case_keys(plan, settlements)
    executed = _executed_keys(plan, settlements)
    counters = _counters(plan, settlements)
    event = RuntimeEvent(
        schema_version=1,
        timestamp_unix_ms=ended_unix_ms,
        reason_codes=reason_codes(counters),
        recovered=recovered,
        cycle_duration_ms=duration_ms,
        **_health(plan.streak_before, counters["failed_cases"]),
        **structs.asdict(plan.identity),
        **counters,
    )
    event_line = event.as_line()
    state = StateFile(
        schema_version=1,
        processed_case_keys=processed,
        failed_case_keys=failed,
        commands=registry.sorted_records(),
        executed_run_keys=executed or UNSET,
        health=_snapshot_of(event),
        last_cycle=LastCycle(
            cycle_id=event.cycle_id,
            cycle_number=event.cycle_number,
            event_sha256=line_digest(event_line),
        ),
    )
    return ClosedCycle(
        settlements=tuple(settlements), event=event, event_line=event_line, state=state
    )


def _health(streak_before: int, failed_cases: int) -> dict[str, Any]:
    # It only counts, and is judged by whether it is 0, 1, 2 or more.
    streak = min(streak_before + 1, LARGEST_INTEGER) if failed_cases else 0
    return {
        "failure_streak": streak,
        "health_state": health.classify(failure_streak=streak, failed_cases=failed_cases),
        "health_reason": health.explain(failure_streak=streak, failed_cases=failed_cases),
    }


def reason_codes(counters: Mapping[str, int]) -> tuple[ReasonCode, ...]:
    """The codes whose counters are above 0, in the table's order."""
    codes = tuple(
        code for code, names in _COUNTERS_BEHIND.items() if any(counters[name] for name in names)
    )
    return codes or (ReasonCode.HEALTHY_CYCLE,)


_COUNTERS_BEHIND = {
    ReasonCode.QUEUE_BACKPRESSURE_APPLIED: ("backlog_cases",),
    ReasonCode.DUPLICATE_CASES_SKIPPED: ("duplicate_skips",),
    ReasonCode.MALFORMED_INPUTS_OBSERVED: ("malformed_cases", "unexpected_malformed_cases"),
    ReasonCode.RETRY_ATTEMPTED: ("retry_attempts",),
    ReasonCode.RETRYABLE_FAILURES_OBSERVED: ("retryable_failures",),
    ReasonCode.CASE_PROCESSING_FAILED: ("failed_cases",),
    ReasonCode.COMMAND_REGISTRY_MUTATED: ("upserted_commands", "deleted_commands"),
    ReasonCode.COMMAND_RUNS_RECORDED: ("executed_runs",),
    ReasonCode.COMMAND_RUN_TIMEOUT_OBSERVED: ("run_timeout_failures",),
    ReasonCode.COMMAND_RUN_NON_ZERO_EXIT_OBSERVED: ("run_non_zero_exit_failures",),
    ReasonCode.COMMAND_RUN_SPAWN_FAILURES_OBSERVED: ("run_spawn_failures",),
    ReasonCode.COMMAND_RUN_MISSING_COMMAND_OBSERVED: ("run_missing_command_failures",),
}


def _count(settlements: Sequence[Settlement], disposition: Disposition) -> int:
    return sum(settlement.disposition is disposition for settlement in settlements)


def _counters(plan: CyclePlan, settlements: Sequence[Settlement]) -> dict[str, Any]:
    return {
        "discovered_cases": plan.discovered,
        "queued_cases": plan.discovered - len(plan.left_over),
        "applied_cases": _count(settlements, Disposition.APPLIED),
        "duplicate_skips": len(plan.skipped),
        "malformed_cases": _count(settlements, Disposition.MALFORMED),
        "unexpected_malformed_cases": sum(
            settlement.drifted and settlement.result.outcome is Outcome.MALFORMED_INPUT
            for settlement in settlements
        ),
        "retryable_failures": sum(settlement.retryable_failures for settlement in settlements),
        "retry_attempts": sum(settlement.retry_attempts for settlement in settlements),
        "failed_cases": _count(settlements, Disposition.FAILED),
        "upserted_commands": sum(s.change.upserted_commands for s in settlements),
        "deleted_commands": sum(s.change.deleted_commands for s in settlements),
        "executed_runs": sum(s.change.executed_runs for s in settlements),
        **_run_failures(settlements),
        "run_missing_command_failures": sum(
            settlement.result.is_missing_command for settlement in settlements
        ),
        "backlog_cases": len(plan.left_over),
    }


_RUN_FAILURES = {
    "run_timeout_failures": {FailureReason.TIMEOUT},
    "run_non_zero_exit_failures": {FailureReason.NON_ZERO_EXIT},
    "run_spawn_failures": {FailureReason.SPAWN_ERROR, FailureReason.EXECUTABLE_NOT_FOUND},
}
"""Which failures of attempts each counter counts."""


def _run_failures(settlements: Sequence[Settlement]) -> dict[str, int]:
    attempts = chain.from_iterable(settlement.counted for settlement in settlements)
    failures = Counter(attempt.failure for attempt in attempts)
    return {
        name: sum(failures[reason] for reason in reasons) for name, reasons in _RUN_FAILURES.items()
    }


def _snapshot_of(event: RuntimeEvent) -> HealthSnapshot:
    """The health snapshot after the cycle of an event."""
    completed = event.applied_cases + event.malformed_cases
    return HealthSnapshot(
        updated_unix_ms=event.timestamp_unix_ms,
        cycle_duration_ms=event.cycle_duration_ms,
        queue_depth=event.backlog_cases,
        active_runs=0,
        failure_streak=event.failure_streak,
        last_cycle_discovered=event.discovered_cases,
        last_cycle_processed=completed + event.failed_cases + event.duplicate_skips,
        last_cycle_completed=completed,
        last_cycle_failed=event.failed_cases,
        last_cycle_duplicates=event.duplicate_skips,
    )


def _case_keys(
    plan: CyclePlan, settlements: Sequence[Settlement]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Choose the processed and the failed keys after the cycle, at most the plan's cap of each.

    The keys of the fixture at hand are kept, and the oldest of the others go: a cycle that forgot
    its own fixture's keys would do the fixture's first cases again instead of its last ones.

    A failed key that is forgotten makes its case new again, which is harmless; without a bound
    the list would grow for ever where every cycle brings new ids that fail.
    """
    settled = {
        settlement.case.key: settlement.disposition is Disposition.FAILED
        for settlement in settlements
        if not settlement.is_executed
    }
    executed = {settlement.case.key for settlement in settlements if settlement.is_executed}
    executed.update(plan.executed_before)
    skipped = [key for key in plan.skipped if key not in executed]
    at_hand = frozenset(chain(settled, skipped, plan.left_over))
    gone = at_hand | executed
    # A processed key that is met again becomes one of the newest, so that the keys that go are of
    # fixtures that run no more. The failed ones keep their order, which is that of their trying.
    processed = [
        *(key for key in plan.processed_before if key not in gone),
        *skipped,
        *(key for key, has_failed in settled.items() if not has_failed),
    ]
    failed = [
        *(key for key in plan.failed_before if key not in settled and key not in executed),
        *(key for key, has_failed in settled.items() if has_failed),
    ]
    cap = max(plan.processed_case_cap, plan.discovered)
    return tuple(_newest(processed, cap, kept=at_hand)), tuple(_newest(failed, cap, kept=at_hand))


def _executed_keys(plan: CyclePlan, settlements: Sequence[Settlement]) -> tuple[str, ...]:
    """Add the keys of RUNs whose process was started: those are never forgotten."""
    if plan.is_fresh:
        return plan.executed_before
    new = dict.fromkeys(settlement.case.key for settlement in settlements if settlement.is_executed)
    return (*(key for key in plan.executed_before if key not in new), *new)


def _newest(keys: Sequence[str], cap: int, *, kept: Collection[str]) -> Iterator[str]:
    """Yield the keys less the oldest that are beyond `cap` and not among those to be kept."""
    excess = len(keys) - cap
    for key in keys:
        if excess > 0 and key not in kept:
            excess -= 1
        else:
            yield key
