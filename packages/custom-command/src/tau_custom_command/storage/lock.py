"""One runner at a time: the lock of a state directory; and one that writes its approvals."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tau_custom_command.errors import StateDirectoryBusyError
from tau_custom_command.storage.folders import make_folder, own_umask
from tau_custom_command.storage.read import refuse_what_is_no_file, storage_errors

_LOCK_FILE = ".lock"
APPROVALS_LOCK_FILE = ".approvals.lock"
"""For what may be done while a cycle is at work."""
_FILE_MODE = 0o600
_POLL_SECONDS = 0.05


class HeldLock(NamedTuple):
    """A lock of the state directory `root`, as long as it is held."""

    root: Path
    descriptor: int
    file: str = _LOCK_FILE

    def check(self) -> None:
        """Hold that the lock file is still the one that is held: else it keeps nobody out.

        It is found by its name, as every file that is written is: where the directory, or a link
        above it, now leads elsewhere, this is not the directory that was locked.

        Raises:
            StateDirectoryBusyError: if it is not.
            StorageError: if the operating system refuses.
        """
        path = self.root / self.file
        with storage_errors(path, "check"):
            is_held = _is_at(path, self.descriptor)
        if not is_held:
            raise StateDirectoryBusyError(
                f"{self.root}: the lock is lost: {self.file} was removed, or the directory was "
                "moved or replaced, while this was at work, so another runner may have run here; "
                "nothing more was written: run it again, and leave both in place until it ends"
            )


@contextmanager
def locked(root: Path, *, wait_seconds: float, file: str = _LOCK_FILE) -> Iterator[HeldLock]:
    """Hold a lock of the state directory, which is made if it is not there, with `own_umask`.

    The lock is `flock` on a file of its own, which the kernel releases when the process ends,
    however it ends. The file names the holder for those who find it locked.

    Raises:
        StateDirectoryBusyError: if another process still holds it after `wait_seconds`.
        StorageError: if the operating system refuses.
    """
    with own_umask():
        with storage_errors(root, "open"):
            make_folder(root)
        with _held(root, wait_seconds, file) as lock:
            yield lock


@contextmanager
def _held(root: Path, wait_seconds: float, file: str) -> Iterator[HeldLock]:
    deadline = time.monotonic() + wait_seconds
    while (lock := _taken(root / file)) is None:
        if time.monotonic() >= deadline:
            holder = _holder(root / file)
            raise StateDirectoryBusyError(
                f"{root}: locked by {holder}; wait for it to end, or pass --wait 30s"
            )
        time.sleep(_POLL_SECONDS)
    try:
        with storage_errors(root / file, "write"):
            os.fchmod(lock, _FILE_MODE)
            os.ftruncate(lock, 0)
            os.pwrite(lock, b"%d\n" % os.getpid(), 0)
        yield HeldLock(root=root, descriptor=lock, file=file)
    finally:
        os.close(lock)


def _taken(path: Path) -> int | None:
    """Try to take the lock: the open descriptor of its file if it is ours now, else None."""
    with storage_errors(path, "open"):
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        lock = os.open(path, flags, _FILE_MODE)
        try:
            refuse_what_is_no_file(lock)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever removed the file while we opened it made it lock nothing.
            if _is_at(path, lock):
                return lock
        except BlockingIOError:
            pass
        except OSError:
            os.close(lock)
            raise
        os.close(lock)
        return None


def _is_at(path: Path, descriptor: int) -> bool:
    """Tell whether the open file is the one of this name, and not by way of a link."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except (FileNotFoundError, NotADirectoryError):
        return False


def _holder(path: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        return f"the process {int(path.read_bytes()[:20])}"
    return "another runner"
