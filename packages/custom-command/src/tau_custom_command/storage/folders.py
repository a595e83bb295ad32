"""The folders of a state directory: 0700 whatever the umask, and no links on the way below it.

A folder that is there keeps its permissions: the operator may have named any.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from tau_custom_command.storage.read import NOT_FOLLOWED, storage_errors
from tau_custom_command.storage.sync import sync_folder

_FOLDER_MODE = 0o700
FILE_MODE = 0o600
NO_LINK = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""Without O_NONBLOCK, opening a pipe waits for its other end."""


@contextmanager
def own_umask() -> Iterator[None]:
    """Set the umask so that what is made is the owner's alone, who has every right to it.

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
    with suppress(FileExistsError):
        path.mkdir(mode=_FOLDER_MODE)
        sync_folder(path.parent)


@contextmanager
def walking(root: Path, *, make_missing: bool) -> Iterator["FolderWalk"]:
    """Give a walk through the folders below `root`, which is there.

    Raises:
        StorageError: if `root` cannot be opened.
    """
    with storage_errors(root, "open"):
        folders = FolderWalk(root, make_missing=make_missing)
    with closing(folders):
        yield folders


class FolderWalk:
    """Goes from folder to folder below a root, following no links; paths are relative to it.

    Each folder is opened from the one above it, which is what keeps a link in the middle of a path
    from leading elsewhere; the way to the last one stays open, since the next is often near. Each
    method raises an OSError where the system refuses; a FileNotFoundError where a folder is
    missing and not to be made.
    """

    def __init__(self, root: Path, *, make_missing: bool) -> None:
        """Start at `root`; `make_missing` makes folders as they are asked for."""
        self._make_missing = make_missing
        self._missing: str | None = None  # the last one found so: many files of it are asked for
        self._here = ""  # the last one opened, whose files are asked for next, as a rule
        self._names: list[str] = []
        self._descriptors = [os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]

    def open(self, path: str, flags: int) -> int:
        """Open a file, one of the owner's alone if it is to be made."""
        folder, _, name = path.rpartition("/")
        return os.open(name, flags | NO_LINK, FILE_MODE, dir_fd=self._opened(folder))

    def has_folder(self, folder: str) -> bool:
        """Tell whether there is a folder, which is not made for it."""
        if folder == self._missing:
            return False
        try:
            self._opened(folder, make_missing=False)
        except FileNotFoundError:
            return False
        return True

    def make_folder(self, folder: str) -> int:
        """Make a folder that is not there, of the owner's alone.

        Returns its open descriptor, as good as until the next call.

        Raises:
            FileExistsError: if something has its name.
        """
        above, _, name = folder.rpartition("/")
        os.mkdir(name, _FOLDER_MODE, dir_fd=self._opened(above))
        return self._opened(folder)

    def remove_folder(self, folder: str) -> None:
        """Remove a folder with the files in it."""
        for name in self.names(f"{folder}/"):
            self.unlink(f"{folder}/{name}")
        above, _, name = folder.rpartition("/")
        os.rmdir(name, dir_fd=self._opened(above))

    def stat(self, path: str) -> os.stat_result | None:
        """Tell what has this name, also a link to nothing; None if nothing has."""
        folder, _, name = path.rpartition("/")
        if folder == self._missing:
            return None
        try:
            return os.stat(name, dir_fd=self._opened(folder), follow_symlinks=False)
        except FileNotFoundError:
            return None

    def names(self, path: str) -> list[str]:
        """The names in the folder that `path` is in, its own among them."""
        return os.listdir(self._folder(path))  # noqa: PTH208 - of an open folder

    def rename(self, path: str, new: str) -> None:
        """Rename a file, or a folder, within its folder."""
        folder = self._folder(path)
        os.rename(self._name(path), self._name(new), src_dir_fd=folder, dst_dir_fd=folder)

    def unlink(self, path: str) -> None:
        """Remove a file."""
        os.unlink(self._name(path), dir_fd=self._folder(path))

    def close(self) -> None:
        """Close what is open."""
        while self._descriptors:
            os.close(self._descriptors.pop())

    @staticmethod
    def _name(path: str) -> str:
        return path.rpartition("/")[2]

    def _folder(self, path: str) -> int:
        """The open descriptor of a path's folder, as good as until the next call."""
        return self._opened(path.rpartition("/")[0])

    def _opened(self, folder: str, *, make_missing: bool | None = None) -> int:
        """The open descriptor of a folder, as good as until the next call."""
        if folder == self._here:
            return self._descriptors[-1]
        if folder == self._missing:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        names = folder.split("/") if folder else []
        while self._names != names[: len(self._names)]:
            self._names.pop()
            os.close(self._descriptors.pop())
        makes = self._make_missing if make_missing is None else make_missing
        try:
            for name in names[len(self._names) :]:
                self._descriptors.append(_opened(name, self._descriptors[-1], make_missing=makes))
                self._names.append(name)
        except FileNotFoundError:
            if not self._make_missing:
                self._missing = folder
            raise
        finally:
            self._here = "/".join(self._names)
        return self._descriptors[-1]


def _opened(name: str, above: int, *, make_missing: bool) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(name, flags, dir_fd=above)
    except FileNotFoundError:
        if not make_missing:
            raise
        with suppress(FileExistsError):  # another thread made it just now
            os.mkdir(name, _FOLDER_MODE, dir_fd=above)
        return os.open(name, flags, dir_fd=above)
    except OSError:
        if stat.S_ISLNK(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode):
            raise OSError(f"{name} {NOT_FOLLOWED}") from None
        raise
