"""The symptoms of the files themselves, each with where it shows: all that files can take.

What the gate holds for is the assessment's judgement; here it only gets its evidence.
"""

import shlex
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from tau_transport_health.health.assessment import Inspection
from tau_transport_health.health.remedies import (
    REMEDIES,
    UNPACKERS,
    FileSymptom,
    Hold,
    SymptomCode,
    symptom_of,
)
from tau_transport_health.log.chain import EVENT_LOG
from tau_transport_health.log.chain_verdict import BreakKind
from tau_transport_health.log.history import Cycle, History
from tau_transport_health.log.traces import Run


class Severity(StrEnum):
    """How bad a symptom is, worst first.

    A HOLD keeps the gate from passing. A FAULT does not, but something is damaged or goes wrong. A
    NOTICE may be as it should be.
    """

    HOLD = "hold"
    FAULT = "fault"
    NOTICE = "notice"


INVALID_LINES_SHOWN = 5
"""How many invalid lines are shown as evidence; all are counted."""

_STATE_FILE, _JOURNAL = "state.json", ".journal"


class Evidence(NamedTuple):
    """Where a symptom shows: a file of the state directory, its line if it has one, and what.

    Of an attempt to run a command also what was started, and how it ended.
    """

    file: str
    line: int | None
    excerpt: str
    run: Run | None = None


class Symptom(NamedTuple):
    """Something that is wrong, or may be: what, where it shows, how bad, and what to do."""

    code: SymptomCode
    sentence: str
    evidence: tuple[Evidence, ...]
    severity: Severity = Severity.FAULT
    action: str = ""


def symptoms_of_files(inspection: Inspection, history: History) -> Iterator[Symptom]:
    """What is wrong with the files, or was, and what would hold a rollout."""
    holds = dict(inspection.assessment.holds)
    if not explains_health(history):
        yield from _held(holds, Hold.UNHEALTHY, _last_line(history))
    reading = inspection.reading
    problems = (_STATE_FILE, reading.state_problem), (EVENT_LOG, reading.log_problem)
    for file, problem in problems if reading.state is not None else problems[:1]:
        if problem is not None:
            yield from _held(holds, problem.hold, (Evidence(file, None, problem.reason),))
    if (heard := reading.journal_unix_ms) is not None:
        evidence = (Evidence(_JOURNAL, None, f"is there, and was renewed at {heard} (Unix ms)"),)
        yield from _held(holds, Hold.CUT_OFF, evidence)
    if (health := inspection.assessment.snapshot) is not None:
        evidence = (Evidence(_STATE_FILE, None, f"updated_unix_ms is {health.updated_unix_ms}"),)
        yield from _held(holds, Hold.STALE, evidence)
        yield from _held(holds, Hold.FUTURE, evidence)
    yield from _held(
        holds, Hold.LOG_TORN, (Evidence(EVENT_LOG, None, "ends without a line break"),)
    )
    yield from _invalid_lines(holds, history)
    yield from _log_and_chain(holds, inspection, history)
    for name in history.torn_files:
        yield Symptom(
            FileSymptom.TORN_LINE,
            f"a rotated log ends in a torn line: {name}",
            (Evidence(name, None, "ends without a line break"),),
        )
    yield from _unread_files(inspection, history)
    if (paused := reading.pause_told(inspection.judged_unix_ms)) is not None:
        evidence = (Evidence("paused.json", None, "is there"),)
        yield Symptom(FileSymptom.PAUSED, paused, evidence, Severity.NOTICE)
    if history.steps_back:
        times = "once" if history.steps_back == 1 else f"{history.steps_back} times"
        yield Symptom(
            FileSymptom.CLOCK_BACKWARDS,
            f"the clock went backwards {times}: a cycle is dated before the one before it",
            tuple(
                Evidence(
                    cycle.file, cycle.line, f"timestamp_unix_ms is {cycle.event.timestamp_unix_ms}"
                )
                for cycle in history.newest_steps_back
            ),
            Severity.NOTICE,
        )
    for code, lines in history.unknown_codes:
        yield Symptom(
            FileSymptom.UNKNOWN_REASON_CODE,
            f"the reason code {code!r:.60} is not known; lines with it: {lines}",
            (),
            Severity.NOTICE,
        )


