"""Reads the whole lines of files that may be huge, torn, replaced, or no files at all."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from tau_transport_health.contract.event import LONGEST_LINE_BYTES

_BLOCK_BYTES = 64 * 1024  # of larger ones the memory is given back and asked for each time
_LARGEST_BLOCK_BYTES = 1024 * 1024  # while a line goes on and on


class WholeLines:
    """The whole lines of an open file up to its size at opening; to be iterated once.

    Where `again` opens the file once more, it is closed until it is read.

    A line beyond the longest is given as its first `longest_line_bytes + 1` bytes, so that memory
    stays bounded and the reader sees that it is too long. The longest is not below a block.
    """

    def __init__(
        self,
        log: BinaryIO,
        *,
        name: str,
        is_rotated: bool = False,
        longest_line_bytes: int = LONGEST_LINE_BYTES,
        again: Callable[[], BinaryIO] | None = None,
    ) -> None:
        self.name = name
        self.is_rotated = is_rotated
        self.is_torn = False
        self.problem: str | None = None
        self._log = log
        self._longest_line_bytes = longest_line_bytes
        self._size = os.fstat(log.fileno()).st_size
        self._again = again
        if again is not None:
            log.close()

    def __iter__(self) -> Iterator[bytes]:
        """The lines without their line breaks, and close the file."""
        for block in self.blocks():
            yield from block.split(b"\n")[:-1]

    def blocks(self) -> Iterator[bytes]:
        """The lines with their line breaks, as many together as were read, close the file."""
        try:
            opened = self._log if self._again is None else self._again()
        except OSError as error:
            self.problem = f"cannot be opened: {error.strerror or error}"
            return
        left = self._size
        started = bytearray()  # grows in place: a long line is read in many blocks
        with opened as log:
            while block := self._block(log, min(left, _block_bytes(started))):
                left -= len(block)
                first, end = block.find(b"\n"), block.rfind(b"\n") + 1
                rest_of_line = block[: first if end else None]
                started += rest_of_line[: self._longest_line_bytes + 1 - len(started)]
                if end:
                    whole = b"".join((started, memoryview(block)[first:end]))
                    started = bytearray(block[end:])
                    yield whole
                    del whole  # it may be long: not held while the next one is read
        self.is_torn = bool(started)

    def _block(self, log: BinaryIO, size: int) -> bytes:
        try:
            return log.read(size)
        except OSError as error:  # a disk that fails, a network that goes away
            self.problem = f"cannot be read: {error.strerror or error}"
            return b""


class UnreadLines:
    """A file of a log that is not read, and why; it has no lines."""

    is_torn = False

    def __init__(self, name: str, problem: str, *, is_rotated: bool) -> None:
        self.name = name
        self.problem: str | None = problem
        self.is_rotated = is_rotated

    def __iter__(self) -> Iterator[bytes]:
        """No lines."""
        return self.blocks()

    def blocks(self) -> Iterator[bytes]:
        """No lines."""
        return iter(())


def _block_bytes(started: bytearray) -> int:
    return min(max(len(started), _BLOCK_BYTES), _LARGEST_BLOCK_BYTES)


def is_folder(path: Path) -> bool:
    """Whether there is a folder; not where that may not be known, or no file can be called so."""
    try:
        return path.is_dir()
    except OSError:
        return False


def open_unlinked(path: str | Path, flags: int, folder: int | None) -> int:
    """Open a file or a folder; a link in its place that `flags` do not follow is told as one.

    Raises:
        OSError: if it cannot be opened.
    """
    try:
        return os.open(path, flags, dir_fd=folder)
    except OSError as error:
        # What is told of a link is that it is no folder, or that there are too many of them.
        if flags & os.O_NOFOLLOW and error.errno in {errno.ELOOP, errno.ENOTDIR}:
            found = os.stat(path, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):
                raise OSError(f"{path} is a symbolic link, which is not followed") from None
        raise


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
    descriptor = open_unlinked(path, flags, folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("not a regular file")
    return os.fdopen(descriptor, "rb", buffering=0)
