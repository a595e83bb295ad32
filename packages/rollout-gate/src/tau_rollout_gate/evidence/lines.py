"""The lines of an event log as they are read: parsed and placed, and what decides of them kept."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from tau_rollout_gate.contract.cycle import Event
from tau_rollout_gate.contract.event import line_digest, parse_event
from tau_rollout_gate.contract.pin import LogPosition
from tau_rollout_gate.errors import RolloutGateError
from tau_rollout_gate.evidence.values import Flaw

_ROW = 3
_HASHED_TOGETHER = 64 * 1024


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
        lines: Its whole lines without their line breaks, oldest first; maybe to be read once.
        torn: What follows the last line break; empty if nothing does.
        segment: The file by its ends; None where it was read whole and is no part of a live log.
    """

    path: str
    offset: int
    lines: Iterable[bytes]
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
        more: How many lines after it tell of none either, and are left out.
    """

    file: str
    line: int | None
    sha256: str | None
    segment_sha256: str | None
    offset: int
    event: Event | None = None
    flaw: Flaw | None = None
    problem: str = ""
    more: int = 0

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


def lines_of(parts: Sequence[LogPart]) -> Iterator[Line]:
    """Yield the lines of a log's parts, parsed and placed; the parts are given oldest first."""
    for part in parts:
        for line, _ in _placed(part, is_newest=part is parts[-1]):
            yield line


def read_part(
    part: LogPart,
    *,
    is_newest: bool,
    evidence_from: LogPosition | None,
    pinned: Collection[LogPosition] = (),
) -> ReadPart:
    """Read a part of a log: its lines are gone through once, and their bytes are not kept.

    Of many invalid lines in a row the first and the last are kept, and those that are pinned.

    Args:
        part: The part.
        is_newest: Whether no newer part was read.
        evidence_from: The line after which the evidence starts.
        pinned: Other lines that are looked for.
    """
    wanted = {one.event_sha256 for one in (evidence_from, *pinned) if one is not None}
    lines: list[Line] = []
    digests = _Digests(part.offset)
    after_origin = after_older = None
    for line, raw in _placed(part, is_newest=is_newest):
        digests.add(raw, is_whole=line.sha256 is not None)
        if evidence_from is not None:
            if after_origin is None and line.is_at(evidence_from):
                after_origin = digests.begin()
            if is_up_to(line.event, evidence_from):
                if after_older is not None and after_older != after_origin:
                    digests.drop(after_older)
                after_older = digests.begin()
        lines.append(line)
        if len(lines) > _ROW and lines[-_ROW].event is None:
            _merge(lines, wanted)
    return ReadPart(path=part.path, lines=tuple(lines), end=digests.end, digests=digests.finished())


class _Digests:
    """Those of a part's bytes, by the offset that they start from, each to the end.

    Lines are taken one by one and hashed many together, which takes a third of the time.
    """

    def __init__(self, start: int) -> None:
        self.end = start
        self._lines: list[bytes] = []
        self._waiting = 0
        self._digests = {start: sha256()}

    def add(self, line: bytes, *, is_whole: bool) -> None:
        """Take the next line; a whole one has a line break."""
        self.end += len(line) + is_whole
        self._waiting += len(line)
        self._lines.append(line)
        if self._waiting > _HASHED_TOGETHER or not is_whole:
            self._hash(b"\n" * is_whole)

    def begin(self) -> int:
        """Begin another digest here, and give its offset."""
        self._hash(b"\n")
        self._digests[self.end] = sha256()
        return self.end

    def drop(self, start: int) -> None:
        """Leave out the digest that starts there."""
        del self._digests[start]

    def finished(self) -> dict[int, str]:
        """The digests in hex."""
        self._hash(b"\n")
        return {start: digest.hexdigest() for start, digest in self._digests.items()}

    def _hash(self, line_break: bytes) -> None:
        if self._lines:
            together = b"\n".join(self._lines) + line_break
            for digest in self._digests.values():
                digest.update(together)
            self._lines.clear()
            self._waiting = 0


def _merge(lines: list[Line], wanted: Collection[str | None]) -> None:
    """Leave out the third last but one line, if it is one of a row that all tell of nothing."""
    row = lines[-4:-1]
    if len(row) == _ROW and all(
        one.flaw is Flaw.INVALID_LINE and one.sha256 not in wanted for one in row
    ):
        first, second, _ = row
        lines[-4:-2] = [first._replace(more=first.more + 1 + second.more)]


def is_up_to(event: Event | None, position: LogPosition) -> bool:
    """Tell whether a line is known to be none after a position, by its number and its time.

    In a log that was begun anew the number alone would tell the wrong thing.
    """
    number, time = position.cycle_number, position.timestamp_unix_ms
    if event is None or event.cycle_number is None or number is None:
        return False
    return event.cycle_number <= number and (time is None or event.timestamp_unix_ms <= time)


def _placed(part: LogPart, *, is_newest: bool) -> Iterator[tuple[Line, bytes]]:
    """Yield the lines of a part, each with its bytes.

    The torn line of a file that was rotated is an invalid one: nobody will cut it off any more.
    """
    skipped = None if part.offset else 0
    name = part.segment.first_sha256 if part.segment else None
    offset = part.offset
    index = 0
    for index, raw in enumerate(part.lines, start=1):
        event, problem = _parsed(raw)
        if index == 1 and part.offset:
            skipped = _skipped(part.segment.first_number if part.segment else None, event)
        # By position: there is one for every line of a log.
        yield (
            Line(
                part.path,
                None if skipped is None else skipped + index,
                line_digest(raw),
                name,
                offset,
                event,
                None if event is not None else Flaw.INVALID_LINE,
                problem,
            ),
            raw,
        )
        offset += len(raw) + 1
    if part.torn:
        line = Line(
            file=part.path,
            line=None if skipped is None else skipped + index + 1,
            sha256=None,
            segment_sha256=name,
            offset=offset,
            flaw=Flaw.TORN_TAIL if is_newest else Flaw.INVALID_LINE,
            problem=f"the last line has no line break ({len(part.torn)} bytes)",
        )
        yield line, part.torn


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
