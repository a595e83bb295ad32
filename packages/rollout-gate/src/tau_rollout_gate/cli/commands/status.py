"""`status`: where the rollout stands; nothing is judged."""

from tau_rollout_gate.cli.options import place_of
from tau_rollout_gate.cli.output import print_text
from tau_rollout_gate.cli.question import Dated, PlainFormat, asks
from tau_rollout_gate.files.policy import policy_notes
from tau_rollout_gate.formats.decisions import standing_json, standing_text
from tau_rollout_gate.services.context import archive_of
from tau_rollout_gate.services.evaluate import clock_warning, load_pinned


@asks
def command(question: Dated, output_format: PlainFormat) -> None:
    """Say where the rollout stands; judges nothing.

    Warns where the policy's file has changed since. Exits 5 if there is no rollout, or its files do
    not belong together. What may be done next is for 'evaluate' to say.

    Example: tau-rollout-gate status --json
    """
    standing = load_pinned(question)
    warnings = (*clock_warning(question.now_unix_ms), *policy_notes(standing.rollout))
    given = None
    if standing.rollout.fleet is not None:
        from tau_rollout_gate.services.fleet.look import count_given  # noqa: PLC0415 - few are

        given = count_given(question.rollout_dir, standing.rollout.fleet)
    if output_format == "json":
        print_text(standing_json(standing, warnings, given=given))
    else:
        archive = archive_of(standing.last, question.rollout_dir)
        place = place_of(question.rollout_dir)
        told = standing_text(standing, warnings, archive=archive, given=given, place=place)
        print_text(told)
