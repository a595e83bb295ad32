"""Writes bytes, and makes them reach the disk, to outlast a loss of power.

`--no-fsync` leaves the latter out.
"""

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Collection, Iterable
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

if sys.platform == "darwin":  # pragma: no cover - the tests run on Linux
    import fcntl


_CANNOT_SYNC = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}
"""What a kernel or a file system says that does not do it."""


class Syncing(NamedTuple):
    """How an open file, the names in a folder, and all that was touched below it reach the disk.

    For `touched`: below a root, the files' paths, and folders that were made with all in them.
    """

    file: Callable[[int], None]
    folder: Callable[[Path], None]
    touched: Callable[[Path, Iterable[str], Collection[str]], None]


def write_whole(descriptor: int, content: bytes, offset: int) -> None:
    """Write all of `content` at `offset`: a signal or a full disk can cut a write short."""
    written = os.pwrite(descriptor, content, offset)
    while written < len(content):
        written += os.pwrite(descriptor, content[written:], offset + written)


def sync_file(descriptor: int) -> None:
    """Wait until the bytes of an open file are on the disk.

    Raises:
        OSError: if they are not.
    """
    if sys.platform == "darwin":  # pragma: no cover - the tests run on Linux
        with contextlib.suppress(OSError):  # a file system that cannot; fsync then has to do
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # there, fsync stops at the disk's cache
            return
    os.fsync(descriptor)


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk, where its file system can tell.

    The folder is a state directory or one above it. The operator has named it, and may have named
    a link.

    Raises:
        OSError: if they are not.
    """
    _sync_names(path, 0)


def sync_touched(root: Path, paths: Iterable[str], made: Collection[str]) -> None:
    """Wait until the files at `paths` below `root`, and their folders, are on the disk.

    And so all that is in folders that were `made`, on the file system of the folder above them.

    By one syncfs where it works and all is on one file system: for 4,000 new files it took a
    fiftieth of the time of as many fsyncs, and for 12 a sixth (ext4).

    A link is followed where it is the root itself, or above it; below it, none is.

    Raises:
        OSError: if they are not.
    """
    files = dict.fromkeys(paths)
    folders = _folders_of(files, made)
    syncfs = _syncfs()
    if syncfs is not None and _are_on_one_file_system(root, folders.difference(made)):
        try:
            _with_open(root, syncfs, 0)
        except OSError as error:
            if error.errno not in _CANNOT_SYNC:
                raise
        else:
            return
    folders.remove("")
    of_made = (f"{folder}/{name}" for folder in made for name in os.listdir(root / folder))  # noqa: PTH208 - names
    every = (f"{root}/{file}" for file in chain(files, of_made))
    sync_each(every, (f"{root}/{folder}" for folder in folders))
    sync_folder(root)


def _are_on_one_file_system(root: Path, folders: Iterable[str]) -> bool:
    return len({os.stat(f"{root}/{folder}").st_dev for folder in folders}) == 1  # noqa: PTH116 - a path for each took longer


def sync_each(files: Iterable[str], folders: Iterable[str]) -> None:
    """Wait until all of these, below a root, are on the disk, one after the other.

    Raises:
        OSError: if one is not, or is a link.
    """
    for file in files:
        _with_open(Path(file), sync_file, os.O_NOFOLLOW)
    for folder in folders:
        _sync_names(Path(folder), os.O_NOFOLLOW)


def _folders_of(files: Iterable[str], made: Iterable[str]) -> set[str]:
    """The folders that the files are in and those made, and those above, up to the root of all."""
    folders = {"", *made}
    for path in chain(files, made):
        folder = path.rpartition("/")[0]
        while folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders


def _sync_names(folder: Path, links: int) -> None:
    try:
        _with_open(folder, os.fsync, links)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise
        _warn_of(error.strerror)


@cache
def _warn_of(reason: str) -> None:
    sys.stderr.write(
        f"warning: the file system syncs no folders ({reason}): a loss of power can undo what was "
        "written last\n"
    )


def _with_open(path: Path, sync: Callable[[int], None], links: int) -> None:
    """Sync what is at `path`; `links` is O_NOFOLLOW where it is not to be a link, else 0."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | links)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def _syncfs() -> Callable[[int], None] | None:
    """Linux's syncfs, which Python's `os` lacks; None where the C library has none."""
    try:
        import ctypes  # noqa: PLC0415 - only a program that writes should pay for it

        function = ctypes.CDLL(None, use_errno=True).syncfs
    except (ImportError, OSError, AttributeError):
        return None

    def syncfs(descriptor: int) -> None:
        if function(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    return syncfs


TO_DISK = Syncing(file=sync_file, folder=sync_folder, touched=sync_touched)
NOT_TO_DISK = Syncing(
    file=lambda _descriptor: None,
    folder=lambda _path: None,
    touched=lambda _root, _paths, _made: None,
)
"""For benchmarks: what is written outlasts the end of the process, not a loss of power."""
