"""Text for people: what a terminal shows of the judgement and the report."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tau_transport_health.contract.state import HealthSnapshot
from tau_transport_health.durations import age
from tau_transport_health.health.assessment import Inspection
from tau_transport_health.printable import printable

LONGEST_CELL = 160
"""A longer text of a table is cut: a file must not push the rest of its row away."""

LONGEST_FACT = 1000
"""A longer text on a line of its own is cut: a file must not fill the screen."""

_NAMES_SHOWN = 10


def inspection_text(inspection: Inspection) -> str:
    """One target in a few lines: the state and the gate first, then why and what to do."""
    assessment = inspection.assessment
    head = (
        f"{inspection.target.name} ({inspection.target.label}): {assessment.health_state}, "
        f"gate {assessment.gate}"
    )
    return "\n".join([printable(head), *_listed(facts(inspection))])


def facts(inspection: Inspection) -> Iterator[tuple[str, str]]:
    """What there is to say of a target, each with its name."""
    assessment = inspection.assessment
    yield "reason", assessment.health_reason
    for hold, reason in assessment.holds:
        yield "holds", f"{reason} [{hold}]"
    for warning in assessment.warnings:
        yield "warning", warning
    if assessment.snapshot is not None and assessment.age_ms is not None:
        yield "age", f"{age(assessment.age_ms)}, of {inspection.state_path}"
        yield "last cycle", ", ".join([_cycle(assessment.snapshot), *_execution(inspection)])
    heard_unix_ms = inspection.reading.journal_unix_ms
    if heard_unix_ms is not None and not assessment.is_cut_off:
        heard = age(inspection.judged_unix_ms - heard_unix_ms)
        yield "now", f"a cycle is at work, last heard of {heard}"
    yield "do", inspection.recommendation


def status_text(inspection: Inspection, report: Mapping[str, Any]) -> str:
    """The status report: the judgement, then what state and log add up to, if it is not zero."""
    known = set(inspection.assessment.warnings)
    figures = [
        *(("warning", warning) for warning in report["warnings"] if warning not in known),
        ("cases", _number(report["processed_case_count"], "processed")),
        ("commands", _number(report["command_count"], "registered")),
        ("named", _names(report["command_name_counts"])),
        ("operations", _parts(report["operation_counts"])),
        ("outcomes", _parts(report["outcome_counts"])),
        ("status", _parts(report["status_code_counts"])),
        ("runs", _number(report["total_run_count"], "counted by the commands")),
        ("cycles", _number(report["cycle_reports"], f"in {report['events_log_path']}")),
        ("invalid", _number(report["invalid_cycle_reports"], "lines of the event log")),
        ("event log", "" if report["events_log_present"] else "there is none"),
    ]
    codes = [
        (code, f"{cycles:,}", "yes" if code in report["last_reason_codes"] else "")
        for code, cycles in sorted(report["reason_code_counts"].items(), key=lambda row: -row[1])
    ]
    parts = [
        inspection_text(inspection),
        "\n".join(_listed((name, text) for name, text in figures if text)),
        "\n".join(table([("REASON CODE", "CYCLES", "IN THE LAST"), *codes])) if codes else "",
    ]
    return "\n\n".join(filter(None, parts))


def targets_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The targets as a table."""
    cells = [
        (row["transport"], row["target"], "there" if row["exists"] else "-", row["state_dir"])
        for row in rows
    ]
    return "\n".join(table([("TARGET", "LABEL", "STATE", "DIRECTORY"), *cells]))


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of aligned columns; texts are cut and made harmless."""
    cells = [[printable(short(cell, LONGEST_CELL)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def short(words: str, most: int) -> str:
    """The beginning of a text that is too long."""
    return words if len(words) <= most else f"{words[: most - 1]}…"


def _listed(named: Iterable[tuple[str, str]]) -> Iterator[str]:
    return (f"  {name + ':':<12}{printable(short(text, LONGEST_FACT))}" for name, text in named)


def _cycle(health: HealthSnapshot) -> str:
    """The last cycle in figures that are not zero, with how long it took."""
    named = (
        (health.last_cycle_discovered, "discovered"),
        (health.last_cycle_completed, "completed"),
        (health.last_cycle_failed, "failed"),
        (health.last_cycle_duplicates, "duplicates"),
        (health.queue_depth, "left over"),
        (health.failure_streak, "cycles in a row with failures"),
    )
    figures = [f"{number} {name}" for number, name in named if number]
    return ", ".join([*(figures or ["nothing discovered"]), f"{health.cycle_duration_ms} ms"])


def _execution(inspection: Inspection) -> Iterator[str]:
    """What the last event says of runs that were executed, where it is that of the snapshot."""
    assessment = inspection.assessment
    event, snapshot = assessment.last_event, assessment.snapshot
    if event is None or snapshot is None or event.timestamp_unix_ms != snapshot.updated_unix_ms:
        return
    if event.run_mode == "execute":
        runs = "1 run" if event.executed_runs == 1 else f"{event.executed_runs:,} runs"
        yield f"{runs} executed"
    if event.recovered:
        yield "closed after a crash"


def _number(number: int, words: str) -> str:
    return f"{number:,} {words}" if number else ""


def _parts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({number:,})" for name, number in counts.items())


def _names(names: Iterable[str]) -> str:
    every = list(names)
    more = len(every) - _NAMES_SHOWN
    shown = ", ".join(every[:_NAMES_SHOWN])
    return f"{shown} and {more:,} more" if more > 0 else shown
