"""Diagnoses a target: each symptom in its files, the evidence for it, and what to do about it.

The symptoms are the runbook's troubleshooting as code (runbooks/custom-command-ops.md, "When
something is wrong"), and every damage that files can take.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tau_transport_health.errors import ExitCode
from tau_transport_health.health.assessment import Inspection
from tau_transport_health.health.file_symptoms import (
    Severity,
    Symptom,
    cycle_evidence,
    explains_health,
    symptoms_of_files,
    unpacker_of,
)
from tau_transport_health.health.remedies import (
    BACKEND_REMEDY,
    EXECUTED_REMEDY,
    WENT_WELL_REMEDY,
    FileSymptom,
    HistorySymptom,
    Hold,
    SymptomCode,
)
from tau_transport_health.health.run_symptoms import (
    CAUSES,
    RERUN,
    TRACES_SHOWN,
    evidence_of,
    how_to_rerun,
    look_at,
    symptoms_of_runs,
)
from tau_transport_health.health.symptoms import Finding, symptoms_of_history
from tau_transport_health.log.chain_verdict import ChainState
from tau_transport_health.log.history import Cycle, History
from tau_transport_health.log.traces import Trace, TraceKind

_ORDER: tuple[SymptomCode, ...] = (*FileSymptom, *HistorySymptom)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """A target, its history, its symptoms, most severe first, and the cases that failed last.

    `failing_cases` are what channels tell of the last cycle's, newest first, as many as are kept.
    `runs` are the last runs that were executed, newest first, where they were asked for.
    """

    inspection: Inspection
    history: History
    symptoms: tuple[Symptom, ...]
    failing_cases: tuple[Trace, ...]
    runs: tuple[Trace, ...] = ()

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
            or any(unpacker_of(name) is None for name, _ in history.unread_files)
        )
        return ExitCode.NO if exit_code is ExitCode.YES and is_damaged else exit_code


def diagnose(
    inspection: Inspection, history: History, traces: Mapping[TraceKind, Sequence[Trace]]
) -> Diagnosis:
    """The diagnosis of what was read. `traces` are of the channel store, newest first."""
    last = (
        {kind: _of_last_cycle(history.recent[-1], found) for kind, found in traces.items()}
        if explains_health(history)
        else {}
    )
    symptoms = [
        *symptoms_of_files(inspection, history),
        *(
            _of_finding(finding, inspection, traces)
            for finding in symptoms_of_history(inspection, history)
        ),
        *symptoms_of_runs(inspection, last, traces),
    ]
    severities = list(Severity)
    symptoms.sort(key=lambda each: (severities.index(each.severity), _ORDER.index(each.code)))
    return Diagnosis(
        inspection=inspection,
        history=history,
        symptoms=tuple(
            each._replace(action=each.action or inspection.remedy(each.code)) for each in symptoms
        ),
        failing_cases=tuple(last.get(TraceKind.FAILED_CASE, ())),
        runs=tuple(traces.get(TraceKind.EXECUTED, ())),
    )


def _of_last_cycle(last: Cycle, traces: Sequence[Trace]) -> tuple[Trace, ...]:
    """The traces that are not older than a cycle."""
    since = last.event.began_unix_ms
    return tuple(trace for trace in traces if trace.timestamp_unix_ms >= since)


def _of_finding(
    finding: Finding, inspection: Inspection, traces: Mapping[TraceKind, Sequence[Trace]]
) -> Symptom:
    is_held = finding.code is HistorySymptom.CASE_PROCESSING_FAILED and any(
        hold is Hold.UNHEALTHY for hold, _ in inspection.assessment.holds
    )
    kind = finding.trace_kind
    is_notice = finding.is_notice or _went_well(finding, traces)
    severity = Severity.NOTICE if is_notice else Severity.FAULT
    evidence = [evidence_of(trace) for trace in (traces.get(kind, ()) if kind else ())]
    if finding.code is HistorySymptom.CASE_PROCESSING_FAILED:
        told = _with_a_symptom_of_their_own(traces)
        evidence = [each._replace(run=None) if each[:2] in told else each for each in evidence]
    return Symptom(
        finding.code,
        finding.sentence,
        (
            *(cycle_evidence(cycle, finding.counter) for cycle in finding.cycles),
            *evidence[:TRACES_SHOWN],
        ),
        Severity.HOLD if is_held else severity,
        _action(finding, inspection, traces),
    )


def _action(
    finding: Finding, inspection: Inspection, traces: Mapping[TraceKind, Sequence[Trace]]
) -> str:
    """What to do about a finding, by what the channels say of it, and how to see that."""
    if _went_well(finding, traces):
        return WENT_WELL_REMEDY
    found = traces.get(finding.trace_kind, ()) if finding.trace_kind is not None else ()
    action = inspection.remedy(finding.code)
    if finding.code is HistorySymptom.CASE_PROCESSING_FAILED:
        newest = _of_last_cycle(finding.cycles[0], found)
        action = _of_failed_cases(action, inspection, newest, traces)
    if found and finding.trace_kind in RERUN:
        action += how_to_rerun(inspection, found[0])
    return action + look_at(inspection, found[0]) if found else action


def _went_well(finding: Finding, traces: Mapping[TraceKind, Sequence[Trace]]) -> bool:
    """Whether the channels tell that each RUN whose attempts a finding counts went well since."""
    kind = finding.trace_kind
    if kind is None or kind is TraceKind.FAILED_CASE:  # the last cycle failed, whatever they tell
        return False
    return kind in traces and not traces[kind]


def _of_failed_cases(
    action: str,
    inspection: Inspection,
    newest: Sequence[Trace],
    traces: Mapping[TraceKind, Sequence[Trace]],
) -> str:
    """What to do about the cases that failed last, by why they did."""
    told = _with_a_symptom_of_their_own(traces)
    executed = [trace for trace in newest if (trace.file, trace.line) in told]
    passing = {trace for trace in newest if trace.run is None} & {
        *traces.get(TraceKind.RETRYABLE_FAILURE, ())
    }
    if executed and len(executed) == len(newest):
        return EXECUTED_REMEDY
    if passing and len(passing) == len(newest):
        return inspection.advice(BACKEND_REMEDY)
    if passing:
        action += f". Where it is a retryable failure: {inspection.advice(BACKEND_REMEDY)}"
    if executed:
        action += f". Where it is a run that has a symptom of its own: {EXECUTED_REMEDY}"
    return action


def _with_a_symptom_of_their_own(
    traces: Mapping[TraceKind, Sequence[Trace]],
) -> set[tuple[str, int | None]]:
    """File and line of the entries of runs that another symptom tells of."""
    return {(trace.file, trace.line) for kind in CAUSES for trace in traces.get(kind, ())}
