"""The entry point: what has to come before the rest of the program is imported.

The three packages share no code: each has this file, the same to the byte.
"""

import atexit
import gc
import os
import signal
import sys
from io import BufferedWriter, FileIO, TextIOWrapper
from types import FrameType
from typing import Any

INTERRUPTED = 130  # errors.ExitCode.INTERRUPTED, which is not imported yet

_SIGNALLED = 128
_AGAIN_SECONDS = 0.001
_asked: list[int] = []
"""The signals to end that came, of which a library may have made something else, or nothing."""


def main() -> None:
    """Run the command line; an interruption gives 130, also while the program starts."""
    _open_what_is_closed()
    _lose_what_stderr_refuses()
    # So that what was begun is ended, and a terminal put back. The first process of a container
    # would not hear of them at all.
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup has one ignored
            signal.signal(number, _end)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGALRM, _end_at_last)
    sys.unraisablehook = _ask_again
    # A call keeps nearly all that it makes to its end. Looking through that for garbage, and at the
    # very end through all that was imported, took a tenth to a fifth of the time by measurement,
    # and freed nothing.
    gc.disable()
    atexit.register(gc.freeze)
    # Looking for plugins of pydantic's, which no program of ours has, reads the metadata of every
    # package that is installed: a sixth of the start-up by measurement.
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    try:
        from .app import app  # noqa: PLC0415 - takes most of the start-up

        app()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)
    except BaseException:
        if (code := code_of_ending()) is not None:
            sys.exit(code)
        raise


def code_of_ending() -> int | None:
    """What to exit with where a signal asked to end; None where none did.

    What goes wrong after that is no error of its own: it may be a library's word for the signal.
    """
    if not _asked:
        return None
    return INTERRUPTED if _asked[0] == signal.SIGINT else _SIGNALLED + _asked[0]


def _open_what_is_closed() -> None:
    """Have stdin, stdout and stderr lead nowhere where they were closed (`2>&-`).

    Python has None in their place then, and the next file to be opened, a lock or a log, would take
    the number that was theirs.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)  # in this order each gets its own number
            stream = os.fdopen(
                nowhere, mode, encoding="utf-8", errors="backslashreplace", closefd=False
            )
            setattr(sys, name, stream)


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


class _Losing(FileIO):
    """A file that loses what cannot be written, on a full disk or to a reader that went away."""

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - any buffer, which has no type of its own
        try:
            return super().write(data)
        except OSError:
            return len(data)


def _lose_what_stderr_refuses() -> None:
    """Have nothing fail for want of stderr: what is told there is no answer."""
    file = BufferedWriter(_Losing(sys.stderr.fileno(), "w", closefd=False))
    sys.stderr = TextIOWrapper(
        file, encoding=sys.stderr.encoding, errors="backslashreplace", line_buffering=True
    )
