"""Makes the folders that files of a rollout lie in: the operator's own, whatever the umask."""

import contextlib
from pathlib import Path

FOLDER_MODE = 0o700
"""Nobody else looks in."""


def make_folder(path: Path) -> None:
    """Make a folder, with those that it lies in; pass if it is there."""
    if path.is_dir():
        return
    make_folder(path.parent)
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=FOLDER_MODE)
        path.chmod(FOLDER_MODE)  # mkdir's mode is cut by the umask
