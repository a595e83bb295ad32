"""What the shell completes beside options: names that are in a state directory.

Nothing here fails: a directory that cannot be read has no names to offer.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import typer

from tau_custom_command.cli.options import DEFAULT_STATE_DIR
from tau_custom_command.errors import CommandRuntimeError
from tau_custom_command.storage.state_directory import channel_names, read_state


def command_names(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Yield the registered commands whose names begin so."""
    with suppress(CommandRuntimeError, OSError, ValueError):
        state = read_state(_state_dir(ctx))
        for record in () if state is None else state.commands:
            if record.command_name.startswith(incomplete):
                yield record.command_name


def channels(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Yield the channels whose names begin so."""
    with suppress(CommandRuntimeError, OSError, ValueError):
        yield from (name for name in channel_names(_state_dir(ctx)) if name.startswith(incomplete))


def _state_dir(ctx: typer.Context) -> Path:
    return Path(ctx.params.get("state_dir") or DEFAULT_STATE_DIR)
