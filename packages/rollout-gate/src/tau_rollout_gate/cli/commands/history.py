"""`history`: the recorded decisions."""

from __future__ import annotations

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.files.rollout_directory import entries, load
from tau_rollout_gate.formats.decisions import history_json, history_text
from tau_rollout_gate.services.evaluate import Question, check_pinned


def command(
    *,
    rollout_dir: options.RolloutDir = options.DEFAULT_ROLLOUT_DIR,
    surface: options.Surfaces = None,
    policy: options.PolicyFile = None,
    now_unix_ms: options.NowUnixMs = None,
    output_format: options.PlainOutputFormat = options.PlainFormat.TEXT,
) -> None:
    """List the decisions of the directory, oldest first.

    Exits 5 if there are none, or one cannot be read: 'verify' says which.
    """
    del now_unix_ms  # taken as everywhere; nothing here depends on the time
    question = Question(rollout_dir=rollout_dir, surfaces=surface or (), policy=policy)
    check_pinned(question, load(rollout_dir).rollout)
    formats = {options.PlainFormat.TEXT: history_text, options.PlainFormat.JSON: history_json}
    typer.echo(formats[output_format](entries(rollout_dir)).encode(), nl=False)
