"""The channel store in its two forms: JSON for programs, tables and lines for people."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from tau_transport_health.contract.channel import ContextEntry, LogEntry
from tau_transport_health.counted import counted
from tau_transport_health.formats.text import LONGEST_FACT, short, table
from tau_transport_health.health.channels import (
    ChannelEntries,
    ChannelProblem,
    ChannelSummary,
    Entry,
    UnreadFile,
    Verification,
)
from tau_transport_health.printable import printable

_LATEST_DATE_UNIX_MS = 253_402_300_799_999


def summaries_json(summaries: Sequence[ChannelSummary]) -> list[dict[str, Any]]:
    """The channels as JSON values."""
    return [
        {
            "channel": each.channel,
            "entries": each.entries,
            "last_unix_ms": None if each.last is None else each.last.timestamp_unix_ms,
            "last_outcome": None if each.last is None else each.last.outcome,
            "invalid_lines": each.invalid_lines,
            "artifacts": each.artifacts,
            "unread_files": _unread_json(each.unread_files),
        }
        for each in summaries
    ]


def summaries_text(summaries: Sequence[ChannelSummary]) -> str:
    """The channels as a table, and below it what could not be read."""
    rows = [("CHANNEL", "ENTRIES", "LAST", "OUTCOME", "INVALID", "ARTIFACTS")]
    rows += [
        (
            each.channel,
            str(each.entries),
            "-" if each.last is None else _time(each.last.timestamp_unix_ms),
            "-" if each.last is None else each.last.outcome,
            str(each.invalid_lines),
            str(each.artifacts),
        )
        for each in summaries
    ]
    notes = [
        _unread_note(f"{each.channel}/{file}", reason)
        for each in summaries
        for file, reason in each.unread_files
    ]
    return (
        "\n".join([*table(rows), *map(printable, notes)])
        if summaries
        else "there is no channel yet"
    )


def entries_json(entries: ChannelEntries[LogEntry]) -> dict[str, Any]:
    """The last entries of a channel as JSON values."""
    return _last_json(entries, _entry_json)


def sentences_json(entries: ChannelEntries[ContextEntry]) -> dict[str, Any]:
    """The same of the sentences of a channel."""
    return _last_json(entries, asdict)


def _last_json(
    entries: ChannelEntries[Entry], values: Callable[[Entry], dict[str, Any]]
) -> dict[str, Any]:
    return {
        "channel": entries.channel,
        "log_path": entries.path,
        "entry_count": entries.total,
        "invalid_lines": entries.invalid_lines,
        "torn": entries.is_torn,
        "unread_files": _unread_json(entries.unread_files),
        "entries": [
            {"file": file, "line": line, **values(entry)} for file, line, entry in entries.entries
        ],
    }


def entries_text(entries: ChannelEntries[LogEntry]) -> str:
    """The last entries of a channel, a line each; what stands out comes last."""
    rows = [
        (
            _time(entry.timestamp_unix_ms),
            short(entry.operation, 20),
            short(entry.case_id, 60),
            entry.outcome,
            str(entry.status_code),
            entry.remark,
        )
        for _, _, entry in entries.entries
    ]
    head = ("TIME", "OPERATION", "CASE", "OUTCOME", "STATUS", "REMARK")
    return "\n".join([*table([head, *rows]), *_notes(entries)])


def sentences_text(entries: ChannelEntries[ContextEntry]) -> str:
    """The last sentences of a channel, a line each."""
    told = [
        f"{_time(entry.timestamp_unix_ms)}  {short(entry.text, LONGEST_FACT)}"
        for _, _, entry in entries.entries
    ]
    return "\n".join([*map(printable, told), *_notes(entries)])


def _notes(entries: ChannelEntries[Entry]) -> Iterator[str]:
    """How many there are, and what is left out."""
    total = counted(entries.total, "entry", "entries")
    yield printable(f"{len(entries.entries)} of {total} of {entries.path}")
    if entries.invalid_lines:
        left_out = counted(entries.invalid_lines, "invalid line is", "invalid lines are")
        yield f"{left_out} left out: see channels verify"
    if entries.is_torn:
        yield "the last line is torn and left out"
    yield from (printable(_unread_note(file, reason)) for file, reason in entries.unread_files)


def verification_json(verification: Verification) -> dict[str, Any]:
    """What was verified as JSON values."""
    return {
        "path": verification.path,
        "channels": verification.channels,
        "lines": verification.lines,
        "artifacts": verification.artifacts,
        "problem_count": verification.problem_count,
        "problems": [asdict(problem) for problem in verification.problems],
        "remedy": verification.remedy,
    }


def verification_text(verification: Verification) -> str:
    """What was verified: the problems, a line each, then what to do, then the figures."""
    lines = [printable(_problem(problem)) for problem in verification.problems]
    if (more := verification.problem_count - len(lines)) > 0:
        lines.append(f"and {more} more")
    if verification.remedy is not None:
        lines.append(printable(f"do: {verification.remedy}"))
    verdict = (
        "sound"
        if not verification.problem_count
        else counted(verification.problem_count, "problem")
    )
    lines.append(
        printable(
            f"{verification.path}: {verdict}; {counted(verification.channels, 'channel')}, "
            f"{counted(verification.lines, 'line')}, "
            f"{counted(verification.artifacts, 'artifact')}"
        )
    )
    return "\n".join(lines)


def _entry_json(entry: LogEntry) -> dict[str, Any]:
    return {
        "timestamp_unix_ms": entry.timestamp_unix_ms,
        "operation": entry.operation,
        "case_id": entry.case_id,
        "command_name": entry.command_name,
        "outcome": entry.outcome,
        "status_code": entry.status_code,
        "error_code": entry.error_code,
        "drift": None if entry.drift is None else asdict(entry.drift),
        "run_audit": None if entry.audit is None else asdict(entry.audit),
    }


def _unread_json(unread: Sequence[UnreadFile]) -> list[dict[str, str]]:
    return [{"file": file, "reason": reason} for file, reason in unread]


def _unread_note(file: str, reason: str) -> str:
    return f"{file} {reason}: what it holds is left out"


def _problem(problem: ChannelProblem) -> str:
    file = f"{problem.channel}/{problem.file}".rstrip("/")
    place = file if problem.line is None else f"{file} line {problem.line}"
    return f"{place}: {problem.reason}"


def _time(unix_ms: int) -> str:
    """A time in UTC, to the second; the number itself where no calendar has it."""
    if unix_ms > _LATEST_DATE_UNIX_MS:
        return str(unix_ms)[:20]
    return datetime.fromtimestamp(unix_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
