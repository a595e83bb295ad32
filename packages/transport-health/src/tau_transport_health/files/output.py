"""Writes the files that a command was asked for: whole or not at all, never beside a state."""

import secrets
from pathlib import Path

from tau_transport_health.errors import OutputError


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` in the place of a file at once: a reader sees the old one or the new one.

    Raises:
        OutputError: if the operating system refuses; what was there is as it was.
    """
    if (path.parent / "state.json").exists():
        raise OutputError(f"{path}: lies in a state directory, where the inspector writes nothing")
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}") if path.name else path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with new.open("xb") as file:
            file.write(content)
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True) if path.name else None
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
