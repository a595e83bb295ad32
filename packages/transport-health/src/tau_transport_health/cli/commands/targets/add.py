"""`targets add`: name one more."""

from __future__ import annotations

from typing import Annotated

import typer

from tau_transport_health.cli.options import DEFAULT_TARGETS_FILE, TargetsFile
from tau_transport_health.files.targets import add_target


def command(
    name: Annotated[str, typer.Argument(show_default=False, help="What to call it.")],
    *,
    state_dir: Annotated[
        str, typer.Option(metavar="DIR", show_default=False, help="Where its state files are.")
    ],
    label: Annotated[
        str | None, typer.Option(show_default=False, help="Its label; the name otherwise.")
    ] = None,
    targets: TargetsFile = DEFAULT_TARGETS_FILE,
) -> None:
    """Add a target to the targets file, or change it there."""
    add_target(targets, name, state_dir=state_dir, label=label)
