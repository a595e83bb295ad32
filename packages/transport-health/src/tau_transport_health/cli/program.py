"""The program: what is done around the command line, before it is imported and after.

The three packages share no code: each has this file, the same to the byte.
"""

import atexit
import gc
import os
import sys
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import Any

from .ending import INTERRUPTED
from .plain import plain_answer


def run_command_line() -> None:
    """Run the command line; an interruption is told, and gives 130."""
    _open_what_is_closed()
    _lose_what_stderr_refuses()
    # A call keeps nearly all that it makes to its end. Looking through that for garbage, and at the
    # very end through all that was imported, took a tenth to a fifth of the time by measurement,
    # and freed nothing.
    gc.disable()
    atexit.register(gc.freeze)
    try:
        answer = plain_answer(sys.argv[1:])
        if answer is not None and _is_printed(answer[0]):
            sys.exit(answer[1])
        from .app import app  # noqa: PLC0415 - takes most of the start-up

        app()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)


def _is_printed(text: str) -> bool:
    """Print what was answered before the rest is imported.

    What stdout refuses is left to the command line, which says so.
    """
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except (OSError, UnicodeEncodeError):
        return False
    return True


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
