"""Resolves planned writes to files and offsets, following rotation.

It changes nothing. Symbolic links are not followed.
"""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import assert_never

from tau_custom_command.contract.writes import (
    AppendAt,
    AppendLines,
    Change,
    CreateFile,
    ReplaceFile,
    Write,
)
from tau_custom_command.storage.folders import FolderWalk, walking
from tau_custom_command.storage.read import (
    refuse_what_is_no_file,
    refused,
    rotation_numbers,
    storage_errors,
    torn_end,
)

_IDENTITIES = 10**18  # as many as the journal has room for


def place(root: Path, writes: Iterable[Write]) -> Iterator[Change]:
    """Resolve each write to a place in the files below `root`; change nothing.

    A torn end of a log is to go to a `.corrupt` file beside it. What is to be created and is there
    leaves no change. The lines for the logs of one folder have to stand together.

    Raises:
        StorageError: for a log that could not be appended to.
    """
    # The last change to each log of the folder at hand: those of all would take much memory.
    ends: dict[str, AppendAt] = {}
    here = ""
    with walking(root, make_missing=False) as folders:
        for write in writes:
            if isinstance(write, AppendLines):
                folder = write.path.rpartition("/")[0]
                if folder != here:
                    here = folder
                    ends.clear()
            # A context manager and a path for each of them took a tenth of a large cycle's time.
            try:
                changes = placed(write, folders, ends)
            except OSError as error:
                raise refused(error, root / write.path, "write") from error
            yield from changes


def version_of_file(path: Path) -> int:
    """What tells a file as it is now from what it becomes, and from others.

    That outlasts a rename. A link is not followed; 0 where there is no file.

    Raises:
        StorageError: if that cannot be told.
    """
    with storage_errors(path, "read"):
        try:
            return _version_of(path.lstat())
        except FileNotFoundError:
            return 0


def end_of_lines(path: str, folders: FolderWalk) -> tuple[int, bytes]:
    """Find where a log's whole lines end, and what follows; a missing log ends at 0.

    Raises:
        OSError: if it is a link or no file, or its folder is missing.
    """
    with _opened_log(path, folders) as log:
        return (0, b"") if log is None else _end_of_lines(log)


def placed(write: Write, folders: FolderWalk, ends: dict[str, AppendAt]) -> tuple[Change, ...]:
    """Resolve one write, as `place` does; `ends` has the last change to each log so far."""
    match write:
        case AppendLines(path=path, lines=lines):
            before = ends.get(path)
            content = lines[0] if len(lines) == 1 else b"".join(lines)
            if before is None:
                change = _placed_at_end(path, content, folders)
            else:
                end = before.offset + len(before.content)
                change = before._replace(offset=end, torn=b"", content=content)
            ends[path] = change
            if not change.torn:
                return (change,)
            aside = AppendLines(path=f"{path}.corrupt", lines=(change.torn + b"\n",))
            return (*placed(aside, folders, ends), change)
        case ReplaceFile():
            return (write,)
        case CreateFile(path=path, content=content):
            is_there = folders.stat(path) is not None
            return () if is_there else (ReplaceFile(path=path, content=content),)
        case _:
            assert_never(write)


def _placed_at_end(path: str, content: bytes, folders: FolderWalk) -> AppendAt:
    if not folders.has_folder(path.rpartition("/")[0]):
        return AppendAt(path=path, offset=0, torn=b"", content=content)
    with _opened_log(path, folders) as log:
        if log is None:
            rotated = _identity(f"{path}.1", folders)
            return AppendAt(path=path, offset=0, torn=b"", rotated=rotated, content=content)
        end, torn = _end_of_lines(log)
        identity = _identity_of(os.fstat(log))
        return AppendAt(path=path, offset=end, torn=torn, identity=identity, content=content)


