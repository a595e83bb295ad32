"""The one module that changes the rollout's files: whole lines appended, whole files replaced.

Everything is relative to an open folder. Files are 0600 and folders 0700 whatever the umask, and
symbolic links are not followed: what stands here decides whether a release goes on.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tau_rollout_gate.errors import DeniedError, StorageError
from tau_rollout_gate.files.disk.aside import clear_way
from tau_rollout_gate.files.disk.folder import FOLDER_MODE, make_folder
from tau_rollout_gate.files.disk.sync import sync_folder
from tau_rollout_gate.files.owner import denied

_FILE_MODE = 0o600


@contextmanager
def storage_errors(path: Path, action: str) -> Iterator[None]:
    """Turn what the operating system refuses into an error that says what could not be done.

    Raises:
        StorageError: instead of an OSError.
    """
    try:
        yield
    except OSError as error:
        blamed = _blamed(error, path)
        kind = DeniedError if isinstance(error, PermissionError) else StorageError
        raise kind(f"{blamed}: cannot {action}: {_reason(error, blamed)}") from None


def _blamed(error: OSError, path: Path) -> Path:
    """Name the file that is in the way: it may be one beside the one that was meant."""
    if not isinstance(error.filename, (str, Path)) or error.filename2 is not None:
        return path
    # Below an open folder a file is named by its name alone, else by a whole path.
    named = Path(error.filename)
    return path.parent / named if len(named.parts) == 1 else named


def _reason(error: OSError, path: Path) -> str:
    if error.errno == errno.ELOOP:
        return "it is a symbolic link"
    return f"{error.strerror or error}{denied(error, path)}"


@contextmanager
def closing(descriptor: int) -> Iterator[int]:
    """Close an open file or folder at the end."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def opened_folder(path: Path) -> Iterator[int]:
    """Open a folder, which is made if it is not there.

    Raises:
        StorageError: if the operating system refuses.
    """
    with storage_errors(path, "open"):
        make_folder(path)
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with closing(folder):
        yield folder


