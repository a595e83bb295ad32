"""`freeze`, `resume`, `reenter`, `policy adopt`: changes by hand, each recorded with its reason."""

from tau_rollout_gate.cli.output import print_decided
from tau_rollout_gate.cli.question import Request, asks
from tau_rollout_gate.services import intervene


@asks
def freeze(asked: Request) -> None:
    """Freeze promotion; triggers are looked for as before.

    Exits 2 if it is refused; nothing is written then.

    Example: tau-rollout-gate freeze --reason 'look at the queue first'
    """
    print_decided(intervene.freeze(asked))


@asks
def resume(asked: Request) -> None:
    """Free promotion again, unless a trigger is fired.

    Exits 2 if it is refused; nothing is written then.

    Example: tau-rollout-gate resume --reason 'the queue is empty again'
    """
    print_decided(intervene.resume(asked))


@asks
def reenter(asked: Request) -> None:
    """Enter the phase anew, damaged evidence left behind.

    Refused (exit 2) while a rollback trigger is fired; nothing is written then.

    Example: tau-rollout-gate reenter --reason 'the disk was full'
    """
    print_decided(intervene.reenter(asked))


@asks
def adopt(asked: Request) -> None:
    """Judge the running rollout by another policy from now on.

    It is the policy in --policy, else the built-in one; the phase is entered anew. Exits 2 if it is
    refused, as while a rollback trigger is fired by the policy that the rollout has so far; nothing
    is written then.

    Example: tau-rollout-gate policy adopt --policy mine.toml --reason 'as agreed'
    """
    print_decided(intervene.adopt(asked))
