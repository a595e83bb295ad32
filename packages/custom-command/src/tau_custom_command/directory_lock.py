"""One runner at a time: the lock of a state directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tau_custom_command.errors import StateDirectoryBusyError
from tau_custom_command.file_reading import storage_errors
from tau_custom_command.folders import make_folder, own_umask

_LOCK_FILE = ".lock"
_FILE_MODE = 0o600
_POLL_SECONDS = 0.05


@contextmanager
def locked(root: Path, *, wait_seconds: float) -> Iterator[None]:
    """Hold the lock of the state directory, which is made if it is not there, with `own_umask`.

    The lock is `flock` on a file of its own, which the kernel releases when the process ends,
    however it ends. The file names the holder for those who find it locked.

    Raises:
        StateDirectoryBusyError: if another process still holds it after `wait_seconds`.
        StorageError: if the operating system refuses.
    """
    with own_umask():
        with storage_errors(root, "open"):
            make_folder(root)
        with _held(root, wait_seconds):
            yield


@contextmanager
def _held(root: Path, wait_seconds: float) -> Iterator[None]:
    deadline = time.monotonic() + wait_seconds
    while (lock := _taken(root / _LOCK_FILE)) is None:
        if time.monotonic() >= deadline:
            holder = _holder(root / _LOCK_FILE)
            raise StateDirectoryBusyError(
                f"{root}: locked by {holder}; wait for it to end, or pass --wait SECONDS"
            )
        time.sleep(_POLL_SECONDS)
    try:
        with storage_errors(root / _LOCK_FILE, "write"):
            os.fchmod(lock, _FILE_MODE)
            os.ftruncate(lock, 0)
            os.pwrite(lock, b"%d\n" % os.getpid(), 0)
        yield
    finally:
        os.close(lock)


def _taken(path: Path) -> int | None:
    """Return the open descriptor of the lock file if the lock is ours now, else None."""
    with storage_errors(path, "open"):
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        lock = os.open(path, flags, _FILE_MODE)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever removed the file while we opened it made it lock nothing.
            if os.path.samestat(os.fstat(lock), path.stat()):
                return lock
        except (BlockingIOError, FileNotFoundError):
            pass
        except OSError:
            os.close(lock)
            raise
        os.close(lock)
        return None


def _holder(path: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        return f"the process {int(path.read_bytes()[:20])}"
    return "another runner"
