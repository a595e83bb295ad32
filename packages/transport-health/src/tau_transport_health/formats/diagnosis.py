"""A diagnosis in its two forms: JSON for programs, and text that can be read at 3 a.m."""

import re
import textwrap
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from tau_transport_health.health.diagnosis import Diagnosis
from tau_transport_health.health.file_symptoms import Evidence, Symptom
from tau_transport_health.log.history import WINDOW_CYCLES
from tau_transport_health.printable import printable

WIDEST = 100
"""Columns: longer lines are hard to read."""

_INDENT = 10
_KEPT = "\xa0"  # a space at which no line is broken; what is printable has none


def diagnosis_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """A diagnosis as JSON values, its keys in the order they are documented."""
    inspection, history = diagnosis.inspection, diagnosis.history
    chain = history.chain
    broken = chain.broken_at
    return {
        "transport": inspection.target.name,
        "target": inspection.target.label,
        "state_path": inspection.state_path,
        "events_log_path": inspection.events_log_path,
        "health_state": inspection.assessment.health_state,
        "rollout_gate": inspection.assessment.gate,
        "exit_code": diagnosis.exit_code,
        "symptoms": [_symptom_json(symptom) for symptom in diagnosis.symptoms],
        "cycle_reports": history.valid,
        "invalid_cycle_reports": history.invalid.total,
        "window_cycles": len(history.recent),
        "chain": {
            "state": chain.state,
            "summary": chain.sentence,
            "first_cycle": chain.first_cycle,
            "last_cycle": chain.last_cycle,
            "missing_before": chain.missing_before,
            "broken_at": None if broken is None else broken._asdict(),
        },
        "warnings": list(inspection.assessment.warnings),
    }


def diagnosis_text(diagnosis: Diagnosis, *, width: int = WIDEST) -> str:
    """A diagnosis for a terminal: the verdict, then the symptoms, most severe first.

    Nothing is wider than `width` columns but the first line, and what is to be pasted.
    """
    return "\n".join(_lines(diagnosis, width))


def _lines(diagnosis: Diagnosis, width: int) -> Iterator[str]:
    part = partial(_part, width=width)
    inspection, symptoms = diagnosis.inspection, diagnosis.symptoms
    found = "nothing wrong found" if not symptoms else f"symptoms: {len(symptoms)}"
    yield printable(
        f"{inspection.target.name} ({inspection.target.label}): "
        f"{inspection.assessment.health_state}, gate {inspection.assessment.gate}, {found}"
    )
    for number, symptom in enumerate(symptoms, start=1):
        yield ""
        yield f"{number}. {symptom.severity.upper()}  {symptom.code}"
        yield from part("what", (symptom.sentence,))
        yield from part("where", (words for each in symptom.evidence for words in _place(each)))
        yield from part("do", (symptom.action,), breaks=False)
    yield ""
    history = diagnosis.history
    invalid = f", {history.invalid.total} invalid" if history.invalid.total else ""
    yield from part("log", (f"{history.valid} valid lines{invalid}",))
    yield from part("chain", (history.chain.sentence,))
    window = f"the last {WINDOW_CYCLES} cycles" if history.recent else "no cycle: there is none"
    yield from part("judged", (f"state and log now; symptoms of history by {window}",))
    yield from part("warning", inspection.assessment.warnings)
    yield from part("files", (inspection.state_path,))


def _part(name: str, texts: Iterable[str], *, width: int, breaks: bool = True) -> Iterator[str]:
    """A named part, wrapped; the name stands before its first line only.

    Unless it `breaks`, what stands between backticks stays on one line, to be pasted.
    """
    label, room = f"{name}:", width - _INDENT - 2
    for text in texts:
        words = re.sub("`[^`]+`", lambda command: command[0].replace(" ", _KEPT), printable(text))
        for line in textwrap.wrap(words, room, break_on_hyphens=False, break_long_words=breaks):
            # Once more: where a long word is broken, its middle begins a line.
            yield f"  {label:<{_INDENT}}{printable(line.replace(_KEPT, ' '))}".rstrip()
            label = ""


def _place(evidence: Evidence) -> Iterator[str]:
    """Where a symptom shows; of a run what was started, and the last that it wrote to stderr."""
    place = f"{evidence.file}:"
    if evidence.line is not None:
        # A break's own sentence begins with its place.
        place = f"{evidence.file} line {evidence.line}"
        place = "" if evidence.excerpt.startswith(place) else f"{place}:"
    yield f"{place} {evidence.excerpt}".lstrip()
    if evidence.run is not None:
        if evidence.run.command_line:
            yield f"$ {evidence.run.command_line}"
        yield from (f"stderr: {line}" for line in evidence.run.stderr)


def _symptom_json(symptom: Symptom) -> dict[str, Any]:
    return {
        "code": symptom.code,
        "severity": symptom.severity,
        "summary": symptom.sentence,
        "evidence": [_evidence_json(each) for each in symptom.evidence],
        "action": symptom.action,
    }


def _evidence_json(evidence: Evidence) -> dict[str, Any]:
    """Evidence as JSON values; the run only where there is one."""
    values = evidence._asdict()
    run = values.pop("run")
    return values if run is None else values | {"run": run._asdict()}
