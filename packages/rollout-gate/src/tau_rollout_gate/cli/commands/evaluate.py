"""`evaluate`: may the release go on? Nothing is written."""

from __future__ import annotations

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.cli.output import print_answer
from tau_rollout_gate.files.rollout_directory import load
from tau_rollout_gate.services.evaluate import Question, evaluate


def command(
    *,
    rollout_dir: options.RolloutDir = options.DEFAULT_ROLLOUT_DIR,
    surface: options.Surfaces = None,
    policy: options.PolicyFile = None,
    validation: options.Validation = None,
    signoff: options.Signoff = None,
    now_unix_ms: options.NowUnixMs = None,
    output_format: options.OutputFormat = options.Format.TEXT,
) -> None:
    """Answer whether the release may go on; nothing is written.

    Exits 0 on promote and complete, 3 on hold, 4 on rollback, 5 if the rollout, its policy or a
    file that was named cannot be used.
    """
    question = Question(
        rollout_dir=rollout_dir,
        surfaces=surface or (),
        policy=policy,
        reports=validation or (),
        signoff=signoff,
        now_unix_ms=now_unix_ms,
    )
    answer = evaluate(question, load(rollout_dir).rollout).answer
    print_answer(answer, output_format)
    raise typer.Exit(answer.verdict.exit_code)
