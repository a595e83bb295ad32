"""What commands say on stdout, and on stderr of what they wrote."""

from pathlib import Path

import typer

from tau_transport_health.formats.json_text import json_text
from tau_transport_health.printable import printable


def answer(value: object) -> None:
    """Print an answer: text as it is, anything else as JSON."""
    typer.echo(value if isinstance(value, str) else json_text(value))


def say(words: str) -> None:
    """Say on stderr what is worth knowing besides."""
    typer.echo(printable(words), err=True)


def say_written(path: Path) -> None:
    """Say on stderr which file was written; nothing of stdout."""
    if str(path) != "-":
        say(f"wrote {path}")
