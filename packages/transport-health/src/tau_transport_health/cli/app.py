"""The command line: what every command has around it. The commands are in `commands/`.

A command is imported when it is called, since the inspector is called from cron and prompts.
"""

from __future__ import annotations

import os
import sys
from collections import UserDict
from contextlib import suppress
from importlib import import_module
from types import ModuleType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from tau_transport_health import __version__
from tau_transport_health.cli import commands
from tau_transport_health.errors import ExitCode, PluginCode, TransportHealthError
from tau_transport_health.printable import printable

_CHECK = "check"


class _ErrorBorder(TyperGroup):
    """Shows an expected error as its message, on stderr, and exits with its code.

    `check` is the exception: to a monitoring system everything that is no answer is UNKNOWN, and
    its line belongs on stdout.
    """

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer gives the context no public type
        try:
            return super().invoke(ctx)
        except TransportHealthError as error:
            if ctx.invoked_subcommand == _CHECK:
                _exit_unknown(str(error))
            for line in str(error).splitlines():
                typer.echo(f"error: {printable(line)}", err=True)
            raise typer.Exit(error.exit_code) from None
        except BrokenPipeError:
            _forget_what_stdout_holds()
            raise typer.Exit(ExitCode.READER_GONE) from None
        except OSError as error:
            # What is left to refuse a write are stdout and stderr themselves: a full disk, closed.
            _forget_what_stdout_holds()
            with suppress(OSError):
                typer.echo(f"error: the answer cannot be written: {error.strerror}", err=True)
            is_check = ctx.invoked_subcommand == _CHECK
            raise typer.Exit(PluginCode.UNKNOWN if is_check else ExitCode.CANNOT_ANSWER) from None
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        except typer.Exit:
            raise
        except Exception as error:
            if ctx.invoked_subcommand != _CHECK:
                raise
            _exit_unknown(_usage_message(error) or f"a bug of ours: {error!r}")


class _Folder(UserDict[str, Any]):
    """The commands of a folder by name; each is imported when it is looked up."""

    def __init__(self, package: str, names: tuple[str, ...]) -> None:
        super().__init__({name: f"{package}.{name}" for name in names})

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - as above
        module = import_module(super().__getitem__(name))
        if hasattr(module, "COMMANDS"):
            folder = typer.Typer(
                name=name, help=module.__doc__, no_args_is_help=True, rich_markup_mode=None
            )
            return _with_commands(get_group(folder), module)
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(name)(module.command)
        return get_command(alone)


def _with_commands(group: Any, folder: ModuleType) -> Any:  # noqa: ANN401 - as above
    group.commands = _Folder(folder.__name__, folder.COMMANDS)
    return group


app = typer.Typer(
    name="tau-transport-health",
    help="Tell from the state files alone how a transport is, why, and what to do.",
    cls=_ErrorBorder,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 pass, 1 a bug of ours, 2 wrong usage, 3 hold, 5 no valid state. "
    "'check' alone: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.",
)


def _forget_what_stdout_holds() -> None:
    """Let what could not be written go: Python would try again at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _usage_message(error: Exception) -> str | None:
    format_message = getattr(error, "format_message", None)
    return None if format_message is None else str(format_message())


def _exit_unknown(reason: str) -> None:
    typer.echo(f"{PluginCode.UNKNOWN.name} - {printable(reason).replace('|', '/')}")
    raise typer.Exit(PluginCode.UNKNOWN) from None


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tau-transport-health {__version__}")
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


def command_line() -> Any:  # noqa: ANN401 - typer gives it no public type
    """Return the command line: called with words, it parses them, runs a command and exits."""
    return _with_commands(get_command(app), commands)


def main() -> None:
    """Run the command line on the words of this process."""
    command_line()()
