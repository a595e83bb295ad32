"""Groups of commands that are imported when they are called, since start-up time counts."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

SETTINGS = {"help_option_names": ["-h", "--help"]}


class LazyGroup(TyperGroup):
    """A group that finds the command NAME in the module `commands.<prefix>NAME`."""

    prefix = ""
    names: tuple[str, ...] = ()

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - typer gives no public type
        """Return the names, in the order of --help, those of groups last."""
        return [*self.names, *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401 - the same
        """Return the command called `cmd_name`, imported now; None if there is none."""
        if cmd_name not in self.names:
            return super().get_command(ctx, cmd_name)
        module = f"tau_rollout_gate.cli.commands.{self.prefix}{cmd_name}"
        only = typer.Typer(rich_markup_mode=None, add_completion=False, context_settings=SETTINGS)
        only.command(cmd_name)(import_module(module).command)
        return typer.main.get_command(only)
