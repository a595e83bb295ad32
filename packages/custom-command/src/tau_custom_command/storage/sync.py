"""Makes written bytes reach the disk, to outlast a loss of power; `--no-fsync` leaves it out."""

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

if sys.platform == "darwin":  # pragma: no cover - the tests run on Linux
    import fcntl


_CANNOT_SYNC = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}
"""What a kernel or a file system says that does not do it."""


class Syncing(NamedTuple):
    """How an open file, the names in a folder, and all that was touched below it reach the disk."""

    file: Callable[[int], None]
    folder: Callable[[Path], None]
    touched: Callable[[Path, Iterable[str]], None]


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


def sync_touched(root: Path, paths: Iterable[str]) -> None:
    """Wait until the files at `paths` below `root`, and their folders, are on the disk.

    By one syncfs where it works and all is on one file system: for 4,000 new files it took a
    fiftieth of the time of as many fsyncs, and for 12 a sixth (ext4).

    A link is followed where it is the root itself, or above it; below it, none is.

    Raises:
        OSError: if they are not.
    """
    files = tuple(f"{root}/{path}" for path in dict.fromkeys(paths))
    folders = _folders_of(files, above=str(root))
    syncfs = _syncfs()
    if syncfs is not None and len({Path(folder).stat().st_dev for folder in folders}) == 1:
        try:
            _with_open(root, syncfs, 0)
        except OSError as error:
            if error.errno not in _CANNOT_SYNC:
                raise
        else:
            return
    sync_each(files, folders - {str(root)})
    sync_folder(root)


def sync_each(files: Iterable[str], folders: Iterable[str]) -> None:
    """Wait until all of these, below a root, are on the disk, one after the other.

    Raises:
        OSError: if one is not, or is a link.
    """
    for file in files:
        _with_open(Path(file), sync_file, os.O_NOFOLLOW)
    for folder in folders:
        _sync_names(Path(folder), os.O_NOFOLLOW)


def _folders_of(files: Iterable[str], *, above: str) -> set[str]:
    """The folders that the files are in, up to the one `above` them all."""
    folders = {above}
    for file in files:
        folder = file.rpartition("/")[0]
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
    touched=lambda _root, _paths: None,
)
"""For benchmarks: what is written outlasts the end of the process, not a loss of power."""
