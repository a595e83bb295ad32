"""Groups of commands that are imported when they are called, since start-up time counts.

The three packages share no code: each has this file, the same to the byte.
"""

from collections import UserDict
from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup
from typer.main import get_command

SETTINGS = {"help_option_names": ["-h", "--help"]}


class _Commands(UserDict[str, Any]):
    """Commands by name; one that is given as `module:function` is imported when it is looked up."""

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - typer gives commands no public type
        found = super().__getitem__(name)
        if not isinstance(found, str):
            return found
        module, _, function = found.partition(":")
        alone = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=SETTINGS)
        alone.command(name)(getattr(import_module(f"{__package__}.commands.{module}"), function))
        return get_command(alone)


class LazyGroup(TyperGroup):
    """A group whose `lazy` commands are functions of the modules of `commands/`, by their name."""

    lazy: ClassVar[Mapping[str, str]] = {}

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - typer's own
        super().__init__(**settings)
        self.commands = _Commands({**self.lazy, **self.commands})

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - as above
        """The names in the order of --help, without importing what they name."""
        del ctx
        return list(self.commands)


def group(help_text: str, lazy: Mapping[str, str]) -> typer.Typer:
    """A group of commands within the command line, to be added to it by name."""
    kind = type("_Group", (LazyGroup,), {"lazy": lazy})
    made = typer.Typer(cls=kind, help=help_text, no_args_is_help=True, rich_markup_mode=None)
    made.callback()(lambda: None)  # so that it is a group, also of one command
    return made
