"""Finds and reads lines in an open file, in memory that is bounded by the longest of them.

A file that is shorter than it was when it was opened is being cut: that is an `OSError`.
"""

import os
from collections.abc import Iterator
from hashlib import sha256

BLOCK_BYTES = 64 * 1024
CUT = "it was cut while it was read"
"""Why a file is not read that was longer when it was opened."""

_FIRST_BLOCK_BYTES = 4096


def read_at(descriptor: int, start: int, end: int) -> bytes:
    """The bytes of a file from one offset to another.

    Raises:
        OSError: if they are not there, or cannot be read.
    """
    block = os.pread(descriptor, end - start, start)
    if len(block) < end - start:
        raise OSError(CUT)
    return block


def line_at(descriptor: int, offset: int, *, longest: int) -> bytes | None:
    """The line that starts at an offset, without its line break; None if it has no end.

    Of one that is longer than `longest` bytes one byte more is given than that.
    """
    line = bytearray()
    while len(line) <= longest:
        size = min(_FIRST_BLOCK_BYTES + len(line), BLOCK_BYTES)
        block = os.pread(descriptor, size, offset + len(line))
        if not block:
            return None
        end = block.find(b"\n")
        line += block if end < 0 else block[:end]
        if end >= 0:
            break
    return bytes(line[: longest + 1])


def last_line_digest(descriptor: int, size: int, *, longest: int) -> str | None:
    """The digest of the last whole line, its line break left out; None if it is too long."""
    end = _break_before(descriptor, size, longest)
    if end is None or end < 0:
        return None
    start = _break_before(descriptor, end, longest)
    if start is None:
        return None
    digest = sha256()
    for begin in range(start + 1, end, BLOCK_BYTES):
        digest.update(read_at(descriptor, begin, min(begin + BLOCK_BYTES, end)))
    return digest.hexdigest()


def _break_before(descriptor: int, end: int, longest: int) -> int | None:
    """Where the last line break before `end` is; -1 if there is none, None if it is too far."""
    size = _FIRST_BLOCK_BYTES
    start = end
    while start > 0:
        start, stop = max(0, start - size), start
        found = read_at(descriptor, start, stop).rfind(b"\n")
        if found >= 0:
            return start + found
        if end - start > longest:
            return None
        size = min(2 * size, BLOCK_BYTES)
    return -1


def counted(descriptor: int, start: int, end: int) -> tuple[int, int, int]:
    """How many whole lines there are from one offset to another, and how long the longest is.

    The second is right where a line is longer than a block, which no other then exceeds; else it is
    a bound. Third, the offset behind the last line break.
    """
    lines = longest = 0
    behind = start
    for begin in range(start, end, BLOCK_BYTES):
        block = read_at(descriptor, begin, min(begin + BLOCK_BYTES, end))
        first = block.find(b"\n")
        if first >= 0:
            longest = max(longest, begin + first - behind, len(block))
            lines += block.count(b"\n")
            behind = begin + block.rfind(b"\n") + 1
    return lines, max(longest, end - behind), behind


def whole_blocks(descriptor: int, start: int, end: int) -> Iterator[bytes]:
    """Yield the lines from one offset to another, behind the last line break; some together."""
    while start < end:
        stop = min(start + BLOCK_BYTES, end)
        block = read_at(descriptor, start, stop)
        behind = block.rfind(b"\n") + 1
        if behind:
            yield block[:behind]
            start += behind
            continue
        begin = start
        while not behind:  # a long line is read at once when its end is known
            stop, begin = min(stop + BLOCK_BYTES, end), stop
            behind = read_at(descriptor, begin, stop).find(b"\n") + 1
        yield read_at(descriptor, start, begin + behind)
        start = begin + behind
