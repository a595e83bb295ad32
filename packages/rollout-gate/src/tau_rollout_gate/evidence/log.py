"""The lines of an event log as they were read: parsed, placed, and held against the ones before.

The rules are the contract's (runbooks/state-files.md, "The chain"). A line that is wrong in some
way is told and passed over; what is right in it is still judged, since it may fire a trigger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from tau_rollout_gate.contract.event import LONGEST_LINE_BYTES, Event, line_digest, parse_event
from tau_rollout_gate.errors import RolloutGateError
from tau_rollout_gate.evidence.values import Cycle, Flaw, FlawFound

_DIGEST_SHOWN = 12


class TooLong(NamedTuple):
    """What is kept of a line that is longer than any may be (`event.LONGEST_LINE_BYTES`).

    Args:
        length: Its length in bytes, without the line break.
        sha256: Its digest; None for a torn one.
    """

    length: int
    sha256: str | None


class LogPart(NamedTuple):
    """A part of one file of an event log, from some line on to its end at opening.

    Args:
        path: The file.
        offset: Where the first of `lines` starts, in bytes; 0 if the whole file was read.
        lines: Its whole lines without their line breaks, oldest first.
        torn: What follows the last line break; empty if nothing does.
        too_long: A line that follows `lines`, in the place of `torn` or before the next part of
            the file; None where there is none.
        first_number: The `cycle_number` of the file's first line, where that was not read here and
            tells one. It says which line of the file a numbered line is.
    """

    path: str
    offset: int
    lines: tuple[bytes, ...]
    torn: bytes = b""
    first_number: int | None = None
    too_long: TooLong | None = None

    @property
    def line_count(self) -> int:
        """Return how many lines there are, the torn one and the one too long among them."""
        return len(self.lines) + bool(self.torn) + (self.too_long is not None)


class Line(NamedTuple):
    """A line, and where it stands.

    Args:
        file: The file.
        line: Which line of it, from 1; None where that is not known.
        sha256: Its digest; None for a torn line, which no other follows in the chain.
        event: The cycle it tells of; None where it tells of none.
        flaw: Why it tells of none.
        problem: The same in words.
    """

    file: str
    line: int | None
    sha256: str | None
    event: Event | None = None
    flaw: Flaw | None = None
    problem: str = ""


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
        places = _Places(part)
        for index, raw in enumerate(part.lines):
            digest = line_digest(raw)
            try:
                event = parse_event(raw)
            except RolloutGateError as error:
                yield Line(
                    file=part.path,
                    line=places.of(index, None),
                    sha256=digest,
                    flaw=Flaw.INVALID_LINE,
                    problem=str(error),
                )
            else:
                place = places.of(index, event.cycle_number)
                yield Line(file=part.path, line=place, sha256=digest, event=event)
        if part.too_long is not None and part.too_long.sha256 is not None:
            yield Line(
                file=part.path,
                line=places.of(len(part.lines), None),
                sha256=part.too_long.sha256,
                flaw=Flaw.INVALID_LINE,
                problem=f"the line is longer than {LONGEST_LINE_BYTES // 1024 // 1024} MiB",
            )
        elif torn_bytes := len(part.torn) if part.too_long is None else part.too_long.length:
            is_newest = part is parts[-1]
            yield Line(
                file=part.path,
                line=places.of(len(part.lines), None),
                sha256=None,
                flaw=Flaw.TORN_TAIL if is_newest else Flaw.INVALID_LINE,
                problem=f"the last line has no line break ({torn_bytes} bytes)",
            )


class _Places:
    """Tells which line of its file a line of a part is; the lines are asked for in order.

    Where the beginning of the file was not read, the numbers of the cycles tell it, as long as
    they grow by one from line to line.
    """

    def __init__(self, part: LogPart) -> None:
        self._first_number = part.first_number if part.offset else None
        self._skipped: int | None = None if part.offset else 0

    def of(self, index: int, cycle_number: int | None) -> int | None:
        if self._first_number is not None and cycle_number is not None:
            skipped = cycle_number - self._first_number - index
            is_consistent = skipped > 0 and self._skipped in {None, skipped}
            self._skipped = skipped if is_consistent else None
            self._first_number = self._first_number if is_consistent else None
        return None if self._skipped is None else self._skipped + index + 1


def event_of(raw: bytes) -> Event | None:
    """Return what a line says, or None where it is invalid."""
    try:
        return parse_event(raw)
    except RolloutGateError:
        return None


def judge(lines: Iterable[Line], *, before: Link, is_chained: bool) -> Iterator[Cycle | FlawFound]:
    """Yield the valid cycles of consecutive lines, each followed by what is wrong with its line.

    Args:
        lines: The lines, oldest first.
        before: The line before the first of them.
        is_chained: Whether the writer chains its events.
    """
    seen: set[str] = set()
    for line in lines:
        if line.flaw is not None:
            yield _found(line.flaw, line.problem, line)
        if line.event is None or line.sha256 is None:
            if line.sha256 is not None:
                before = Link(sha256=line.sha256, timestamp_unix_ms=before.timestamp_unix_ms)
            continue
        event = line.event
        yield Cycle(file=line.file, line=line.line, sha256=line.sha256, event=event)
        if is_chained and (broken := _break(event, before, seen)):
            yield _found(Flaw.CHAIN_BROKEN, broken, line)
        if backwards := _backwards(event, before):
            yield _found(Flaw.CLOCK_BACKWARDS, backwards, line)
        if event.cycle_id is not None:
            seen.add(event.cycle_id)
        before = Link(
            sha256=line.sha256,
            cycle_number=event.cycle_number,
            timestamp_unix_ms=event.timestamp_unix_ms,
        )


def _found(flaw: Flaw, detail: str, line: Line) -> FlawFound:
    event = line.event
    return FlawFound(
        flaw=flaw,
        detail=detail,
        file=line.file,
        line=line.line,
        cycle_id=None if event is None else event.cycle_id,
        timestamp_unix_ms=None if event is None else event.timestamp_unix_ms,
    )


def _break(event: Event, before: Link, seen: set[str]) -> str | None:
    """Return how an event does not continue the line before it, or None."""
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
    if event.cycle_id in seen:
        return "cycle_id stood in an earlier line already"
    return None


def _backwards(event: Event, before: Link) -> str | None:
    last = before.timestamp_unix_ms
    if last is None or event.timestamp_unix_ms >= last:
        return None
    return f"timestamp_unix_ms is {event.timestamp_unix_ms}, earlier than {last} of the line before"


def _shown(digest: str | None) -> str:
    return "null" if digest is None else f"{digest[:_DIGEST_SHOWN]}..."
