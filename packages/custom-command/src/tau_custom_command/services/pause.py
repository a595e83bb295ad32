"""`pause` and `unpause`: while a state directory is paused, no cycle runs on it.

(runbooks/custom-command-ops.md, "Pausing")
"""

from pathlib import Path

from tau_custom_command.contract.paths import PAUSED_FILE
from tau_custom_command.contract.pause import Pause
from tau_custom_command.durations import utc
from tau_custom_command.errors import CommandRuntimeError, FormRefusedError, StorageError
from tau_custom_command.hint import hint
from tau_custom_command.limits import MIB
from tau_custom_command.printable import printable
from tau_custom_command.storage import apply, read
from tau_custom_command.storage.folders import own_umask, walking
from tau_custom_command.storage.sync import TO_DISK


class PausedError(CommandRuntimeError):
    """The state directory is paused; the text says since when, by whom, why, and how to go on."""


def pause(root: Path, *, reason: str, by: str, now_unix_ms: int) -> None:
    """Have no cycle begin in the state directory `root`; one that is at work comes to its end.

    It needs no lock, so that it works while a cycle runs. A second one takes the first one's place.

    Raises:
        StorageError: if there is no such directory, or the file cannot be written.
    """
    _hold_that_is_there(root)
    value = Pause(schema_version=1, paused_unix_ms=now_unix_ms, by=by, reason=reason)
    with own_umask():
        apply.store_file(root, PAUSED_FILE, value.as_document(), TO_DISK)


def unpause(root: Path) -> bool:
    """Let cycles run again; tell whether they had been paused.

    Raises:
        StorageError: if there is no such directory, or the file cannot be removed.
    """
    _hold_that_is_there(root)
    removing = read.storage_errors(root / PAUSED_FILE, "remove")
    with walking(root, make_missing=False) as folders, removing:
        if folders.stat(PAUSED_FILE) is None:
            return False
        folders.unlink(PAUSED_FILE)
    return True


def refuse_paused(root: Path) -> None:
    """Hold that the state directory `root` is not paused.

    Raises:
        PausedError: if it is, or if that cannot be told.
        StorageError: if the file cannot be read, or is none, as a pipe is.
    """
    path = root / PAUSED_FILE
    raw = read.read_state_file(path, most_bytes=MIB)
    if raw is None:
        return
    way_out = f"'{hint('unpause', state_dir=str(root))}' lets cycles run again"
    try:
        found = Pause.parse(raw)
    except FormRefusedError as error:
        raise PausedError(f"{path}: {error}, so it counts as paused; {way_out}") from None
    since, by, reason = utc(found.paused_unix_ms), printable(found.by), printable(found.reason)
    raise PausedError(f"{root}: paused since {since} by {by}: {reason}; {way_out}")


def _hold_that_is_there(root: Path) -> None:
    if not root.is_dir():
        raise StorageError(f"{root}: there is no such directory; pass --state-dir")
