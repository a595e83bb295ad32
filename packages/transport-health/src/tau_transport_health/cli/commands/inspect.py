"""`inspect`: how a transport is, or every one."""

from __future__ import annotations

import typer

from tau_transport_health.cli.options import AsJson
from tau_transport_health.cli.question import asks
from tau_transport_health.formats.json_text import json_text, row
from tau_transport_health.formats.text import inspection_text
from tau_transport_health.services.inspect import Question, look


@asks(about_all=True)
def command(question: Question, *, as_json: AsJson = False) -> None:
    """Show a transport's health, or that of every one with --all.

    Exits 0 if the gate passes, 3 if it holds, 5 if there is no valid state; with --all the worst.
    """
    inspections = look(question)
    if as_json:
        typer.echo(json_text([row(inspection) for inspection in inspections]))
    else:
        typer.echo("\n\n".join(map(inspection_text, inspections)))
    raise typer.Exit(max(inspection.assessment.exit_code for inspection in inspections))
