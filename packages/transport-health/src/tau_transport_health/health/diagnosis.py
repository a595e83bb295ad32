"""Diagnoses a target: each symptom in its files, the evidence for it, and what to do about it.

The symptoms are the runbook's troubleshooting as code (runbooks/custom-command-ops.md, "When
something is wrong"), and every damage that files can take. What the gate holds for is the
assessment's judgement; here it only gets its evidence and its action.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from tau_transport_health.errors import ExitCode
from tau_transport_health.health.assessment import Inspection
from tau_transport_health.health.remedies import (
    BACKEND_REMEDY,
    REMEDIES,
    UNPACKERS,
    FileSymptom,
    HistorySymptom,
    Hold,
    SymptomCode,
    symptom_of,
)
from tau_transport_health.health.symptoms import Finding, symptoms_of_history
from tau_transport_health.log.chain import EVENT_LOG
from tau_transport_health.log.chain_verdict import BreakKind, ChainState
from tau_transport_health.log.history import Cycle, History
from tau_transport_health.log.traces import Trace, TraceKind


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

_ORDER: tuple[SymptomCode, ...] = (*FileSymptom, *HistorySymptom)
_STATE_FILE = "state.json"


class Evidence(NamedTuple):
    """Where a symptom shows: a file of the state directory, its line if it has one, and what."""

    file: str
    line: int | None
    excerpt: str


class Symptom(NamedTuple):
    """Something that is wrong, or may be: what, where it shows, how bad, and what to do."""

    code: SymptomCode
    sentence: str
    evidence: tuple[Evidence, ...]
    severity: Severity = Severity.FAULT
    action: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """A target, its history, and its symptoms, most severe first."""

    inspection: Inspection
    history: History
    symptoms: tuple[Symptom, ...]

    @property
    def exit_code(self) -> ExitCode:
        """The assessment's, but never 0 where the log is damaged.

        The gate looks at the end of the log alone. A break, an invalid or a torn line further up,
        or a log that cannot be read, does not make it hold; but it is no "all is well" either.
        """
        exit_code = self.inspection.assessment.exit_code
        history = self.history
        is_damaged = (
            history.chain.state in {ChainState.BROKEN, ChainState.UNREAD}
            or history.invalid.total > 0
            or bool(history.torn_files)
            or any(_unpacker(name) is None for name, _ in history.unread_files)
        )
        return ExitCode.NO if exit_code is ExitCode.YES and is_damaged else exit_code


def diagnose(
    inspection: Inspection, history: History, traces: Mapping[TraceKind, Sequence[Trace]]
) -> Diagnosis:
    """The diagnosis of what was read. `traces` are of the channel store, newest first."""
    symptoms = [
        *_symptoms_of_files(inspection, history),
        *(
            _of_finding(finding, inspection, traces)
            for finding in symptoms_of_history(inspection, history)
        ),
    ]
    severities = list(Severity)
    symptoms.sort(key=lambda each: (severities.index(each.severity), _ORDER.index(each.code)))
    return Diagnosis(
        inspection=inspection,
        history=history,
        symptoms=tuple(
            each._replace(action=each.action or inspection.remedy(each.code)) for each in symptoms
        ),
    )


def _symptoms_of_files(inspection: Inspection, history: History) -> Iterator[Symptom]:
    holds = dict(inspection.assessment.holds)
    if not _explains_health(history):
        yield from _held(holds, Hold.UNHEALTHY, _last_line(history))
    reading = inspection.reading
    problems = (_STATE_FILE, reading.state_problem), (EVENT_LOG, reading.log_problem)
    for file, problem in problems if reading.state is not None else problems[:1]:
        if problem is not None:
            yield from _held(holds, problem.hold, (Evidence(file, None, problem.reason),))
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
        evidence, unpacker = (Evidence(name, None, reason),), _unpacker(name)
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


def _unpacker(name: str) -> str | None:
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


def _explains_health(history: History) -> bool:
    return bool(history.recent) and history.recent[-1].event.failed_cases > 0


def _held(
    holds: Mapping[Hold, str], hold: Hold, evidence: tuple[Evidence, ...]
) -> Iterator[Symptom]:
    if hold in holds:
        yield Symptom(symptom_of(hold), holds[hold], evidence, Severity.HOLD)


def _of_finding(
    finding: Finding, inspection: Inspection, traces: Mapping[TraceKind, Sequence[Trace]]
) -> Symptom:
    is_held = finding.code is HistorySymptom.CASE_PROCESSING_FAILED and any(
        hold is Hold.UNHEALTHY for hold, _ in inspection.assessment.holds
    )
    severity = Severity.NOTICE if finding.is_notice else Severity.FAULT
    kind = finding.trace_kind
    return Symptom(
        finding.code,
        finding.sentence,
        (
            *(_of_cycle(cycle, finding.counter) for cycle in finding.cycles),
            *(
                Evidence(trace.file, trace.line, trace.excerpt)
                for trace in (traces.get(kind, ()) if kind is not None else ())
            ),
        ),
        Severity.HOLD if is_held else severity,
        _action(finding, inspection, traces),
    )


def _action(
    finding: Finding, inspection: Inspection, traces: Mapping[TraceKind, Sequence[Trace]]
) -> str:
    """What to do about a finding, by what the channels say of it, and how to see that."""
    found = traces.get(finding.trace_kind, ()) if finding.trace_kind is not None else ()
    action = inspection.remedy(finding.code)
    if finding.code is HistorySymptom.CASE_PROCESSING_FAILED:
        passing = traces.get(TraceKind.RETRYABLE_FAILURE, ())
        if passing and all(trace in passing for trace in found):
            action = inspection.advice(BACKEND_REMEDY)
        elif passing:
            action += f". Where it is a retryable failure: {inspection.advice(BACKEND_REMEDY)}"
    if found:
        channel = found[0].file.split("/")[-2]
        action += f". To see it: `tau-transport-health channels show {inspection.look} {channel}`"
    return action


def _of_cycle(cycle: Cycle, counter: str) -> Evidence:
    event = cycle.event
    name = "cycle" if event.cycle_number is None else f"cycle {event.cycle_number}"
    words = f"{name}: {event.health_state}, {counter}={getattr(event, counter)}"
    if event.fixture_name:
        words += f", fixture {event.fixture_name!r:.60}"
    return Evidence(cycle.file, cycle.line, words)


def _last_line(history: History) -> tuple[Evidence, ...]:
    if not history.recent:
        return (Evidence(_STATE_FILE, None, "its health block says so"),)
    return (_of_cycle(history.recent[-1], "failed_cases"),)
