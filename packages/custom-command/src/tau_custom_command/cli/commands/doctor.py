"""`doctor`: shows what this machine can enforce of what execute mode promises."""

from typing import Annotated

import typer

from tau_custom_command.cli import execution_options, options
from tau_custom_command.cli.answers.checkup import checkup_as_json, checkup_as_text
from tau_custom_command.cli.output import print_answer
from tau_custom_command.errors import ExitCode
from tau_custom_command.limits import NOBODY
from tau_custom_command.services.doctor import Asked, examine

_Name = Annotated[
    str,
    typer.Option("--resolve", help="A name to resolve as a command does.", metavar="NAME"),
]


def doctor(
    *,
    state_dir: options.StateDir = options.DEFAULT_STATE_DIR,
    workspace: execution_options.Workspace = None,
    run_as: execution_options.RunAs = NOBODY,
    resolve: _Name = "localhost",
    output_format: options.Format = "text",
    as_json: options.AsJson = False,
) -> None:
    """Show what this machine can enforce when commands run.

    Each promise is tried with a real process, under each profile that makes it, with the state
    directory, the workspace and the user that are given. Exits 0 if all can be enforced, 3 if not.

    Example: tau-custom-command doctor --workspace /srv/smoke
    """
    found = examine(Asked(state_dir, workspace, run_as, resolve))
    print_answer(checkup_as_text(found), checkup_as_json(found), output_format, as_json=as_json)
    raise typer.Exit(ExitCode.YES if found.is_whole else ExitCode.NO)
