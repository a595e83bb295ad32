"""`channels repair`: moves invalid lines of channel logs aside."""

from typing import Annotated

import typer

from tau_custom_command.cli import complete, options
from tau_custom_command.cli.answers import text
from tau_custom_command.cli.output import print_answer
from tau_custom_command.errors import ExitCode
from tau_custom_command.services import repair_channels


def channels_repair(
    channel: Annotated[
        str | None,
        typer.Argument(
            metavar="CHANNEL",
            autocompletion=complete.channels,
            help="The channel; all, if it is left out.",
        ),
    ] = None,
    *,
    state_dir: options.StateDir = options.DEFAULT_STATE_DIR,
    wait: options.Wait = 0.0,
    yes: options.Yes = False,
    output_format: options.Format = "text",
    as_json: options.AsJson = False,
) -> None:
    """Move invalid lines of channel logs to `.corrupt` files.

    Without --yes it only shows which lines those are. Exits 0 if there is nothing to repair, or it
    was done, 3 if there is something and --yes was not given.

    Example: tau-custom-command channels repair greet --yes
    """
    found = repair_channels.repair(state_dir, channel, carry_out=yes, wait_seconds=wait)
    value = text.recovery_as_json(found, carried_out=yes)
    told = text.recovery_as_text(str(state_dir), found, carried_out=yes, verb="repair")
    print_answer(told, value, output_format, as_json=as_json)
    raise typer.Exit(ExitCode.NO if found and not yes else ExitCode.YES)
