"""`status`: where the rollout stands; nothing is judged."""

from __future__ import annotations

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.files.rollout_directory import load
from tau_rollout_gate.formats.decisions import standing_json, standing_text
from tau_rollout_gate.services.evaluate import Question, check_pinned


def command(
    *,
    rollout_dir: options.RolloutDir = options.DEFAULT_ROLLOUT_DIR,
    surface: options.Surfaces = None,
    policy: options.PolicyFile = None,
    now_unix_ms: options.NowUnixMs = None,
    output_format: options.PlainOutputFormat = options.PlainFormat.TEXT,
) -> None:
    """Say where the rollout stands; what may be done next is 'evaluate'.

    Exits 5 if there is no rollout, or its files do not belong together.
    """
    del now_unix_ms  # taken as everywhere; nothing here depends on the time
    question = Question(rollout_dir=rollout_dir, surfaces=surface or (), policy=policy)
    check_pinned(question, load(rollout_dir).rollout)
    formats = {options.PlainFormat.TEXT: standing_text, options.PlainFormat.JSON: standing_json}
    typer.echo(formats[output_format](load(rollout_dir)).encode(), nl=False)
