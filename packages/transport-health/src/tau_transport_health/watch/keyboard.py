"""The keyboard while a live view is shown.

The gate and the inspector share no code: each has this file, the same to the byte.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def quiet_keyboard() -> Iterator[None]:
    """Show nothing of what is typed, and forget it at the end rather than leave it to the shell."""
    if not sys.stdin.isatty():
        yield
        return
    import termios  # noqa: PLC0415 - only where there is a terminal

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    quiet = termios.tcgetattr(descriptor)
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(descriptor, termios.TCSANOW, quiet)
    try:
        yield
    finally:
        with suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
