"""What the last cycles tell: failures, retries, a backlog, duplicates, runs that went wrong.

Only the last `WINDOW_CYCLES` are judged, and each sentence says over how many: what was mended is
forgotten, and one bad night a year ago is no symptom.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from tau_transport_health.contract.event import Event
from tau_transport_health.counted import counted
from tau_transport_health.health.assessment import Inspection
from tau_transport_health.health.remedies import HistorySymptom, Hold
from tau_transport_health.log.history import Cycle, History
from tau_transport_health.log.traces import TraceKind

GROWTH_CYCLES = 3
"""A backlog grows, or stands, if these many last cycles left ever as much or more over."""

_CYCLES_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A symptom of the last cycles: the cycles that show it, newest first, and by which counter."""

    code: HistorySymptom
    sentence: str
    cycles: tuple[Cycle, ...]
    counter: str
    trace_kind: TraceKind | None = None
    is_notice: bool = False


RUN_FAILURES = (
    (
        HistorySymptom.RUN_SPAWN_FAILURES,
        "run_spawn_failures",
        TraceKind.SPAWN_FAILURE,
        "attempts at RUNs whose program could not be started",
    ),
    (
        HistorySymptom.RUN_TIMEOUTS,
        "run_timeout_failures",
        TraceKind.TIMEOUT,
        "attempts at RUNs that hit their time limit",
    ),
    (
        HistorySymptom.RUN_NON_ZERO_EXITS,
        "run_non_zero_exit_failures",
        TraceKind.NON_ZERO_EXIT,
        "attempts at RUNs that ended with a non-zero exit code",
    ),
    (
        HistorySymptom.MISSING_COMMANDS,
        "run_missing_command_failures",
        TraceKind.MISSING_COMMAND,
        "RUNs of a command that is not registered",
    ),
)
"""Runs that went wrong: the symptom, its counter in an event, its traces, and words for it."""


def symptoms_of_history(inspection: Inspection, history: History) -> Iterator[Finding]:
    """What the last cycles show."""
    recent = history.recent
    if not recent:
        return
    yield from _failures(recent)
    yield from _backlog(recent)
    yield from _retries(recent)
    for code, counter, kind, words in RUN_FAILURES:
        yield from _run_failures(recent, code, counter, kind, words)
    yield from _duplicates(recent)
    yield from _recovered(recent)
    if inspection.is_chained and Hold.UNHEALTHY in dict(inspection.assessment.holds):
        yield from _no_registry_change(recent)


def _failures(recent: Sequence[Cycle]) -> Iterator[Finding]:
    failing = _last_that(recent, lambda event: event.failed_cases > 0)
    if not failing:
        return
    streak = recent[-1].event.failure_streak
    in_a_row = "" if streak == 1 else f", in {streak} cycles in a row"
    failed = failing[0].event.failed_cases
    yield Finding(
        code=HistorySymptom.CASE_PROCESSING_FAILED,
        sentence=f"cases failed: {failed} in the last cycle{in_a_row}",
        cycles=failing[:_CYCLES_SHOWN],
        counter="failed_cases",
        trace_kind=TraceKind.FAILED_CASE,
    )


def _backlog(recent: Sequence[Cycle]) -> Iterator[Finding]:
    waiting = _last_that(recent, lambda event: event.backlog_cases > 0)
    if not waiting:
        return
    depths = [cycle.event.backlog_cases for cycle in reversed(waiting[:GROWTH_CYCLES])]
    if len(depths) == GROWTH_CYCLES and depths == sorted(depths):
        grows = "grows" if depths[-1] > depths[0] else "does not shrink"
        yield Finding(
            code=HistorySymptom.BACKLOG_GROWING,
            sentence=f"the backlog {grows}: {', '.join(map(str, depths))} cases were left over "
            f"by the last {GROWTH_CYCLES} cycles",
            cycles=waiting[:GROWTH_CYCLES],
            counter="backlog_cases",
        )
    else:
        yield Finding(
            code=HistorySymptom.BACKLOG_LEFT,
            sentence=f"the last cycle left {counted(depths[-1], 'case')} over for the next",
            cycles=waiting[:_CYCLES_SHOWN],
            counter="backlog_cases",
            is_notice=True,
        )


