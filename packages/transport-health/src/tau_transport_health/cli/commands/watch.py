"""`watch`: a live view in the terminal."""

from typing import Annotated

import typer

from tau_transport_health.cli.ending import code_of_ending
from tau_transport_health.cli.options import duration_ms
from tau_transport_health.cli.question import asks
from tau_transport_health.services.inspect import Question
from tau_transport_health.watch.loop import watch_targets


@asks(about_all=True, without=("now_unix_ms",))
def command(
    question: Question,
    *,
    interval: Annotated[
        str, typer.Option(metavar="DURATION", help="How long from look to look: 500ms, 2s, 1m.")
    ] = "2s",
) -> None:
    """Watch a transport in the terminal until interrupted.

    Exits 2 where there is no terminal. Ctrl-C ends it with 130: it is no answer, so never 0.

    Example: tau-transport-health watch custom-command --interval 5s
    """
    interval_ms = duration_ms(interval, "--interval")
    if interval_ms is None or interval_ms < 100:  # noqa: PLR2004 - faster than anyone reads
        raise typer.BadParameter(f"--interval {interval}: write at least 100ms")
    watch_targets(question, interval_seconds=interval_ms / 1000, ended_by=code_of_ending)
