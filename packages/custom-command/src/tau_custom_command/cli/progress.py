"""Progress on a terminal for what takes longer than a second."""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")

QUIET_SECONDS = 1.0
"""What is done within this time shows no bar."""


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
