"""`export`: OpenMetrics text for a textfile collector."""

from pathlib import Path
from typing import Annotated

import typer

from tau_transport_health.cli.output import say_written
from tau_transport_health.cli.question import asks
from tau_transport_health.files.output import write_output
from tau_transport_health.formats.openmetrics import openmetrics
from tau_transport_health.services.inspect import Question, look


@asks(about_all=True)
def command(
    question: Question,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write this file, replaced at once, instead of printing."
        ),
    ] = None,
) -> None:
    """Write OpenMetrics text, for a textfile collector.

    Exits 0 whenever the metrics were written: they themselves say how the transports are. Run it
    as the user that the transports run as, or as root: nobody else may read their files. FILE can
    be read by anyone, as far as the umask lets them.

    Example: tau-transport-health export --all --output tau.prom
    """
    exposition = openmetrics(look(question))
    if output is None:
        typer.echo(exposition, nl=False)
    else:
        write_output(output, exposition.encode())
        say_written(output)
