"""`rollback`: closes the rollout, captures the evidence, and says what is left to do."""

from os.path import lexists
from pathlib import Path
from typing import Annotated

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.cli.output import print_text
from tau_rollout_gate.cli.question import asks
from tau_rollout_gate.cli.request import Request
from tau_rollout_gate.errors import ExitCode
from tau_rollout_gate.formats.context import Surroundings
from tau_rollout_gate.formats.decisions import rolled_back_text
from tau_rollout_gate.printable import printable
from tau_rollout_gate.services.rollback import roll_back


@asks
def command(
    asked: Request,
    *,
    attach: Annotated[
        list[Path] | None,
        options.option(metavar="FILE", help="A file to keep with the evidence; repeatable."),
    ] = None,
) -> None:
    """End the rollout, capture the evidence, list what to do.

    It reverts nothing itself. It works whatever is wrong with surfaces, policy or record, also
    after 'complete'; run again, it captures again. Exits 5 if something could not be captured, or
    not even be recorded: which is said, and the steps are printed all the same.

    Example: tau-rollout-gate rollback --reason 'errors since 14:05'
    """
    done = roll_back(asked, attach or ())
    for note in (*(done.captured.left_out if done.captured else ()), *done.notes):
        typer.echo(f"note: {printable(note)}", err=True)
    around = Surroundings(
        rollout=done.rollout,
        rollout_dir=str(asked.question.rollout_dir.absolute()),
        state_dirs=done.state_dirs,
        archive=None if done.captured is None else str(done.captured.path.absolute()),
        lacking=done.problems,
        gone=tuple(one for one in done.state_dirs.values() if not lexists(one))
        if done.rollout.fleet is None
        else (),
    )
    print_text(rolled_back_text(done.entry, around))
    if done.problems:
        raise typer.Exit(ExitCode.CANNOT_ANSWER)
