"""Progress on a terminal for what takes longer than a second, and what is waited for."""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

from tau_custom_command.durations import utc

Item = TypeVar("Item")

QUIET_SECONDS = 1.0
"""What is done within this time shows no bar."""


def announced(left_ms: int) -> None:
    """Tell when the next cycle begins, where someone is watching and it is not about to."""
    if left_ms >= QUIET_SECONDS * 1000 and sys.stderr is not None and sys.stderr.isatty():
        at = utc(time.time_ns() // 1_000_000 + left_ms)
        sys.stderr.write(f"the next cycle begins in {left_ms // 1000} s, at {at}\n")
        sys.stderr.flush()


def track(label: str, items: Sequence[Item]) -> Iterator[Item]:
    """Yield the items; draw a bar on stderr if they take long and someone is watching."""
    started = time.monotonic()
    quiet = 0
    while quiet < len(items) and time.monotonic() - started < QUIET_SECONDS:
        yield items[quiet]
        quiet += 1
    if sys.stderr is None or not sys.stderr.isatty():  # None: it was closed before we started
        yield from items[quiet:]
    elif quiet < len(items):
        import typer  # noqa: PLC0415 - takes as long as all the rest of a short cycle's start

        with typer.progressbar(length=len(items), label=label, file=sys.stderr) as bar:
            bar.update(quiet)
            for item in items[quiet:]:
                yield item
                bar.update(1)
