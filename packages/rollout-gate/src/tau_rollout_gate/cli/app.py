"""The command line: what every command has around it. The commands are in `commands/`."""

from typing import Annotated

import typer

from tau_rollout_gate.cli.border import ErrorBorder
from tau_rollout_gate.cli.lazy_group import SETTINGS, LazyGroup
from tau_rollout_gate.cli.version import VERSION
from tau_rollout_gate.errors import RolloutGateError


class _CommandLine(ErrorBorder, LazyGroup):
    expected = RolloutGateError
    lazy = {  # noqa: RUF012 - typer's groups are made anew from their class
        "start": ("start:command", "Open a rollout at preflight; a closed one is archived."),
        "evaluate": ("evaluate:command", "Answer whether the release may go on; writes nothing."),
        "explain": ("explain:command", "Say what is wrong, where to look, and what to type next."),
        "advance": ("advance:command", "Evaluate, and record what follows: promotion or a freeze."),
        "freeze": ("intervene:freeze", "Stop promotion by hand; triggers go on."),
        "resume": ("intervene:resume", "Allow promotion again, unless a trigger has fired."),
        "reenter": ("intervene:reenter", "Begin the phase anew, leaving damaged evidence behind."),
        "cancel": ("intervene:cancel", "Close a rollout that is still at 0 %."),
        "rollback": ("rollback:command", "End the rollout, capture the evidence, list what to do."),
        "report": ("report:command", "Write one HTML page: phases, gates, decisions, hosts."),
        "cohort": ("fleet.cohort:command", "Print which hosts get the release in a phase."),
        "hosts": ("fleet.hosts:hosts", "List the hosts of the fleet, the worst first."),
        "leave": ("fleet.hosts:leave", "Take hosts out of the cohort that is pinned."),
        "fleet": ("", "The fleet: many hosts, one rollout."),
        "fleet init": ("fleet.store:init", "Write the sentinel of a fleet's store."),
        "status": ("status:command", "Say where the rollout stands; judges nothing."),
        "history": ("history:command", "List the recorded decisions, oldest first."),
        "verify": ("verify:command", "Check that the record of decisions is whole."),
        "recover": ("recover:command", "Rebuild a lost rollout.json from the decisions."),
        "watch": ("watch:command", "Watch the rollout live until interrupted; writes nothing."),
        "replay": ("replay:command", "Step a recorded event log through a policy."),
        "policy": ("", "The policy: phases, gates and triggers."),
        "policy show": ("policy:show", "Print a policy as TOML: the built-in one, or yours."),
        "policy init": ("policy:init", "Write a copy of the built-in policy to edit."),
        "policy lint": ("policy:lint", "Find what is valid in a policy but probably a mistake."),
        "policy test": ("policy:test", "Run the unit tests of policies."),
        "policy adopt": (
            "intervene:adopt",
            "Judge the running rollout by another policy from now on.",
        ),
        "signoff": ("", "The sign-off checklist."),
        "signoff init": ("signoff:init", "Write the blank checklist of the open rollout."),
        "signoff verify": ("signoff:verify", "Say what the checklist lacks, item by item."),
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


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(VERSION)
        raise typer.Exit


_Version = Annotated[
    bool,
    typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version."),
]


@app.callback()
def _options(*, version: _Version = False) -> None:
    del version
