"""The lines of an event log as they were read: parsed, placed, and held against the ones before.

The rules are the contract's (runbooks/state-files.md, "The chain"). A line that is wrong in some
way is told and passed over; what is right in it is still judged, since it may fire a trigger.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from tau_rollout_gate.contract.event import Event, line_digest, parse_event
from tau_rollout_gate.errors import RolloutGateError
from tau_rollout_gate.evidence.values import Cycle, Flaw, FlawFound

_DIGEST_SHOWN = 12


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
            tells one. It says which line of the file the first numbered one of `lines` is.
    """

    path: str
    offset: int
    lines: tuple[bytes, ...]
    torn: bytes = b""
    first_number: int | None = None

    @property
    def line_count(self) -> int:
        """How many lines there are, the torn one among them."""
        return len(self.lines) + bool(self.torn)


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
        skipped = None if part.offset else 0
        for index, raw in enumerate(part.lines):
            event, problem = _parsed(raw)
            if index == 0 and part.offset:
                skipped = _skipped(part.first_number, event)
            yield Line(
                file=part.path,
                line=None if skipped is None else skipped + index + 1,
                sha256=line_digest(raw),
                event=event,
                flaw=None if event is not None else Flaw.INVALID_LINE,
                problem=problem,
            )
        if part.torn:
            yield Line(
                file=part.path,
                line=None if skipped is None else skipped + len(part.lines) + 1,
                sha256=None,
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
