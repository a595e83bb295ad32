"""`channels show`: the last entries of one channel."""

from __future__ import annotations

from typing import Annotated

import typer

from tau_transport_health.cli.options import AsJson
from tau_transport_health.cli.question import asks
from tau_transport_health.formats.channels import entries_json, entries_text
from tau_transport_health.formats.json_text import json_text
from tau_transport_health.services.channels import last_entries, store_of
from tau_transport_health.services.inspect import Question


@asks(without=("max_age", "now_unix_ms"))
def command(
    question: Question,
    channel: Annotated[
        str, typer.Argument(metavar="CHANNEL", show_default=False, help="A command, or registry.")
    ],
    *,
    last: Annotated[int, typer.Option(min=1, max=10_000, help="How many entries.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Show the last entries of a channel, oldest first.

    Exits 0 if all was read, 3 if a file was not, 5 if there is no such channel.
    """
    entries = last_entries(store_of(question), channel, last=last)
    typer.echo(json_text(entries_json(entries)) if as_json else entries_text(entries))
    raise typer.Exit(entries.exit_code)
