"""The one module that changes state files: whole lines appended, whole files replaced.

Files are 0600 and folders 0700 whatever the umask, since output may hold secrets. Symbolic links
are not followed when a file is written.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import assert_never

from tau_custom_command.errors import StorageError
from tau_custom_command.writes import AppendLines, CreateFile, ReplaceFile, Write

_FOLDER_MODE = 0o700
_FILE_MODE = 0o600
_BLOCK_BYTES = 64 * 1024


@contextmanager
def storage_errors(path: Path, action: str) -> Iterator[None]:
    """Turn what the operating system refuses into an error that says what could not be done.

    Raises:
        StorageError: instead of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path}: cannot {action}: {error.strerror or error}") from error


def read_file(path: Path) -> bytes | None:
    """Return the bytes of a file; None where there is none."""
    with storage_errors(path, "read"):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None


def read_state_file(path: Path) -> bytes | None:
    """Return the bytes of a file in a state directory; None where there is none.

    Raises:
        StorageError: if it cannot be read, or is no file: opening a pipe would wait for ever.
    """
    with storage_errors(path, "read"), _opened_for_reading(path) as descriptor:
        if descriptor is None:
            return None
        with open(descriptor, "rb", closefd=False) as file:
            return file.read()


def is_torn(path: Path) -> bool:
    """Tell whether a JSON Lines file ends in the middle of a line; a missing one does not."""
    with storage_errors(path, "read"), _opened_for_reading(path) as log:
        return log is not None and bool(_torn_end(log))


def lines_backwards(path: Path) -> Iterator[bytes]:
    """Yield the whole lines of a JSON Lines file with their line breaks, the last one first.

    A torn end is left out. Yields nothing where there is no such file.
    """
    with storage_errors(path, "read"), _opened_for_reading(path) as log:
        if log is None:
            return
        end = os.fstat(log).st_size - len(_torn_end(log))
        pieces: list[bytes] = []  # of the line that is being read, its end first
        for block in _blocks_backwards(log, end - 1):
            first, *lines = block.split(b"\n")
            for line in reversed(lines):
                pieces.append(line)
                yield b"".join(reversed(pieces)) + b"\n"
                pieces.clear()
            pieces.append(first)
        if end > 0:
            yield b"".join(reversed(pieces)) + b"\n"


def write_all(root: Path, writes: Iterable[Write]) -> None:
    """Carry out the writes below `root`, a folder that is there, in their order.

    Raises:
        StorageError: at the first write that the operating system refuses; a file is then as it
            was, or holds the write whole.
    """
    with storage_errors(root, "open"):
        folders = _FolderWalk(root)
    with contextlib.closing(folders):
        for write in writes:
            folder, _, name = write.path.rpartition("/")
            with storage_errors(root / write.path, "write"):
                _carry_out(write, name, folders.descriptor_of(folder))


def append_and_replace(root: Path, append: AppendLines, replace: ReplaceFile) -> None:
    """Append to one file of `root` and replace another: both, or neither.

    Only the end of the process between two system calls can leave the first without the second.

    Raises:
        StorageError: if the operating system refuses; both files are then as they were.
    """
    with storage_errors(root, "open"):
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with storage_errors(root / replace.path, "write"), _prepared(replace, folder) as put:
            with storage_errors(root / append.path, "write"):
                size = _append_lines(append.path, folder, append.lines)
            try:
                put()
            except OSError:
                os.truncate(root / append.path, size)
                raise
    finally:
        os.close(folder)


def create_file(path: Path, content: bytes) -> None:
    """Write a file of the operator's own, with ordinary permissions.

    Raises:
        StorageError: if there is a file already, or the operating system refuses.
    """
    with storage_errors(path, "create"):
        path.parent.mkdir(parents=True, exist_ok=True)
        _create(path, content)


def _create(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        try:
            file.write(content)
            file.flush()
        except OSError:
            path.unlink()
            raise


def make_folder(path: Path) -> None:
    """Make a folder and those above it that are missing, each 0700.

    Raises:
        OSError: if the operating system refuses.
    """
    if path.is_dir():
        return
    make_folder(path.parent)
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=_FOLDER_MODE)
        path.chmod(_FOLDER_MODE)  # mkdir's mode is cut by the umask


