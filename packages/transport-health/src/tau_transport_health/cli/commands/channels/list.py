"""`channels list`: every channel in a line."""

from __future__ import annotations

import typer

from tau_transport_health.cli.options import AsJson
from tau_transport_health.cli.question import asks
from tau_transport_health.errors import ExitCode
from tau_transport_health.formats.channels import summaries_json, summaries_text
from tau_transport_health.formats.json_text import json_text
from tau_transport_health.services.channels import store_of, summaries
from tau_transport_health.services.inspect import Question


@asks(without=("max_age", "now_unix_ms"))
def command(question: Question, *, as_json: AsJson = False) -> None:
    """List the channels: entries, the last one, invalid lines, artifacts.

    Exits 0 if all was read, 3 if a file was not, 5 if there is no channel store.
    """
    found = summaries(store_of(question))
    typer.echo(json_text(summaries_json(found)) if as_json else summaries_text(found))
    raise typer.Exit(max((each.exit_code for each in found), default=ExitCode.YES))
