"""Artifacts on the disk: stored when an attempt has ended, removed when they have expired.

A file is there, on the disk, before the journal names it, and not by way of the journal: it would
be written three times. What a crash leaves of one that was never named is `forget` to remove.
"""

import os
import stat
from contextlib import suppress

from tau_custom_command.contract.channel import ArtifactEntry
from tau_custom_command.contract.paths import ARTIFACT_INDEX, CHANNEL_STORE
from tau_custom_command.contract.writes import ReplaceFile
from tau_custom_command.cycle.artifacts import Attempt, artifacts_of, retained, shortened
from tau_custom_command.cycle.execution import Ended
from tau_custom_command.storage import apply
from tau_custom_command.storage.folders import FolderWalk, walking
from tau_custom_command.storage.lock import HeldLock
from tau_custom_command.storage.read import read_open, storage_errors
from tau_custom_command.storage.signals import interruptions_held
from tau_custom_command.storage.state_directory import channel_names, write
from tau_custom_command.storage.sync import Syncing


def store(  # noqa: PLR0913 - whose output, of what, where, and how long it is kept
    lock: HeldLock,
    channel: str,
    attempt: Attempt,
    ended: Ended,
    syncing: Syncing,
    *,
    now_unix_ms: int,
    days: int | None,
) -> Ended:
    """Store the output of an attempt that its record cuts, and return it as short as that is.

    It expires after `days`, None for never. Several threads may store at once.

    Raises:
        StateDirectoryBusyError: if the lock was lost meanwhile.
        StorageError: if the operating system refuses.
    """
    entries: list[ArtifactEntry] = []
    for entry, content in artifacts_of(attempt, ended, now_unix_ms=now_unix_ms, days=days):
        lock.check()
        path = f"{CHANNEL_STORE}/{channel}/{entry.relative_path}"
        apply.store_file(lock.root, path, content, syncing)
        entries.append(entry)
    return shortened(ended, entries)


def forget(lock: HeldLock, channel: str, attempt: Attempt) -> None:
    """Remove what is stored of an attempt that was cut off: no index will name it.

    Raises:
        StateDirectoryBusyError: if the lock was lost meanwhile.
        StorageError: if the operating system refuses.
    """
    lock.check()
    with walking(lock.root, make_missing=False) as folders:
        for path in attempt.files(channel):
            with storage_errors(lock.root / path, "remove"), suppress(FileNotFoundError):
                folders.unlink(path)


def remove_expired(lock: HeldLock, syncing: Syncing, *, now_unix_ms: int) -> tuple[str, ...]:
    """Remove the artifacts of all channels that have expired; return what there is to say of it.

    The files go first, then the lines of the indexes that name them: cut off in between, it is
    completed the next time. What no index names stays, and so does what is a link or no file.

    Raises:
        StateDirectoryBusyError: if the lock was lost meanwhile.
        StorageError: if the operating system refuses.
    """
    root, indexes, remarks = lock.root, list[ReplaceFile](), list[str]()
    with interruptions_held():
        lock.check()
        with walking(root, make_missing=False) as folders:
            for channel in channel_names(root):
                path = f"{CHANNEL_STORE}/{channel}/{ARTIFACT_INDEX}"
                with storage_errors(root / path, "remove what has expired"):
                    index = _index(path, folders)
                    found = retained(index, now_unix_ms=now_unix_ms)
                    for name in found.expired:
                        file = f"{CHANNEL_STORE}/{channel}/{name}"
                        if not _removed(file, folders):
                            remarks.append(f"{root / file}: is no file, so it was not removed")
                if found.rest != index:
                    indexes.append(ReplaceFile(path=path, content=found.rest))
        if indexes:
            remarks += write(lock, indexes, syncing)
    return tuple(remarks)


def _index(path: str, folders: FolderWalk) -> bytes:
    """What an index holds; nothing where there is none, as where a file lies among the channels."""
    try:
        descriptor = folders.open(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    try:
        return read_open(descriptor)
    finally:
        os.close(descriptor)


def _removed(path: str, folders: FolderWalk) -> bool:
    """Remove a file, if it is there; False where something else has its name."""
    found = folders.stat(path)
    if found is not None and not stat.S_ISREG(found.st_mode):
        return False
    if found is not None:
        folders.unlink(path)
    return True
