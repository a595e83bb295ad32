"""The journal of a state directory: a batch is committed to it, and the files follow from it.

`commit` returns once a batch is on the disk; from then on it is what happened. `finish` brings the
files up from what is committed, has them reach the disk, and only then empties the journal. Both
are called under the lock.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from tau_custom_command import journal, storage
from tau_custom_command.durability import Syncing
from tau_custom_command.errors import StateUnusableError, StorageError
from tau_custom_command.file_reading import read_state_file, storage_errors
from tau_custom_command.journal import Journal
from tau_custom_command.writes import Change, ReplaceFile

JOURNAL_FILE = ".journal"
_PIECE_BYTES = 1024 * 1024


def read(root: Path) -> Journal:
    """Return what the journal in `root` holds: nothing, where all that was committed is done.

    Raises:
        StateUnusableError: if a newer version wrote it.
        StorageError: if it cannot be read.
    """
    path = root / JOURNAL_FILE
    try:
        return journal.parse(read_state_file(path) or b"")
    except StateUnusableError as error:
        raise StateUnusableError(
            f"{path}: {error}; run the version that wrote it, or see "
            f"'tau-custom-command recover --state-dir {root}'"
        ) from None


def commit(root: Path, changes: Iterable[Change], syncing: Syncing) -> None:
    """Add a batch to the journal, and return once it is on the disk.

    Raises:
        StateUnusableError: as `read`.
        StorageError: if the operating system refuses; the batch was then never committed.
    """
    path = root / JOURNAL_FILE
    committed = read(root)
    with storage_errors(path, "write"):
        descriptor = storage.open_for_writing(os.fspath(path), None, os.O_RDWR)
        try:
            os.ftruncate(descriptor, committed.end)  # what follows would hide the batch
            _write(descriptor, changes, committed.end)
            syncing.file(descriptor)
            syncing.folder(root)  # in case the journal was only just made
        except BaseException:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, committed.end)
            raise
        finally:
            os.close(descriptor)


def finish(root: Path, syncing: Syncing) -> tuple[str, ...]:
    """Bring the files up from what is committed, empty the journal, and return what is remarkable.

    Raises:
        StateUnusableError: as `read`.
        StorageError: if the operating system refuses; the journal then keeps its batches.
    """
    found = read(root)
    remarks: tuple[str, ...] = ()
    try:
        if found.batches:
            brought_up = storage.bring_up(root, found.changes())
            remarks = brought_up.remarks
            with storage_errors(root, "write to the disk"):
                syncing.touched(root, brought_up.paths)
        if found.size:
            _empty(root / JOURNAL_FILE)
    except StorageError as error:
        if not found.batches:
            raise
        raise StorageError(
            f"{error}; the cycle is kept in {root / JOURNAL_FILE}, and the next run completes it"
        ) from error
    return remarks


def put_aside(root: Path, kept: ReplaceFile, syncing: Syncing) -> None:
    """Write a journal that cannot be read to another file, and only then empty it.

    Raises:
        StorageError: if the operating system refuses.
    """
    brought_up = storage.bring_up(root, [kept])
    with storage_errors(root, "write to the disk"):
        syncing.touched(root, brought_up.paths)
    _empty(root / JOURNAL_FILE)


def _empty(path: Path) -> None:
    with storage_errors(path, "empty"):
        descriptor = storage.open_for_writing(os.fspath(path), None, os.O_RDWR)
        try:
            os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)


def _write(descriptor: int, changes: Iterable[Change], offset: int) -> None:
    for content in _in_large_pieces(journal.encode(changes)):
        storage.write_whole(descriptor, content, offset)
        offset += len(content)


def _in_large_pieces(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in few pieces, most often in one."""
    gathered = bytearray()
    for piece in pieces:
        gathered += piece
        if len(gathered) >= _PIECE_BYTES:
            yield bytes(gathered)
            gathered.clear()
    yield bytes(gathered)
