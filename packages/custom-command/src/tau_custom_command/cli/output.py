"""What commands print for programs."""

from __future__ import annotations

import json

import typer


def print_json(value: object) -> None:
    """Print a value as JSON on stdout.

    It is ASCII only, so that nothing from a file can act on a terminal; programs read it all the
    same.
    """
    typer.echo(json.dumps(value, indent=2))
