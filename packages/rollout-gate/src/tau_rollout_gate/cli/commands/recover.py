"""`recover`: rebuilds `rollout.json` from the decisions."""

from typing import Annotated

import typer

from tau_rollout_gate.cli.output import print_decided, print_text
from tau_rollout_gate.cli.question import Dated, asks
from tau_rollout_gate.cli.request import By
from tau_rollout_gate.formats.decisions import recovery_text
from tau_rollout_gate.services.recover import recover


@asks
def command(
    *,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without, it is only shown what would be done.")
    ] = False,
    question: Dated,
    by: By,
) -> None:
    """Rebuild a lost rollout.json from the decisions.

    An open rollout comes back frozen, in its phase entered anew: that no decision is missing at the
    end of the ledger is not proven. Exits 2 if it is refused, as it is where nothing is lost, the
    ledger is not whole, or something is there that no decision names; nothing is written then.

    Example: tau-rollout-gate recover --yes
    """
    done = recover(question, by=by, is_done=yes)
    print_text(recovery_text(done.rollout, done.problem, is_done=yes))
    if done.entry is not None:
        print_decided(done.entry)
