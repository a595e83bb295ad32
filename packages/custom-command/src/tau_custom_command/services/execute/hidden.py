"""The folders that are hidden from commands, where a command could make them itself."""

import os
from collections.abc import Iterable
from pathlib import Path

from tau_custom_command.storage.folders import make_folder
from tau_custom_command.storage.read import storage_errors


def make_hidden(hidden: Iterable[Path], workspace: Path | None) -> None:
    """Make those that are missing in the workspace; only what is there can be hidden.

    Else a command could make them, and leave a state or a rollout of its own in them, with
    approvals: the next run there would take it for its own. Where the runtime cannot make one,
    neither can what runs as its user or as somebody with fewer rights.

    Raises:
        StorageError: if the operating system refuses otherwise.
    """
    if workspace is None or not workspace.is_dir():  # a slip is refused, and no folder made of it
        return
    root = Path(os.path.realpath(workspace))
    for path in hidden:
        is_within = Path(os.path.realpath(path)).is_relative_to(root)
        if is_within and not os.path.lexists(path) and _can_make(path):
            with storage_errors(path, "make"):
                make_folder(path)


def _can_make(path: Path) -> bool:
    """Tell whether the folder above it, or the first that is there, can be written in."""
    above = next(each for each in path.parents if each.exists())
    return os.access(above, os.W_OK)
