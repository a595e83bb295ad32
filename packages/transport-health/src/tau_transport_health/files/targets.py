"""The targets file: more targets than the built-in ones, in TOML."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from tau_transport_health.errors import (
    FormRefusedError,
    OutputError,
    TargetError,
    TargetsFileError,
    UnreadableError,
)
from tau_transport_health.files.owner import denied
from tau_transport_health.health.targets import Target, checked_name, parse_targets

TARGETS_FILE = "targets.toml"
"""Where more targets are named, in the folder of the built-in ones, unless a file is named."""

LOCK_SECONDS = 10.0
"""How long a file that another process changes is waited for."""

_MARK = b"\xef\xbb\xbf"  # what some editors put before UTF-8, the byte order mark


def read_targets(path: Path, *, is_named: bool = True) -> dict[str, Target]:
    """The targets of a file; folders that are not absolute are taken from where it lies.

    Args:
        path: The file. What is no regular file lies nowhere: the current folder counts.
        is_named: Whether the operator named it, so that it has to be there.

    Raises:
        UnreadableError: if it cannot be read, or was named and is not there.
        TargetsFileError: if it is not a targets file; the text names it and what is wrong.
    """
    targets = _parsed(_read(path, is_named=is_named), path)
    folder = path.parent if path.is_file() else Path()
    return {
        name: target._replace(state_dir=str(folder / (target.state_dir or "")))
        for name, target in targets.items()
    }


def begins_with_mark(path: Path) -> bool:
    """Whether a file that was read begins with a byte order mark, which is passed over."""
    return _read(path, is_named=False).startswith(_MARK)


def add_target(path: Path, name: str, *, state_dir: str, label: str | None) -> None:
    """Add a target to the file, or change it there; the rest of the file stays as it is.

    Args:
        path: The file, which is made if it is not there.
        name: The target.
        state_dir: Its folder, from the current one; the file gets it from where the file lies.
        label: Its label; None for its name, or for what it has.

    Raises:
        TargetError: if the name may not be used.
        TargetsFileError: if the file is not a targets file.
        OutputError: if the file cannot be written.
    """
    if state_dir.strip():  # a blank one is refused as it is
        absolute, folder = Path(state_dir).absolute(), path.absolute().parent
        below = absolute.is_relative_to(folder)
        state_dir = str(absolute.relative_to(folder) if below else absolute)
    said = {"state_dir": state_dir} | ({} if label is None else {"label": label})
    parse_targets({"targets": {name: said}})  # what could not be read back is not written

    def add(tables: Any) -> None:  # noqa: ANN401 - a table of tomlkit's, of any kind
        if name not in tables:
            tables[name] = said
            return
        lines, following = tables[name].value.body, []
        while lines[-1][0] is None:  # comments and blank lines before the next table stay there
            following.append(lines.pop())
        tables[name].update(said)
        lines.extend(reversed(following))

    _edit(path, add)


def remove_target(path: Path, name: str) -> None:
    """Take a target out of the file; the rest of the file stays as it is.

    Raises:
        TargetError: if it is not in the file.
        TargetsFileError: if the file is not a targets file.
        OutputError: if the file cannot be written.
    """
    checked_name(name)

    def remove(tables: Any) -> None:  # noqa: ANN401 - as above
        if name not in tables:
            known = ", ".join(tables) or "none"
            raise TargetError(f"{path}: has no target {name!r}; known there are {known}")
        del tables[name]

    _edit(path, remove)


def _edit(path: Path, change: Callable[[Any], None]) -> None:
    """Change the tables of the file, which nobody else changes meanwhile."""
    import tomlkit  # noqa: PLC0415 - start-up counts, and few change a targets file

    from tau_transport_health.files.output import replace_file  # noqa: PLC0415 - as above

    with locked(path):
        if path.exists() and not path.is_file():
            raise OutputError(f"{path}: is no regular file, so that no target can be kept in it")
        raw = _read(path, is_named=False)
        _parsed(raw, path)
        document = tomlkit.parse(raw.removeprefix(_MARK).decode())
        change(document.setdefault("targets", tomlkit.table(is_super_table=True)))
        try:
            content = tomlkit.dumps(document).encode()
        except UnicodeEncodeError:
            raise OutputError(f"{path}: a name that is not text cannot be written") from None
        _parsed(content, path)  # what cannot be read back is not written
        replace_file(path, content)


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


def _read(path: Path, *, is_named: bool) -> bytes:
    try:
        return _beginning(path) if path.is_file() else _piped(path)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not is_named and not path.is_symlink():
            return b""
        reason = f"{error.strerror or error}{denied(error, path)}"
        raise UnreadableError(f"{path}: cannot be read: {reason}") from None


@cache
def _piped(path: Path) -> bytes:
    """What a pipe holds, which can be read once; `watch` asks again and again."""
    return _beginning(path)


def _beginning(path: Path) -> bytes:
    """What a file holds, or so much of it that it shows to be too large: a device has no end."""
    from tau_transport_health.contract.small_toml import LARGEST_BYTES  # noqa: PLC0415 - as below

    with path.open("rb") as file:
        return file.read(LARGEST_BYTES + 1)


def _parsed(raw: bytes, path: Path) -> dict[str, Target]:
    # Imported here since start-up counts, and few have a targets file.
    from tau_transport_health.contract import small_toml  # noqa: PLC0415

    try:
        return parse_targets(small_toml.decode(raw))
    except (FormRefusedError, TargetError) as error:
        raise TargetsFileError(f"{path}: {error}") from None
