"""`inspect`: the health and the gate of one transport, or of all."""

import typer

from tau_transport_health.cli.options import AsJson
from tau_transport_health.cli.output import answer
from tau_transport_health.cli.question import asks
from tau_transport_health.formats.json_text import row
from tau_transport_health.formats.text import inspection_text
from tau_transport_health.services.inspect import Question, look


@asks(about_all=True)
def command(question: Question, *, as_json: AsJson = False) -> None:
    """Show the health of a transport, or of all with --all.

    Exits 0 if the gate passes, 3 if it holds, 5 if there is no valid state; with --all the worst.

    Example: tau-transport-health inspect --all
    """
    seen = look(question)
    answer(list(map(row, seen)) if as_json else "\n\n".join(map(inspection_text, seen)))
    raise typer.Exit(max(inspection.assessment.exit_code for inspection in seen))
