"""What the terminal shows: summaries, tables and lists of problems, as text or as JSON values."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from tau_custom_command.cli.answers.next_steps import HowAsked, advice_on
from tau_custom_command.contract.state import CommandRecord, HealthSnapshot, RunMode, RuntimeEvent
from tau_custom_command.cycle.channel_records import account, attempts
from tau_custom_command.cycle.settle import Disposition, Settlement
from tau_custom_command.durations import utc
from tau_custom_command.errors import Problem
from tau_custom_command.printable import printable
from tau_custom_command.services.run_cycle import RunReport

CASES_SHOWN = 20
"""How many cases of a kind a run lists; the channel store has them all."""

_LONGEST_ID = 48
_LONGEST_TEXT, _LONGEST_VALUE = 500, 5_000
_REPEATED = 80  # the longest account that is repeated for the next case
_MARKS = {"drifted": "✗", "failed": "✗", "rejected": "-", "retried": "-"}
"""What is told of a cycle case by case, worst first: the mark that stands before each kind."""

_COUNTS = {
    "applied_cases": "applied",
    "malformed_cases": "rejected as expected",
    "failed_cases": "failed",
    "duplicate_skips": "done before",
    "backlog_cases": "left over",
}
_RECORDED = "recorded, not run"
_CHANGES = {"upserted_commands": "written", "deleted_commands": "deleted", "executed_runs": "run"}


def cases_as_text(settlements: Sequence[Settlement], channel_store: Path) -> str:
    """A line for each case that was not plainly applied, in columns.

    Where a case came out just as the one above it, and that is long to tell, its line says so.
    """
    kinds: dict[str, list[Settlement]] = {kind: [] for kind in _MARKS}
    for settlement in settlements:
        kinds.setdefault(_kind(settlement), []).append(settlement)
    rows = [
        (_MARKS[kind], cut(printable(each.case.case_id), _LONGEST_ID), kind, told)
        for kind in _MARKS
        for each, told in _once(kinds[kind][:CASES_SHOWN])
    ]
    told = iter(aligned(rows))
    lines: list[str] = []
    for kind in _MARKS:
        lines += islice(told, min(len(kinds[kind]), CASES_SHOWN))
        if (more := len(kinds[kind]) - CASES_SHOWN) > 0:
            lines.append(f"  and {more:,} more {kind}: see {printable(str(channel_store))}")
    return "\n".join(lines)


def _once(settlements: Sequence[Settlement]) -> Iterator[tuple[Settlement, str]]:
    before = None
    for settlement in settlements:
        told = _told(settlement)
        yield settlement, "as above" if told == before and len(told) > _REPEATED else told
        before = told


def _kind(settlement: Settlement) -> str:
    if settlement.drifted:
        return "drifted"
    if settlement.disposition is Disposition.FAILED:
        return "failed"
    if settlement.disposition is Disposition.MALFORMED:
        return "rejected"
    return "retried" if settlement.retry_attempts else "applied"


def _told(settlement: Settlement) -> str:
    tried = f" after {attempts(settlement)}" if settlement.retry_attempts else ""
    return cut(account(settlement)) + tried


def cut(text: str, most: int = _LONGEST_TEXT) -> str:
    """A text of at most so many characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def run_as_text(report: RunReport, asked: HowAsked) -> str:
    """How many cases were plainly applied, what was done, and the health with what to do."""
    event = report.event
    plain = sum(_kind(settlement) not in _MARKS for settlement in report.settlements)
    applied = f"✓  {plain:,} {'case' if plain == 1 else 'cases'} applied\n" if plain else ""
    cases = "1 case" if event.discovered_cases == 1 else f"{event.discovered_cases:,} cases"
    done = f"cycle {event.cycle_number} in {asked.state_dir}: {cases}, {_counted(event, _COUNTS)}"
    is_recorded = event.run_mode is RunMode.RECORD
    if changes := _counted(event, _CHANGES | ({"executed_runs": _RECORDED} if is_recorded else {})):
        done += f"; commands: {changes}"
    health = f"health: {event.health_state}, {event.health_reason}"
    if advice := advice_on(report, asked):
        health += f"; {advice}"
    return f"{applied}{printable(done)}\n{printable(health)}"


def _counted(event: RuntimeEvent, names: Mapping[str, str]) -> str:
    counts = {name: getattr(event, name) for name in names}
    return ", ".join(f"{count:,} {names[name]}" for name, count in counts.items() if count)


def run_as_json(event: RuntimeEvent, snapshot: HealthSnapshot) -> dict[str, Any]:
    """The same for programs: the event's keys, then the queue depth."""
    return {**msgspec.to_builtins(event), "queue_depth": snapshot.queue_depth}


def validation_as_text(
    fixture: str, cases: int, problems: Sequence[Problem], warnings: Sequence[str]
) -> str:
    """What `validate` found: a line a problem, a line a warning, and the verdict."""
    lines = [f"{fixture}: {problem}" for problem in problems]
    lines += [f"{fixture}: warning: {warning}" for warning in warnings]
    found = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    count = "1 case" if cases == 1 else f"{cases} cases"
    lines.append(f"{fixture}: {found}" if problems else f"{fixture}: valid, {count}")
    return "\n".join(map(printable, lines))


def validation_as_json(
    fixture: str, cases: int, problems: Sequence[Problem], warnings: Sequence[str]
) -> dict[str, Any]:
    """The same for programs."""
    return {
        "fixture": fixture,
        "valid": not problems,
        "cases": cases,
        "problems": [problem._asdict() for problem in problems],
        "warnings": list(warnings),
    }


def recovery_as_text(
    state_dir: str, steps: Sequence[str], *, carried_out: bool, verb: str = "recover"
) -> str:
    """What would be or was done, a line each, and the next step.

    `verb` says what that is, `recover` or `repair`.
    """
    if not steps:
        return printable(f"{state_dir}: nothing to {verb}")
    word = "done" if carried_out else "would"
    lines = [f"{word}: {step}" for step in steps]
    end = f"{verb}ed" if carried_out else "nothing was changed; --yes does it"
    return "\n".join(map(printable, [*lines, f"{state_dir}: {end}"]))


def recovery_as_json(steps: Sequence[str], *, carried_out: bool) -> dict[str, Any]:
    """The same for programs."""
    return {
        "needed": bool(steps),
        "carried_out": carried_out and bool(steps),
        "steps": list(steps),
    }


def registry_as_text(records: Sequence[CommandRecord]) -> str:
    """The registry as a table, or a sentence where it is empty."""
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
            cut(printable(record.template)),
        )
        for record in records
    ]
    return "\n".join(aligned([head, *rows], right={1, 3}))


def record_as_text(record: CommandRecord) -> str:
    """One command, a line a key; what is of an execution only after one."""
    executed = bool(record.last_command_line)
    return "\n".join(
        f"{name + ':':<18} {cut(printable(_value(value)), _LONGEST_VALUE)}"
        for name, value in msgspec.to_builtins(record).items()
        if executed or name in _OF_ITS_CHANGE or not name.startswith("last_")
    )


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


_OF_ITS_CHANGE = {"last_status_code", "last_outcome"}


def aligned(rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> Iterator[str]:
    """Yield rows as lines, each column as wide as it must be; some of them to the `right`."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()
