"""`signoff verify`: whether the checklist is complete, item by item."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.errors import ExitCode
from tau_rollout_gate.files.rollout_directory import load
from tau_rollout_gate.files.signoff import read_signoff
from tau_rollout_gate.formats.signoff import as_json, as_text
from tau_rollout_gate.services.evaluate import SIGNOFF_FILE
from tau_rollout_gate.services.evaluate import now_unix_ms as decided_at


def command(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            show_default=False,
            help="The checklist. [default: signoff.toml in the rollout's directory]",
        ),
    ] = None,
    *,
    rollout_dir: options.RolloutDir = options.DEFAULT_ROLLOUT_DIR,
    now_unix_ms: options.NowUnixMs = None,
    output_format: options.PlainOutputFormat = options.PlainFormat.TEXT,
) -> None:
    """Tell item by item what of it is missing.

    Exits 0 if it is complete, 3 if not, 5 if it cannot be read.
    """
    rollout = load(rollout_dir).rollout
    path = file or rollout_dir / SIGNOFF_FILE
    signoff = read_signoff(path, rollout, now_unix_ms=decided_at(now_unix_ms))
    render = as_json if output_format is options.PlainFormat.JSON else as_text
    typer.echo(render(signoff, rollout).encode(), nl=False)
    raise typer.Exit(ExitCode.YES if signoff.is_complete else ExitCode.HOLD)
