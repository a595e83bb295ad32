"""`registry list` and `registry show`: the registered commands."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from tau_custom_command.cli import complete, options
from tau_custom_command.cli.answers import text
from tau_custom_command.cli.output import print_answer
from tau_custom_command.contract.state import CommandRecord
from tau_custom_command.errors import NotRegisteredError, StorageError
from tau_custom_command.hint import hint
from tau_custom_command.storage.state_directory import read_state


def registry_list(
    *,
    state_dir: options.StateDir = options.DEFAULT_STATE_DIR,
    output_format: options.Format = "text",
    as_json: options.AsJson = False,
) -> None:
    """List the registered commands.

    Example: tau-custom-command registry list --state-dir .tau/greet
    """
    records = _registered(state_dir)
    value = msgspec.to_builtins(records)
    print_answer(text.registry_as_text(records), value, output_format, as_json=as_json)


def registry_show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", autocompletion=complete.command_names, help="The command's name."
        ),
    ],
    *,
    state_dir: options.StateDir = options.DEFAULT_STATE_DIR,
    output_format: options.Format = "text",
    as_json: options.AsJson = False,
) -> None:
    """Show one registered command.

    Exits 3 if it is not registered.

    Example: tau-custom-command registry show greet --json
    """
    record = next((r for r in _registered(state_dir) if r.command_name == name), None)
    if record is None:
        raise NotRegisteredError(
            f"{name!r} is not registered in {state_dir}; "
            f"'{hint('registry', 'list', state_dir=str(state_dir))}' shows what is"
        )
    value = msgspec.to_builtins(record)
    print_answer(text.record_as_text(record), value, output_format, as_json=as_json)


def _registered(state_dir: Path) -> tuple[CommandRecord, ...]:
    state = read_state(state_dir)
    if state is None:
        raise StorageError(
            f"{state_dir}: there is no state.json; pass --state-dir, or run a fixture first"
        )
    return state.commands
