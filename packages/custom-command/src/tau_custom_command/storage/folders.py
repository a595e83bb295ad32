"""The folders of a state directory: 0700 whatever the umask, and no links on the way below it.

A folder that is there keeps its permissions: the operator may have named any.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tau_custom_command.storage.sync import sync_folder

_FOLDER_MODE = 0o700


@contextmanager
def own_umask() -> Iterator[None]:
    """Have what is made be the owner's alone, and all the owner's, whatever the umask was.

    So the modes are right from the start: a kill leaves nothing that the next run cannot open.
    """
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def make_folder(path: Path) -> None:
    """Make a folder and those above it that are missing, to outlast a loss of power.

    Raises:
        OSError: if the operating system refuses.
    """
    if path.is_dir():
        return
    make_folder(path.parent)
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=_FOLDER_MODE)
        sync_folder(path.parent)


class FolderWalk:
    """Goes from folder to folder below a root, following no links.

    Each folder is opened from the one above it, which is what keeps a link in the middle of a path
    from leading elsewhere; the way to the last one stays open, since the next is often near.
    """

    def __init__(self, root: Path, *, make_missing: bool) -> None:
        """Start at `root`, which is there; `make_missing` makes folders as they are asked for."""
        self._make_missing = make_missing
        self._missing: str | None = None  # the last one found so: many files of it are asked for
        self._names: list[str] = []
        self._descriptors = [os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]

    def descriptor_of(self, folder: str) -> int:
        """Return the open descriptor of a folder, as good as until the next call.

        Raises:
            OSError: if it cannot be opened, as where it is a link; FileNotFoundError if it is
                missing and not to be made.
        """
        if folder == self._missing:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        names = folder.split("/") if folder else []
        while self._names != names[: len(self._names)]:
            self._names.pop()
            os.close(self._descriptors.pop())
        try:
            for name in names[len(self._names) :]:
                self._descriptors.append(self._open(name, self._descriptors[-1]))
                self._names.append(name)
        except FileNotFoundError:
            self._missing = folder
            raise
        return self._descriptors[-1]

    def close(self) -> None:
        """Close what is open."""
        while self._descriptors:
            os.close(self._descriptors.pop())

    def _open(self, name: str, above: int) -> int:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            return os.open(name, flags, dir_fd=above)
        except FileNotFoundError:
            if not self._make_missing:
                raise
            os.mkdir(name, _FOLDER_MODE, dir_fd=above)
            return os.open(name, flags, dir_fd=above)
