"""Reads the lines of an event log, many at a time: parsed and placed, what decides of them kept."""

from collections.abc import Collection, Iterator, Sequence
from hashlib import sha256
from itertools import accumulate, repeat

from tau_rollout_gate.contract.cycle import Event
from tau_rollout_gate.contract.layouts import EventReader
from tau_rollout_gate.contract.pin import LogPosition
from tau_rollout_gate.evidence.lines import Line, LogPart, ReadPart, RefusedLine, is_at, is_up_to
from tau_rollout_gate.evidence.values import Cycle, Flaw

_ROW = 3


def lines_of(parts: Sequence[LogPart]) -> Iterator[Line]:
    """Yield the lines of a log's parts, parsed and placed; the parts are given oldest first."""
    reader = EventReader()
    for part in parts:
        for lines, _ in _placed(part, reader, is_newest=part is parts[-1]):
            yield from lines


def read_part(
    part: LogPart,
    *,
    is_newest: bool,
    is_oldest: bool = False,
    evidence_from: LogPosition | None,
    pinned: Collection[LogPosition] = (),
) -> ReadPart:
    """Read a part of a log: its lines are gone through once, and their bytes are not kept.

    Of many invalid lines in a row the first and the last are kept, and those that are pinned.

    Args:
        part: The part.
        is_newest: Whether no newer part was read.
        is_oldest: Whether no older part will be.
        evidence_from: The line after which the evidence starts.
        pinned: Other lines that are looked for.
    """
    wanted = {one.event_sha256 for one in (evidence_from, *pinned) if one is not None}
    kept: list[Line] = []
    digests = _Digests(part.offset)
    start = None if evidence_from is None else _Start(evidence_from, digests)
    for lines, block in _placed(part, EventReader(), is_newest=is_newest):
        rest = block
        if start is not None and start.is_among(lines):
            *among, rest = block.split(b"\n", start.last_among(lines) + 1)
            for line, raw in zip(lines, among, strict=False):
                digests.add(raw + b"\n")
                start.take(line)
                # The evidence starts behind that line, and not before it: nobody asks for more.
                if is_oldest and not kept and line is lines[0] and start.is_after(line):
                    digests.drop(part.offset)
        digests.add(rest)
        if all(line.event is not None for line in (*kept[-_ROW:], *lines)):
            kept += lines
            continue
        for line in lines:
            kept.append(line)
            if len(kept) > _ROW and kept[-_ROW].event is None:
                _merge(kept, wanted)
    return ReadPart(path=part.path, lines=tuple(kept), end=digests.end, digests=digests.finished())


class _Start:
    """Begins the digests where the evidence may start: after its line, or those that are older."""

    def __init__(self, evidence_from: LogPosition, digests: "_Digests") -> None:
        self._from = evidence_from
        self._digests = digests
        self._after_origin: int | None = None
        self._after_older: int | None = None

    def is_among(self, lines: Sequence[Line]) -> bool:
        """Tell whether it may be after one of some lines."""
        start = self._from
        events = [line.event for line in lines if line.event is not None]
        numbers = [one.cycle_number for one in events if one.cycle_number is not None]
        is_older = bool(numbers) and min(numbers) <= (start.cycle_number or 0)
        return is_older or start.event_sha256 in [line.sha256 for line in lines]

    def last_among(self, lines: Sequence[Line]) -> int:
        """The place of the last one of these that it may be after."""
        digest, number = self._from.event_sha256, self._from.cycle_number or 0
        return max(
            at
            for at, line in enumerate(lines)
            if line.sha256 == digest
            or (line.event is not None and (line.event.cycle_number or number + 1) <= number)
        )

    def is_after(self, line: Line) -> bool:
        """Tell whether that is the pinned line, and one at all."""
        return self._from.event_sha256 is not None and is_at(line, self._from)

    def take(self, line: Line) -> None:
        """Take a line whose bytes were hashed."""
        if self._after_origin is None and is_at(line, self._from):
            self._after_origin = self._digests.begin()
        if is_up_to(line.event, self._from):
            if self._after_older is not None and self._after_older != self._after_origin:
                self._digests.drop(self._after_older)
            self._after_older = self._digests.begin()


class _Digests:
    """Those of a part's bytes, by the offset that they start from, each to the end."""

    def __init__(self, start: int) -> None:
        self.end = start
        self._digests = {start: sha256()}

    def add(self, block: bytes) -> None:
        """Take the next bytes."""
        self.end += len(block)
        for digest in self._digests.values():
            digest.update(block)

    def begin(self) -> int:
        """Begin another digest here, and give its offset."""
        self._digests[self.end] = sha256()
        return self.end

    def drop(self, start: int) -> None:
        """Leave out the digest that starts there."""
        del self._digests[start]

    def finished(self) -> dict[int, str]:
        """The digests in hex."""
        return {start: digest.hexdigest() for start, digest in self._digests.items()}


def _merge(lines: list[Line], wanted: Collection[str | None]) -> None:
    """Leave out the third last but one line, if it is one of a row that all tell of nothing."""
    row = [
        one
        for one in lines[-4:-1]
        if isinstance(one, RefusedLine) and one.flaw is Flaw.INVALID_LINE
        if one.sha256 not in wanted
    ]
    if len(row) == _ROW:
        first, second, _ = row
        lines[-4:-2] = [first._replace(more=first.more + 1 + second.more)]


def _placed(
    part: LogPart, reader: EventReader, *, is_newest: bool
) -> Iterator[tuple[list[Line], bytes]]:
    """Yield the lines of a part, some together, with their bytes.

    The torn line of a file that was rotated is an invalid one: nobody will cut it off any more.
    """
    name = part.segment.first_sha256 if part.segment else None
    offset, index = part.offset, 0
    skipped = None if part.offset else 0
    for block in part.blocks:
        raw = block.split(b"\n")[:-1]
        events, refusals = reader.read(block, raw)
        if not index and part.offset:
            skipped = _skipped(part.segment.first_number if part.segment else None, events[0])
        first = None if skipped is None else skipped + index + 1
        *offsets, offset = accumulate((len(one) + 1 for one in raw), initial=offset)
        fields = (
            repeat(part.path),
            repeat(None) if first is None else range(first, first + len(raw)),
            [sha256(one).hexdigest() for one in raw],
            events,
            repeat(name),
            offsets,
        )
        cycles = list(map(Cycle._make, zip(*fields, strict=False)))
        lines: list[Line] = [*cycles]
        for at, problem in refusals.items():
            file, line, digest, _, first_sha256, start = cycles[at]
            lines[at] = RefusedLine(
                file, line, digest, first_sha256, start, Flaw.INVALID_LINE, problem
            )
        yield lines, block
        index += len(raw)
    if part.torn:
        torn = RefusedLine(
            file=part.path,
            line=None if skipped is None else skipped + index + 1,
            sha256=None,
            segment_sha256=name,
            offset=offset,
            flaw=Flaw.TORN_TAIL if is_newest else Flaw.INVALID_LINE,
            problem=f"the last line has no line break ({len(part.torn)} bytes)",
        )
        yield [torn], part.torn


def _skipped(first_number: int | None, event: Event | None) -> int | None:
    """How many lines of a file stand before an event, by its number and that of the first line."""
    if first_number is None or event is None or event.cycle_number is None:
        return None
    return max(event.cycle_number - first_number, 0) or None
