"""One change at a time: the lock of a rollout directory."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tau_rollout_gate.errors import BusyError
from tau_rollout_gate.files.disk.aside import clear_way, is_in_the_way
from tau_rollout_gate.files.storage import closing, open_for_writing, storage_errors

LOCK_FILE = ".lock"
_POLL_SECONDS = 0.02


@contextmanager
def locked(folder: int, root: Path, *, wait_seconds: float) -> Iterator[None]:
    """Hold the lock of an open rollout directory.

    It is `flock` on a file of its own, which the kernel releases when the process ends, however it
    ends. Nothing removes that file.

    Raises:
        BusyError: if another process still holds it after `wait_seconds`.
        StorageError: if the operating system refuses.
    """
    with storage_errors(root / LOCK_FILE, "open"):
        _clear_way(folder)
        lock = open_for_writing(LOCK_FILE, folder, os.O_RDWR)
    with closing(lock):
        deadline = time.monotonic() + wait_seconds
        while not _is_taken(lock, root):
            if time.monotonic() >= deadline:
                raise BusyError(
                    f"{root}: another tau-rollout-gate has been changing it for "
                    f"{wait_seconds:g} s; ask again when it is done"
                )
            time.sleep(_POLL_SECONDS)
        yield


def _clear_way(folder: int) -> None:
    """Set aside what is no file, under a lock of the folder: else two could each make a lock."""
    if is_in_the_way(LOCK_FILE, folder):
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            clear_way(LOCK_FILE, folder)
        finally:
            fcntl.flock(folder, fcntl.LOCK_UN)


def _is_taken(lock: int, root: Path) -> bool:
    with storage_errors(root / LOCK_FILE, "lock"):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
