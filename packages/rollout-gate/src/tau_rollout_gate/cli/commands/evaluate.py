"""`evaluate`: may the release go on? Nothing is written."""

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.cli.output import print_answer
from tau_rollout_gate.cli.question import AnswerFormat, Whole, asks
from tau_rollout_gate.services.evaluate import evaluate_news, load_pinned


@asks
def command(question: Whole, *, output: options.Output = None, output_format: AnswerFormat) -> None:
    """Answer whether the release may go on; writes nothing.

    Exits 0 on promote and complete, 3 on hold, 4 on rollback, 5 if the rollout, its policy or a
    file that was named cannot be used.

    Example: tau-rollout-gate evaluate --validation report.json
    """
    answer = evaluate_news(question, load_pinned(question)).answer
    print_answer(answer, output_format, output)
    raise typer.Exit(answer.verdict.exit_code)
