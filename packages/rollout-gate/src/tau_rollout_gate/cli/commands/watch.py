"""`watch`: the rollout live in the terminal."""

from typing import Annotated

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.cli.ending import code_of_ending
from tau_rollout_gate.cli.question import Whole, asks
from tau_rollout_gate.watch.loop import watch_rollout

_SHORTEST_MS = 100


@asks
def command(
    question: Whole,
    *,
    interval: Annotated[
        int,
        typer.Option(
            metavar="DURATION",
            parser=options.interval_ms,
            help="How long from look to look: 500ms, 5s, 1m.",
        ),
    ] = "5s",  # type: ignore[assignment] # typer parses it
) -> None:
    """Watch the rollout live until interrupted; writes nothing.

    Exits 2 where there is no terminal, 5 as 'evaluate' does. Ctrl-C ends it with 130: it is no
    answer, so never 0.

    Example: tau-rollout-gate watch --interval 10s
    """
    if interval < _SHORTEST_MS:
        raise typer.BadParameter("--interval: write at least 100ms")
    watch_rollout(
        question,
        interval_seconds=interval / 1000,
        default_rollout_dir=options.DEFAULT_ROLLOUT_DIR,
        ended_by=code_of_ending,
    )
