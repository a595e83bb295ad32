"""A live view in the terminal: looks again and again, and redraws in place, until interrupted.

Only the command `watch` imports this module, since rich costs start-up time.
"""

import gc
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType

from rich.console import Console
from rich.live import Live

from tau_transport_health.errors import ExitCode, NoTargetError, TransportHealthError
from tau_transport_health.files.signals import signals_held
from tau_transport_health.services.inspect import Question
from tau_transport_health.watch.keyboard import quiet_keyboard
from tau_transport_health.watch.snapshot import aged, sight_of
from tau_transport_health.watch.view import view

LONGEST_REDRAW_SECONDS = 1.0
"""The ages tick at least this often, however seldom the files are looked at."""


class NoTerminalError(TransportHealthError):
    """The view needs a terminal that can be redrawn."""

    exit_code = ExitCode.USAGE


def watch_targets(
    question: Question, *, interval_seconds: float, ended_by: Callable[[], int | None]
) -> None:
    """Show the targets that `question` asks for until the process is interrupted.

    A signal may come where a library makes an error of it that is shown, or nothing: `ended_by`
    says what to exit with once one came.

    Raises:
        NoTerminalError: if the output is no terminal.
        TargetError: if there is no such target.
        KeyboardInterrupt: on Ctrl-C, with the terminal as it was before.
        SystemExit: at another signal that asks to end; the same.
    """
    gc.enable()  # unlike other commands this one may run for days
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal or console.is_dumb_terminal:
        raise NoTerminalError("watch needs a terminal to draw in; for one look use inspect")
    sight = sight_of(question, shows=NoTargetError)
    with ExitStack() as terminal:
        with signals_held():  # what is taken by half would not be put back
            terminal.enter_context(quiet_keyboard())
            resized = terminal.enter_context(_wake_on_resize())
            live = terminal.enter_context(Live(console=console, screen=True, auto_refresh=False))
        looked = time.monotonic()
        while (code := ended_by()) is None:
            live.update(view(sight, interval_seconds=interval_seconds), refresh=True)
            _wait(resized, min(interval_seconds, LONGEST_REDRAW_SECONDS))
            if time.monotonic() - looked >= interval_seconds:
                sight = sight_of(question, shows=TransportHealthError)
                looked = time.monotonic()
            else:
                sight = aged(sight, question)
    sys.exit(code)


@contextmanager
def _wake_on_resize() -> Iterator[int]:
    """Give a descriptor that becomes readable when the terminal's size changes."""
    readable, writable = os.pipe()
    os.set_blocking(readable, False)
    os.set_blocking(writable, False)

    def resized(_signal: int, _frame: FrameType | None) -> None:
        with suppress(BlockingIOError):  # where nobody read since, it is readable already
            os.write(writable, b".")

    signal.signal(signal.SIGWINCH, resized)
    try:
        yield readable
    finally:
        signal.signal(signal.SIGWINCH, signal.SIG_DFL)
        os.close(readable)
        os.close(writable)


def _wait(resized: int, seconds: float) -> None:
    woken, _, _ = select.select([resized], [], [], seconds)
    if woken:
        os.read(resized, 4096)
