"""Writes the files that a command was asked for: whole or not at all, never beside a state."""

import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tau_transport_health.errors import OutputError

LOCK_SECONDS = 10.0
"""How long a file that another process changes is waited for."""


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` in the place of a file at once: a reader sees the old one or the new one.

    A link that stands in its place stays, and the file keeps its mode and its owner.

    Raises:
        OutputError: if the operating system refuses; what was there is as it was.
    """
    real = Path(os.path.realpath(path))
    if (real.parent / "state.json").exists():
        raise OutputError(f"{path}: lies in a state directory, where the inspector writes nothing")
    new = real.with_name(f".{real.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with new.open("xb") as file:
            file.write(content)
            with suppress(FileNotFoundError):
                before = real.stat()
                with suppress(PermissionError):  # only who is root gives a file to another
                    os.fchown(file.fileno(), before.st_uid, before.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
        new.replace(real)
    except OSError as error:
        with suppress(OSError):
            new.unlink()
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep others who ask for the same from changing a file; its folder is made if need be.

    What is locked is the folder, since the file itself is replaced; nothing is left behind.

    Raises:
        OutputError: if somebody else keeps the lock, or the operating system refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(Path(os.path.realpath(path)).parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
    try:
        _lock(folder, path)
        yield
    finally:
        os.close(folder)


def _lock(folder: int, path: Path) -> None:
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise OutputError(
                    f"{path}: somebody else keeps its folder locked: see fuser -v {path.parent}"
                ) from None
            time.sleep(0.05)
        except OSError as error:
            raise OutputError(f"{path}: cannot be locked: {error.strerror}") from None
