"""Writes the files that a command was asked for, never beside a state or over a record.

Two packages have this file, the same to the byte.
"""

import errno
import fcntl
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import OutputError  # noqa: TID252 - the same file in two packages

_RECORD = frozenset({".lock", "archive", "decisions.jsonl", "evidence", "inputs", "rollout.json"})


def write_output(path: Path, content: bytes) -> None:
    """Put `content` where `--output` says: `-` is stdout, what is no regular file is written to.

    Raises:
        OutputError: as `replace_file` does.
        OSError: if stdout does not take it.
    """
    if str(path) == "-" or _is_stdout(path):
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    with _told(path):
        if path.exists() and not path.is_file():
            _write_into(path, content)
        else:
            replace_file(path, content)


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` in the place of a file at once: a reader sees the old one or the new one.

    A link that stands in its place stays, and the file keeps its mode, its owner and its group.

    Raises:
        OutputError: if the operating system refuses; what was there is as it was.
    """
    real = Path(os.path.realpath(path))
    new = real.with_name(f".{real.name}.new")
    with _told(path):
        if problem := whose_alone(real):
            raise OutputError(f"{path}: {problem}")
        real.parent.mkdir(parents=True, exist_ok=True)
        with _alone(new) as file:
            try:
                with open(file, "wb", closefd=False) as writable:
                    writable.write(content)
                with suppress(FileNotFoundError):
                    _take_after(file, real.stat())
                new.replace(real)
            except BaseException:
                new.unlink(missing_ok=True)
                raise


def whose_alone(path: Path) -> str | None:
    """Why nothing may be written there: state of a runtime, or the record of a rollout.

    `path` is a real one: no part of it is a link.
    """
    below = path
    for folder in path.parents:
        if below in {path, folder / "channel-store"} and _has(
            folder, "state.json", "runtime-events.jsonl"
        ):
            return "lies in a state directory, which is its runtime's alone"
        if below.name in _RECORD and _has(folder, "decisions.jsonl", "rollout.json"):
            return "is of the record of a rollout, which is the gate's alone"
        below = folder
    return None


def _has(folder: Path, sign: str, other: str) -> bool:
    """Tell what a folder is by a file that it alone has, or by another, where that is lost."""
    is_locked = (folder / ".lock").exists() and (folder / other).exists()
    return is_locked or (folder / sign).exists()


@contextmanager
def _alone(path: Path) -> Iterator[int]:
    """Open a file to fill, for this process alone.

    One that a killed process left is used again: none of them is left for long.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    while True:
        file = os.open(path, flags, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_at(path, file):  # else it became the file of whoever had it
                os.ftruncate(file, 0)
                yield file
                return
        finally:
            os.close(file)


def _is_at(path: Path, file: int) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(path.lstat(), os.fstat(file))
    return False


def _take_after(file: int, before: os.stat_result) -> None:
    for owner, group in ((before.st_uid, -1), (-1, before.st_gid)):
        with suppress(PermissionError):  # only who is root gives a file to another
            os.fchown(file, owner, group)
    os.fchmod(file, stat.S_IMODE(before.st_mode))


def _write_into(path: Path, content: bytes) -> None:
    """Write to a pipe or a device, which stays what it is."""
    # Without O_NONBLOCK, opening a pipe that nobody reads waits for ever.
    file = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    os.set_blocking(file, True)
    with os.fdopen(file, "wb") as writable:
        writable.write(content)


def _is_stdout(path: Path) -> bool:
    """Tell whether it is another name of stdout, such as `/dev/stdout`."""
    with suppress(OSError):
        return os.path.samestat(path.stat(), os.fstat(sys.stdout.fileno()))
    return False


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        is_unread = error.errno == errno.ENXIO
        reason = "nobody reads from it" if is_unread else error.strerror or str(error)
        named = error.filename if error.filename2 is None and error.filename else path
        raise OutputError(f"{named}: cannot be written: {reason}") from None
