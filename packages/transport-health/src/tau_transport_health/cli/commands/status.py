"""`status`: what the state and the whole event log add up to."""

from pathlib import Path

import typer

from tau_transport_health.cli.options import AsJson
from tau_transport_health.cli.output import answer
from tau_transport_health.cli.question import asks
from tau_transport_health.files.state_directory import blocks_of
from tau_transport_health.formats.text import status_text
from tau_transport_health.health.status import status_report
from tau_transport_health.log.counts import count_events
from tau_transport_health.services.inspect import Question, look


@asks()
def command(question: Question, *, as_json: AsJson = False) -> None:
    """Report what the state and the whole event log add up to.

    Exits 0 if the gate passes, 3 if it holds, 5 if there is no valid state.

    Example: tau-transport-health status custom-command --max-age 1h
    """
    (inspection,) = look(question._replace(counts_commands=True))
    blocks = blocks_of(Path(inspection.events_log_path))
    report = status_report(inspection, count_events(blocks, chained=inspection.is_chained))
    answer(report if as_json else status_text(inspection, report))
    raise typer.Exit(inspection.assessment.exit_code)
