"""`check`: one line and an exit code for a monitoring system."""

from typing import Annotated

import typer

from tau_transport_health.cli.output import answer
from tau_transport_health.cli.question import asks
from tau_transport_health.formats.plugin_line import QueueLimits, plugin_code, plugin_line
from tau_transport_health.services.inspect import Question, look


@asks()
def command(
    question: Question,
    *,
    warn_queue_depth: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=0, show_default=False, help="WARNING if more cases were left over."
        ),
    ] = None,
    crit_queue_depth: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=0, show_default=False, help="CRITICAL if more cases were left over."
        ),
    ] = None,
) -> None:
    """Print one line for a monitoring system.

    Exits 0 OK, 1 WARNING (degraded), 2 CRITICAL (failing, or stale), 3 UNKNOWN (anything else).
    Run it as the user that the transport runs as, or as root: nobody else may read its files.

    Example: tau-transport-health check custom-command --root /srv/tau --warn-queue-depth 10
    """
    (inspection,) = look(question)
    limits = QueueLimits(warn_queue_depth, crit_queue_depth)
    answer(plugin_line(inspection, limits))
    raise typer.Exit(plugin_code(inspection, limits))
