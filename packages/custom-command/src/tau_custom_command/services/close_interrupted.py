"""Closes a cycle that a crash ended while it executed commands, by what it noted of itself."""

from tau_custom_command.cycle.execution import FailureReason
from tau_custom_command.cycle.notes import closed_after_a_crash, interrupted_attempts
from tau_custom_command.cycle.settle import Settlement
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
        StateUnusableError: if the journal is of a newer version.
        StorageError: if the operating system refuses.
    """
    notes: dict[NoteKind, list[bytes]] = {kind: [] for kind in NoteKind}
    with journal.opened(lock.root) as found:
        for kind, content in found.notes():
            notes[kind].append(content)
    if not notes[NoteKind.BEGAN]:
        return ()
    noted = notes[NoteKind.BEGAN][0], notes[NoteKind.STARTS], notes[NoteKind.SETTLED]
    for channel, attempt in interrupted_attempts(*noted):
        artifacts.forget(lock, channel, attempt)
    closed = closed_after_a_crash(*noted, before=opened.state, end=opened.chain_end)
    remarks = write_closed(lock, closed, syncing, rotation=rotation, track=track)
    told = (
        f"{lock.root}: cycle {closed.event.cycle_number} was cut off while it executed commands; "
        f"it is closed with what was begun: {_counted(len(closed.settlements), 'case')}"
    )
    if interrupted := [each.case.key for each in closed.settlements if _was_interrupted(each)]:
        told += (
            f"; {_counted(len(interrupted), 'RUN')} interrupted, "
            f"and run again only with --rerun, such as --rerun {interrupted[0]!r}"
        )
    return (told, *remarks)


def _was_interrupted(settlement: Settlement) -> bool:
    last = settlement.executions[-1:]
    return any(execution.ended.failure is FailureReason.INTERRUPTED for execution in last)


def _counted(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"
