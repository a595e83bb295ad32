"""`channels repair`: invalid lines of channel logs, moved aside."""

from __future__ import annotations

from typing import Annotated

import typer

from tau_custom_command.cli import options
from tau_custom_command.cli import text as summary
from tau_custom_command.cli.output import print_json
from tau_custom_command.errors import ExitCode
from tau_custom_command.services import repair_channels


def channels_repair(
    channel: Annotated[
        str | None, typer.Argument(show_default=False, help="The channel; all, if it is left out.")
    ] = None,
    *,
    state_dir: options.StateDir = options.DEFAULT_STATE_DIR,
    wait: options.WaitSeconds = 0.0,
    yes: options.Yes = False,
    as_json: options.AsJson = False,
) -> None:
    """Show which lines of channel logs are no entries; with --yes, move them to `.corrupt` files.

    Exits 0 if there is nothing to repair, or it was done, 3 if there is.
    """
    found = repair_channels.repair(state_dir, channel, carry_out=yes, wait_seconds=wait)
    if as_json:
        print_json(summary.recovery_as_json(found, carried_out=yes))
    else:
        text = summary.recovery_as_text(str(state_dir), found, carried_out=yes, verb="repair")
        typer.echo(text)
    raise typer.Exit(ExitCode.NO if found and not yes else ExitCode.YES)
