"""The one module that changes files: whole lines appended, whole files replaced, one writer.

Files are 0600 and folders 0700 whatever the umask, since output may hold secrets. Symbolic links
are not followed when a file is written.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import assert_never

from tau_custom_command.errors import StateDirectoryBusyError, StorageError
from tau_custom_command.writes import AppendLines, CreateFile, ReplaceFile, Write

_FOLDER_MODE = 0o700
_FILE_MODE = 0o600
_LOCK_FILE = ".lock"
_LOCK_POLL_SECONDS = 0.05
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


def is_torn(path: Path) -> bool:
    """Tell whether a JSON Lines file ends in the middle of a line; a missing one does not."""
    with storage_errors(path, "read"):
        try:
            with path.open("rb") as log:
                return bool(_torn_end(log.fileno()))
        except FileNotFoundError:
            return False


def lines_backwards(path: Path) -> Iterator[bytes]:
    """Yield the whole lines of a JSON Lines file with their line breaks, the last one first.

    A torn end is left out. Yields nothing where there is no such file.
    """
    with storage_errors(path, "read"):
        try:
            log = path.open("rb")
        except FileNotFoundError:
            return
        with log:
            start = os.fstat(log.fileno()).st_size
            start -= len(_torn_end(log.fileno()))
            later = b""
            while start > 0:
                step = min(_BLOCK_BYTES, start)
                start -= step
                first, *lines = (os.pread(log.fileno(), step, start) + later).split(b"\n")
                # The piece after the last line break is empty; the first may begin further ahead.
                yield from (line + b"\n" for line in reversed(lines[:-1]))
                later = first + b"\n"
            if later:
                yield later


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


def create_file(path: Path, content: bytes) -> None:
    """Write a file of the operator's own, with ordinary permissions.

    Raises:
        StorageError: if there is a file already, or the operating system refuses.
    """
    with storage_errors(path, "create"), path.open("xb") as file:
        try:
            file.write(content)
            file.flush()
        except OSError:
            path.unlink()
            raise


@contextmanager
def locked(root: Path, *, wait_seconds: float) -> Iterator[None]:
    """Hold the lock of the state directory, which is made if it is not there.

    The lock is `flock` on a file of its own, which the kernel releases when the process ends,
    however it ends. The file names the holder for those who find it locked.

    Raises:
        StateDirectoryBusyError: if another process still holds it after `wait_seconds`.
    """
    with storage_errors(root, "open"):
        _make_folder(root)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        lock = os.open(root / _LOCK_FILE, flags, _FILE_MODE)
    try:
        deadline = time.monotonic() + wait_seconds
        while not _try_lock(lock):
            if time.monotonic() >= deadline:
                raise StateDirectoryBusyError(_busy_message(root, lock))
            time.sleep(_LOCK_POLL_SECONDS)
        with storage_errors(root / _LOCK_FILE, "write"):
            os.fchmod(lock, _FILE_MODE)
            os.ftruncate(lock, 0)
            os.pwrite(lock, b"%d\n" % os.getpid(), 0)
        yield
    finally:
        os.close(lock)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _busy_message(root: Path, lock: int) -> str:
    holder = "another runner"
    with contextlib.suppress(OSError, ValueError):
        holder = f"the process {int(os.pread(lock, 20, 0))}"
    return f"{root}: locked by {holder}; wait for it to end, or pass --wait SECONDS"


def _make_folder(path: Path) -> None:
    """Make a folder and those above it that are missing, each 0700."""
    if path.is_dir():
        return
    _make_folder(path.parent)
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
    flags |= os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(name, flags, _FILE_MODE, dir_fd=folder)
    os.fchmod(descriptor, _FILE_MODE)
    return descriptor


def _append_lines(name: str, folder: int, lines: tuple[bytes, ...]) -> None:
    """Append whole lines, each by one write; what is torn at the end is moved aside first."""
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


def _replace_file(name: str, folder: int, content: bytes) -> None:
    new = f"{name}.new"
    descriptor = _open_for_writing(new, folder, os.O_WRONLY | os.O_TRUNC)
    try:
        _write_whole(descriptor, content)
    finally:
        os.close(descriptor)
    os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)


def _write_whole(descriptor: int, content: bytes) -> None:
    written = os.write(descriptor, content)
    while written < len(content):  # a signal or a full disk can cut a write short
        written += os.write(descriptor, content[written:])


def _torn_end(log: int) -> bytes:
    """Return what follows the last line break of an open log: nothing, if it ends with one."""
    start = os.fstat(log).st_size
    torn = b""
    while start > 0 and b"\n" not in torn:
        step = min(_BLOCK_BYTES, start)
        start -= step
        torn = os.pread(log, step, start) + torn
    return torn.rpartition(b"\n")[2]
