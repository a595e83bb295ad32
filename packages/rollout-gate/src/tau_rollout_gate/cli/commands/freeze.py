"""`freeze`: freezes promotion by hand."""

from __future__ import annotations

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.formats.decisions import decided_text
from tau_rollout_gate.services import intervene
from tau_rollout_gate.services.evaluate import Question


def command(
    reason: options.Reason,
    *,
    rollout_dir: options.RolloutDir = options.DEFAULT_ROLLOUT_DIR,
    surface: options.Surfaces = None,
    policy: options.PolicyFile = None,
    by: options.By = None,
    now_unix_ms: options.NowUnixMs = None,
) -> None:
    """Freeze promotion; triggers are looked for as before.

    Exits 2 if it is refused; nothing is written then.
    """
    question = Question(
        rollout_dir=rollout_dir, surfaces=surface or (), policy=policy, now_unix_ms=now_unix_ms
    )
    entry = intervene.freeze(intervene.Request(question=question, by=by, reason=reason))
    typer.echo(decided_text(entry))
