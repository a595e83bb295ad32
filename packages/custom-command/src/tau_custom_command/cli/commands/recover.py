"""`recover`: mends what is broken in a state directory, or says what it would do."""

import typer

from tau_custom_command.cli import options
from tau_custom_command.cli.answers import text
from tau_custom_command.cli.output import print_answer
from tau_custom_command.errors import ExitCode
from tau_custom_command.services import recover as recovery


def recover(
    *,
    state_dir: options.StateDir = options.DEFAULT_STATE_DIR,
    wait: options.Wait = 0.0,
    yes: options.Yes = False,
    output_format: options.Format = "text",
    as_json: options.AsJson = False,
) -> None:
    """Mend what is broken in a state directory.

    Without --yes it only shows what it would do. Broken files are kept beside the new ones. Exits 0
    if there is nothing to recover, or it was done, 3 if there is something and --yes was not given,
    5 if it cannot be mended.

    Example: tau-custom-command recover --state-dir .tau/greet --yes
    """
    found = recovery.recover(state_dir, carry_out=yes, wait_seconds=wait)
    value = text.recovery_as_json(found, carried_out=yes)
    told = text.recovery_as_text(str(state_dir), found, carried_out=yes)
    print_answer(told, value, output_format, as_json=as_json)
    raise typer.Exit(ExitCode.NO if found and not yes else ExitCode.YES)
