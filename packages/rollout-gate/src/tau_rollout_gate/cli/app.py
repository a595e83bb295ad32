"""The command line: what every command has around it. The commands are in `commands/`."""

from typing import Annotated

import typer

from tau_rollout_gate import __version__
from tau_rollout_gate.cli.border import ErrorBorder
from tau_rollout_gate.cli.lazy_group import SETTINGS, LazyGroup, group
from tau_rollout_gate.errors import RolloutGateError


class _CommandLine(ErrorBorder, LazyGroup):
    expected = RolloutGateError
    lazy = {  # noqa: RUF012 - typer's groups are made anew from their class
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


app = typer.Typer(
    name="tau-rollout-gate",
    help="Decide from the state files alone whether a release may go on.",
    cls=_CommandLine,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=SETTINGS,
    epilog="Exit codes: 0 promote or done, 1 a bug of ours, 2 wrong usage or refused, 3 hold, "
    "4 roll back, 5 cannot answer.",
)
app.add_typer(
    group(
        "The policy: phases, gates and triggers.",
        {
            "show": "policy:show",
            "init": "policy:init",
            "lint": "policy:lint",
            "test": "policy:test",
            "adopt": "intervene:adopt",
        },
    ),
    name="policy",
)
app.add_typer(
    group("The sign-off checklist.", {"init": "signoff:init", "verify": "signoff:verify"}),
    name="signoff",
)


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
