"""The one module that changes state files: carries out what was decided, and what the journal says.

Carrying a change out again changes nothing more, so what was cut off can be done once more from the
journal; what belongs to no cycle is replaced as a whole. Files are 0600 and folders 0700 whatever
the umask, since output may hold secrets. Symbolic links are not followed.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, assert_never

from tau_custom_command.contract.writes import AppendAt, AppendLines, Change, ReplaceFile
from tau_custom_command.errors import StorageError
from tau_custom_command.limits import LARGEST_STATE_FILE_BYTES
from tau_custom_command.storage import locate, whole_folder
from tau_custom_command.storage.folders import FILE_MODE, FolderWalk, walking
from tau_custom_command.storage.read import refuse_what_is_no_file, refused, storage_errors
from tau_custom_command.storage.sync import (
    NOT_TO_DISK,
    Syncing,
    sync_file,
    sync_folder,
    write_whole,
)


class BroughtUp(NamedTuple):
    """Files that were touched, folders that were made with theirs, and what is worth telling."""

    paths: tuple[str, ...]
    made: tuple[str, ...]
    remarks: tuple[str, ...]


def bring_up(root: Path, changes: Iterable[Change]) -> BroughtUp:
    """Carry out the changes below `root`, a folder that is there, in their order.

    What stands where lines belong and is neither torn nor part of them goes to a `.corrupt` file.

    Raises:
        StorageError: at the first change that the operating system refuses. To carry them all out
            again completes them.
    """
    paths: list[str] = []
    made: list[str] = []
    remarks: list[str] = []
    with walking(root, make_missing=True) as folders:
        for folder, in_folder in groupby(changes, key=_folder_of):
            group = tuple(in_folder)
            # A context manager for each of them took a tenth of a large cycle's time.
            change = group[0]
            try:
                files = None if folders.has_folder(folder) else whole_folder.files_of(group)
                if files is not None:
                    whole_folder.make(root, folder, files, folders)
                    made.append(folder)
                    continue
                for change in group:
                    for path, remark in _carried_out(change, folders):
                        paths.append(path)
                        if remark is not None:
                            remarks.append(f"{root / path}: {remark}")
            except OSError as error:
                raise refused(error, root / change.path, "write") from error
    return BroughtUp(paths=tuple(paths), made=tuple(made), remarks=tuple(remarks))


def _folder_of(change: Change) -> str:
    return change.path.rpartition("/")[0]


def replace_now(root: Path, path: str, content: bytes) -> None:
    """Put a whole file in the place of what is there, on the disk once this returns.

    For what belongs to no cycle: it is never half written, without the journal.

    Raises:
        OSError: if the operating system refuses; what was there is then still there.
    """
    with closing(FolderWalk(root, make_missing=False)) as folders:
        _replace_file(path, content, folders, sync=sync_file)
    sync_folder(root)


def create_file(path: Path, content: bytes) -> None:
    """Write a file of the operator's own, with ordinary permissions.

    Raises:
        StorageError: if there is a file already, or the operating system refuses.
    """
    with storage_errors(path, "create"):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _create(path, content)
        except FileExistsError:
            problem = "is there already; name another file, or move it away"
            raise StorageError(f"{path}: {problem}") from None


def rewrite_file(path: Path, content: bytes) -> None:
    """Replace a file of the operator's own as a whole; its mode stays, and a link stays one.

    Raises:
        StorageError: if it is no file, or the operating system refuses; it is then as it was.
    """
    with storage_errors(path, "write"):
        target = path.resolve()
        with target.open("rb") as file:
            refuse_what_is_no_file(file.fileno())
            mode = os.fstat(file.fileno()).st_mode
        new = target.with_name(f"{target.name}.new")
        _create(new, content)
        try:
            new.chmod(stat.S_IMODE(mode))
            new.replace(target)
        except OSError:
            new.unlink()
            raise


def store_file(root: Path, path: str, content: bytes, syncing: Syncing) -> None:
    """Put a whole file in its place below `root`, and return once it is on the disk.

    Not by way of the journal: for what is large, and what the journal names only after it is there.

    Raises:
        StorageError: if the operating system refuses.
    """
    with walking(root, make_missing=True) as folders, storage_errors(root / path, "write"):
        _replace_file(path, content, folders)
        syncing.touched(root, [path], ())


@contextmanager
def opened_for_writing(descriptor: int) -> Iterator[int]:
    """Give an open file of ours, made 0600, and close it.

    Raises:
        OSError: if it is no file, or the operating system refuses.
    """
    try:
        refuse_what_is_no_file(descriptor)
        os.fchmod(descriptor, FILE_MODE)
        yield descriptor
    finally:
        os.close(descriptor)


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
            with opened_for_writing(folders.open(path, os.O_RDWR | os.O_CREAT)) as log:
                yield from _lines_carried_out(change._replace(path=path), log, folders)
        case ReplaceFile(content=content):
            replaced = locate.path_replaced(change, folders)
            if replaced is not None:
                yield replaced, None
                _replace_file(replaced, content, folders)
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
    foreign, name = change.foreign(found), change.path.rpartition("/")[2]
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


def _replace_file(
    path: str,
    content: bytes,
    folders: FolderWalk,
    *,
    sync: Callable[[int], None] = NOT_TO_DISK.file,
) -> None:
    new = f"{path}.new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with opened_for_writing(folders.open(new, flags)) as file:
        try:
            write_whole(file, content, 0)
            sync(file)
            folders.rename(new, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                folders.unlink(new)  # it would take room where there may be none
            raise
