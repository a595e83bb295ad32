"""Opens the folders and files of a channel store, and nothing that lies outside of it.

Names come from the command line and from files, so none is trusted: each part of a path is opened
below the folder before it, and no symbolic link is followed inside the store.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tau_transport_health.contract.channel import LONGEST_LINE_BYTES, is_channel_name
from tau_transport_health.errors import NoChannelError
from tau_transport_health.files.lines import (
    UnreadLines,
    WholeLines,
    is_folder,
    open_regular,
    open_unlinked,
)
from tau_transport_health.files.owner import denied
from tau_transport_health.files.segments import open_segments
from tau_transport_health.health.targets import CHAINED_TRANSPORT

STORE = "channel-store"
LOG, CONTEXT, DESCRIPTION, INDEX = "log.jsonl", "context.jsonl", "schema.json", "index.jsonl"
ARTIFACTS = "artifacts"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_KNOWN = 10


class ChannelStore:
    """The channel store of one transport in a state directory.

    Args:
        state_dir: The state directory, which the operator named.
        transport: The transport whose folder it is, `custom-command` if it has none of its own.
    """

    def __init__(self, state_dir: Path, transport: str) -> None:
        own = state_dir / STORE / transport
        self.transport = transport if is_folder(own) else CHAINED_TRANSPORT
        self.path = state_dir / STORE / self.transport
        self._parts = (STORE, self.transport)
        self.state_dir = state_dir

    def names(self) -> tuple[list[str], dict[str, str]]:
        """The channels, sorted, and whatever else lies there, with what it is.

        A channel that its writer is just making, under a name of its own, is neither.

        Raises:
            NoChannelError: if there is no channel store that can be read.
        """
        try:
            with self._folder(()) as folder, os.scandir(folder) as entries:
                found = {
                    entry.name: _other_than_channel(entry)
                    for entry in entries
                    if not _is_being_made(entry.name)
                }
        except FileNotFoundError:
            raise NoChannelError(f"{self.path}: there is no channel store") from None
        except OSError as error:
            reason = f"{error.strerror or error}{denied(error, self.path)}"
            raise NoChannelError(
                f"{self.path}: the channel store cannot be read: {reason}"
            ) from None
        others = {name: what for name, what in sorted(found.items()) if what is not None}
        return sorted(found.keys() - others), others

    def checked(self, channel: str) -> str:
        """`channel` if there is one of this name.

        Raises:
            NoChannelError: if there is none, or nothing can be called so.
        """
        if not is_channel_name(channel):
            raise NoChannelError(f"{channel!r:.80} is not a channel's name: see channels list")
        channels, others = self.names()
        if channel not in channels:
            found = others.get(channel, f"there is no such channel; known are {_some(channels)}")
            raise NoChannelError(f"{self.path}/{channel}: {found}")
        return channel

    def lines(self, channel: str, *parts: str) -> WholeLines:
        """The whole lines of a file of a channel.

        Raises:
            OSError: if it cannot be opened, is no regular file, or a link leads to it.
        """
        return WholeLines(
            self.opened(channel, *parts),
            name="/".join(parts),
            longest_line_bytes=LONGEST_LINE_BYTES,
        )

    def segments(self, channel: str, log: str) -> list[WholeLines | UnreadLines]:
        """The files of a channel's log, as `segments.open_segments` gives them."""
        try:
            with self._folder((channel,)) as folder, os.scandir(folder) as entries:
                names = [entry.name for entry in entries]
        except OSError:
            names = []  # opening a file in it fails, too, and tells why
        return open_segments(
            log,
            names,
            lambda name: self.opened(channel, name),
            longest_line_bytes=LONGEST_LINE_BYTES,
        )

    def opened(self, channel: str, *parts: str) -> BinaryIO:
        """A file of a channel, open to read; whoever asks closes it.

        Raises:
            OSError: as `lines` does.
        """
        with self._folder((channel, *parts[:-1])) as folder:
            return open_regular(parts[-1], folder=folder, follows=False)

    @contextmanager
    def _folder(self, parts: Sequence[str]) -> Iterator[int]:
        descriptor = os.open(self.state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in (*self._parts, *parts):
                below = open_unlinked(part, _FOLDER, descriptor)
                os.close(descriptor)
                descriptor = below
            yield descriptor
        finally:
            os.close(descriptor)


def _some(channels: Sequence[str]) -> str:
    """The first channels by name, and how many more there are."""
    more = len(channels) - _MOST_KNOWN
    known = ", ".join(channels[:_MOST_KNOWN]) or "none"
    return f"{known} and {more} more" if more > 0 else known


def _is_being_made(name: str) -> bool:
    return name[:1] == "." and name[-4:] == ".new" and is_channel_name(name[1:-4])


def _other_than_channel(entry: os.DirEntry[str]) -> str | None:
    """What something in the store is, if it is no channel."""
    if entry.is_symlink():
        return "is a symbolic link, which is not followed"
    if entry.is_dir() and is_channel_name(entry.name):
        return None
    return "is not a channel's folder"
