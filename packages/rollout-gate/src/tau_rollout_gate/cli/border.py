"""The border that every error stops at: it is told as a message on stderr, and has an exit code.

The three packages share no code: each has this file, the same to the byte.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup

from ..errors import ExitCode  # noqa: TID252 - the same file in three packages
from ..printable import printable  # noqa: TID252 - as above
from .ending import code_of_ending


class ErrorBorder(TyperGroup):
    """A command line that shows no traceback for what can be expected to go wrong."""

    expected: ClassVar[type[Exception]]
    """The base of the package's errors, each of which has an `exit_code`."""

    def make_context(self, *args: Any, **settings: Any) -> Any:  # noqa: ANN401 - typer's own
        """Read the words of the command line; `--help` and `--version` answer here."""
        with self.border(None):
            return super().make_context(*args, **settings)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's own
        """Carry out the command."""
        with self.border(ctx):
            return super().invoke(ctx)

    def main(self, *args: Any, **settings: Any) -> Any:  # noqa: ANN401 - typer's own
        """Run the command line; wrong usage is told like every other error."""
        is_alone = settings.get("standalone_mode", True)
        try:
            code = super().main(*args, **settings | {"standalone_mode": False})
        except Exception as error:
            if not (is_alone and hasattr(error, "format_message")):
                raise
            _tell_usage(error)
            code = ExitCode.USAGE
        if is_alone:
            sys.exit(code or ExitCode.YES)
        return code

    def tell(self, _ctx: Any, message: str) -> None:  # noqa: ANN401 - typer's own
        """Tell what went wrong, a line each."""
        for line in message.splitlines():
            typer.echo(f"error: {printable(line)}", err=True)

    def exit_code(self, _ctx: Any, code: int) -> int:  # noqa: ANN401 - typer's own
        """What a command that failed with `code` exits with."""
        return code

    @contextmanager
    def border(self, ctx: Any) -> Iterator[None]:  # noqa: ANN401 - typer's own
        """Tell what goes wrong inside, and end with its exit code.

        Raises:
            typer.Exit: for all that can be expected.
        """
        try:
            try:
                yield
            except self.expected as error:
                if (ended := code_of_ending()) is not None:
                    raise typer.Exit(ended) from None
                self.tell(ctx, str(error))
                code = getattr(error, "exit_code", ExitCode.BUG)
                raise typer.Exit(self.exit_code(ctx, code)) from None
            except MemoryError:
                self.tell(ctx, "it takes more memory than there is")
                raise typer.Exit(self.exit_code(ctx, ExitCode.CANNOT_ANSWER)) from None
            except KeyboardInterrupt:
                typer.echo("interrupted", err=True)
                raise typer.Exit(ExitCode.INTERRUPTED) from None
        except BrokenPipeError:
            _forget_what_stdout_holds()
            raise typer.Exit(ExitCode.READER_GONE) from None
        except OSError as error:
            _forget_what_stdout_holds()
            if error.filename is None:
                # What refuses then is stdout itself: a full disk, a terminal that is gone.
                message = f"the answer cannot be written: {error.strerror}"
            else:  # nobody foresaw it where it happened
                message = f"{os.fsdecode(error.filename)}: {error.strerror}"
            typer.echo(f"error: {printable(message)}", err=True)
            raise typer.Exit(self.exit_code(ctx, ExitCode.CANNOT_ANSWER)) from None


def _tell_usage(error: Any) -> None:  # noqa: ANN401 - typer gives its errors no public type
    """Show what is wrong with the words, and how they go, in the words of every other error."""
    text = StringIO()
    error.show(text)
    for line in text.getvalue().splitlines():
        typer.echo(printable(re.sub("^Error: ", "error: ", line.expandtabs(2))), err=True)


def _forget_what_stdout_holds() -> None:
    """Let what could not be written go: Python would try again at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
