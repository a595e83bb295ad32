"""Searches an event log from its end, file by file: how far back it has to be read, and may be."""

import os
from collections.abc import Iterator
from typing import BinaryIO

from tau_rollout_gate.contract.event import LONGEST_LINE_BYTES
from tau_rollout_gate.contract.pin import LogPosition
from tau_rollout_gate.evidence.lines import LogPart, event_of, is_up_to
from tau_rollout_gate.files.surface.lines import counted, line_at, read_at, whole_blocks
from tau_rollout_gate.files.surface.segments import Look

LONGEST_EVIDENCE_BYTES = 256 * 1024**2
"""The most that is read of a log: a month at a cycle every ten seconds. It bounds the memory."""

_LINE_COSTS_BYTES = 512
"""What a line takes in memory beside its bytes, so that many empty ones are bounded too."""

LINES_FOR_AGREEMENT = 2
"""How many lines are read in any case: the state may belong to either of the last two."""

_LINES_BETWEEN_LOOKS_AT_THE_NUMBER = 64


class Search:
    """Decides, line by line from the end, how far back a log is read."""

    def __init__(self, position: LogPosition | None, origin: Look | None) -> None:
        self._position = position
        self._origin = origin
        self._is_reached = position is None
        self._lines = 0
        self._left_bytes = LONGEST_EVIDENCE_BYTES
        self.problem: str | None = None

    @property
    def is_over(self) -> bool:
        """Tell whether nothing older is needed, or nothing more may be read."""
        is_done = self._is_reached and self._lines >= LINES_FOR_AGREEMENT
        return is_done or self.problem is not None

    def jump(self, descriptor: int, look: Look, size: int) -> tuple[int, int] | None:
        """Take at once what is wanted of a file where it is known where the evidence starts.

        Gives its offset, and that behind the last line break; None where line by line has to be
        seen how far back may be read.
        """
        if self._is_reached or self._origin is None:
            return None
        start = look.origin if look is self._origin and look.origin is not None else 0
        lines, longest, behind = counted(descriptor, start, size)
        left = self._left_bytes - (size - start) - lines * _LINE_COSTS_BYTES
        if lines < LINES_FOR_AGREEMENT or longest > LONGEST_LINE_BYTES or left < 0:
            return None
        self._is_reached = look is self._origin
        self._lines += lines
        self._left_bytes = left
        return start, behind

    def spend(self, size: int) -> None:
        """Count the bytes that were read; past the longest evidence the search is over."""
        self._left_bytes -= size
        if self._left_bytes < 0:
            self.problem = (
                f"the evidence starts before the last {LONGEST_EVIDENCE_BYTES // 1024**2} MiB of "
                "the event log"
            )

    def weigh(self, size: int) -> None:
        """Weigh what was seen of one line; past the longest that may be, the search is over."""
        if size > LONGEST_LINE_BYTES:
            self.problem = (
                f"a line of the event log is longer than {LONGEST_LINE_BYTES // 1024**2} MiB, and "
                "what is older was not read"
            )

    def take(self, descriptor: int, look: Look, offset: int) -> None:
        """Take the next older line, which starts at an offset of the file."""
        self._lines += 1
        self.spend(_LINE_COSTS_BYTES)
        if not self._is_reached:
            at_origin = look is self._origin and offset == look.origin
            self._is_reached = at_origin or self._is_too_old(descriptor, offset)

    def _is_too_old(self, descriptor: int, offset: int) -> bool:
        """Tell, every so many lines, whether a line is older than one that is not there."""
        if self._position is None or self._origin is not None:
            return False
        if self._lines % _LINES_BETWEEN_LOOKS_AT_THE_NUMBER:
            return False
        line = line_at(descriptor, offset, longest=LONGEST_LINE_BYTES)
        return line is not None and is_up_to(event_of(line), self._position)


def found_part(file: BinaryIO, look: Look, search: Search, block_bytes: int) -> LogPart:
    """The part of a file that the search wants, from its end on; its lines are still to be read."""
    descriptor = file.fileno()
    status = os.fstat(descriptor)
    if status.st_ino != look.inode:
        raise OSError("it was rotated while it was read")
    start, behind = search.jump(descriptor, look, status.st_size) or (None, status.st_size)
    if start is None:
        starts = _line_starts(descriptor, status.st_size, search, block_bytes)
        behind = start = next(starts, status.st_size)
        for start in starts:
            search.take(descriptor, look, start)
            if search.is_over:
                break
    return LogPart(
        path=look.path,
        offset=start,
        blocks=whole_blocks(descriptor, start, behind),
        torn=read_at(descriptor, behind, status.st_size),
        segment=look.segment,
    )


def _line_starts(descriptor: int, size: int, search: Search, block_bytes: int) -> Iterator[int]:
    """Yield the offset behind the last line break, then those of the lines, newest first."""
    start = end = size
    while start > 0:
        start, stop = max(0, start - block_bytes), start
        block = read_at(descriptor, start, stop)
        search.spend(len(block))
        found = len(block)
        while (found := block.rfind(b"\n", 0, found)) >= 0:
            search.weigh(end - start - found - 1)
            if search.problem is not None:
                return
            yield start + found + 1
            end = start + found
        search.weigh(end - start)
        if search.problem is not None:
            return
    yield 0
