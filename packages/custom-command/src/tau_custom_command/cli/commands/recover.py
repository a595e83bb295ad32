"""`recover`: what is broken in a state directory, mended."""

from __future__ import annotations

import typer

from tau_custom_command.cli import options, text
from tau_custom_command.cli.output import print_json
from tau_custom_command.errors import ExitCode
from tau_custom_command.services import recover as recovery


def recover(
    *,
    state_dir: options.StateDir = options.DEFAULT_STATE_DIR,
    wait: options.WaitSeconds = 0.0,
    yes: options.Yes = False,
    as_json: options.AsJson = False,
) -> None:
    """Show what is broken in a state directory and can be mended; with --yes, do it.

    Broken files are kept beside the new ones. Exits 0 if there is nothing to recover, or it was
    done, 3 if there is, 5 if it cannot be mended.
    """
    found = recovery.recover(state_dir, carry_out=yes, wait_seconds=wait)
    if as_json:
        print_json(text.recovery_as_json(found, carried_out=yes))
    else:
        typer.echo(text.recovery_as_text(str(state_dir), found, carried_out=yes))
    raise typer.Exit(ExitCode.NO if found and not yes else ExitCode.YES)
