"""`rollback`: captures the evidence, closes the rollout, and says what is left to do."""

from pathlib import Path
from typing import Annotated

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.cli.output import print_text
from tau_rollout_gate.cli.question import Request, asks
from tau_rollout_gate.formats.decisions import rolled_back_text
from tau_rollout_gate.printable import printable
from tau_rollout_gate.services.context import surroundings
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
    """Capture the evidence, end the rollout, list what to do.

    It reverts nothing itself. Exits 2 if it is refused, 5 if the evidence cannot be captured:
    promotion is frozen then.

    Example: tau-rollout-gate rollback --reason 'errors since 14:05'
    """
    entry, captured = roll_back(asked, attach or ())
    for note in captured.left_out:
        typer.echo(f"note: {printable(note)}", err=True)
    around = surroundings(asked.question, entry, default_rollout_dir=options.DEFAULT_ROLLOUT_DIR)
    print_text(rolled_back_text(entry, around))
