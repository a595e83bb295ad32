"""The journal of a state directory: a batch is committed to it, and the files follow from it.

`commit` returns once a batch is on the disk; from then on it is what happened. `finish` brings the
files up from what is committed, has them reach the disk, and only then renames the journal: the
last batch that had a state is kept, so that a state that is lost later can be had from it. Both are
called under the lock.
"""

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tau_custom_command.contract.paths import STATE_FILE
from tau_custom_command.contract.writes import Change
from tau_custom_command.errors import StateUnusableError, StorageError
from tau_custom_command.hint import hint
from tau_custom_command.storage import apply, journal_format
from tau_custom_command.storage import read as file_reading
from tau_custom_command.storage.folders import FILE_MODE, NO_LINK
from tau_custom_command.storage.journal_format import Journal, NoteKind
from tau_custom_command.storage.read import storage_errors
from tau_custom_command.storage.sync import Syncing, write_whole

JOURNAL_FILE = ".journal"
DONE_FILE = ".journal.done"
"""The last journal that was completed and had a state: `recover` takes a lost state from it."""

_PIECE_BYTES = 1024 * 1024
_MOST_KEPT_BYTES = 64 * _PIECE_BYTES
"""A batch of up to so much is brought up from memory, which takes a sixth of a large cycle's time
less; a larger one is read back, piece by piece."""

_CHANGE_BYTES = 300
"""About what a change takes in memory beside its content."""

RENEWED_SECONDS = 10.0
"""How often the time of a journal at work is renewed: a reader takes one that is two minutes old
for that of a cycle that was cut off (runbooks/state-files.md, "A cycle at work")."""


@contextmanager
def opened(root: Path, name: str = JOURNAL_FILE) -> Iterator[Journal]:
    """Give what the journal in `root` holds: nothing, where all that was committed is done.

    Its batches may be large, so they are read as they are asked for.

    Raises:
        StateUnusableError: if a newer version wrote it.
        StorageError: if it cannot be read.
    """
    path = root / name
    with storage_errors(path, "read"), file_reading.opened(path) as descriptor:
        if descriptor is None:
            yield journal_format.parse(lambda _position, _length: b"", 0)
            return
        try:
            found = journal_format.parse(_Pieces(descriptor).read, os.fstat(descriptor).st_size)
        except StateUnusableError as error:
            raise of_another_version(root, error, name) from None
        yield found


def of_another_version(
    root: Path, error: StateUnusableError, name: str = JOURNAL_FILE
) -> StateUnusableError:
    """The same error with the journal's name, and what to do where another version wrote it."""
    recover = hint("recover", state_dir=str(root))
    return StateUnusableError(
        f"{root / name}: {error}; run the version that wrote it, or see '{recover}'"
    )


