"""`explain`: the answer as text that a person on call understands."""

from __future__ import annotations

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.cli.output import print_explanation
from tau_rollout_gate.files.rollout_directory import load
from tau_rollout_gate.services.context import surroundings
from tau_rollout_gate.services.evaluate import Question, evaluate


def command(
    *,
    rollout_dir: options.RolloutDir = options.DEFAULT_ROLLOUT_DIR,
    surface: options.Surfaces = None,
    policy: options.PolicyFile = None,
    validation: options.Validation = None,
    signoff: options.Signoff = None,
    now_unix_ms: options.NowUnixMs = None,
) -> None:
    """Say what is wrong, where to look, what would change it, and what to type next.

    Exits as 'evaluate' does; nothing is written.
    """
    question = Question(
        rollout_dir=rollout_dir,
        surfaces=surface or (),
        policy=policy,
        reports=validation or (),
        signoff=signoff,
        now_unix_ms=now_unix_ms,
    )
    standing = load(rollout_dir)
    done = evaluate(question, standing.rollout)
    print_explanation(
        done.answer,
        surroundings(
            question,
            standing.last,
            done.evidence.surfaces,
            default_rollout_dir=options.DEFAULT_ROLLOUT_DIR,
        ),
    )
    raise typer.Exit(done.answer.verdict.exit_code)
