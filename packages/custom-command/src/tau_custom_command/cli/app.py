"""The command line: what every command has around it. The commands are in `commands/`."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tau_custom_command import __version__
from tau_custom_command.cli.commands.channels_repair import channels_repair
from tau_custom_command.cli.commands.new import new
from tau_custom_command.cli.commands.recover import recover
from tau_custom_command.cli.commands.registry import registry_list, registry_show
from tau_custom_command.cli.commands.run import run
from tau_custom_command.cli.commands.schema import schema
from tau_custom_command.cli.commands.validate import validate
from tau_custom_command.errors import CommandRuntimeError, ExitCode
from tau_custom_command.printable import printable


class _ErrorBorder(TyperGroup):
    """Shows an expected error as its message, on stderr, and exits with its code."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer gives the context no public type
        try:
            return super().invoke(ctx)
        except CommandRuntimeError as error:
            for line in str(error).splitlines():
                typer.echo(f"error: {printable(line)}", err=True)
            raise typer.Exit(error.exit_code) from None
        except MemoryError:
            typer.echo("error: it takes more memory than there is", err=True)
            raise typer.Exit(ExitCode.CANNOT_ANSWER) from None
        except BrokenPipeError:
            _forget_what_stdout_holds()
            raise typer.Exit(ExitCode.READER_GONE) from None
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        except OSError as error:
            # What is left to refuse a write are stdout and stderr themselves: a full disk, closed.
            _forget_what_stdout_holds()
            with contextlib.suppress(OSError):
                typer.echo(f"error: the answer cannot be written: {error.strerror}", err=True)
            raise typer.Exit(ExitCode.CANNOT_ANSWER) from None


app = typer.Typer(
    name="tau-custom-command",
    help="Process fixtures of commands as data, check every result, leave verified state files.",
    cls=_ErrorBorder,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 yes, 1 a bug of ours, 2 wrong usage, 3 no, 5 cannot answer.",
)
for _command in (run, validate, recover, new, schema):
    app.command()(_command)


def _group(name: str, help_text: str, **commands: Callable[..., None]) -> None:
    group = typer.Typer(help=help_text, no_args_is_help=True, rich_markup_mode=None)
    for command_name, command in commands.items():
        group.command(command_name)(command)
    app.add_typer(group, name=name)


_group("registry", "Look at the registered commands.", list=registry_list, show=registry_show)
_group("channels", "Mend the channels' logs.", repair=channels_repair)


def _forget_what_stdout_holds() -> None:
    """Let what could not be written go: Python would try again at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
