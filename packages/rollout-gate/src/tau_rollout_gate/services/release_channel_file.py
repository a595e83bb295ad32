"""The file of the stored channel, in a rollout's directory."""

from __future__ import annotations

from pathlib import Path

from tau_rollout_gate.files.lock import locked
from tau_rollout_gate.files.storage import opened_folder, read_whole, replace_file
from tau_rollout_gate.services.release_channel import ReleaseChannel, parse_release_channel

RELEASE_CHANNEL_FILE = "release-channel.json"
_WAIT_SECONDS = 30.0


def read_release_channel(root: Path) -> ReleaseChannel | None:
    """Return what is stored in a rollout directory; None if nothing is.

    Raises:
        StorageError: if the file cannot be read.
        RolloutUnusableError: if it is not of its form.
    """
    raw = read_whole(RELEASE_CHANNEL_FILE, root)
    if raw is None:
        return None
    return parse_release_channel(raw, path=str(root / RELEASE_CHANNEL_FILE))


def write_release_channel(root: Path, stored: ReleaseChannel) -> None:
    """Store it in a rollout directory, which is made if it is not there.

    Raises:
        BusyError: if another process did not let go of the directory.
        StorageError: if the operating system refuses; what was stored is as it was.
    """
    with opened_folder(root) as folder, locked(folder, root, wait_seconds=_WAIT_SECONDS):
        replace_file(RELEASE_CHANNEL_FILE, stored.as_document(), folder, root)
