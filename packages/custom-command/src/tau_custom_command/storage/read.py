"""Reads files as they are on disk: whole, or a log's lines from its end; names what is refused."""

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path

from tau_custom_command.errors import StorageError
from tau_custom_command.limits import LARGEST_STATE_FILE_BYTES, LONGEST_LINE_BYTES, MIB

NOT_FOLLOWED = "is a symbolic link, which is not followed: put what it leads to in its place"
_BLOCK_BYTES = 64 * 1024
_PIECE_BYTES = MIB


@contextmanager
def storage_errors(path: Path, action: str) -> Iterator[None]:
    """Turn what the operating system refuses into an error that says what could not be done.

    Raises:
        StorageError: instead of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise refused(error, path, action) from error


def refused(error: OSError, path: Path, action: str) -> StorageError:
    """The error that says what could not be done where the operating system refused."""
    reason, blamed = error.strerror or error, _blamed(error, path)
    if error.errno == errno.ELOOP and blamed.is_symlink():
        reason = f"it {NOT_FOLLOWED}"
    return StorageError(f"{blamed}: cannot {action}: {reason}")


def _blamed(error: OSError, path: Path) -> Path:
    """Name the file that is in the way: it may be the one beside, from which a new one is made."""
    beside = Path(os.fsdecode(error.filename or b"")).name
    is_beside = error.filename2 is None and beside.startswith(f"{path.name}.")
    return path.with_name(beside) if is_beside else path


def read_file(path: Path, *, most_bytes: int) -> bytes | None:
    """Read an operator's file, a pipe too; None where there is none.

    Raises:
        StorageError: if it cannot be read, or has more than `most_bytes`.
    """
    with storage_errors(path, "read"):
        try:
            file = path.open("rb", buffering=0)
        except FileNotFoundError:
            return None
        with file:
            refuse_size(os.fstat(file.fileno()).st_size, most_bytes)
            raw = bytearray()  # its size is not known where it is a pipe or a device
            while block := file.read(min(_PIECE_BYTES, most_bytes + 1 - len(raw))):
                raw += block
            refuse_size(len(raw), most_bytes)
            return bytes(raw)


def read_state_file(path: Path, *, most_bytes: int = LARGEST_STATE_FILE_BYTES) -> bytes | None:
    """Read a file in a state directory; None where there is none.

    Raises:
        StorageError: if it cannot be read, is no file (opening a pipe would wait for ever), or is
            larger than that, usually than any that the runtime writes.
    """
    with storage_errors(path, "read"), opened(path) as descriptor:
        return None if descriptor is None else read_open(descriptor, most_bytes=most_bytes)


def read_open(descriptor: int, *, most_bytes: int = LARGEST_STATE_FILE_BYTES) -> bytes:
    """Read an open file of a state directory.

    Raises:
        OSError: if it cannot be read, is no file, or is larger than that.
    """
    refuse_what_is_no_file(descriptor)
    refuse_size(os.fstat(descriptor).st_size, most_bytes)
    with open(descriptor, "rb", closefd=False) as file:
        return file.read()


def corrupt_path(root: Path, path: str, content: bytes) -> str:
    """Choose where broken `content` of the file at `path` below `root` is to be kept.

    No earlier one is overwritten; the same content is not kept twice.
    """
    names = chain([f"{path}.corrupt"], (f"{path}.{number}.corrupt" for number in count(2)))
    return next(name for name in names if read_state_file(root / name) in {None, content})


def lines_backwards(path: Path) -> Iterator[bytes]:
    """Yield the whole lines of a JSON Lines file with their line breaks, the last one first.

    A torn end is left out. Yields nothing where there is no such file.
    """
    with storage_errors(path, "read"), opened(path) as log:
        if log is None:
            return
        end = os.fstat(log).st_size - len(torn_end(log))
        pieces: list[bytes] = []  # of the line that is being read, its end first
        for block in _blocks_backwards(log, end - 1):
            first, *lines = block.split(b"\n")
            for line in reversed(lines):
                pieces.append(line)
                yield b"".join(reversed(pieces)) + b"\n"
                pieces.clear()
            pieces.append(first)
            _refuse_long_line(pieces)
        if end > 0:
            yield b"".join(reversed(pieces)) + b"\n"


def rotated(path: Path) -> tuple[Path, ...]:
    """The rotated files of a log, the newest first; numbers may be missing among theirs."""
    with storage_errors(path.parent, "read"):
        names = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    return tuple(path.with_name(f"{path.name}.{n}") for n in rotation_numbers(path.name, names))


def rotation_numbers(log: str, names: Iterable[str]) -> list[int]:
    """The numbers of a log's rotated files among the names in its folder, the newest first."""
    form = re.compile(re.escape(log) + r"\.([1-9]\d{0,8})", re.ASCII)
    return sorted(int(match[1]) for match in map(form.fullmatch, names) if match)


def history_backwards(path: Path) -> Iterator[bytes]:
    """Yield the whole lines of a log and then of its rotated files, the last one first."""
    yield from lines_backwards(path)
    for older in rotated(path):
        yield from lines_backwards(older)


def torn_end(log: int) -> bytes:
    """Read what follows the last line break of an open log: nothing, if it ends with one.

    Raises:
        OSError: if it cannot be read, or that is longer than a line may be.
    """
    pieces: list[bytes] = []
    for block in _blocks_backwards(log, os.fstat(log).st_size):
        _, line_break, after = block.rpartition(b"\n")
        pieces.append(after)
        if line_break:
            break
        _refuse_long_line(pieces)
    return b"".join(reversed(pieces))


def refuse_what_is_no_file(descriptor: int) -> None:
    """Refuse what is open but cannot hold state: a folder, a pipe.

    Raises:
        OSError: if it is no regular file.
    """
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is not a regular file")


@contextmanager
def opened(path: Path) -> Iterator[int | None]:
    """Give an open descriptor of a file to read, or None where there is none.

    Raises:
        OSError: if it cannot be opened or is no file, as a pipe is none.
    """
    try:
        # Without O_NONBLOCK, opening a pipe waits for its other end.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        yield None
        return
    try:
        refuse_what_is_no_file(descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


def refuse_size(size: int, most_bytes: int) -> None:
    """Refuse what is larger than it may be.

    Raises:
        OSError: if it is.
    """
    if size > most_bytes:
        most = f"{most_bytes // MIB} MiB"
        raise OSError(errno.EFBIG, f"it has more than {most}, the most; shorten it or move it away")


def _refuse_long_line(pieces: list[bytes]) -> None:
    if len(pieces) * _BLOCK_BYTES > LONGEST_LINE_BYTES:
        most = f"{LONGEST_LINE_BYTES // MIB} MiB"
        raise OSError(errno.EFBIG, f"a line has more than {most}, the most; move the file away")


def _blocks_backwards(log: int, end: int) -> Iterator[bytes]:
    while end > 0:
        start = max(end - _BLOCK_BYTES, 0)
        yield os.pread(log, end - start, start)
        end = start
