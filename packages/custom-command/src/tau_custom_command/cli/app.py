"""The command line: what every command has around it. The commands are in `commands/`."""

from typing import Annotated

import typer

from tau_custom_command import __version__
from tau_custom_command.cli.border import ErrorBorder
from tau_custom_command.cli.lazy_group import SETTINGS, LazyGroup, group
from tau_custom_command.errors import CommandRuntimeError


class _CommandLine(ErrorBorder, LazyGroup):
    expected = CommandRuntimeError
    lazy = {  # noqa: RUF012 - typer's groups are made anew from their class
        "run": "run:run",
        "validate": "validate:validate",
        "recover": "recover:recover",
        "new": "new:new",
        "schema": "schema:schema",
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
app.add_typer(
    group(
        "Look at the registered commands.",
        {"list": "registry:registry_list", "show": "registry:registry_show"},
    ),
    name="registry",
)
app.add_typer(
    group("Mend the channels' logs.", {"repair": "channels_repair:channels_repair"}),
    name="channels",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tau-custom-command {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    del version
