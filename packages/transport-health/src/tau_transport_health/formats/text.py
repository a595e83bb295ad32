"""Text for people: what a terminal shows of the judgement and the reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tau_transport_health.durations import age
from tau_transport_health.health.assessment import Inspection
from tau_transport_health.printable import printable

_NAME_WIDTH = 24


def inspection_text(inspection: Inspection) -> str:
    """Return one target in a few lines: the state and the gate first, then why and what to do."""
    assessment = inspection.assessment
    head = (
        f"{inspection.target.name} ({inspection.target.label}): {assessment.health_state}, "
        f"gate {assessment.gate}"
    )
    facts: list[tuple[str, str]] = [("reason", assessment.health_reason)]
    facts += [("holds", f"{reason} [{hold}]") for hold, reason in assessment.holds]
    facts += [("warning", warning) for warning in assessment.warnings]
    if assessment.snapshot is not None and assessment.age_ms is not None:
        health = assessment.snapshot
        cycle = (
            f"{health.last_cycle_discovered} discovered, {health.last_cycle_completed} completed, "
            f"{health.last_cycle_failed} failed, {health.last_cycle_duplicates} duplicates, "
            f"{health.queue_depth} left over, {health.cycle_duration_ms} ms"
        )
        facts.append(("age", f"{age(assessment.age_ms)}, of {inspection.state_path}"))
        facts.append(("last cycle", cycle))
    facts.append(("do", assessment.recommendation))
    lines = (f"  {name + ':':<12}{printable(text)}" for name, text in facts)
    return "\n".join([printable(head), *lines])


def status_text(report: Mapping[str, Any]) -> str:
    """Return the status report, a line a key, the keys as in JSON."""
    return "\n".join(
        f"{printable(name) + ':':<{_NAME_WIDTH}} {printable(text)}" for name, text in _flat(report)
    )


def targets_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the targets as a table."""
    cells = [("TARGET", "LABEL", "STATE", "DIRECTORY")]
    cells += [
        (
            row["transport"],
            printable(row["target"]),
            "there" if row["exists"] else "-",
            printable(row["state_dir"]),
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def _flat(report: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name, value in report.items():
        if isinstance(value, Mapping):
            yield name, ", ".join(f"{key}={item}" for key, item in value.items()) or "-"
        elif isinstance(value, list):
            yield name, "; ".join(map(_item, value)) or "-"
        elif isinstance(value, bool):
            yield name, "yes" if value else "no"
        else:
            yield name, "-" if value is None else str(value)


def _item(item: object) -> str:
    return f"{item['reason']} [{item['code']}]" if isinstance(item, Mapping) else str(item)