@contextmanager
def opened_subfolder(path: Path, above: int) -> Iterator[int]:
    """Open the folder `path`, a child of `above`, which is made if it is not there.

    What stands in its place and is no folder is set aside.

    Raises:
        StorageError: if the operating system refuses.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
    with storage_errors(path, "open"):
        clear_way(path.name, above, of_folder=True)
        with contextlib.suppress(FileExistsError):
            os.mkdir(path.name, FOLDER_MODE, dir_fd=above)
            os.chmod(path.name, FOLDER_MODE, dir_fd=above)  # mkdir's mode is cut by the umask
            sync_folder(above)
        try:
            folder = os.open(path.name, flags, dir_fd=above)
        except NotADirectoryError:  # a link to one
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None
    with closing(folder):
        yield folder


@contextmanager
def opened_file(path: Path, flags: int = 0) -> Iterator[BinaryIO]:
    """Open a regular file for reading, never waiting for it.

    Raises:
        OSError: if it cannot be opened, or is a folder, a pipe or a device.
    """
    # Without O_NONBLOCK, opening a pipe waits for its other end.
    flags |= os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
    with closing(os.open(path, flags)) as descriptor:
        refuse_what_is_no_file(descriptor)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            yield file


def read_whole(name: str, folder: Path) -> bytes | None:
    """Read a file of a folder, up to its size at opening; None if it is not there.

    Raises:
        StorageError: if it cannot be read, is a symbolic link or no file at all.
    """
    path = folder / name
    with (
        storage_errors(path, "read"),
        contextlib.suppress(FileNotFoundError),
        opened_file(path, os.O_NOFOLLOW) as file,
    ):
        return file.read(os.fstat(file.fileno()).st_size)
    return None


def append_and_replace(
    folder: int, root: Path, *, log: tuple[str, bytes], after: int, file: tuple[str, bytes]
) -> None:
    """Append a line to one file and replace another: both, or neither; both on the disk after.

    Only the end of the process between two system calls can leave the first without the second.

    Args:
        folder: The open folder.
        root: Its path, for messages.
        log: The log's name, and the line with its line break.
        after: How long the log is up to there; what is behind is moved aside.
        file: The other file's name, and its new content.

    Raises:
        StorageError: if the operating system refuses; both files are then as they were.
    """
    with storage_errors(root / file[0], "write"), prepared(file[0], folder) as (new, put):
        write_whole(new, file[1])
        os.fsync(new)
        with (
            storage_errors(root / log[0], "write"),
            _appended(log[0], log[1], folder, after),
            storage_errors(root / file[0], "write"),
        ):
            put()
    _sync_folder(folder, root)


def append(name: str, line: bytes, folder: int, root: Path, *, after: int) -> None:
    """Append a line, with its line break, behind the first so many bytes; it is on the disk after.

    Raises:
        StorageError: if the operating system refuses; the file is then as it was.
    """
    with storage_errors(root / name, "write"), _appended(name, line, folder, after):
        _sync_folder(folder, root)


def set_aside(name: str, aside: str, folder: int, root: Path) -> None:
    """Give what stands there, whatever it is, another name; where nothing is, nothing is done.

    Raises:
        StorageError: if the operating system refuses.
    """
    with storage_errors(root / name, "set it aside"), contextlib.suppress(FileNotFoundError):
        os.rename(name, aside, src_dir_fd=folder, dst_dir_fd=folder)


def replace_file(name: str, content: bytes, folder: int, root: Path) -> None:
    """Put a whole file in the place of what is there, if anything; it is on the disk after.

    Raises:
        StorageError: if the operating system refuses; what was there is as it was.
    """
    with storage_errors(root / name, "write"), prepared(name, folder) as (new, put):
        write_whole(new, content)
        os.fsync(new)
        put()
    _sync_folder(folder, root)


@contextmanager
def prepared(name: str, folder: int) -> Iterator[tuple[int, Callable[[], None]]]:
    """Make a new file to write, and what puts it in the place of `name` at once.

    What is written is to be synced before that. Where it was not put in place, nothing is left.

    Raises:
        OSError: if the operating system refuses.
    """
    temporary = f"{name}.new"
    clear_way(temporary, folder)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=folder)  # a process that was killed left it
    descriptor = open_for_writing(temporary, folder, os.O_RDWR | os.O_EXCL)
    is_put = False

    def put() -> None:
        nonlocal is_put
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        is_put = True

    try:
        yield descriptor, put
    finally:
        os.close(descriptor)
        if not is_put:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=folder)  # it takes room where there may be none


def open_for_writing(name: str, folder: int, flags: int) -> int:
    """Open a file to write, made 0600 if it is not there.

    Raises:
        OSError: if the operating system refuses, or it is no regular file.
    """
    flags |= os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(name, flags, _FILE_MODE, dir_fd=folder)
    try:
        refuse_what_is_no_file(descriptor)
        os.fchmod(descriptor, _FILE_MODE)  # the mode above is cut by the umask
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def write_whole(descriptor: int, content: bytes) -> None:
    """Write all of `content`, by one write unless that is cut short.

    Raises:
        OSError: if the operating system refuses.
    """
    written = os.write(descriptor, content)
    while written < len(content):  # a signal or a full disk can cut a write short
        written += os.write(descriptor, content[written:])


def refuse_what_is_no_file(descriptor: int) -> None:
    """Pass for a regular file; raise OSError for anything else."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")


@contextmanager
def _appended(name: str, line: bytes, folder: int, size: int) -> Iterator[None]:
    """Append a line, on the disk before the body runs; taken back if that fails."""
    with closing(open_for_writing(name, folder, os.O_RDWR | os.O_APPEND)) as log:
        _cut_end(log, name, folder, size)
        try:
            write_whole(log, line)
            os.fsync(log)
            yield
        except BaseException:
            os.ftruncate(log, size)  # what was not acknowledged must not count
            raise


def _cut_end(log: int, name: str, folder: int, size: int) -> None:
    """Move what stands behind the first so many bytes to a `.corrupt` file beside."""
    spare = os.pread(log, max(os.fstat(log).st_size - size, 0), size)
    if spare:
        flags = os.O_WRONLY | os.O_APPEND
        clear_way(f"{name}.corrupt", folder)
        with closing(open_for_writing(f"{name}.corrupt", folder, flags)) as corrupt:
            write_whole(corrupt, spare.removesuffix(b"\n") + b"\n")
            os.fsync(corrupt)
        os.ftruncate(log, size)


def _sync_folder(folder: int, root: Path) -> None:
    with storage_errors(root, "tell whether what was written is on the disk"):
        sync_folder(folder)
