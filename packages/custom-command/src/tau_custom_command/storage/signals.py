"""Holds interruptions back until what is being written is complete."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

_HELD = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGALRM}
"""Those that ask to end, and the one by which `cli.ending` asks again."""


@contextmanager
def interruptions_held() -> Iterator[None]:
    """Let SIGINT, SIGTERM, SIGHUP and SIGQUIT wait until the block has ended; then they act.

    The mask is this thread's and that of the threads it starts: a runner with others has to start
    them so too.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