class _Pieces:
    """Reads an open file in large pieces: most of what is asked for is in the last one."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._start, self._piece, self._is_last = descriptor, 0, b"", False

    def read(self, position: int, length: int) -> bytes:
        """Give so many bytes from a position on; fewer at the end."""
        start = position - self._start
        if start < 0 or (start + length > len(self._piece) and not self._is_last):
            wanted = max(length, _PIECE_BYTES)
            self._piece = os.pread(self._descriptor, wanted, position)
            self._start, self._is_last, start = position, len(self._piece) < wanted, 0
        return self._piece[start : start + length]


class Notebook:
    """The journal of a cycle that executes commands, while it runs: notes are added to it.

    From several threads: each that starts a process notes that itself.
    """

    def __init__(self, path: Path, descriptor: int, end: int, syncing: Syncing) -> None:
        """Go on after what is committed in the open journal."""
        self._path, self._descriptor, self._end = path, descriptor, end
        self._syncing, self._lock, self._is_on_disk = syncing, threading.Lock(), True

    def add(self, kind: NoteKind, content: bytes) -> None:
        """Add a note, which `sync` has reach the disk.

        Raises:
            StorageError: if the operating system refuses; there is then no such note.
        """
        raw = journal_format.note(kind, content)
        with self._lock, storage_errors(self._path, "write"):
            try:
                write_whole(self._descriptor, raw, self._end)
            except OSError:
                os.ftruncate(self._descriptor, self._end)
                raise
            self._end += len(raw)
            self._is_on_disk = False

    def sync(self) -> None:
        """Return once all notes are on the disk.

        Raises:
            StorageError: if they are not.
        """
        with self._lock, storage_errors(self._path, "write to the disk"):
            if not self._is_on_disk:
                self._syncing.file(self._descriptor)
                self._is_on_disk = True


@contextmanager
def noting(
    root: Path, syncing: Syncing, *, renewed_seconds: float = RENEWED_SECONDS
) -> Iterator[Notebook]:
    """Give the journal in `root` for a cycle to note in how far it is.

    Its time is renewed all the while: a command may run for hours in which nothing is noted.

    Raises:
        StateUnusableError: as `opened`.
        StorageError: if the operating system refuses.
    """
    path = root / JOURNAL_FILE
    with opened(root) as committed:
        pass
    with storage_errors(path, "write"):
        opened_file = os.open(path, os.O_RDWR | os.O_CREAT | NO_LINK, FILE_MODE)
        with apply.opened_for_writing(opened_file) as descriptor:
            os.ftruncate(descriptor, committed.end)
            syncing.folder(root)  # in case the journal was only just made
            with _renewed(descriptor, renewed_seconds):
                yield Notebook(path, descriptor, committed.end, syncing)


@contextmanager
def _renewed(descriptor: int, seconds: float) -> Iterator[None]:
    """Renew the time of an open file every so often, for as long as the block takes."""
    has_ended = threading.Event()

    def renew() -> None:
        while not has_ended.wait(seconds):
            with contextlib.suppress(OSError):  # a sign of life that fails must end nothing
                os.utime(descriptor)

    thread = threading.Thread(target=renew, name="journal")
    thread.start()
    try:
        yield
    finally:
        has_ended.set()
        thread.join()


def commit(
    root: Path, changes: Iterable[Change], syncing: Syncing, *, closes_cycle: bool = False
) -> tuple[Change, ...] | None:
    """Add a batch to the journal, and return once it is on the disk.

    One that `closes_cycle` settles what that cycle noted; no other may, since the notes go with it.

    Returns the changes for `finish`, where they are all that is committed, and not too large to be
    kept in memory; None otherwise.

    Raises:
        StateUnusableError: as `opened`, and where notes are to be settled first.
        StorageError: if the operating system refuses; the batch was then never committed.
    """
    path = root / JOURNAL_FILE
    with opened(root) as committed:
        pass
    if committed.noted and not closes_cycle:
        raise StateUnusableError(
            f"{root}: a cycle was cut off while it executed commands; nothing was written: close "
            f"it with '{hint('recover', '--yes', state_dir=str(root))}' first"
        )
    passing = _Kept(changes)
    with storage_errors(path, "write"):
        opened_file = os.open(path, os.O_RDWR | os.O_CREAT | NO_LINK, FILE_MODE)
        with apply.opened_for_writing(opened_file) as descriptor:
            try:
                os.ftruncate(descriptor, committed.end)  # what follows would hide the batch
                _write(descriptor, passing, committed.end)
                syncing.file(descriptor)
                syncing.folder(root)  # in case the journal was only just made
            except BaseException:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, committed.end)
                raise
    return None if committed.batches or passing.kept is None else tuple(passing.kept)


class _Kept:
    """Passes changes through, and keeps them while they are not too many.

    What one of them holds does not count where it is large: it was in memory as a whole before.
    """

    def __init__(self, changes: Iterable[Change]) -> None:
        self._changes = changes
        self.kept: list[Change] | None = []

    def __iter__(self) -> Iterator[Change]:
        room = _MOST_KEPT_BYTES
        for change in self._changes:
            if self.kept is not None:
                self.kept.append(change)
                room -= len(change.content) % _PIECE_BYTES + _CHANGE_BYTES
                if room < 0:
                    self.kept = None
            yield change


def finish(
    root: Path, syncing: Syncing, *, committed: Sequence[Change] | None = None
) -> tuple[str, ...]:
    """Bring the files up from what is committed, put the journal by, and return what is remarkable.

    What is `committed` is read from the journal, where it is not known.

    Raises:
        StateUnusableError: as `opened`.
        StorageError: if the operating system refuses; the journal then keeps its batches.
    """
    if committed is not None:
        return _finished(root, committed, syncing)
    with opened(root) as found:
        return _finished(root, found.changes(), syncing) if found.batches else ()


def _finished(root: Path, changes: Iterable[Change], syncing: Syncing) -> tuple[str, ...]:
    try:
        brought_up = apply.bring_up(root, changes)
        with storage_errors(root, "write to the disk"):
            syncing.touched(root, brought_up.paths, brought_up.made)
        _put_by(root, has_state=STATE_FILE in brought_up.paths)
    except StorageError as error:
        kept = f"the cycle is kept in {root / JOURNAL_FILE}, and completed once that is mended"
        raise StorageError(f"{error}; {kept}") from error
    return brought_up.remarks


def state_in(root: Path, name: str) -> bytes | None:
    """The `state.json` that a journal of this name holds; None where it holds none whole.

    Raises:
        StorageError: if it cannot be read.
    """
    with contextlib.suppress(StateUnusableError), opened(root, name) as journal:
        return journal.content_of(STATE_FILE)
    return None


def rename(root: Path, name: str) -> None:
    """Rename the journal: what it holds is then committed no more.

    Raises:
        StorageError: if the operating system refuses.
    """
    path = root / JOURNAL_FILE
    with storage_errors(path, f"rename to {name}"):
        path.rename(root / name)


def _put_by(root: Path, *, has_state: bool) -> None:
    if has_state:
        rename(root, DONE_FILE)
    else:  # the repair of a channel: the state is still that of the batch that is kept
        path = root / JOURNAL_FILE
        with storage_errors(path, "remove"):
            path.unlink()


def _write(descriptor: int, changes: Iterable[Change], offset: int) -> None:
    for content in journal_format.encode(changes):
        write_whole(descriptor, content, offset)
        offset += len(content)
