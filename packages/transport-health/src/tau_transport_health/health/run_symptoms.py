"""What went wrong with executed runs and no counter of an event tells: by what the channels say.

The causes are those of runbooks/custom-command-ops.md, "Running commands for real".
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence

from tau_transport_health.health.assessment import Inspection
from tau_transport_health.health.file_symptoms import Evidence, Symptom
from tau_transport_health.health.remedies import (
    FRESH_REMEDY,
    REMEDIES,
    RERUN_REMEDY,
    HistorySymptom,
)
from tau_transport_health.log.traces import LONGEST_TEXT_CHARACTERS, Trace, TraceKind
from tau_transport_health.printable import printable

TRACES_SHOWN = 3
"""How many entries of the channels are shown as evidence, the newest ones."""

_NAMES_SHOWN = 5

_NOT_STARTED = (
    (
        HistorySymptom.RUN_NOT_CONFINED,
        TraceKind.NOT_CONFINED,
        "this machine cannot confine runs as their policies ask",
    ),
    (HistorySymptom.RUN_NOT_APPROVED, TraceKind.NOT_APPROVED, "runs lack an approval that counts"),
    (HistorySymptom.RUN_REFUSED, TraceKind.REFUSED, "runs were refused before they could start"),
    (
        HistorySymptom.RUN_CAPTURE_MISSING,
        TraceKind.CAPTURE_MISSING,
        "runs lack what an earlier one was to capture",
    ),
)
"""Each cycle tries these again, so that the last one alone tells how it is."""

_STARTED = (
    (HistorySymptom.RUN_INTERRUPTED, TraceKind.INTERRUPTED, "runs were interrupted"),
    (
        HistorySymptom.RUN_OUTPUT_DRIFT,
        TraceKind.OUTPUT_DRIFT,
        "runs ended otherwise than their fixture states",
    ),
)
"""No cycle tries these again by itself."""

CAUSES = frozenset(
    (
        *(kind for _, kind, _ in (*_NOT_STARTED, *_STARTED)),
        TraceKind.TIMEOUT,
        TraceKind.NON_ZERO_EXIT,
        TraceKind.SPAWN_FAILURE,
    )
)
"""Kinds of runs that failed, each of which has a symptom of its own."""

RERUN = frozenset({TraceKind.TIMEOUT, TraceKind.NON_ZERO_EXIT})
"""Kinds that were started, and of which a counter of an event tells."""


def symptoms_of_runs(
    inspection: Inspection,
    last: Mapping[TraceKind, Sequence[Trace]],
    traces: Mapping[TraceKind, Sequence[Trace]],
) -> Iterator[Symptom]:
    """The symptoms of runs that the channels alone tell of.

    Args:
        inspection: The target.
        last: What they say of the last cycle, newest first, where cases of it failed.
        traces: What they say of the window, newest first.
    """
    for code, kind, words in _NOT_STARTED:
        yield from _symptom(inspection, code, words, last.get(kind, ()))
    for code, kind, words in _STARTED:
        yield from _symptom(inspection, code, words, traces.get(kind, ()), rerun=True)


def evidence_of(trace: Trace) -> Evidence:
    """Where an entry of a channel's log stands, and what it says."""
    return Evidence(trace.file, trace.line, trace.excerpt, trace.run)


def look_at(inspection: Inspection, trace: Trace) -> str:
    """How to see the channel of an entry, to stand behind an advice."""
    words = f"channels show {inspection.look} {trace.channel}"
    return f". To see it: `tau-transport-health {words}`"


def how_to_rerun(inspection: Inspection, trace: Trace) -> str:
    """How a RUN that was started is run again, to stand behind an advice."""
    if trace.is_fresh:
        return inspection.advice(FRESH_REMEDY)
    is_to_be_pasted = (
        printable(trace.key) == trace.key
        and "`" not in trace.key
        and len(trace.key) < LONGEST_TEXT_CHARACTERS
    )
    key = shlex.quote(trace.key) if is_to_be_pasted else "KEY"
    return inspection.advice(RERUN_REMEDY, key=key)


def _symptom(
    inspection: Inspection,
    code: HistorySymptom,
    words: str,
    traces: Sequence[Trace],
    *,
    rerun: bool = False,
) -> Iterator[Symptom]:
    if not traces:
        return
    newest = traces[0]
    names = list(dict.fromkeys(trace.channel for trace in traces))
    more = "" if len(names) <= _NAMES_SHOWN else f" and {len(names) - _NAMES_SHOWN} more"
    action = inspection.advice(REMEDIES[code], command=newest.channel)
    again = how_to_rerun(inspection, newest) if rerun else ""
    yield Symptom(
        code,
        f"{words}: {', '.join(names[:_NAMES_SHOWN])}{more}",
        tuple(map(evidence_of, traces[:TRACES_SHOWN])),
        action=action + again + look_at(inspection, newest),
    )
