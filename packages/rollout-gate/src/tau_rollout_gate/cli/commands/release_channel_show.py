"""`release-channel show`: the stored channel and rollback target, and the rollout's own."""

from __future__ import annotations

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.errors import ExitCode
from tau_rollout_gate.files.rollout_directory import find
from tau_rollout_gate.services.release_channel import as_json, as_text
from tau_rollout_gate.services.release_channel_file import read_release_channel


def command(
    *,
    rollout_dir: options.RolloutDir = options.DEFAULT_ROLLOUT_DIR,
    output_format: options.PlainOutputFormat = options.PlainFormat.TEXT,
) -> None:
    """Print both, and those of the rollout.

    Exits 0 if something is stored, 3 if nothing is, 5 if a file cannot be used.
    """
    stored, standing = read_release_channel(rollout_dir), find(rollout_dir)
    rollout = None if standing is None else standing.rollout
    render = as_json if output_format is options.PlainFormat.JSON else as_text
    typer.echo(render(stored, rollout).encode(), nl=False)
    raise typer.Exit(ExitCode.HOLD if stored is None else ExitCode.YES)
