"""`revoke`: withdraws the approval of a command."""

from typing import Annotated

import msgspec
import typer

from tau_custom_command.cli import complete, options
from tau_custom_command.cli.answers import approvals as approval_text
from tau_custom_command.cli.output import print_answer
from tau_custom_command.services.approve import revoke as revoke_approval


def revoke(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", autocompletion=complete.command_names, help="The command's name."
        ),
    ],
    *,
    state_dir: options.StateDir = options.DEFAULT_STATE_DIR,
    wait: options.Wait = 0.0,
    output_format: options.Format = "text",
    as_json: options.AsJson = False,
) -> None:
    """Withdraw the approval of a command.

    It is not started again, also in a cycle that is at work. Exits 3 if nobody approved it.

    Example: tau-custom-command revoke greet --state-dir .tau/greet
    """
    approval = revoke_approval(state_dir, name, wait_seconds=wait)
    value = msgspec.to_builtins(approval)
    told = approval_text.revocation_as_text(approval)
    print_answer(told, value, output_format, as_json=as_json)
