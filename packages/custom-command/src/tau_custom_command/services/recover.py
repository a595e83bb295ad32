"""`recover`: mends a state directory from what the journal keeps."""

from collections.abc import Iterator
from pathlib import Path

from tau_custom_command.contract.paths import EVENT_LOG, STATE_FILE
from tau_custom_command.contract.state import StateFile
from tau_custom_command.contract.writes import ReplaceFile
from tau_custom_command.cycle.event_chain import ends_with
from tau_custom_command.errors import FormRefusedError, StateUnusableError, StorageError
from tau_custom_command.services.close_interrupted import close_interrupted, is_cut_off
from tau_custom_command.storage import apply, journal, read
from tau_custom_command.storage.lock import HeldLock, locked
from tau_custom_command.storage.rotation import NEVER_ROTATED
from tau_custom_command.storage.signals import interruptions_held
from tau_custom_command.storage.state_directory import (
    complete_committed,
    has_cycles,
    open_state,
    write,
)
from tau_custom_command.storage.sync import TO_DISK


def recover(root: Path, *, carry_out: bool, wait_seconds: float) -> tuple[str, ...]:
    """Say what recovers the state directory `root`, a sentence each; do it if `carry_out`.

    Raises:
        StateDirectoryBusyError: if a runner is at work there, or the lock is lost.
        StateUnusableError: if the state is gone, and no journal keeps it.
        StorageError: if there is no such directory, or a file cannot be read or written.
    """
    if not root.is_dir():
        raise StorageError(f"{root}: there is no such directory; pass --state-dir")
    with locked(root, wait_seconds=wait_seconds) as lock, interruptions_held():
        steps = journal_recovered(root, carry_out=carry_out)
        has_notes = _has_notes(root)
        if _needs_state(root):
            raw, state = _kept_state(root)
            steps += tuple(
                _state_put_back(lock, raw, state, carry_out=carry_out, has_notes=has_notes)
            )
        if has_notes:
            steps += _interrupted_closed(lock, carry_out=carry_out)
    return steps


def journal_recovered(root: Path, *, carry_out: bool) -> tuple[str, ...]:
    """Complete what is committed, if `carry_out`; put a journal of another version aside.

    Returns what was done, or would be. To be called under the lock.

    Raises:
        StorageError: if a file cannot be read or written.
    """
    try:
        is_cut_off(root)
        with journal.opened(root) as pending:
            if not pending.batches:
                return ()
    except StateUnusableError:
        return (_journal_put_aside(root, carry_out=carry_out),)
    if carry_out:
        return complete_committed(root, TO_DISK)
    return ("complete the cycle that is committed to the journal",)


def _has_notes(root: Path) -> bool:
    """Tell whether there are notes of a cycle that was cut off, to close it by."""
    try:
        return is_cut_off(root)
    except StateUnusableError:  # of another version, and still there since it is only shown
        return False


def _interrupted_closed(lock: HeldLock, *, carry_out: bool) -> tuple[str, ...]:
    if not carry_out:
        return ("close the cycle that was cut off while it executed commands",)
    opened = open_state(lock.root, TO_DISK)
    return close_interrupted(
        lock, opened, TO_DISK, rotation=NEVER_ROTATED, track=lambda _label, items: iter(items)
    )


def _journal_put_aside(root: Path, *, carry_out: bool) -> str:
    raw = read.read_state_file(root / journal.JOURNAL_FILE) or b""
    kept = read.corrupt_path(root, journal.JOURNAL_FILE, raw)
    if carry_out:
        journal.rename(root, kept)
    return f"keep the journal, which another version wrote, in {kept}, and begin another"


def _needs_state(root: Path) -> bool:
    """Tell whether a run would refuse the state as it is, or as the journal completes it."""
    committed = journal.state_in(root, journal.JOURNAL_FILE)
    raw = committed or read.read_state_file(root / STATE_FILE)
    if raw is not None:
        return not StateFile.is_read(raw)
    return has_cycles(root)


def _kept_state(root: Path) -> tuple[bytes, StateFile]:
    """Read the state after the last completed cycle, if that is the event log's last one too.

    Another one, as from a copy, would have cycles done again, or forgotten.
    """
    raw = journal.state_in(root, journal.DONE_FILE) or b""
    try:
        state = StateFile.parse(raw)
    except FormRefusedError:
        found = "does not hold the last cycle whole"
    else:
        if ends_with(state.last_cycle, read.history_backwards(root / EVENT_LOG)):
            return raw, state
        number = state.last_cycle.cycle_number
        found = f"is of cycle {number}, which is not the last one in {EVENT_LOG}"
    raise StateUnusableError(
        f"{root / journal.DONE_FILE}: {found}, so {STATE_FILE} cannot be had from it: put "
        f"{STATE_FILE} back from a copy, or move {root} away to begin anew"
    )


def _state_put_back(
    lock: HeldLock, content: bytes, state: StateFile, *, carry_out: bool, has_notes: bool
) -> Iterator[str]:
    root = lock.root
    changes = [ReplaceFile(path=STATE_FILE, content=content)]
    broken = read.read_state_file(root / STATE_FILE)
    if broken is not None:
        kept = read.corrupt_path(root, STATE_FILE, broken)
        changes.insert(0, ReplaceFile(path=kept, content=broken))
        yield f"keep {STATE_FILE} in {kept}"
    if carry_out and has_notes:  # in the journal; a batch there would settle them
        apply.bring_up(root, changes)
    elif carry_out:
        write(lock, changes, TO_DISK)
    commands = "1 command" if len(state.commands) == 1 else f"{len(state.commands)} commands"
    yield (
        f"write {STATE_FILE} as it was after cycle {state.last_cycle.cycle_number}: "
        f"{commands}, {len(state.processed_case_keys)} processed and "
        f"{len(state.failed_case_keys)} failed case keys"
    )
