"""`history`: the recorded decisions."""

from tau_rollout_gate.cli.output import print_text
from tau_rollout_gate.cli.question import Pinned, PlainFormat, asks
from tau_rollout_gate.files.record import entries
from tau_rollout_gate.formats.decisions import history_json, history_text
from tau_rollout_gate.services.evaluate import load_pinned


@asks
def command(question: Pinned, output_format: PlainFormat) -> None:
    """List the recorded decisions, oldest first.

    Exits 5 if there are none, or one cannot be read: 'verify' says which.

    Example: tau-rollout-gate history --json
    """
    load_pinned(question)
    found = entries(question.rollout_dir)
    print_text(history_json(found) if output_format == "json" else history_text(found))
