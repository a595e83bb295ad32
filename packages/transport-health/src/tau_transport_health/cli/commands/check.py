"""`check`: one line and an exit code for a monitoring system."""

import typer

from tau_transport_health.cli.output import answer
from tau_transport_health.cli.question import asks
from tau_transport_health.formats.plugin_line import plugin_line
from tau_transport_health.services.inspect import Question, look


@asks()
def command(question: Question) -> None:
    """Print one line for a monitoring system.

    Exits 0 OK, 1 WARNING (degraded), 2 CRITICAL (failing), 3 UNKNOWN (anything else).

    Example: tau-transport-health check custom-command --root /srv/tau
    """
    (inspection,) = look(question)
    answer(plugin_line(inspection))
    raise typer.Exit(inspection.assessment.plugin_code)
