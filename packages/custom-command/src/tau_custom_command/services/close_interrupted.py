"""Closes a cycle that a crash ended while it executed commands, by what it noted of itself."""

import shlex
from pathlib import Path

from tau_custom_command.cycle.execution import FailureReason
from tau_custom_command.cycle.notes import (
    Began,
    Note,
    Settled,
    Starts,
    closed_after_a_crash,
    interrupted_attempts,
    read,
)
from tau_custom_command.cycle.settle import Settlement
from tau_custom_command.errors import StateUnusableError
from tau_custom_command.services.write_closed import Track, write_closed
from tau_custom_command.storage import artifacts, journal
from tau_custom_command.storage.journal_format import NoteKind
from tau_custom_command.storage.lock import HeldLock
from tau_custom_command.storage.rotation import RotationLimits
from tau_custom_command.storage.state_directory import OpenedState
from tau_custom_command.storage.sync import Syncing


def close_interrupted(
    lock: HeldLock,
    opened: OpenedState,
    syncing: Syncing,
    *,
    rotation: RotationLimits,
    track: Track,
) -> tuple[str, ...]:
    """Close the cycle that was executing commands when its runtime was ended, if there is one.

    Returns what there is to say of it. RUNs that were started and not settled are interrupted, and
    never silently run again; cases that were not started count as not there.

    Raises:
        StateDirectoryBusyError: if the lock was lost meanwhile; nothing was written.
        StateUnusableError: if another version wrote the journal.
        StorageError: if the operating system refuses.
    """
    notes: dict[NoteKind, list[bytes]] = {kind: [] for kind in NoteKind}
    with journal.opened(lock.root) as found:
        for kind, content in found.notes():
            notes[kind].append(content)
    if not notes[NoteKind.BEGAN]:
        return ()
    noted = notes[NoteKind.BEGAN][0], notes[NoteKind.STARTS], notes[NoteKind.SETTLED]
    try:
        attempts = tuple(interrupted_attempts(*noted))
        closed = closed_after_a_crash(*noted, before=opened.state, end=opened.chain_end)
    except StateUnusableError as error:
        raise journal.of_another_version(lock.root, error) from None
    for channel, attempt in attempts:
        artifacts.forget(lock, channel, attempt)
    remarks = write_closed(lock, closed, syncing, rotation=rotation, track=track)
    told = (
        f"{lock.root}: cycle {closed.event.cycle_number} was cut off while it executed commands; "
        f"it is closed with what was begun: {_counted(len(closed.settlements), 'case')}"
    )
    if interrupted := [each.case.key for each in closed.settlements if _was_interrupted(each)]:
        # The keys of a fresh cycle are kept by no later one.
        is_fresh = read(notes[NoteKind.BEGAN][0], Began).plan.is_fresh
        again = "--fresh" if is_fresh else f"--rerun, such as --rerun {shlex.quote(interrupted[0])}"
        told += (
            f"; {_counted(len(interrupted), 'RUN')} interrupted, and run again only with {again}"
        )
    return (told, *remarks)


def is_cut_off(root: Path) -> bool:
    """Tell whether a cycle was cut off while it executed commands, and nothing has closed it.

    Raises:
        StateUnusableError: if another version wrote the journal.
        StorageError: if it cannot be read.
    """
    with journal.opened(root) as found:
        for kind, content in found.notes():
            read(content, _FORMS[kind])
        return bool(found.noted)


_FORMS: dict[NoteKind, type[Note]] = {
    NoteKind.BEGAN: Began,
    NoteKind.STARTS: Starts,
    NoteKind.SETTLED: Settled,
}


def _was_interrupted(settlement: Settlement) -> bool:
    last = settlement.executions[-1:]
    return any(execution.ended.failure is FailureReason.INTERRUPTED for execution in last)


def _counted(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"
