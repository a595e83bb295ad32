"""`hosts` and `leave`: each host of a fleet, and those that are taken out of its cohort."""

from typing import Annotated

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.cli.output import print_decided, print_text
from tau_rollout_gate.cli.question import Engined, asks
from tau_rollout_gate.cli.request import Judging
from tau_rollout_gate.decision.fleet import HostState
from tau_rollout_gate.errors import RefusedError
from tau_rollout_gate.fleet.partial import named_host
from tau_rollout_gate.formats.fleet.hosts import HOST_FORMATS
from tau_rollout_gate.printable import printable
from tau_rollout_gate.services.evaluate import load_pinned
from tau_rollout_gate.services.fleet import hosts as service
from tau_rollout_gate.services.fleet import leave as leaving


@asks
def hosts(
    question: Engined,
    *,
    state: Annotated[
        list[HostState] | None,
        options.option(
            metavar="STATE", help=f"Only those in this state, repeatable: {', '.join(HostState)}."
        ),
    ] = None,
    group: Annotated[
        list[str] | None,
        options.option(metavar="GROUP", help="Only those of this group; repeatable."),
    ] = None,
    limit: Annotated[
        int | None, options.option(min=1, metavar="N", help="At most so many, the worst first.")
    ] = None,
    host_format: Annotated[
        options.HostFormat,
        typer.Option(
            "--format", metavar="FORMAT", help=f"The form: {', '.join(options.HostFormat)}."
        ),
    ] = options.HostFormat.TEXT,
) -> None:
    """List the hosts of the fleet, the worst first.

    Each with why, and where to look; nothing is written. Exits 0 also where some are not clean, 5
    if the fleet cannot be judged.

    Example: tau-rollout-gate hosts --state failed --state silent
    """
    found = service.rows(question, load_pinned(question).rollout)
    wanted = [
        row
        for row in found
        if (not state or row.state in state) and (not group or row.group in group)
    ]
    listed = [(named_host(row), str(row.part)) for row in wanted[:limit]]
    print_text(HOST_FORMATS[host_format](listed, len(wanted)))


@asks
def leave(
    hosts: Annotated[
        list[str] | None, options.argument(metavar="[HOST]...", help="The hosts to take out.")
    ] = None,
    *,
    asked: Judging,
    gone: Annotated[
        bool, typer.Option("--gone", help="All that left the roster since the entry.")
    ] = False,
    absent: Annotated[
        bool,
        typer.Option("--absent", help="Before the first draw: all that were never seen."),
    ] = False,
) -> None:
    """Take hosts out of the cohort that is pinned.

    Those that were recorded clean in this phase count no more. Any other goes on counting against
    what is tolerated, which is said. Exits 2 if it is refused; nothing is written then.

    Example: tau-rollout-gate leave web-17 --reason 'was decommissioned'
    """
    if bool(hosts) + gone + absent != 1:
        raise RefusedError("leave: name hosts, or pass --gone or --absent")
    if gone:
        done = leaving.leave_gone(asked)
    elif absent:
        done = leaving.leave_absent(asked)
    else:
        done = leaving.leave(asked, hosts or [])
    print_decided(done.entry)
    for reason in done.entry.reasons:
        typer.echo(f"note: {printable(reason)}", err=True)
