"""`recover`: what is broken in a state directory, what can be made of it, and doing that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tau_custom_command.contract.writes import CHANNEL_STORE, EVENT_LOG, STATE_FILE, ReplaceFile
from tau_custom_command.cycle.rebuilding import ChannelRemains, Rebuilt, Recovery, rebuild
from tau_custom_command.errors import StateUnusableError, StorageError
from tau_custom_command.storage import journal as journal_file
from tau_custom_command.storage import read
from tau_custom_command.storage.lock import HeldLock, locked
from tau_custom_command.storage.signals import interruptions_held
from tau_custom_command.storage.state_directory import (
    channel_names,
    complete_committed,
    has_channel_entries,
    read_state,
    write,
)
from tau_custom_command.storage.sync import TO_DISK


def recover(root: Path, *, carry_out: bool, wait_seconds: float) -> Recovery:
    """Return what recovers the state directory `root`; do it if `carry_out`.

    Raises:
        StateDirectoryBusyError: if a runner is at work there, or the lock is lost.
        StateUnusableError: if nothing can be rebuilt.
        StorageError: if there is no such directory, or a file cannot be read or written.
    """
    if not root.is_dir():
        raise StorageError(f"{root}: there is no such directory; pass --state-dir")
    with locked(root, wait_seconds=wait_seconds) as lock, interruptions_held():
        journal_steps = journal_recovered(root, carry_out=carry_out)
        if not _needs_state(root):
            return Recovery(steps=journal_steps)
        try:
            rebuilt = rebuild(read.history_backwards(root / EVENT_LOG), tuple(_channels(root)))
        except StateUnusableError as error:
            raise StateUnusableError(f"{root}: {error}") from None
        steps = tuple(_state_replaced(lock, rebuilt, carry_out=carry_out))
    return Recovery(steps=(*journal_steps, *steps), lost=rebuilt.lost)


def journal_recovered(root: Path, *, carry_out: bool) -> tuple[str, ...]:
    """Complete what is committed, if `carry_out`; put a journal of a newer version aside.

    Returns what was done, or would be. To be called under the lock.

    Raises:
        StorageError: if a file cannot be read or written.
    """
    try:
        with journal_file.opened(root) as journal:
            if not journal.batches:
                return ()
    except StateUnusableError:
        return (_journal_put_aside(root, carry_out=carry_out),)
    if carry_out:
        return complete_committed(root, TO_DISK)
    return ("complete the cycle that is committed to the journal",)


def _journal_put_aside(root: Path, *, carry_out: bool) -> str:
    raw = read.read_state_file(root / journal_file.JOURNAL_FILE) or b""
    kept = read.corrupt_path(root, journal_file.JOURNAL_FILE, raw)
    if carry_out:
        journal_file.put_aside(root, ReplaceFile(path=kept, content=raw), TO_DISK)
    return f"keep the journal, which a newer version wrote, in {kept}, and begin another"


def _needs_state(root: Path) -> bool:
    """Tell whether a run would refuse the state as it is, or as the journal completes it."""
    try:
        if read_state(root) is not None:
            return False
    except StateUnusableError:
        return True
    has_events = next(read.history_backwards(root / EVENT_LOG), None) is not None
    return has_events or has_channel_entries(root)


def _state_replaced(lock: HeldLock, rebuilt: Rebuilt, *, carry_out: bool) -> Iterator[str]:
    root, state = lock.root, rebuilt.state
    changes = [ReplaceFile(path=STATE_FILE, content=state.as_document())]
    raw = read.read_state_file(root / STATE_FILE)
    if raw is not None:
        kept = read.corrupt_path(root, STATE_FILE, raw)
        changes.insert(0, ReplaceFile(path=kept, content=raw))
        yield f"keep {STATE_FILE} in {kept}"
    if carry_out:
        write(lock, changes, TO_DISK)
    yield (
        f"write {STATE_FILE} as it was after cycle {state.last_cycle.cycle_number}: "
        f"{len(state.commands)} commands, {len(state.processed_case_keys)} processed and "
        f"{len(state.failed_case_keys)} failed case keys"
    )


def _channels(root: Path) -> Iterator[ChannelRemains]:
    for name in channel_names(root):
        folder = root / CHANNEL_STORE / name
        log = folder / "log.jsonl"
        memory = read.read_state_file(folder / "MEMORY.md") or b""
        yield ChannelRemains(
            name=name,
            log_lines=tuple(read.history_backwards(log))[::-1],
            memory=memory.decode(errors="replace"),
        )