class _FolderWalk:
    """Goes from folder to folder below a root, making what is missing and following no links.

    Each folder is opened from the one above it, which is what keeps a link in the middle of a path
    from leading elsewhere; the way to the last one stays open, since the next is often near.
    """

    def __init__(self, root: Path) -> None:
        self._names: list[str] = []
        self._descriptors = [os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]

    def descriptor_of(self, folder: str) -> int:
        """Return the open descriptor of a folder, as good as until the next call."""
        names = folder.split("/") if folder else []
        while self._names != names[: len(self._names)]:
            self._names.pop()
            os.close(self._descriptors.pop())
        for name in names[len(self._names) :]:
            self._descriptors.append(_open_folder(name, self._descriptors[-1]))
            self._names.append(name)
        return self._descriptors[-1]

    def close(self) -> None:
        """Close what is open."""
        while self._descriptors:
            os.close(self._descriptors.pop())


def _open_folder(name: str, above: int) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(name, flags, dir_fd=above)
    except FileNotFoundError:
        os.mkdir(name, _FOLDER_MODE, dir_fd=above)
        os.chmod(name, _FOLDER_MODE, dir_fd=above)  # mkdir's mode is cut by the umask
        return os.open(name, flags, dir_fd=above)


def _carry_out(write: Write, name: str, folder: int) -> None:
    match write:
        case AppendLines(lines=lines):
            _append_lines(name, folder, lines)
        case ReplaceFile(content=content):
            _replace_file(name, folder, content)
        case CreateFile(content=content):
            try:
                os.stat(name, dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                _replace_file(name, folder, content)
        case _:
            assert_never(write)


def _open_for_writing(name: str, folder: int, flags: int) -> int:
    flags |= os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(name, flags, _FILE_MODE, dir_fd=folder)
    try:
        _refuse_what_is_no_file(descriptor)
        os.fchmod(descriptor, _FILE_MODE)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _append_lines(name: str, folder: int, lines: tuple[bytes, ...]) -> int:
    """Append whole lines, each by one write, and return the size before.

    What is torn at the end is moved aside first.
    """
    log = _open_for_writing(name, folder, os.O_RDWR | os.O_APPEND)
    try:
        size = os.fstat(log).st_size
        if size and os.pread(log, 1, size - 1) != b"\n":
            torn = _torn_end(log)
            _append_lines(f"{name}.corrupt", folder, (torn + b"\n",))
            size -= len(torn)
            os.ftruncate(log, size)
        try:
            for line in lines:
                _write_whole(log, line)
        except OSError:
            os.ftruncate(log, size)  # half a line is worse than none
            raise
    finally:
        os.close(log)
    return size


def _replace_file(name: str, folder: int, content: bytes) -> None:
    with _prepared(ReplaceFile(path=name, content=content), folder) as put:
        put()


@contextmanager
def _prepared(replace: ReplaceFile, folder: int) -> Iterator[Callable[[], None]]:
    """Write a file's new content beside it, and give what puts it in its place at once."""
    name, new = replace.path, f"{replace.path}.new"
    descriptor = _open_for_writing(new, folder, os.O_WRONLY | os.O_TRUNC)
    try:
        try:
            _write_whole(descriptor, replace.content)
        finally:
            os.close(descriptor)
        yield lambda: os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new, dir_fd=folder)  # it would take room where there may be none
        raise


def _write_whole(descriptor: int, content: bytes) -> None:
    written = os.write(descriptor, content)
    while written < len(content):  # a signal or a full disk can cut a write short
        written += os.write(descriptor, content[written:])


@contextmanager
def _opened_for_reading(path: Path) -> Iterator[int | None]:
    """Give an open descriptor of a file, or None where there is none; a pipe is refused."""
    try:
        # Without O_NONBLOCK, opening a pipe waits for its other end.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        yield None
        return
    try:
        _refuse_what_is_no_file(descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


def _refuse_what_is_no_file(descriptor: int) -> None:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is not a regular file")


def _blocks_backwards(log: int, end: int) -> Iterator[bytes]:
    while end > 0:
        start = max(end - _BLOCK_BYTES, 0)
        yield os.pread(log, end - start, start)
        end = start


def _torn_end(log: int) -> bytes:
    """Return what follows the last line break of an open log: nothing, if it ends with one."""
    pieces: list[bytes] = []
    for block in _blocks_backwards(log, os.fstat(log).st_size):
        _, line_break, after = block.rpartition(b"\n")
        pieces.append(after)
        if line_break:
            break
    return b"".join(reversed(pieces))
