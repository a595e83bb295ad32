"""The command line: finds the command, shows an expected error as its message, and exits."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Annotated, Any

import typer

from tau_rollout_gate import __version__
from tau_rollout_gate.cli.lazy_group import SETTINGS, LazyGroup
from tau_rollout_gate.errors import ExitCode, RolloutGateError
from tau_rollout_gate.printable import printable


class _Commands(LazyGroup):
    """The commands themselves; also the border that every error stops at."""

    places = {  # noqa: RUF012 - of the class, as the base has it
        "start": "start:command",
        "evaluate": "evaluate:command",
        "explain": "explain:command",
        "advance": "advance:command",
        "freeze": "intervene:freeze",
        "resume": "intervene:resume",
        "reenter": "intervene:reenter",
        "rollback": "rollback:command",
        "status": "status:command",
        "history": "history:command",
        "verify": "verify:command",
        "replay": "replay:command",
    }

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer gives the context no public type
        try:
            return super().invoke(ctx)
        except RolloutGateError as error:
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
            raise typer.Exit(ExitCode.CANNOT_ANSWER) from None
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(ExitCode.INTERRUPTED) from None


class _Policy(LazyGroup):
    places = {  # noqa: RUF012 - the same
        "show": "policy:show",
        "init": "policy:init",
        "lint": "policy:lint",
        "test": "policy:test",
        "adopt": "intervene:adopt",
    }


class _Signoff(LazyGroup):
    places = {"init": "signoff:init", "verify": "signoff:verify"}  # noqa: RUF012 - the same


app = typer.Typer(
    name="tau-rollout-gate",
    help="Decide from the state files alone whether a release may go on.",
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=SETTINGS,
    epilog="Exit codes: 0 promote or done, 1 a bug of ours, 2 wrong usage or refused, 3 hold, "
    "4 roll back, 5 cannot answer.",
)
for _name, _cls, _help in (
    ("policy", _Policy, "The policy: phases, gates and triggers."),
    ("signoff", _Signoff, "The sign-off checklist."),
):
    _group = typer.Typer(cls=_cls, help=_help, no_args_is_help=True, rich_markup_mode=None)
    _group.callback()(lambda: None)
    app.add_typer(_group, name=_name)


def _forget_what_stdout_holds() -> None:
    """Let what could not be written go: Python would try again at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tau-rollout-gate {__version__}")
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
