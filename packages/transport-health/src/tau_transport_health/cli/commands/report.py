"""`report`: one HTML page with the history in charts."""

from pathlib import Path
from typing import Annotated

import typer

from tau_transport_health.cli.output import say_written
from tau_transport_health.cli.question import asks
from tau_transport_health.services.inspect import Question, look
from tau_transport_health.services.report import write_report


@asks()
def command(
    question: Question,
    *,
    output: Annotated[
        Path, typer.Option(metavar="FILE", help="Write this file, replaced at once; - for stdout.")
    ] = Path("transport-health-report.html"),
) -> None:
    """Write one HTML page: health, what to do, and charts.

    Exits, once it is written, 0 if the gate passes, 3 if it holds, 5 if there is no valid state.

    Example: tau-transport-health report custom-command --output page.html
    """
    (inspection,) = look(question)
    write_report(inspection, output)
    say_written(output)
    raise typer.Exit(inspection.assessment.exit_code)
