"""Writes what a closed cycle leaves: channels, event and state."""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from tau_custom_command.cycle.accounting import ClosedCycle
from tau_custom_command.cycle.channel_records import by_channel, channel_writes
from tau_custom_command.cycle.registry import Registry
from tau_custom_command.storage.lock import HeldLock
from tau_custom_command.storage.rotation import RotationLimits
from tau_custom_command.storage.state_directory import write_cycle
from tau_custom_command.storage.sync import Syncing

Item = TypeVar("Item")


class Track(Protocol):
    """Passes a sequence through and shows, for people, how far it has come."""

    def __call__(self, label: str, items: Sequence[Item], /) -> Iterator[Item]:
        """Yield the items one by one."""


def write_closed(
    lock: HeldLock,
    closed: ClosedCycle,
    syncing: Syncing,
    *,
    rotation: RotationLimits,
    track: Track,
) -> tuple[str, ...]:
    """Write what a closed cycle leaves, and return what there is to say of that.

    Raises:
        StateDirectoryBusyError: if the lock was lost meanwhile; nothing was written.
        StateUnusableError: if the state would be larger than can be read back.
        StorageError: if the operating system refuses.
    """
    registry = Registry.of(closed.state.commands)
    channels = by_channel(closed.settlements)
    writes = (
        write
        for channel in track("channels", tuple(channels))
        for write in channel_writes(channel, channels[channel], registry)
    )
    return write_cycle(lock, closed, writes, syncing, rotated_past=rotation.of_logs(channels))
