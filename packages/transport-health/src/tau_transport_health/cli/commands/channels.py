"""`channels list`, `channels show`, `channels verify`: what a channel store holds."""

from typing import Annotated

import typer

from tau_transport_health.cli.completion import channel_names
from tau_transport_health.cli.options import AsJson
from tau_transport_health.cli.output import answer
from tau_transport_health.cli.question import asks
from tau_transport_health.errors import ExitCode
from tau_transport_health.formats import channels as formats
from tau_transport_health.services.channels import (
    last_entries,
    last_sentences,
    store_of,
    summaries,
    verify,
)
from tau_transport_health.services.inspect import Question

Channel = Annotated[
    str,
    typer.Argument(
        metavar="CHANNEL",
        show_default=False,
        autocompletion=channel_names,
        help="A command, or registry.",
    ),
]
MaybeChannel = Annotated[
    str | None,
    typer.Argument(
        metavar="[CHANNEL]",
        show_default=False,
        autocompletion=channel_names,
        help="A command, or registry; all channels, if it is left out.",
    ),
]
_asks = asks(without=("max_age", "now_unix_ms"))


@_asks
def list_channels(question: Question, *, as_json: AsJson = False) -> None:
    """List the channels: entries, the newest, invalid lines.

    Exits 0 if all was read, 3 if a file was not, 5 if there is no channel store.

    Example: tau-transport-health channels list custom-command
    """
    found = summaries(store_of(question))
    answer(formats.summaries_json(found) if as_json else formats.summaries_text(found))
    raise typer.Exit(max((each.exit_code for each in found), default=ExitCode.YES))


@_asks
def show(
    question: Question,
    channel: Channel,
    *,
    last: Annotated[
        int, typer.Option(metavar="N", min=1, max=10_000, help="How many entries.")
    ] = 10,
    context: Annotated[
        bool, typer.Option("--context", help="What happened, a whole sentence an entry.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the last entries of a channel, oldest first.

    With --context they say why a RUN was refused: by which rule, or what was missing. Exits 0 if
    all was read, 3 if a file was not, 5 if there is no such channel.

    Example: tau-transport-health channels show custom-command registry --last 3
    """
    if context:
        told = last_sentences(store_of(question), channel, last=last)
        answer(formats.sentences_json(told) if as_json else formats.sentences_text(told))
        raise typer.Exit(told.exit_code)
    entries = last_entries(store_of(question), channel, last=last)
    answer(formats.entries_json(entries) if as_json else formats.entries_text(entries))
    raise typer.Exit(entries.exit_code)


@_asks
def verify_channels(
    question: Question, channel: MaybeChannel = None, *, as_json: AsJson = False
) -> None:
    """Check every line and artifact of a channel, or of all.

    Exits 0 if all are sound, 3 if not, 5 if there is no channel store or no such channel.

    Example: tau-transport-health channels verify custom-command
    """
    found = verify(store_of(question), channel, now_unix_ms=question.now())
    answer(formats.verification_json(found) if as_json else formats.verification_text(found))
    raise typer.Exit(found.exit_code)
