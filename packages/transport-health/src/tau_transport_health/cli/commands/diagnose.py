"""`diagnose`: each symptom in the files, its evidence and what to do."""

import os
import sys

import typer

from tau_transport_health.cli.options import AsJson
from tau_transport_health.cli.output import answer
from tau_transport_health.cli.question import asks
from tau_transport_health.formats.diagnosis import WIDEST, diagnosis_json, diagnosis_text
from tau_transport_health.services.diagnose import diagnosis_of
from tau_transport_health.services.inspect import Question, look

_NARROWEST = 40


@asks()
def command(question: Question, *, as_json: AsJson = False) -> None:
    """Name each symptom, its evidence and what to do.

    Reads the rotated logs too, and verifies the whole chain of events. Exits 0 if the gate passes,
    3 if it holds or the log is damaged anywhere, 5 if there is no valid state.

    Example: tau-transport-health diagnose custom-command
    """
    (inspection,) = look(question)
    diagnosis = diagnosis_of(inspection)
    answer(diagnosis_json(diagnosis) if as_json else diagnosis_text(diagnosis, width=_columns()))
    raise typer.Exit(diagnosis.exit_code)


def _columns() -> int:
    """How wide the text may be: as the terminal, where there is one that is narrower."""
    try:
        columns = os.get_terminal_size(sys.stdout.fileno()).columns
    except (AttributeError, OSError, ValueError):  # no terminal, or stdout was closed
        return WIDEST
    return min(max(columns, _NARROWEST), WIDEST) if columns else WIDEST  # 0: it does not say
