"""The one module that changes state files: carries out what was decided, and what the journal says.

Carrying a change out again changes nothing more, so what was cut off can be done once more from the
journal; there is no other way of writing. Files are 0600 and folders 0700 whatever the umask, since
output may hold secrets. Symbolic links are not followed.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import assert_never

from tau_custom_command.contract.writes import AppendAt, AppendLines, Change, ReplaceFile
from tau_custom_command.limits import LARGEST_STATE_FILE_BYTES
from tau_custom_command.storage import locate
from tau_custom_command.storage.folders import FolderWalk
from tau_custom_command.storage.read import refuse_what_is_no_file, storage_errors

_FILE_MODE = 0o600
_NO_LINK = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True, slots=True, kw_only=True)
class BroughtUp:
    """The files that were touched, and what is worth telling people."""

    paths: tuple[str, ...]
    remarks: tuple[str, ...]


def bring_up(root: Path, changes: Iterable[Change]) -> BroughtUp:
    """Carry out the changes below `root`, a folder that is there, in their order.

    What stands where lines belong and is neither torn nor part of them goes to a `.corrupt` file.

    Raises:
        StorageError: at the first change that the operating system refuses. To carry them all out
            again completes them.
    """
    paths: list[str] = []
    remarks: list[str] = []
    with locate.walking(root, make_missing=True) as folders:
        for change in changes:
            with storage_errors(root / change.path, "write"):
                for path, remark in _carried_out(change, folders):
                    paths.append(path)
                    if remark is not None:
                        remarks.append(f"{root / path}: {remark}")
    return BroughtUp(paths=tuple(paths), remarks=tuple(remarks))


def create_file(path: Path, content: bytes) -> None:
    """Write a file of the operator's own, with ordinary permissions.

    Raises:
        StorageError: if there is a file already, or the operating system refuses.
    """
    with storage_errors(path, "create"):
        path.parent.mkdir(parents=True, exist_ok=True)
        _create(path, content)


def open_for_writing(name: str, folder: int | None, flags: int) -> int:
    """Return the open descriptor of a file of ours, 0600; it is made if it is missing.

    Raises:
        OSError: if it is a link or no file, or the operating system refuses.
    """
    descriptor = os.open(name, flags | os.O_CREAT | _NO_LINK, _FILE_MODE, dir_fd=folder)
    try:
        refuse_what_is_no_file(descriptor)
        os.fchmod(descriptor, _FILE_MODE)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def write_whole(descriptor: int, content: bytes, offset: int) -> None:
    """Write all of `content` at `offset`: a signal or a full disk can cut a write short."""
    written = os.pwrite(descriptor, content, offset)
    while written < len(content):
        written += os.pwrite(descriptor, content[written:], offset + written)


def _create(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        try:
            file.write(content)
            file.flush()
        except OSError:
            path.unlink()
            raise


_Touched = Iterator[tuple[str, str | None]]
"""The paths of files that were touched, each with what there is to say of it."""


def _carried_out(change: Change, folders: FolderWalk) -> _Touched:
    """Carry out one change; yield what was touched for it."""
    match change:
        case AppendAt():
            path = locate.path_now(change, folders)
            was = "was rotated while a cycle was being written; its lines are completed there"
            yield path, None if path == change.path else was
            folder, name = locate.split(path)
            log = open_for_writing(name, folders.descriptor_of(folder), os.O_RDWR)
            try:
                yield from _lines_carried_out(replace(change, path=path), log, folders)
            finally:
                os.close(log)
        case ReplaceFile(content=content):
            replaced = locate.path_replaced(change, folders)
            if replaced is not None:
                yield replaced, None
                folder, name = locate.split(replaced)
                _replace_file(name, folders.descriptor_of(folder), content)
        case _:
            assert_never(change)


def _lines_carried_out(change: AppendAt, log: int, folders: FolderWalk) -> _Touched:
    size = os.fstat(log).st_size
    before = min(change.offset, 1)
    if size < change.offset or os.pread(log, before, change.offset - before) != b"\n"[:before]:
        raise locate.gone()
    if size - change.offset > len(change.content) + LARGEST_STATE_FILE_BYTES:
        raise OSError(errno.EFBIG, "somebody else wrote more to it than can be kept; move it away")
    found = os.pread(log, size - change.offset, change.offset)
    foreign, name = change.foreign(found), locate.split(change.path)[1]
    is_torn = bool(found) and found == change.torn
    if foreign:
        aside = f"{change.path}.corrupt"
        yield aside, f"holds what somebody else wrote to {name} meanwhile"
        kept = AppendLines(path=aside, lines=(foreign.removesuffix(b"\n") + b"\n",))
        for append in locate.placed(kept, folders, {}):
            yield from _carried_out(append, folders)
    if is_torn:
        yield change.path, f"its last line is torn; it is moved to {name}.corrupt"
    if foreign or is_torn:
        os.ftruncate(log, change.offset)
    _write_lines(log, change)


def _write_lines(log: int, change: AppendAt) -> None:
    """Write each line by one write, also what is there already: it may not be on the disk."""
    position = change.offset
    try:
        for line in change.content.split(b"\n")[:-1]:
            write_whole(log, line + b"\n", position)
            position += len(line) + 1
    except OSError:
        if os.fstat(log).st_size < change.offset + len(change.content):
            os.ftruncate(log, position)  # readers would have to report half a line
        raise


def _replace_file(name: str, folder: int, content: bytes) -> None:
    new = f"{name}.new"
    descriptor = open_for_writing(new, folder, os.O_WRONLY | os.O_TRUNC)
    try:
        try:
            write_whole(descriptor, content, 0)
        finally:
            os.close(descriptor)
        os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new, dir_fd=folder)  # it would take room where there may be none
        raise
