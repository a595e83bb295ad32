"""`verify`: whether the chain of decisions is whole."""

import typer

from tau_rollout_gate.cli.output import print_text
from tau_rollout_gate.cli.question import Pinned, PlainFormat, asks
from tau_rollout_gate.errors import ExitCode
from tau_rollout_gate.files.record import verified, what_remains
from tau_rollout_gate.formats.decisions import report_json, report_text
from tau_rollout_gate.printable import printable
from tau_rollout_gate.services.evaluate import load_pinned


@asks
def command(question: Pinned, output_format: PlainFormat) -> None:
    """Check that the record of decisions is whole.

    Exits 0 if it is, 3 if a decision was altered, removed or reordered, 5 if there is nothing to
    verify.

    Example: tau-rollout-gate verify
    """
    report = verified(question.rollout_dir)
    if report.is_whole:  # what is altered tells nothing to compare with
        load_pinned(question)
    print_text(report_json(report) if output_format == "json" else report_text(report))
    for words in () if report.is_whole else what_remains(question.rollout_dir):
        typer.echo(f"note: {printable(words)}", err=True)
    raise typer.Exit(ExitCode.YES if report.is_whole else ExitCode.HOLD)
