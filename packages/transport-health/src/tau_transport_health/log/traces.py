"""What the channel store tells of cases and runs that went wrong: the newest few of each kind."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

from tau_transport_health.contract.channel import LogEntry, parse_log_entry
from tau_transport_health.contract.event import Event
from tau_transport_health.contract.run_audit import RunAudit
from tau_transport_health.errors import TransportHealthError

TRACES_KEPT = 20
"""How many of a kind are kept: enough to see what it is about, few enough for a page."""

EXCERPT_CHARACTERS = 160

LONGEST_TEXT_CHARACTERS = 200
"""How much is kept of a command line, and of each line that a command wrote to stderr."""

_MISSING_COMMAND_STATUS = 404
_BEGINS = re.compile(rb'\{"timestamp_unix_ms":([0-9]{1,18}),')
"""How the runtime's lines begin; others are read whole."""

_HINTS = (b'"drift"', b'"run_audit"', b"retryable_failure", b"404")


class TraceKind(StrEnum):
    """What went wrong, or EXECUTED for every run; one entry can be of several kinds."""

    FAILED_CASE = "failed_case"
    RETRYABLE_FAILURE = "retryable_failure"
    RETRIED_IN_VAIN = "retried_in_vain"
    TIMEOUT = "timeout"
    NON_ZERO_EXIT = "non_zero_exit"
    SPAWN_FAILURE = "spawn_failure"
    MISSING_COMMAND = "missing_command"
    NOT_APPROVED = "not_approved"
    NOT_CONFINED = "not_confined"
    REFUSED = "refused"
    CAPTURE_MISSING = "capture_missing"
    INTERRUPTED = "interrupted"
    OUTPUT_DRIFT = "output_drift"
    EXECUTED = "executed"


_KIND_OF_REASON: Mapping[str | None, TraceKind] = {
    "approval_required": TraceKind.NOT_APPROVED,
    "sandbox_unavailable": TraceKind.NOT_CONFINED,
    "shell_program_disallowed": TraceKind.REFUSED,
    "policy_denied": TraceKind.REFUSED,
    "invalid_template": TraceKind.REFUSED,
    "capture_missing": TraceKind.CAPTURE_MISSING,
    "interrupted": TraceKind.INTERRUPTED,
    "executable_not_found": TraceKind.SPAWN_FAILURE,
    "spawn_error": TraceKind.SPAWN_FAILURE,
}
"""By the reasons of runbooks/custom-command-ops.md, "Running commands for real"."""


class Run(NamedTuple):
    """An attempt to run a command: what was started, how it ended, the last that it said.

    Texts are cut; `duration_ms` is 0 and `exit_code` None where no process was started.
    """

    command_line: str
    exit_code: int | None
    signal: int | None
    timed_out: bool
    duration_ms: int
    failure_reason: str | None
    stderr: tuple[str, ...]


class Trace(NamedTuple):
    """An entry of a channel's log, where it stands, and what it says in one line.

    `key` is the case's; `run` is None where nothing was to be executed. `case` is the same for a
    case of every cycle, also of fresh ones, whose keys end with a suffix of their own; `is_fresh`
    tells that it looks like one of those. `cycle` is the number of its cycle, None if not known.
    """

    timestamp_unix_ms: int
    file: str
    line: int
    excerpt: str
    key: str
    run: Run | None
    case: str
    cycle: int | None
    is_fresh: bool

    @property
    def channel(self) -> str:
        """The channel whose log it stands in: the command's name, or `registry`."""
        return self.file.split("/")[-2]


