"""What the channel store tells of cases and runs that went wrong: the newest few of each kind."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from tau_transport_health.contract.channel import LogEntry, parse_log_entry
from tau_transport_health.errors import TransportHealthError

TRACES_KEPT = 20
"""How many of a kind are kept: enough to see what it is about, few enough for a page."""

EXCERPT_CHARACTERS = 160
_MISSING_COMMAND_STATUS = 404
_HINTS = (b'"drift"', b'"run_audit"', b"retryable_failure", b"404")


class TraceKind(StrEnum):
    """What went wrong; one entry can be of several kinds."""

    FAILED_CASE = "failed_case"
    RETRYABLE_FAILURE = "retryable_failure"
    TIMEOUT = "timeout"
    NON_ZERO_EXIT = "non_zero_exit"
    SPAWN_FAILURE = "spawn_failure"
    MISSING_COMMAND = "missing_command"


class Trace(NamedTuple):
    """An entry of a channel's log, where it stands, and what it says in one line."""

    timestamp_unix_ms: int
    file: str
    line: int
    excerpt: str


@dataclass(slots=True, kw_only=True)
class Traces:
    """Takes the lines of channel logs, keeps the newest few of each kind since a time.

    Args:
        since_unix_ms: Entries before this time are left out.
    """

    since_unix_ms: int
    newest: dict[TraceKind, list[Trace]] = field(default_factory=dict)

    def take(self, file: str, line_number: int, line: bytes) -> None:
        """Take a line; one that is invalid is left out, since `channels verify` names it."""
        if not any(hint in line for hint in _HINTS):
            return
        try:
            entry = parse_log_entry(line)
        except TransportHealthError:
            return
        if entry.timestamp_unix_ms < self.since_unix_ms:
            return
        for kind in kinds_of(entry):
            new = Trace(entry.timestamp_unix_ms, file, line_number, excerpt_of(entry))
            # The same case fails alike in each cycle; its newest entry is enough.
            others = (
                trace
                for trace in self.newest.get(kind, [])
                if (trace.file, trace.excerpt) != (file, new.excerpt)
            )
            kept = sorted([*others, new], key=lambda trace: trace.timestamp_unix_ms, reverse=True)
            self.newest[kind] = kept[:TRACES_KEPT]


def kinds_of(entry: LogEntry) -> Iterator[TraceKind]:
    """What went wrong in an entry; nothing if nothing did."""
    if entry.drift is not None or entry.outcome == "retryable_failure":
        yield TraceKind.FAILED_CASE
    if entry.outcome == "retryable_failure":
        yield TraceKind.RETRYABLE_FAILURE
    if entry.operation == "run" and entry.status_code == _MISSING_COMMAND_STATUS:
        yield TraceKind.MISSING_COMMAND
    audit = entry.audit
    if audit is None:
        return
    if audit.timed_out:
        yield TraceKind.TIMEOUT
    elif audit.exit_code is not None and audit.exit_code != 0:
        yield TraceKind.NON_ZERO_EXIT
    elif not audit.executed and audit.failure_reason is not None:
        yield TraceKind.SPAWN_FAILURE


def excerpt_of(entry: LogEntry) -> str:
    """An entry in one line: the command, the case, and what stands out."""
    words = (
        f"{entry.operation:.20} {entry.command_name:.64}, case {entry.case_id!r:.60}: "
        f"{entry.remark or entry.outcome}"
    )
    return words if len(words) <= EXCERPT_CHARACTERS else f"{words[: EXCERPT_CHARACTERS - 1]}…"
