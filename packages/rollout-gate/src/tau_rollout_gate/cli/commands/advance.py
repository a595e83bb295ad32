"""`advance`: evaluates; on promote moves on, on rollback freezes, and records it."""

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.cli.output import print_answer, print_decided
from tau_rollout_gate.cli.question import AnswerFormat, Whole, asks
from tau_rollout_gate.cli.request import By
from tau_rollout_gate.services.advance import advance


@asks
def command(
    question: Whole, by: By, *, output: options.Output = None, output_format: AnswerFormat
) -> None:
    """Evaluate, and record what follows: promotion or a freeze.

    On promote the next phase is entered, on complete the rollout is closed, on rollback promotion
    is frozen; on hold what was seen is noted, and the cause recorded if it is new. Exits 0 on
    promote and complete, 3 on hold, 4 on rollback; 2 if it is refused, as where another process
    moved the rollout meanwhile; 5 if the rollout, its policy or a file that was named cannot be
    used.

    Example: tau-rollout-gate advance --validation report.json
    """
    answer, recorded = advance(question, by=by)
    print_answer(answer, output_format, output)
    if recorded is not None:
        print_decided(recorded, err=True)
    raise typer.Exit(answer.verdict.exit_code)
