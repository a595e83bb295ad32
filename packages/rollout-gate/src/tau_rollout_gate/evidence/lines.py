"""The lines of an event log as values: as they are given, and as they were read and placed."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tau_rollout_gate.contract.cycle import Event
from tau_rollout_gate.contract.event import parse_event
from tau_rollout_gate.contract.pin import LogPosition
from tau_rollout_gate.errors import RolloutGateError
from tau_rollout_gate.evidence.values import Cycle, Flaw


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
        offset: Where the first of them starts, in bytes; 0 if the whole file was read.
        blocks: Its whole lines with their line breaks, oldest first, some together; maybe to be
            read once.
        torn: What follows the last line break; empty if nothing does.
        segment: The file by its ends; None where it was read whole and is no part of a live log.
    """

    path: str
    offset: int
    blocks: Iterable[bytes]
    torn: bytes = b""
    segment: Segment | None = None


class ReadPart(NamedTuple):
    """What decides of a part of a file: of each line that, and none of its bytes.

    Args:
        path: The file.
        lines: Its lines, oldest first, the torn one among them.
        end: Where it ended, in bytes.
        digests: Those of its bytes, by the offset that they start from: the beginning, and where
            the evidence may start. Each goes to the end.
    """

    path: str
    lines: tuple["Line", ...]
    end: int
    digests: Mapping[int, str]


class ReadLog(NamedTuple):
    """The end of an event log as it was read, over its rotated files.

    Args:
        path: The newest file.
        parts: What was read, oldest first; none without a log.
        segments: All its files that have a whole line, or cannot be read; oldest first.
        problem: Why older lines were not read.
        compressed: Its files that are compressed, and so not read.
    """

    path: str
    parts: tuple[ReadPart, ...]
    segments: tuple[Segment, ...] = ()
    problem: str | None = None
    compressed: tuple[str, ...] = ()


class RefusedLine(NamedTuple):
    """A line that tells of no cycle, and where it stands as `Cycle` has it.

    Args:
        file: The file.
        line: Which line of it.
        sha256: Its digest; None for a torn line, which no other follows in the chain.
        segment_sha256: The digest of the file's first line.
        offset: Where it starts in the file.
        flaw: Why it tells of none.
        problem: The same in words.
        more: How many lines after it tell of none either, and are left out.
    """

    file: str
    line: int | None
    sha256: str | None
    segment_sha256: str | None
    offset: int
    flaw: Flaw
    problem: str
    more: int = 0

    @property
    def event(self) -> None:
        """No cycle."""
        return None


Line = Cycle | RefusedLine


def is_at(line: Line, position: LogPosition) -> bool:
    """Tell whether a line is that of a position: that one, not another like it."""
    return (
        line.sha256 == position.event_sha256
        and line.offset == position.offset
        and line.segment_sha256 == position.segment_sha256
    )


def position_of(line: Line, timestamp_unix_ms: int | None) -> LogPosition:
    """Where a log stands that ends with a line; the time is that of its last valid line."""
    return LogPosition(
        cycle_number=None if line.event is None else line.event.cycle_number,
        event_sha256=line.sha256,
        segment_sha256=line.segment_sha256,
        offset=line.offset,
        timestamp_unix_ms=timestamp_unix_ms,
    )


def is_up_to(event: Event | None, position: LogPosition) -> bool:
    """Tell whether a line is known to be none after a position, by its number and its time.

    In a log that was begun anew the number alone would tell the wrong thing.
    """
    number, time = position.cycle_number, position.timestamp_unix_ms
    if event is None or event.cycle_number is None or number is None:
        return False
    return event.cycle_number <= number and (time is None or event.timestamp_unix_ms <= time)


def event_of(raw: bytes) -> Event | None:
    """What a line says, or None where it is invalid."""
    try:
        return parse_event(raw)
    except RolloutGateError:
        return None
