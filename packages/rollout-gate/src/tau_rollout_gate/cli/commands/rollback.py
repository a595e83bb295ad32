"""`rollback`: captures the evidence, closes the rollout, and says what is left to do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.formats.rollback_steps import rolled_back_text
from tau_rollout_gate.services.context import surroundings
from tau_rollout_gate.services.evaluate import Question
from tau_rollout_gate.services.intervene import Request
from tau_rollout_gate.services.rollback import roll_back


def command(
    reason: options.Reason,
    *,
    attach: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", show_default=False, help="A file to keep with the evidence; repeatable."
        ),
    ] = None,
    rollout_dir: options.RolloutDir = options.DEFAULT_ROLLOUT_DIR,
    surface: options.Surfaces = None,
    policy: options.PolicyFile = None,
    by: options.By = None,
    now_unix_ms: options.NowUnixMs = None,
) -> None:
    """Capture the evidence, close the rollout, and print what is left to do; it reverts nothing.

    Exits 2 if it is refused, 5 if the evidence cannot be captured: promotion is frozen then.
    """
    question = Question(
        rollout_dir=rollout_dir, surfaces=surface or (), policy=policy, now_unix_ms=now_unix_ms
    )
    done = roll_back(Request(question=question, by=by, reason=reason), attach or ())
    for note in done.captured.left_out:
        typer.echo(f"note: {note}", err=True)
    typer.echo(
        rolled_back_text(
            done.entry,
            surroundings(question, done.entry, default_rollout_dir=options.DEFAULT_ROLLOUT_DIR),
        ),
        nl=False,
    )
