"""Reads the whole lines of files that may be huge, torn, replaced, or no files at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tau_transport_health.event import LONGEST_LINE_BYTES

_BLOCK_BYTES = 1024 * 1024


class WholeLines:
    """The whole lines of an open file up to its size at opening; to be iterated once.

    A line beyond the longest is given as its first `LONGEST_LINE_BYTES + 1` bytes, so that memory
    stays bounded and the reader sees that it is too long.
    """

    def __init__(self, log: BinaryIO, *, name: str, is_rotated: bool = False) -> None:
        self.name = name
        self.is_rotated = is_rotated
        self.is_torn = False
        self.problem: str | None = None
        self._log = log
        self._size = os.fstat(log.fileno()).st_size

    def __iter__(self) -> Iterator[bytes]:
        """Yield the lines without their line breaks, and close the file."""
        left = self._size
        started = b""
        with self._log as log:
            while block := self._block(log, min(left, _BLOCK_BYTES)):
                left -= len(block)
                first, line_break, rest = block.partition(b"\n")
                started = (started + first)[: LONGEST_LINE_BYTES + 1]
                if line_break:
                    *lines, last = rest.split(b"\n")
                    yield started
                    yield from lines
                    started = last
        self.is_torn = bool(started)

    def _block(self, log: BinaryIO, size: int) -> bytes:
        try:
            return log.read(size)
        except OSError as error:  # a disk that fails, a network that goes away
            self.problem = f"cannot be read: {error.strerror or error}"
            return b""


def open_regular(path: str | Path, *, folder: int | None = None, follows: bool = True) -> BinaryIO:
    """Open a regular file to read, without waiting for what is none, such as a pipe.

    Args:
        path: The file.
        folder: The descriptor of the folder that a relative path starts from.
        follows: Whether a symbolic link may stand in its place.

    Raises:
        OSError: if it cannot be opened, or is no regular file.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follows else os.O_NOFOLLOW)
    descriptor = os.open(path, flags, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("not a regular file")
    return os.fdopen(descriptor, "rb", buffering=0)