def _unread_files(inspection: Inspection, history: History) -> Iterator[Symptom]:
    """Tell of files that were not read; of the log itself its hold tells."""
    for name, reason in history.unread_files:
        evidence, unpacker = (Evidence(name, None, reason),), unpacker_of(name)
        if unpacker is not None:
            path = shlex.quote(f"{inspection.state_dir}/{name}")
            yield Symptom(
                FileSymptom.COMPRESSED_LOG,
                "a file of the event log is compressed, so that its cycles are not known",
                evidence,
                Severity.FAULT if name in history.chain.unread else Severity.NOTICE,
                inspection.advice(
                    REMEDIES[FileSymptom.COMPRESSED_LOG], unpack=f"{unpacker} {path}"
                ),
            )
        elif name != EVENT_LOG or inspection.reading.log_problem is None:
            yield Symptom(FileSymptom.UNREADABLE_LOG, f"a file of the event log {reason}", evidence)


def unpacker_of(name: str) -> str | None:
    """The command that unpacks a file of this name; None if it is not compressed."""
    return UNPACKERS.get(name.rpartition(".")[2])


def _invalid_lines(holds: Mapping[Hold, str], history: History) -> Iterator[Symptom]:
    invalid = history.invalid.total
    if invalid == 0:
        return
    total = history.valid + invalid
    verb = "is" if invalid == 1 else "are"
    yield Symptom(
        FileSymptom.INVALID_LINES,
        f"{invalid} of {total} lines of the event log {verb} invalid",
        tuple(Evidence(*each) for each in history.invalid.first[:INVALID_LINES_SHOWN]),
        Severity.HOLD if Hold.LOG_INVALID in holds else Severity.FAULT,
    )


def _log_and_chain(
    holds: Mapping[Hold, str], inspection: Inspection, history: History
) -> Iterator[Symptom]:
    broken = history.chain.broken_at
    is_at_end = broken is not None and broken.kind is BreakKind.END
    evidence = () if broken is None else (Evidence(broken.file, broken.line, broken.sentence),)
    is_gone = history.chain.lines == 0 and not inspection.reading.is_log_present
    disagrees = holds.get(Hold.NO_LOG) or holds.get(Hold.LOG_DISAGREES)
    if is_gone and inspection.reading.state is not None:
        severity = Severity.NOTICE if disagrees is None else Severity.HOLD
        yield Symptom(
            FileSymptom.NO_LOG,
            "there is no event log",
            (Evidence(EVENT_LOG, None, "there is no such file, nor a rotated one"),),
            severity,
        )
    elif disagrees is not None:
        found = evidence if is_at_end else ()
        yield Symptom(
            FileSymptom.LOG_DISAGREES,
            f"state and log disagree: {disagrees}",
            found or (Evidence(_STATE_FILE, None, disagrees),),
            Severity.HOLD,
        )
    if broken is not None and not is_gone and not (is_at_end and disagrees is not None):
        yield Symptom(
            FileSymptom.CHAIN_BROKEN,
            f"the chain of events is broken: {broken.meaning}",
            evidence,
        )


def explains_health(history: History) -> bool:
    """Whether the last cycle says itself why the health is not good."""
    return bool(history.recent) and history.recent[-1].event.failed_cases > 0


def _held(
    holds: Mapping[Hold, str], hold: Hold, evidence: tuple[Evidence, ...]
) -> Iterator[Symptom]:
    if hold in holds:
        yield Symptom(symptom_of(hold), holds[hold], evidence, Severity.HOLD)


def cycle_evidence(cycle: Cycle, counter: str) -> Evidence:
    """What a cycle's line says of itself and of one of its counters."""
    event = cycle.event
    name = "cycle" if event.cycle_number is None else f"cycle {event.cycle_number}"
    words = f"{name}: {event.health_state}, {counter}={getattr(event, counter)}"
    if event.fixture_name:
        words += f", fixture {event.fixture_name!r:.60}"
    if event.recovered:
        words += ", closed after a crash"
    return Evidence(cycle.file, cycle.line, words)


def _last_line(history: History) -> tuple[Evidence, ...]:
    if not history.recent:
        return (Evidence(_STATE_FILE, None, "its health block says so"),)
    return (cycle_evidence(history.recent[-1], "failed_cases"),)
