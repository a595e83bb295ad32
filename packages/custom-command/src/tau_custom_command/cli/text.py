"""What the terminal shows: summaries, tables and lists of problems, as text or as JSON values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tau_custom_command.contract.state import CommandRecord, HealthSnapshot, RuntimeEvent
from tau_custom_command.cycle.channel_records import sentence, utc
from tau_custom_command.cycle.settle import Settlement
from tau_custom_command.errors import Problem
from tau_custom_command.printable import printable

FAILURES_SHOWN = 20
"""How many failed cases a run lists; the channel store has them all."""

_NOT_COUNTERS = {"schema_version", "timestamp_unix_ms", "failure_streak", "cycle_duration_ms"}


def run_as_text(event: RuntimeEvent, snapshot: HealthSnapshot) -> str:
    """Return a cycle in two lines: every counter of its event, then the health after it."""
    counters = {
        name: value
        for name, value in event.model_dump().items()
        if type(value) is int and name not in _NOT_COUNTERS
    }
    health = {
        "health_state": event.health_state,
        "failure_streak": event.failure_streak,
        "queue_depth": snapshot.queue_depth,
        "reason_codes": ",".join(event.reason_codes),
        "health_reason": event.health_reason,
    }
    return "\n".join(
        " ".join(f"{name}={value}" for name, value in line.items()) for line in (counters, health)
    )


def run_as_json(event: RuntimeEvent, snapshot: HealthSnapshot) -> dict[str, Any]:
    """Return the same for programs: the event's keys, then the queue depth."""
    return event.model_dump(mode="json") | {"queue_depth": snapshot.queue_depth}


def run_remarks(event: RuntimeEvent, failures: Sequence[Settlement]) -> Iterable[str]:
    """Yield what people should know of a cycle beside its counters: what drifted, first of all."""
    ordered = sorted(failures, key=lambda settlement: not settlement.drifted)
    yield from (sentence(settlement) for settlement in ordered[:FAILURES_SHOWN])
    if len(failures) > FAILURES_SHOWN:
        yield f"{len(failures) - FAILURES_SHOWN} more failed; the channel store has them all."
    if event.duplicate_skips == event.discovered_cases:
        yield (
            "every case had been processed before, so nothing was done; to do the fixture anew, "
            "give its cases new ids with --case-suffix TEXT"
        )


def validation_as_text(
    fixture: str, cases: int, problems: Sequence[Problem], warnings: Sequence[str]
) -> str:
    """Return what `validate` found: a line a problem, a line a warning, and the verdict."""
    fixture = printable(fixture)
    lines = [f"{fixture}: {problem}" for problem in problems]
    lines += [f"{fixture}: warning: {warning}" for warning in warnings]
    found = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    count = "1 case" if cases == 1 else f"{cases} cases"
    return "\n".join([*lines, f"{fixture}: {found}" if problems else f"{fixture}: valid, {count}"])


def validation_as_json(
    fixture: str, cases: int, problems: Sequence[Problem], warnings: Sequence[str]
) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "fixture": fixture,
        "valid": not problems,
        "cases": cases,
        "problems": [
            {"case_id": problem.case_id, "field": problem.field, "message": problem.message}
            for problem in problems
        ],
        "warnings": list(warnings),
    }


def recovery_as_text(
    state_dir: str, steps: Sequence[str], *, carried_out: bool, verb: str = "recover"
) -> str:
    """Return what would be or was done, a line each, and the next step.

    `verb` says what that is, `recover` or `repair`.
    """
    state_dir = printable(state_dir)
    if not steps:
        return f"{state_dir}: nothing to {verb}"
    word = "done" if carried_out else "would"
    lines = [f"{word}: {printable(step)}" for step in steps]
    end = f"{verb}ed" if carried_out else "nothing was changed; --yes does it"
    return "\n".join([*lines, f"{state_dir}: {end}"])


def recovery_as_json(steps: Sequence[str], *, carried_out: bool) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "needed": bool(steps),
        "carried_out": carried_out and bool(steps),
        "steps": list(steps),
    }


def registry_as_text(records: Sequence[CommandRecord]) -> str:
    """Return the registry as a table, or a sentence where it is empty."""
    if not records:
        return "No commands are registered."
    head = ("COMMAND", "RUNS", "LAST", "STATUS", "UPDATED", "TEMPLATE")
    rows = [
        (
            printable(record.command_name),
            str(record.run_count),
            record.operation,
            str(record.last_status_code),
            utc(record.updated_unix_ms),
            printable(record.template),
        )
        for record in records
    ]
    return "\n".join(_aligned([head, *rows], right={1, 3}))


def record_as_text(record: CommandRecord) -> str:
    """Return one command, a line a key; what is of an execution only after one."""
    executed = bool(record.last_command_line)
    return "\n".join(
        f"{name + ':':<18} {printable(str(value))}"
        for name, value in record.model_dump(mode="json", exclude_unset=True).items()
        if executed or name not in _OF_AN_EXECUTION
    )


_OF_AN_EXECUTION = {
    "last_error_code",
    "last_command_line",
    "last_exit_code",
    "last_stdout",
    "last_stderr",
    "last_timed_out",
    "last_duration_ms",
}


def _aligned(rows: Sequence[Sequence[str]], *, right: set[int]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()
