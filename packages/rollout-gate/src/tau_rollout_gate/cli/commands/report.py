"""`report`: the rollout as a page to look at."""

from pathlib import Path
from typing import Annotated

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.cli.question import Whole, asks
from tau_rollout_gate.files.output import write_output
from tau_rollout_gate.printable import printable
from tau_rollout_gate.services.report import look, page_of


@asks
def command(
    question: Whole,
    *,
    output: Annotated[
        Path, typer.Option(metavar="FILE", help="Replace this file with the page; - is stdout.")
    ] = Path("rollout-report.html"),
) -> None:
    """Write one HTML page: phases, gates, decisions, hosts.

    It needs nothing else, and asks no other host. Exits as 'evaluate' does, once it is written; 5
    if it cannot be.

    Example: tau-rollout-gate report --output page.html
    """
    sight = look(question, default_rollout_dir=options.DEFAULT_ROLLOUT_DIR, with_hosts=True)
    write_output(output, page_of(sight).encode())
    if str(output) != "-":
        typer.echo(printable(f"wrote {output}"), err=True)
    raise typer.Exit(sight.answer.verdict.exit_code)
