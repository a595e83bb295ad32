"""Commands that are imported when they are called, since start-up time counts.

The three packages share no code: each has this file, the same to the byte.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command
from typer.models import TyperPath

SETTINGS = {"help_option_names": ["-h", "--help"]}


class LazyCommand(TyperCommand):
    """A command of which only the name and the summary are known until it is called."""

    def __init__(self, name: str, place: str, summary: str) -> None:
        super().__init__(name, help=summary)
        self.module, _, self.function = place.partition(":")

    def found(self) -> Any:  # noqa: ANN401 - typer gives commands no public type
        """The command itself; its module is imported."""
        module = import_module(f"{__package__}.commands.{self.module}")
        alone = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=SETTINGS)
        alone.command(self.name)(getattr(module, self.function))
        command = get_command(alone)
        for one in command.params:
            if isinstance(one.type, TyperPath):  # what may not be read is no wrong usage:
                one.type.readable = False  # who reads it says whose it is, and what to do
        return command

    def make_context(self, *args: Any, **settings: Any) -> Any:  # noqa: ANN401 - as above
        """Read the words of the command line as the command itself does."""
        return self.found().make_context(*args, **settings)


class LazyGroup(TyperGroup):
    """A command line whose commands are functions of the modules of `commands/`."""

    lazy: ClassVar[Mapping[str, tuple[str, str]]] = {}
    """By the words that call it: `module:function`, nothing for a group; and the summary."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - as above
        super().__init__(**settings)
        for words, (place, summary) in self.lazy.items():
            group, _, name = words.rpartition(" ")
            into: Any = self.commands[group] if group else self
            into.commands[name] = (
                LazyCommand(name, place, summary)
                if place
                else TyperGroup(
                    name=name, help=summary, no_args_is_help=True, rich_markup_mode=None
                )
            )
