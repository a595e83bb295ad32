"""The lines of an event log as they were read: parsed, placed, and held against the ones before.

The rules are the contract's (runbooks/state-files.md, "The chain"). A line that is wrong in some
way is told and passed over; what is right in it is still judged, since it may fire a trigger.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from tau_rollout_gate.contract.event import Event, line_digest, parse_event
from tau_rollout_gate.contract.pin import Break, LogPosition
from tau_rollout_gate.errors import RolloutGateError
from tau_rollout_gate.evidence.values import Cycle, Flaw, FlawFound

_DIGEST_SHOWN = 12


class Segment(NamedTuple):
    """A file of an event log, by its ends: what a look at it tells.

    Args:
        path: The file.
        first_sha256: The digest of its first line, which it keeps when it is rotated.
        first_number: That line's number; None where it tells none.
        continues_sha256: The digest of the line that it continues; None where it tells none.
        last_sha256: The digest of its last whole line.
        problem: Why it could not be looked at; the rest is None then.
        denied: What gives the right to read it, where that is why; else empty.
    """

    path: str
    first_sha256: str | None = None
    first_number: int | None = None
    continues_sha256: str | None = None
    last_sha256: str | None = None
    problem: str | None = None
    denied: str = ""


class LogPart(NamedTuple):
    """A part of one file of an event log, from some line on to its end at opening.

    Args:
        path: The file.
        offset: Where the first of `lines` starts, in bytes; 0 if the whole file was read.
        lines: Its whole lines without their line breaks, oldest first.
        torn: What follows the last line break; empty if nothing does.
        segment: The file by its ends; None where it was read whole and is no part of a live log.
    """

    path: str
    offset: int
    lines: tuple[bytes, ...]
    torn: bytes = b""
    segment: Segment | None = None

    @property
    def line_count(self) -> int:
        """How many lines there are, the torn one among them."""
        return len(self.lines) + bool(self.torn)


class RawLog(NamedTuple):
    """The end of an event log as it was read, over its rotated files.

    Args:
        path: The newest file.
        parts: What was read, oldest first; none without a log.
        segments: All its files that have a whole line, or cannot be read; oldest first.
        problem: Why older lines were not read.
        compressed: Its files that are compressed, and so not read.
    """

    path: str
    parts: tuple[LogPart, ...]
    segments: tuple[Segment, ...] = ()
    problem: str | None = None
    compressed: tuple[str, ...] = ()


class Line(NamedTuple):
    """A line, and where it stands.

    Args:
        file: The file.
        line: Which line of it, from 1; None where that is not known.
        sha256: Its digest; None for a torn line, which no other follows in the chain.
        segment_sha256: The digest of the file's first line; None where that is not known.
        offset: Where it starts in the file, in bytes.
        event: The cycle it tells of; None where it tells of none.
        flaw: Why it tells of none.
        problem: The same in words.
    """

    file: str
    line: int | None
    sha256: str | None
    segment_sha256: str | None
    offset: int
    event: Event | None = None
    flaw: Flaw | None = None
    problem: str = ""

    def is_at(self, position: LogPosition) -> bool:
        """Tell whether it is the line of a position: that one, not another like it."""
        return (
            self.sha256 == position.event_sha256
            and self.offset == position.offset
            and self.segment_sha256 == position.segment_sha256
        )

    def position(self, timestamp_unix_ms: int | None) -> LogPosition:
        """Where a log stands that ends with this line; the time is that of its last valid line."""
        return LogPosition(
            cycle_number=None if self.event is None else self.event.cycle_number,
            event_sha256=self.sha256,
            segment_sha256=self.segment_sha256,
            offset=self.offset,
            timestamp_unix_ms=timestamp_unix_ms,
        )


class Link(NamedTuple):
    """What the next line has to continue: digest, number and time of the one before.

    Each is None where it is not known. A digest of None as well as number 0 is the beginning.
    """

    sha256: str | None = None
    cycle_number: int | None = None
    timestamp_unix_ms: int | None = None


def lines_of(parts: Sequence[LogPart]) -> Iterator[Line]:
    """Yield the lines of a log's parts, parsed and placed; the parts are given oldest first.

    The torn line of a file that was rotated is an invalid one: nobody will cut it off any more.
    """
    for part in parts:
        skipped = None if part.offset else 0
        name = part.segment.first_sha256 if part.segment else None
        offset = part.offset
        for index, raw in enumerate(part.lines):
            event, problem = _parsed(raw)
            if index == 0 and part.offset:
                skipped = _skipped(part.segment.first_number if part.segment else None, event)
            yield Line(
                file=part.path,
                line=None if skipped is None else skipped + index + 1,
                sha256=line_digest(raw),
                segment_sha256=name,
                offset=offset,
                event=event,
                flaw=None if event is not None else Flaw.INVALID_LINE,
                problem=problem,
            )
            offset += len(raw) + 1
        if part.torn:
            yield Line(
                file=part.path,
                line=None if skipped is None else skipped + len(part.lines) + 1,
                sha256=None,
                segment_sha256=name,
                offset=offset,
                flaw=Flaw.TORN_TAIL if part is parts[-1] else Flaw.INVALID_LINE,
                problem=f"the last line has no line break ({len(part.torn)} bytes)",
            )


def _parsed(raw: bytes) -> tuple[Event | None, str]:
    try:
        return parse_event(raw), ""
    except RolloutGateError as error:
        return None, str(error)


def _skipped(first_number: int | None, event: Event | None) -> int | None:
    """How many lines of a file stand before an event, by its number and that of the first line."""
    if first_number is None or event is None or event.cycle_number is None:
        return None
    return max(event.cycle_number - first_number, 0) or None


def event_of(raw: bytes) -> Event | None:
    """What a line says, or None where it is invalid."""
    return _parsed(raw)[0]


def judge(
    lines: Iterable[Line],
    *,
    before: Link,
    is_chained: bool,
    accepted: int = 0,
    breaks: Collection[Break] = (),
) -> Iterator[Cycle | FlawFound]:
    """Yield the valid cycles of consecutive lines, each followed by what is wrong with its line.

    Args:
        lines: The lines, oldest first.
        before: The line before the first of them.
        is_chained: Whether the writer chains its events.
        accepted: Of how many of the lines nothing is said to be wrong.
        breaks: Where they need not continue one another.
    """
    start = before.sha256
    seen: set[str] = set()
    for index, line in enumerate(lines):
        is_told = index >= accepted
        if line.flaw is not None and is_told:
            yield _found(line.flaw, line.problem, line, lost=line.flaw is Flaw.INVALID_LINE)
        event = line.event
        if event is None or line.sha256 is None:
            if line.sha256 is not None:
                before = Link(sha256=line.sha256, timestamp_unix_ms=before.timestamp_unix_ms)
            continue
        yield Cycle(file=line.file, line=line.line, sha256=line.sha256, event=event)
        if is_told and is_chained:
            if line.sha256 == start or event.cycle_id in seen:
                yield _found(Flaw.LOG_REWRITTEN, "this cycle stood in an earlier line", line)
            elif (broken := _break(event, before)) and not _is_accepted(event, before, breaks):
                yield _broken(line, event, before, broken)
        if is_told and (backwards := _backwards(event, before)):
            yield _found(Flaw.CLOCK_BACKWARDS, backwards, line)
        if event.cycle_id is not None:
            seen.add(event.cycle_id)
        before = Link(
            sha256=line.sha256,
            cycle_number=event.cycle_number,
            timestamp_unix_ms=event.timestamp_unix_ms,
        )


def _is_accepted(event: Event, before: Link, breaks: Collection[Break]) -> bool:
    here = (before.sha256, event.previous_sha256)
    return any((one.after_sha256, one.continues_sha256) == here for one in breaks)


def _found(flaw: Flaw, detail: str, line: Line, *, lost: int = 0) -> FlawFound:
    event = line.event
    return FlawFound(
        flaw=flaw,
        detail=detail,
        file=line.file,
        line=line.line,
        cycle_id=None if event is None else event.cycle_id,
        timestamp_unix_ms=None if event is None else event.timestamp_unix_ms,
        lost=int(lost),
    )


def _broken(line: Line, event: Event, before: Link, detail: str) -> FlawFound:
    """Where a line does not continue the one before it: that is another, or lines are gone."""
    number, last = event.cycle_number, before.cycle_number
    if number is None or last is None or number <= last:
        return _found(Flaw.CHAIN_BROKEN, detail, line)
    gap = number - last - 1
    if line.offset or not gap:
        return _found(Flaw.CHAIN_BROKEN, detail, line, lost=max(gap, 1))
    told = f"cycles {last + 1} to {number - 1} are in none of the log's files"
    return _found(Flaw.SEGMENT_MISSING, told, line, lost=gap)


def _break(event: Event, before: Link) -> str | None:
    """How an event does not continue the line before it, or None."""
    if not event.is_chained:
        return "the chain keys are missing, though other lines of this writer have them"
    number = before.cycle_number
    if (before.sha256 is not None or number == 0) and event.previous_sha256 != before.sha256:
        return (
            f"previous_sha256 is {_shown(event.previous_sha256)}, "
            f"but the digest of the line before is {_shown(before.sha256)}"
        )
    if number is not None and event.cycle_number != number + 1:
        return f"cycle_number is {event.cycle_number} after {number}"
    return None


def _backwards(event: Event, before: Link) -> str | None:
    last = before.timestamp_unix_ms
    if last is None or event.timestamp_unix_ms >= last:
        return None
    return f"timestamp_unix_ms is {event.timestamp_unix_ms}, earlier than {last} of the line before"


def _shown(digest: str | None) -> str:
    return "null" if digest is None else f"{digest[:_DIGEST_SHOWN]}..."
