"""`signoff init`: the checklist of the open rollout, to be filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.errors import RefusedError
from tau_rollout_gate.evidence.signoff_form import blank_signoff
from tau_rollout_gate.files.named import create_named_file
from tau_rollout_gate.files.rollout_directory import load
from tau_rollout_gate.printable import printable
from tau_rollout_gate.services.evaluate import SIGNOFF_FILE


def command(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            show_default=False,
            help="The checklist to write. [default: signoff.toml in the rollout's directory]",
        ),
    ] = None,
    *,
    rollout_dir: options.RolloutDir = options.DEFAULT_ROLLOUT_DIR,
) -> None:
    """Write the blank checklist of the open rollout.

    A file that is there is left alone.
    """
    rollout = load(rollout_dir).rollout
    if not rollout.is_open:
        raise RefusedError(f"the rollout of {rollout.release} is over; 'start' opens the next one")
    path = file or rollout_dir / SIGNOFF_FILE
    create_named_file(path, blank_signoff(rollout).encode())
    typer.echo(
        f"wrote {printable(str(path))}; after filling it in: tau-rollout-gate signoff verify",
        err=True,
    )
