"""A live view in the terminal: looks again and again, and redraws in place, until interrupted.

Only the command `watch` imports this module, since rich costs start-up time.
"""

import gc
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console, RenderableType
from rich.live import Live

from tau_rollout_gate.errors import RefusedError, RolloutGateError
from tau_rollout_gate.files.signals import signals_held
from tau_rollout_gate.services.evaluate import Question
from tau_rollout_gate.services.report import look
from tau_rollout_gate.watch.keyboard import quiet_keyboard
from tau_rollout_gate.watch.view import problem, view

LONGEST_REDRAW_SECONDS = 1.0
"""A window whose size changed is drawn anew within this, however seldom the files are looked at."""


def watch_rollout(
    question: Question,
    *,
    interval_seconds: float,
    default_rollout_dir: Path,
    ended_by: Callable[[], int | None],
) -> None:
    """Show the rollout until the process is interrupted or ended, the terminal as it was then.

    A signal may come where a library makes an error of it that is shown, or nothing: `ended_by`
    says what to exit with once one came.

    Raises:
        RefusedError: if the output is no terminal.
        RolloutGateError: if the first look fails; of later ones it is shown.
        KeyboardInterrupt: on Ctrl-C.
        SystemExit: at another signal that asks to end.
    """
    gc.enable()  # unlike other commands this one may run for days
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal or console.is_dumb_terminal:
        raise RefusedError("watch needs a terminal to draw in; for one look use evaluate")
    sight = look(question, default_rollout_dir=default_rollout_dir)
    with ExitStack() as terminal:
        with signals_held():  # what is taken by half would not be put back
            terminal.enter_context(quiet_keyboard())
            live = terminal.enter_context(Live(console=console, screen=True, auto_refresh=False))
        shown = view(sight, interval_seconds=interval_seconds)
        while (code := ended_by()) is None:
            _draw(live, shown, interval_seconds)
            try:
                sight = look(question, default_rollout_dir=default_rollout_dir)
                shown = view(sight, interval_seconds=interval_seconds)
            except RolloutGateError as error:
                shown = problem(str(error), interval_seconds=interval_seconds)
    sys.exit(code)


def _draw(live: Live, shown: RenderableType, seconds: float) -> None:
    """Draw until it is time to look again."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        live.update(shown, refresh=True)
        time.sleep(min(left, LONGEST_REDRAW_SECONDS))
