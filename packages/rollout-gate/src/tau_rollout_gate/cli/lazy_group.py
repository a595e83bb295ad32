"""Groups of commands that are imported when they are called, since start-up time counts."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

SETTINGS = {"help_option_names": ["-h", "--help"]}


class LazyGroup(TyperGroup):
    """A group that finds each command at the `module:function` below `commands` that it names."""

    places: Mapping[str, str] = {}

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - typer gives no public type
        """Return the names, in the order of --help, those of groups last."""
        return [*self.places, *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401 - the same
        """Return the command called `cmd_name`, imported now; None if there is none."""
        if cmd_name not in self.places:
            return super().get_command(ctx, cmd_name)
        module, _, function = self.places[cmd_name].partition(":")
        found = getattr(import_module(f"tau_rollout_gate.cli.commands.{module}"), function)
        only = typer.Typer(rich_markup_mode=None, add_completion=False, context_settings=SETTINGS)
        only.command(cmd_name)(found)
        return typer.main.get_command(only)
