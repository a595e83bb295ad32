"""`cohort`: which hosts get the release in a phase; nothing is written."""

from typing import Annotated

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.cli.output import print_text
from tau_rollout_gate.cli.question import Engined, asks
from tau_rollout_gate.contract.rollout import RolloutStatus
from tau_rollout_gate.errors import ExitCode
from tau_rollout_gate.formats.fleet.cohort import COHORT_FORMATS, ShownCohort, why_text
from tau_rollout_gate.printable import printable
from tau_rollout_gate.services.evaluate import load_pinned
from tau_rollout_gate.services.fleet import hosts


@asks
def command(
    question: Engined,
    *,
    phase: Annotated[
        str | None,
        options.option(metavar="PHASE", help="The phase. [default: the present one]"),
    ] = None,
    cohort_format: Annotated[
        options.CohortFormat,
        typer.Option(
            "--format", metavar="FORMAT", help=f"The form: {', '.join(options.CohortFormat)}."
        ),
    ] = options.CohortFormat.LINES,
    why: Annotated[
        str | None,
        options.option(metavar="HOST", help="Say why a host is in it, and how to check that."),
    ] = None,
    carrying: Annotated[
        bool,
        typer.Option("--carrying", help="The hosts that still carry the release, to be reverted."),
    ] = False,
    install: Annotated[
        str | None,
        options.option(
            metavar="VERSION",
            help="What is to be installed there; refused where that is not this rollout's.",
        ),
    ] = None,
) -> None:
    """Print which hosts get the release in a phase.

    It is the present one, or with --phase a later one: a preview, which writes nothing.

    Where it is none, nothing is printed and it exits 2: no list that is empty by mistake becomes
    all hosts elsewhere. While promotion is frozen it is the present cohort; of a rollout that went
    back nothing is printed but with --carrying, and it exits 4.

    Whatever deploys says with --install which version it brings. Where this rollout installs
    another one, as where a timer was left over from the last, it is refused: 2, too. --carrying
    leaves out hosts that the roster marks as retired.

    Example: tau-rollout-gate cohort --install 1.4.0
    """
    rollout = load_pinned(question).rollout
    if install is not None:
        hosts.refuse_other_version(rollout, install, is_back=carrying)
    if why is not None:
        found, first = hosts.why_host(question, rollout, why)
        print_text(why_text(found.sentence, found.check, first))
        return
    if carrying:
        cohort = hosts.carrying(question, rollout)
    elif rollout.status is RolloutStatus.ROLLED_BACK:
        typer.echo("note: rolled back: no host is to have the release", err=True)
        raise typer.Exit(ExitCode.ROLLBACK)
    else:
        cohort = hosts.cohort(question, rollout, phase)
    for note in cohort.notes:
        typer.echo(f"note: {printable(note)}", err=True)
    if not cohort.entries:
        what = "carries the release" if carrying else f"gets the release in {cohort.phase}"
        typer.echo(f"note: no host {what}", err=True)
        raise typer.Exit(ExitCode.USAGE)
    pairs = [(one.host, one.group) for one in cohort.entries]
    print_text(COHORT_FORMATS[cohort_format](ShownCohort(cohort.phase, cohort.percent, pairs)))
