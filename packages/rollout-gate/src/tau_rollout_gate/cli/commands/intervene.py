"""`freeze`, `cancel`, `resume`, `reenter`, `policy adopt`: each recorded with its reason."""

from typing import Annotated

import typer

from tau_rollout_gate.cli import options
from tau_rollout_gate.cli.output import print_decided
from tau_rollout_gate.cli.question import asks
from tau_rollout_gate.cli.request import Judging, Request
from tau_rollout_gate.printable import printable
from tau_rollout_gate.rollout.ledger import Entry
from tau_rollout_gate.services import intervene


@asks
def freeze(asked: Request) -> None:
    """Stop promotion by hand; triggers go on.

    It works whatever is wrong with evidence, policy or record. Exits 2 if it is refused; nothing
    is written then.

    Example: tau-rollout-gate freeze --reason 'look at the queue first'
    """
    _print_stopped(intervene.freeze(asked))


@asks
def cancel(asked: Request) -> None:
    """Close a rollout that is still at 0 %.

    It works whatever is wrong with evidence, policy or record. Exits 2 if it is refused, as it is
    once a canary has the release: 'rollback' ends it then.

    Example: tau-rollout-gate cancel --reason 'the wrong version'
    """
    _print_stopped(intervene.cancel(asked))


@asks
def resume(asked: Judging) -> None:
    """Allow promotion again, unless a trigger has fired.

    Exits 2 if it is refused; nothing is written then.

    Example: tau-rollout-gate resume --reason 'the queue is empty again'
    """
    print_decided(intervene.resume(asked))


@asks
def reenter(
    asked: Judging,
    *,
    host: Annotated[
        str | None,
        options.option(metavar="HOST", help="Of a fleet, this host alone, which soaks anew."),
    ] = None,
    accept_lost_evidence: Annotated[
        bool,
        options.option(
            "--accept-lost-evidence", help="Go on though lines of it are unreadable or gone."
        ),
    ] = False,
) -> None:
    """Begin the phase anew, leaving damaged evidence behind.

    Exits 2 if it is refused, as it is once a rollback trigger has fired, and where lines of the
    evidence are lost unless that is accepted; nothing is written then. With --surface it takes
    another directory where the log of the pinned one is gone. Of a fleet the cohort is drawn anew,
    and a host whose lost evidence is not accepted stays as it is.

    Example: tau-rollout-gate reenter --reason 'the disk was full' --accept-lost-evidence
    """
    if host is not None:
        from tau_rollout_gate.services.fleet.leave import reenter_host  # noqa: PLC0415 - few do

        print_decided(reenter_host(asked, host, accepts_lost=accept_lost_evidence))
        return
    print_decided(intervene.reenter(asked, accepts_lost=accept_lost_evidence))


@asks
def adopt(asked: Judging, *, cycle_interval: options.CycleInterval = None) -> None:
    """Judge the running rollout by another policy from now on.

    It is the policy in --policy, else the built-in one, with its cycle interval if that is another
    than that of the policy so far; --cycle-interval alone leaves the policy. The phase begins anew.
    Exits 2 if it is refused, as it is once a rollback trigger of the policy so far has fired;
    nothing is written then.

    Example: tau-rollout-gate policy adopt --policy mine.toml --reason 'as agreed'
    """
    print_decided(intervene.adopt(asked, cycle_interval_ms=cycle_interval))


def _print_stopped(entry: Entry) -> None:
    print_decided(entry)
    for reason in entry.reasons:
        typer.echo(f"note: {printable(reason)}", err=True)