@dataclass(slots=True, kw_only=True)
class Traces:
    """Takes the lines of channel logs, keeps the newest few of each kind since a time.

    Args:
        since_unix_ms: Entries before this time are left out.
        cycles: The last ones, oldest first, by which it is told of which an entry is.

    What a RUN did before it went well is forgotten: attempts of the same cycle, and what an earlier
    one came to. A kind of which nothing is left by that is there, and empty.
    """

    since_unix_ms: int
    cycles: Sequence[Event] = ()
    newest: dict[TraceKind, list[Trace]] = field(default_factory=dict)
    _last_attempt: tuple[str, str, int | None] | None = None

    def take(self, file: str, line_number: int, line: bytes) -> None:
        """Take a line; one that is invalid is left out, since `channels verify` names it."""
        begins = _BEGINS.match(line)
        if begins is not None and int(begins[1]) < self.since_unix_ms:
            return  # nearly all of a long log, without a look at the rest
        if not any(hint in line for hint in _HINTS):
            return
        try:
            entry = parse_log_entry(line)
        except TransportHealthError:
            return
        if entry.timestamp_unix_ms < self.since_unix_ms:
            return
        new = self._trace(file, line_number, entry)
        attempt = (new.channel, new.key, new.cycle)
        is_tried_again = entry.audit is not None and attempt == self._last_attempt
        self._last_attempt = None if entry.audit is None or new.cycle is None else attempt
        if _went_well(entry):
            if is_tried_again:
                self.newest.setdefault(TraceKind.RETRIED_IN_VAIN, [])
            self._forget(new, tuple(self.newest))
        elif is_tried_again and entry.has_failed:
            self._forget(new, (TraceKind.FAILED_CASE,))  # the last attempt tells
        kinds = list(kinds_of(entry))
        if entry.has_failed and (is_tried_again or self._was_retried(entry)):
            kinds.append(TraceKind.RETRIED_IN_VAIN)
        for kind in kinds:
            # The same case fails alike in each cycle; its newest entry is enough.
            others = (
                trace
                for trace in self.newest.get(kind, [])
                if kind is TraceKind.EXECUTED or _alike(trace) != _alike(new)
            )
            kept = sorted([*others, new], key=lambda trace: trace.timestamp_unix_ms, reverse=True)
            self.newest[kind] = kept[:TRACES_KEPT]

    def _trace(self, file: str, line_number: int, entry: LogEntry) -> Trace:
        cycle = self._cycle_of(entry)
        number = None if cycle is None else cycle.cycle_number
        # As `--fresh` has it (runbooks/custom-command-ops.md, "A cycle").
        stem = entry.event_key if number is None else re.sub(rf"-+{number}\Z", "", entry.event_key)
        return Trace(
            *(entry.timestamp_unix_ms, file, line_number, excerpt_of(entry)),
            key=_cut(entry.event_key),
            run=None if entry.audit is None else _run(entry.audit),
            case=sha256(stem.encode(errors="surrogatepass")).hexdigest(),
            cycle=number,
            is_fresh=stem != entry.event_key,
        )

    def _cycle_of(self, entry: LogEntry) -> Event | None:
        time = entry.timestamp_unix_ms
        return next((cycle for cycle in self.cycles if time <= cycle.timestamp_unix_ms), None)

    def _was_retried(self, entry: LogEntry) -> bool:
        """Tell whether a case that leaves one entry, however often it was tried, may have been."""
        cycle = self._cycle_of(entry)
        is_one = entry.audit is None and entry.outcome == "retryable_failure"
        return is_one and cycle is not None and cycle.retry_attempts > 0

    def _forget(self, good: Trace, kinds: Sequence[TraceKind]) -> None:
        """Leave out what a RUN did before `good`, but that it was executed."""
        for kind in set(kinds) - {TraceKind.EXECUTED}:
            self.newest[kind] = [
                trace for trace in self.newest.get(kind, []) if not _is_before(trace, good)
            ]


def _went_well(entry: LogEntry) -> bool:
    """Tell whether a RUN was executed, and came to what its fixture states."""
    audit = entry.audit
    is_good = audit is not None and audit.executed and audit.failure_reason is None
    return is_good and not entry.has_failed


def _is_before(trace: Trace, good: Trace) -> bool:
    """Tell whether an entry is of the same RUN; of a fresh cycle only where it is another cycle."""
    is_same = trace.key == good.key or trace.cycle != good.cycle
    return is_same and (trace.channel, trace.case) == (good.channel, good.case)


def kinds_of(entry: LogEntry) -> Iterator[TraceKind]:
    """What went wrong in an entry; nothing if nothing did."""
    if entry.has_failed:
        yield TraceKind.FAILED_CASE
    if entry.outcome == "retryable_failure":
        yield TraceKind.RETRYABLE_FAILURE
    if entry.operation == "run" and entry.status_code == _MISSING_COMMAND_STATUS:
        yield TraceKind.MISSING_COMMAND
    audit = entry.audit
    if audit is None:
        return
    if audit.executed:
        yield TraceKind.EXECUTED
    if audit.timed_out:
        yield TraceKind.TIMEOUT
    elif audit.failure_reason in _KIND_OF_REASON:
        yield _KIND_OF_REASON[audit.failure_reason]
    elif audit.failure_reason is not None:
        yield TraceKind.NON_ZERO_EXIT if audit.executed else TraceKind.SPAWN_FAILURE
    elif entry.drift is not None and entry.drift.differences:
        yield TraceKind.OUTPUT_DRIFT


def excerpt_of(entry: LogEntry) -> str:
    """An entry in one line: the command, the case, and what stands out but for its output."""
    words = (
        f"{entry.operation:.20} {entry.command_name:.64}, case {entry.case_id!r:.60}: "
        f"{entry.finding or entry.outcome}"
    )
    return words if len(words) <= EXCERPT_CHARACTERS else f"{words[: EXCERPT_CHARACTERS - 1]}…"


def _alike(trace: Trace) -> tuple[object, ...]:
    """What two entries of a case have in common that ended alike, however long they took."""
    if trace.run is None:
        return trace.file, trace.excerpt
    return trace.file, trace.case, trace.run._replace(duration_ms=0)


def _run(audit: RunAudit) -> Run:
    return Run(
        command_line=_cut(audit.command_line),
        exit_code=audit.exit_code,
        signal=audit.signal,
        timed_out=audit.timed_out,
        duration_ms=audit.duration_ms,
        failure_reason=None if audit.failure_reason is None else _cut(audit.failure_reason),
        stderr=tuple(map(_cut, audit.said)),
    )


def _cut(text: str) -> str:
    most = LONGEST_TEXT_CHARACTERS
    return text if len(text) <= most else f"{text[: most - 1]}…"
