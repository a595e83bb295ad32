"""Rotation: a log that has grown past its limit becomes `.1`, the one that was `.1` becomes `.2`.

It comes before a cycle is committed and needs no journal: whatever rename is the last before a
kill, each line stands in one file, a higher number is older, and what is left is a gap between the
numbers, which readers pass over and the next rotation closes.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import count, product
from pathlib import Path
from typing import NamedTuple

from tau_custom_command.contract.paths import CHANNEL_LOGS, CHANNEL_STORE, EVENT_LOG
from tau_custom_command.storage import locate
from tau_custom_command.storage.folders import FolderWalk, walking
from tau_custom_command.storage.read import storage_errors
from tau_custom_command.storage.sync import Syncing


class RotationLimits(NamedTuple):
    """How many bytes a log may have and still be appended to; None where it is never rotated."""

    events_bytes: int | None = None
    channel_log_bytes: int | None = None

    def of_logs(self, channels: Iterable[str]) -> dict[str, int]:
        """The limit of each log that a cycle with these channels appends to, if it has one."""
        limits = {EVENT_LOG: self.events_bytes}
        for channel, name in product(channels, CHANNEL_LOGS):
            limits[f"{CHANNEL_STORE}/{channel}/{name}"] = self.channel_log_bytes
        return {path: most for path, most in limits.items() if most is not None}


NEVER_ROTATED = RotationLimits()


def rotate(root: Path, limits: Mapping[str, int], syncing: Syncing) -> None:
    """Rotate the logs below `root` that have more bytes than their limit, for good.

    Raises:
        StorageError: if the operating system refuses.
    """
    renamed: list[str] = []
    with walking(root, make_missing=False) as folders:
        for path, most_bytes in limits.items():
            with storage_errors(root / path, "rotate"):
                if _is_past(path, most_bytes, folders):
                    renamed.extend(_rotated(path, folders))
    if renamed:  # before the commit: its lines go to where these names no longer are
        with storage_errors(root, "write to the disk"):
            syncing.touched(root, renamed, ())


def _is_past(path: str, most_bytes: int, folders: FolderWalk) -> bool:
    """Tell whether a log is to be rotated; not while it is torn: its end has yet to be cut."""
    try:
        end, torn = locate.end_of_lines(path, folders)
    except FileNotFoundError:  # the folder too is still to be made
        return False
    return end > most_bytes and not torn


def _rotated(path: str, folders: FolderWalk) -> Iterator[str]:
    """Rename a log and those before it, the oldest first; yield the new names."""
    paths = [path]
    for number in count(1):
        paths.append(f"{path}.{number}")
        if folders.stat(paths[-1]) is None:
            break
    for older, newer in zip(reversed(paths), reversed(paths[:-1]), strict=False):
        folders.rename(newer, older)
        yield older