def _retries(recent: Sequence[Cycle]) -> Iterator[Finding]:
    """Find retries in two cycles or more, or some in the last one that did not help."""
    retried = _all_that(recent, lambda event: event.retry_attempts > 0)
    last = recent[-1].event
    if len(retried) < 2 and not (last.retry_attempts > 0 and last.failed_cases > 0):  # noqa: PLR2004
        return
    attempts = sum(cycle.event.retry_attempts for cycle in retried)
    yield Finding(
        code=HistorySymptom.REPEATED_RETRIES,
        sentence="attempts after the first of a case, those of 'retry_until' too: "
        f"{attempts}, {_extent(retried, recent)}",
        cycles=retried[:_CYCLES_SHOWN],
        counter="retry_attempts",
        trace_kind=TraceKind.RETRIED_IN_VAIN,
    )


def _run_failures(
    recent: Sequence[Cycle], code: HistorySymptom, counter: str, kind: TraceKind, words: str
) -> Iterator[Finding]:
    showing = _all_that(recent, lambda event: getattr(event, counter) > 0)
    if not showing:
        return
    total = sum(getattr(cycle.event, counter) for cycle in showing)
    yield Finding(
        code=code,
        sentence=f"{words}: {total}, {_extent(showing, recent)}",
        cycles=showing[:_CYCLES_SHOWN],
        counter=counter,
        trace_kind=kind,
    )


def _recovered(recent: Sequence[Cycle]) -> Iterator[Finding]:
    recovered = _all_that(recent, lambda event: event.recovered)
    if recovered:
        yield Finding(
            code=HistorySymptom.CLOSED_AFTER_A_CRASH,
            sentence="cycles were cut off while they executed commands, and closed after that: "
            f"{len(recovered)}, {_extent(recovered, recent)}",
            cycles=recovered[:_CYCLES_SHOWN],
            counter="executed_runs",
            is_notice=True,
        )


def _duplicates(recent: Sequence[Cycle]) -> Iterator[Finding]:
    """Find last cycles, or most of the window, that skipped what they found and did nothing.

    Duplicates beside work are no symptom: a fixture that takes several cycles has them each time.
    """
    idle = _last_that(recent, _did_nothing_but_skip)
    if not idle and 2 * len(_all_that(recent, _did_nothing_but_skip)) <= len(recent):
        return
    all_idle = _all_that(recent, _did_nothing_but_skip)
    yield Finding(
        code=HistorySymptom.NOTHING_BUT_DUPLICATES,
        sentence=f"cycles did nothing but skip duplicates, {_extent(all_idle, recent)}",
        cycles=all_idle[:_CYCLES_SHOWN],
        counter="duplicate_skips",
        is_notice=True,
    )


def _no_registry_change(recent: Sequence[Cycle]) -> Iterator[Finding]:
    """Find that nothing changed the registry, where the gate holds for the health.

    Cycles that only skipped duplicates could change nothing and say so themselves.
    """
    busy = _all_that(recent, lambda event: not _did_nothing_but_skip(event))
    if not busy or any("command_registry_mutated" in each.event.reason_codes for each in recent):
        return
    yield Finding(
        code=HistorySymptom.NO_REGISTRY_CHANGE,
        sentence="the gate holds, and no command was created, updated or deleted in the last "
        f"{_cycles(len(recent))}",
        cycles=busy[:1],
        counter="upserted_commands",
        is_notice=True,
    )


def _did_nothing_but_skip(event: Event) -> bool:
    malformed = event.malformed_cases + event.unexpected_malformed_cases
    return event.duplicate_skips > 0 and not (event.applied_cases + malformed + event.failed_cases)


def _last_that(recent: Sequence[Cycle], shows: Callable[[Event], bool]) -> tuple[Cycle, ...]:
    """The last cycles without a gap that show something, newest first."""
    return tuple(takewhile(lambda cycle: shows(cycle.event), reversed(recent)))


def _all_that(recent: Sequence[Cycle], shows: Callable[[Event], bool]) -> tuple[Cycle, ...]:
    """All cycles of the window that show something, newest first."""
    return tuple(cycle for cycle in reversed(recent) if shows(cycle.event))


def _extent(showing: Sequence[Cycle], recent: Sequence[Cycle]) -> str:
    window = (
        "in the only cycle"
        if len(recent) == 1
        else f"in {len(showing)} of the last {len(recent)} cycles"
    )
    ago = next(index for index, cycle in enumerate(reversed(recent)) if cycle is showing[0])
    return window if ago == 0 else f"{window}, last {_cycles(ago)} ago"


def _cycles(number: int) -> str:
    return "1 cycle" if number == 1 else f"{number} cycles"
