"""Holds signals back until what must not be left half done is complete.

The gate and the inspector share no code: each has this file, the same to the byte.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

_HELD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGALRM)
"""Those that ask to end, and the one by which `cli.ending` asks again."""


@contextmanager
def signals_held() -> Iterator[None]:
    """Let a signal that would end the process wait; threads and processes begun so go on to."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
