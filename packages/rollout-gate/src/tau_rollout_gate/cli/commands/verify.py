"""`verify`: whether the chain of decisions is whole."""

from __future__ import annotations

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.errors import ExitCode
from tau_rollout_gate.files.rollout_directory import load, verified
from tau_rollout_gate.formats.decisions import report_json, report_text
from tau_rollout_gate.services.evaluate import Question, check_pinned


def command(
    *,
    rollout_dir: options.RolloutDir = options.DEFAULT_ROLLOUT_DIR,
    surface: options.Surfaces = None,
    policy: options.PolicyFile = None,
    now_unix_ms: options.NowUnixMs = None,
    output_format: options.PlainOutputFormat = options.PlainFormat.TEXT,
) -> None:
    """Tell whether a decision was altered, removed or reordered, and which is the first.

    Exits 0 if the chain is whole, 3 if it is not, 5 if there is nothing to verify.
    """
    del now_unix_ms  # taken as everywhere; nothing here depends on the time
    report = verified(rollout_dir)
    if report.is_whole:  # what is altered tells nothing to compare with
        question = Question(rollout_dir=rollout_dir, surfaces=surface or (), policy=policy)
        check_pinned(question, load(rollout_dir).rollout)
    formats = {options.PlainFormat.TEXT: report_text, options.PlainFormat.JSON: report_json}
    typer.echo(formats[output_format](report).encode(), nl=False)
    raise typer.Exit(ExitCode.YES if report.is_whole else ExitCode.HOLD)