def path_now(change: AppendAt, folders: FolderWalk) -> str:
    """Find the file that the lines belong in, under whatever name it has now.

    It is told by its identity. Where there was no file yet, it is the first one after that which
    had the name `.1` then. A number may have come to another file since, as in a directory that was
    put back: one in which the lines have no room is not the one. A directory that was copied has
    other files throughout: there a file of the same name will do, if it is as long as it was, or
    one that begins with the lines.

    Raises:
        OSError: if that file is gone.
    """
    path, now = change.path, _identity(change.path, folders)
    if now == change.identity and (now or _identity(f"{path}.1", folders) == change.rotated):
        return path
    paths = [path, *_rotations(path, folders)]
    if not change.identity and not change.rotated:
        return paths[-1]
    identities = [_identity(each, folders) for each in paths]
    if change.identity:
        same = paths[identities.index(change.identity)] if change.identity in identities else path
        if same != path and _has_room(change, same, folders):
            return same
        if now or not change.offset:
            return path
        raise gone()
    if change.rotated in identities[1:]:
        after = paths[identities.index(change.rotated) - 1]
        if _has_room(change, after, folders):
            return after
    is_first = not change.offset
    fitting = [each for each in paths if _has_room(change, each, folders, is_begun=is_first)]
    if is_first and _has_room(change, path, folders):
        fitting.append(path)
    if not fitting:
        raise gone()
    return fitting[0]


def _has_room(change: AppendAt, path: str, folders: FolderWalk, *, is_begun: bool = False) -> bool:
    """Tell whether a file ends where the lines belong, or has them there, or part of them.

    With `is_begun` it must have some of them.
    """
    with _opened_log(path, folders) as log:
        size = 0 if log is None else os.fstat(log).st_size
        if log is None or size < change.offset:
            return log is None and not change.offset and not is_begun
        start = max(change.offset - 1, 0)
        found = os.pread(log, len(change.content) + len(change.torn) + 2, start)
    before, found = (found[:1], found[1:]) if change.offset else (b"\n", found)
    return before == b"\n" and not change.foreign(found) and bool(found or not is_begun)


def gone() -> OSError:
    """The error of a log that is not the one that the lines of a cycle belong in."""
    return OSError(
        errno.ESTALE,
        "it was cut short or replaced since the cycle was committed: put it back as it was, or "
        "move .journal away to give that cycle up",
    )


def path_replaced(change: ReplaceFile, folders: FolderWalk) -> str | None:
    """Find the file to be replaced; None where that was done, or it is gone."""
    if not change.instead_of:
        return change.path
    for path in (change.path, *_rotations(change.path, folders)):
        found = folders.stat(path)
        if found is not None and _version_of(found) == change.instead_of:
            return path
    return None


def _rotations(path: str, folders: FolderWalk) -> list[str]:
    """The paths of a log's rotated files, the newest first."""
    numbers = rotation_numbers(path.rpartition("/")[2], folders.names(path))
    return [f"{path}.{number}" for number in numbers]


def _end_of_lines(log: int) -> tuple[int, bytes]:
    size = os.fstat(log).st_size
    is_whole = not size or os.pread(log, 1, size - 1) == b"\n"
    torn = b"" if is_whole else torn_end(log)
    return size - len(torn), torn


@contextmanager
def _opened_log(path: str, folders: FolderWalk) -> Iterator[int | None]:
    """Give a log open to read, one that could be written; None where there is none."""
    try:
        log = folders.open(path, os.O_RDWR)
    except FileNotFoundError:
        yield None
        return
    try:
        refuse_what_is_no_file(log)
        yield log
    finally:
        os.close(log)


def _identity(path: str, folders: FolderWalk) -> int:
    """What tells the file of this name from another one; 0 where there is none."""
    found = folders.stat(path)
    return 0 if found is None else _identity_of(found)


def _identity_of(found: os.stat_result) -> int:
    return found.st_ino % _IDENTITIES + 1


def _version_of(found: os.stat_result) -> int:
    # The inode alone would not do: what takes the place of a file may get the number of that one.
    about = f"{found.st_ino} {found.st_size} {found.st_mtime_ns}".encode()
    return int.from_bytes(sha256(about).digest()[:7], "big") + 1
