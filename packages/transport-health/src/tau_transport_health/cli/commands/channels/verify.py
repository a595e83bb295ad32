"""`channels verify`: what is unsound in a channel, or in all."""

from __future__ import annotations

from typing import Annotated

import typer

from tau_transport_health.cli.options import AsJson
from tau_transport_health.cli.question import asks
from tau_transport_health.formats.channels import verification_json, verification_text
from tau_transport_health.formats.json_text import json_text
from tau_transport_health.services.channels import store_of, verify
from tau_transport_health.services.inspect import Question


@asks(without=("max_age", "now_unix_ms"))
def command(
    question: Question,
    channel: Annotated[
        str | None,
        typer.Argument(
            metavar="[CHANNEL]", show_default=False, help="A command, or registry; or all."
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Check every line, description and artifact of a channel, or of all.

    Exits 0 if all are sound, 3 if not, 5 if there is no channel store or no such channel.
    """
    found = verify(store_of(question), channel)
    typer.echo(json_text(verification_json(found)) if as_json else verification_text(found))
    raise typer.Exit(found.exit_code)
