"""`advance`: evaluates; on promote moves on, on rollback freezes, and records it."""

from __future__ import annotations

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.cli.output import print_answer
from tau_rollout_gate.services.advance import advance
from tau_rollout_gate.services.evaluate import Question
from tau_rollout_gate.services.intervene import who


def command(
    *,
    rollout_dir: options.RolloutDir = options.DEFAULT_ROLLOUT_DIR,
    surface: options.Surfaces = None,
    policy: options.PolicyFile = None,
    validation: options.Validation = None,
    signoff: options.Signoff = None,
    by: options.By = None,
    now_unix_ms: options.NowUnixMs = None,
    output_format: options.OutputFormat = options.Format.TEXT,
) -> None:
    """Evaluate; on promote move on and record, on rollback freeze and record.

    Exits 0 on promote and complete, 3 on hold, 4 on rollback; 2 if another process moved the
    rollout meanwhile, 5 if the rollout, its policy or a file that was named cannot be used.
    """
    question = Question(
        rollout_dir=rollout_dir,
        surfaces=surface or (),
        policy=policy,
        reports=validation or (),
        signoff=signoff,
        now_unix_ms=now_unix_ms,
    )
    done = advance(question, by=who(by))
    print_answer(done.answer, output_format)
    raise typer.Exit(done.answer.verdict.exit_code)
