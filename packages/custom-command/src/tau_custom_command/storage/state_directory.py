"""A state directory: what is read from it, and how a closed cycle is written to it."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from tau_custom_command.contract.paths import CHANNEL_STORE, EVENT_LOG, STATE_FILE
from tau_custom_command.contract.state import ChainLink, StateFile
from tau_custom_command.contract.vocabulary import REGISTRY_CHANNEL, is_command_name
from tau_custom_command.contract.writes import AppendAt, AppendLines, Change, ReplaceFile, Write
from tau_custom_command.cycle.accounting import ClosedCycle
from tau_custom_command.cycle.event_chain import ChainEnd, chain_end
from tau_custom_command.errors import FormRefusedError, StateUnusableError
from tau_custom_command.hint import hint
from tau_custom_command.limits import LARGEST_STATE_FILE_BYTES, MIB
from tau_custom_command.storage import apply, locate, read
from tau_custom_command.storage import journal as journal_file
from tau_custom_command.storage.journal_format import Journal
from tau_custom_command.storage.lock import HeldLock
from tau_custom_command.storage.rotation import rotate
from tau_custom_command.storage.signals import interruptions_held
from tau_custom_command.storage.sync import Syncing


class OpenedState(NamedTuple):
    """What a cycle starts from; `state` is None before the first."""

    state: StateFile | None
    chain_end: ChainEnd
    warnings: tuple[str, ...]

    @property
    def updated_unix_ms(self) -> int:
        """When the last cycle ended; 0 before the first."""
        return 0 if self.state is None else self.state.health.updated_unix_ms


def read_state(root: Path) -> StateFile | None:
    """Read the state in the directory `root`; None if no cycle has been written there.

    A cycle that is committed to the journal counts, also where `state.json` does not show it yet.

    Raises:
        StateUnusableError: if `state.json` does not hold a state that this version reads.
        StorageError: if it cannot be read.
    """
    path = root / STATE_FILE
    with journal_file.opened(root) as journal:
        raw = journal.content_of(STATE_FILE) or read.read_state_file(path)
    if raw is None:
        return None
    try:
        return StateFile.parse(raw)
    except FormRefusedError as error:
        raise StateUnusableError(f"{path}: {error}; {_ways_out(root)}") from None


def open_state(root: Path, syncing: Syncing) -> OpenedState:
    """Read the state and the end of the event chain; to be called under the lock.

    A cycle that was cut off after it was committed is completed first.

    Raises:
        StateUnusableError: if they cannot be continued.
        StorageError: if a file cannot be read, or such a cycle cannot be completed.
    """
    completed = complete_committed(root, syncing)
    state, log = read_state(root), root / EVENT_LOG
    end = ChainEnd(cycle_number=0, sha256=None)
    if state is not None:
        end = chain_end(state.last_cycle, read.history_backwards(log))
    elif has_cycles(root):
        raise StateUnusableError(
            f"{root}: cycles were written here, but {STATE_FILE} is missing; {_ways_out(root)}"
        )
    warnings = filter(None, (*completed, end.warning))
    return OpenedState(state=state, chain_end=end, warnings=tuple(warnings))


def complete_committed(root: Path, syncing: Syncing) -> tuple[str, ...]:
    """Complete what the journal has committed, if anything, and return what there is to say of it.

    A `state.json` that is not the one before, as where a loss of power left it broken or somebody
    put an older one back, is kept beside the one that takes its place.

    Raises:
        StateUnusableError: if a newer version wrote the journal, or it is older than the state.
        StorageError: if the operating system refuses.
    """
    with journal_file.opened(root) as journal, interruptions_held():
        kept = _other_state_kept(root, journal) if journal.batches else ()
        remarks = (*kept, *journal_file.finish(root, syncing))
    if journal.batches:
        was = "the last cycle was cut off after it was committed; it has been completed"
        return (f"{root}: {was}", *remarks)
    if journal.size and not journal.noted:
        return (f"{root}: a cycle was cut off before it was committed; nothing of it remains",)
    return ()


def channel_names(root: Path) -> tuple[str, ...]:
    """The names of the channels in a state directory, sorted.

    Raises:
        StorageError: if the operating system refuses.
    """
    store = root / CHANNEL_STORE
    with read.storage_errors(store, "read"):
        names = sorted(path.name for path in store.iterdir()) if store.is_dir() else []
    return tuple(name for name in names if is_command_name(name) or name == REGISTRY_CHANNEL)


def has_cycles(root: Path) -> bool:
    """Tell whether there is a line in the event log or in that of a channel.

    Raises:
        StorageError: if the operating system refuses.
    """
    channels = (root / CHANNEL_STORE / name / "log.jsonl" for name in channel_names(root))
    logs = chain((root / EVENT_LOG,), channels)
    return any(True for log in logs for _ in read.history_backwards(log))


def write_cycle(
    lock: HeldLock,
    closed: ClosedCycle,
    channel_writes: Iterable[Write],
    syncing: Syncing,
    *,
    rotated_past: Mapping[str, int],
) -> tuple[str, ...]:
    """Write a closed cycle, channels, event and state, and return what there is to say of it.

    It is committed to the journal as a whole, or not at all. Interruptions wait until it is done.
    Logs past their limit in bytes are rotated first.

    Raises:
        StateDirectoryBusyError: if the lock was lost meanwhile; nothing was written.
        StateUnusableError: if the state would be larger than can be read back.
        StorageError: if the operating system refuses. `state.json` is then as it was; where the
            cycle was committed, the next run completes it.
    """
    root = lock.root
    told: list[str] = []

    def event_and_state() -> Iterator[Write]:
        yield AppendLines(path=EVENT_LOG, lines=(closed.event_line,))
        # It can be the largest file by far, so its bytes are made last.
        content, remarks = _state_within_limit(root / STATE_FILE, closed.state)
        told.extend(remarks)
        yield ReplaceFile(path=STATE_FILE, content=content)

    with interruptions_held():
        lock.check()  # rotating comes before the commit, and is for good
        rotate(root, rotated_past, syncing)
        writes = chain(channel_writes, event_and_state())
        remarks = write(lock, writes, syncing, closes_cycle=True)
    return (*told, *remarks)


def _state_within_limit(path: Path, state: StateFile) -> tuple[bytes, tuple[str, ...]]:
    """The state as bytes that can be read back, and what there is to say of that.

    What commands wrote is left out where it would be too much: the channels have it. A cycle whose
    commands ran has to be closed, however much that is.

    Raises:
        StateUnusableError: if it is too large without that, too.
    """
    content = state.as_document()
    if len(content) <= LARGEST_STATE_FILE_BYTES:
        return content, ()
    records = tuple(record.without_output() for record in state.commands)
    content = replace(state, commands=records).as_document()
    most = f"{path}: would have more than {LARGEST_STATE_FILE_BYTES // MIB} MiB"
    if len(content) > LARGEST_STATE_FILE_BYTES:
        raise StateUnusableError(
            f"{most}, which is the most that is read back; nothing was written: delete commands, "
            "or give this fixture another --state-dir"
        )
    return content, (f"{most} with what commands wrote, which the channels alone have now",)


def write(
    lock: HeldLock, writes: Iterable[Write], syncing: Syncing, *, closes_cycle: bool = False
) -> tuple[str, ...]:
    """Commit writes as a whole, bring the files up, and return what there is to say of it.

    Every commit goes through here, since what it rests on was read a while ago: whoever removed
    the lock file, or moved the directory, let another runner in.

    Raises:
        StateDirectoryBusyError: if the lock was lost meanwhile; nothing was committed.
        StateUnusableError: if a cycle that executed commands is to be closed first.
        StorageError: if the operating system refuses.
    """
    lock.check()
    changes = _while_held(lock, locate.place(lock.root, writes))
    committed = journal_file.commit(lock.root, changes, syncing, closes_cycle=closes_cycle)
    return journal_file.finish(lock.root, syncing, committed=committed)


def _while_held(lock: HeldLock, changes: Iterable[Change]) -> Iterator[Change]:
    """Pass the changes through, which may be long in the making, and then check the lock again.

    The end of the batch is written only after it, and without an end it is not committed.
    """
    yield from changes
    lock.check()


def _other_state_kept(root: Path, journal: Journal) -> tuple[str, ...]:
    """Keep a `state.json` that is neither what the batch makes of it nor what it was made from.

    Raises:
        StateUnusableError: if it, or the state of the cycle that was completed last, is newer than
            the batch, which was then done long ago.
    """
    raw = read.read_state_file(root / STATE_FILE)
    own = journal.content_of(STATE_FILE)
    if own is None or raw == own:
        return ()
    before = _previous_digests(journal)
    _refuse_newer(root / STATE_FILE, raw, own, before)
    done = journal_file.DONE_FILE
    _refuse_newer(root / done, journal_file.state_in(root, done), own, before)
    if not raw:
        return ()
    try:
        if StateFile.parse(raw).last_cycle.event_sha256 in before:
            return ()
        reason = "is not the state that the cycle in the journal was made from"
    except FormRefusedError as error:
        reason = str(error)
    kept = read.corrupt_path(root, STATE_FILE, raw)
    apply.bring_up(root, [ReplaceFile(path=kept, content=raw)])
    return (f"{root / STATE_FILE}: {reason}; it is kept in {kept}",)


def _refuse_newer(path: Path, raw: bytes | None, own: bytes, before: set[str | None]) -> None:
    """Refuse a batch that makes the state `own` where a file holds a newer one."""
    if not raw or raw == own or not (StateFile.is_read(raw) and StateFile.is_read(own)):
        return
    last, new = StateFile.parse(raw).last_cycle, StateFile.parse(own).last_cycle
    if last.event_sha256 not in before and last.cycle_number >= new.cycle_number:
        raise StateUnusableError(
            f"{path}: is of cycle {last.cycle_number}, and the journal beside it of cycle "
            f"{new.cycle_number}, as in a copy that was made while a runner was at work: copy the "
            f"directory again, or move {journal_file.JOURNAL_FILE} away"
        )


def _previous_digests(journal: Journal) -> set[str | None]:
    """What the events in a journal continue, each the digest of the line before it."""
    return {
        ChainLink.parse(line).previous_sha256
        for change in journal.changes()
        if isinstance(change, AppendAt) and change.path == EVENT_LOG
        for line in change.content.splitlines()
        if ChainLink.is_read(line)
    }


def _ways_out(root: Path) -> str:
    recover = f"'{hint('recover', state_dir=str(root))}'"
    return f"everything is left as it is: put it back from a copy, or see what {recover} can do"
