"""What `run` prints of a cycle."""

from collections.abc import Collection
from pathlib import Path

from tau_custom_command.cli.answers import text
from tau_custom_command.cli.answers.next_steps import HowAsked
from tau_custom_command.cli.output import print_json, print_text, print_told
from tau_custom_command.contract.paths import CHANNEL_STORE
from tau_custom_command.printable import printable
from tau_custom_command.services.run_cycle import RunReport


def print_report(
    report: RunReport, asked: HowAsked, *, as_json: bool, warned: Collection[str] = ()
) -> Collection[str]:
    """Print what a cycle came to, and return its warnings; those `warned` of before stay unsaid."""
    for warning in report.warnings:
        if warning not in warned:
            print_text(printable(warning), err=True)
    channel_store = Path(asked.state_dir) / CHANNEL_STORE
    print_told(text.cases_as_text(report.settlements, channel_store), err=as_json)
    if as_json:
        print_json(text.run_as_json(report.event, report.health))
    else:
        print_told(text.run_as_text(report, asked))
    return report.warnings
