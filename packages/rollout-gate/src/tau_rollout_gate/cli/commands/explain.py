"""`explain`: the answer as text that a person on call understands."""

from typing import Annotated

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.cli.output import print_answer, print_text
from tau_rollout_gate.cli.question import PlainFormat, Whole, asks
from tau_rollout_gate.cli.terminal import terminal_look
from tau_rollout_gate.formats.explain import render
from tau_rollout_gate.services.context import surroundings
from tau_rollout_gate.services.evaluate import evaluate_news, load_pinned


@asks
def command(
    question: Whole,
    *,
    host: Annotated[
        str | None,
        options.option(metavar="HOST", help="Of a fleet, this host alone, judged as a rollout is."),
    ] = None,
    output_format: PlainFormat,
) -> None:
    """Say what is wrong, where to look, and what to type next.

    Exits as 'evaluate' does; nothing is written. With --json it prints what 'evaluate --json' does.

    Example: tau-rollout-gate explain
    """
    standing = load_pinned(question)
    last = standing.last
    words: tuple[str, ...] = ()
    if host is None:
        found = evaluate_news(question, standing)
    else:
        from tau_rollout_gate.services.fleet.hosts import one_host  # noqa: PLC0415 - few do

        last, found, words = one_host(question, standing, host)
    if output_format == "json":
        print_answer(found.answer, options.Format.JSON)
    else:
        around = surroundings(
            question,
            last,
            found.evidence.surfaces,
            default_rollout_dir=options.DEFAULT_ROLLOUT_DIR,
        )
        around = around if host is None else around.of_host(host, words)
        print_text(render(found.answer, around, look=terminal_look()))
    raise typer.Exit(found.answer.verdict.exit_code)
