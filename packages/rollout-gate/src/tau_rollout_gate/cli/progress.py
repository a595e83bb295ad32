"""A progress bar on stderr, where that is a terminal and it takes longer than a second."""

import sys
import time
from collections.abc import Callable

_PATIENCE_SECONDS = 1.0
_WIDTH = 30


def progress_bar() -> Callable[[int, int], None] | None:
    """What draws a bar when it is told how many chunks of how many are done; None without one."""
    if not sys.stderr.isatty():
        return None
    begun = time.monotonic()
    is_drawn = False

    def draw(done: int, total: int) -> None:
        nonlocal is_drawn
        if time.monotonic() - begun < _PATIENCE_SECONDS:
            return
        if done < total:
            filled = _WIDTH * done // total
            bar = "#" * filled + "." * (_WIDTH - filled)
            sys.stderr.write(f"\r[{bar}] {done} of {total} chunks of hosts")
            is_drawn = True
        elif is_drawn:
            sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()

    return draw
