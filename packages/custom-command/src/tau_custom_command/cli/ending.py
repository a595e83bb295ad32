"""How the program ends where a signal asks for it, whatever a library makes of that.

The three packages share no code: each has this file, the same to the byte. It imports nothing of
ours, since signals may come while the rest is imported.
"""

import signal
import sys
from types import FrameType
from typing import Any

INTERRUPTED = 130  # errors.ExitCode.INTERRUPTED, which is not imported yet

_SIGNALLED = 128
_AGAIN_SECONDS = 0.001
_asked: list[int] = []
"""The signals to end that came, of which a library may have made something else, or nothing."""


def hear_of_endings() -> None:
    """Have signals that ask to end do so by an exit, not at once.

    So what was begun is ended, and a terminal put back. The first process of a container would not
    hear of them at all.
    """
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup has one ignored
            signal.signal(number, _end)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGALRM, _end_at_last)
    sys.unraisablehook = _ask_again


def code_of_ending() -> int | None:
    """What to exit with where a signal asked to end; None where none did.

    What goes wrong after that is no error of its own: it may be a library's word for the signal.
    """
    if not _asked:
        return None
    return INTERRUPTED if _asked[0] == signal.SIGINT else _SIGNALLED + _asked[0]


def _end(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # a second one must not cut the ending short
    _asked.append(number)
    sys.exit(_SIGNALLED + number)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    _asked.append(number)
    raise KeyboardInterrupt


def _end_at_last(_number: int, _frame: FrameType | None) -> None:
    sys.exit(code_of_ending())


def _ask_again(lost: Any) -> None:  # noqa: ANN401 - sys has no name of its own for it
    """End a moment later where a library, or what cleans up, could not pass on that it is to be."""
    if _asked and isinstance(lost.exc_value, SystemExit | KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
    else:
        sys.__unraisablehook__(lost)
