"""The command line: what every command has around it. The commands are in `commands/`."""

import sys
from typing import Annotated, NoReturn, cast

import typer

from tau_custom_command.cli.border import ErrorBorder
from tau_custom_command.cli.lazy_group import SETTINGS, LazyGroup
from tau_custom_command.cli.version import VERSION
from tau_custom_command.errors import CommandRuntimeError


class _CommandLine(ErrorBorder, LazyGroup):
    expected = CommandRuntimeError
    lazy = {  # noqa: RUF012 - typer's groups are made anew from their class
        "run": ("run:run", "Process a fixture in one cycle and check every result."),
        "validate": ("validate:validate", "Check a fixture without running it."),
        "accept": ("accept:accept", "Have a fixture expect what its last cycle came to."),
        "approve": ("approve:approve", "Approve a command as it is now."),
        "approvals": ("approvals:approvals", "List what is approved, and whether it counts."),
        "revoke": ("revoke:revoke", "Withdraw the approval of a command."),
        "doctor": ("doctor:doctor", "Show what this machine can enforce when commands run."),
        "pause": ("pause:pause", "Have no cycle begin until `unpause`."),
        "unpause": ("pause:unpause", "Let cycles run again."),
        "ship": (
            "ship:ship",
            "Ship what the cycles left, for the gate of a fleet.",
        ),
        "recover": ("recover:recover", "Mend what is broken in a state directory."),
        "new": ("new:new", "Write a starter fixture to edit."),
        "schema": ("schema:schema", "Print the JSON Schema of the fixture or of a state file."),
        "registry": ("", "Look at the registered commands."),
        "registry list": ("registry:registry_list", "List the registered commands."),
        "registry show": ("registry:registry_show", "Show one registered command."),
        "channels": ("", "Mend the channels' logs."),
        "channels repair": (
            "channels_repair:channels_repair",
            "Move invalid lines of channel logs to `.corrupt` files.",
        ),
    }


app = typer.Typer(
    name="tau-custom-command",
    help="Process fixtures of commands as data, check every result, leave verified state files.",
    cls=_CommandLine,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=SETTINGS,
    epilog="Exit codes: 0 yes, 1 a bug of ours, 2 wrong usage, 3 no, 5 cannot answer.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(VERSION)
        raise typer.Exit


_Version = Annotated[
    bool,
    typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version."),
]


def end_by(error: BaseException) -> NoReturn:
    """End as the command line does where a command raises this."""
    group = typer.main.get_command(app)
    try:
        with cast("_CommandLine", group).border(None):
            raise error
    except typer.Exit as ending:
        sys.exit(ending.exit_code)


@app.callback()
def _options(*, version: _Version = False) -> None:
    del version
