"""The entry point: what has to come before the rest of the program is imported."""

from __future__ import annotations

import atexit
import gc
import os
import sys

INTERRUPTED = 130  # errors.ExitCode.INTERRUPTED, which is not imported yet


def main() -> None:
    """Run the command line; an interruption gives 130, also while the program starts."""
    _open_what_is_closed()
    # A cycle keeps nearly all that it makes to its end: scanning that for garbage, again and again,
    # took a fifth of the time of 30,000 cases and freed nothing; so does the scan at the very end.
    gc.disable()
    atexit.register(gc.freeze)
    try:
        from tau_custom_command.cli.app import app  # noqa: PLC0415 - takes most of the start-up

        app()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)


def _open_what_is_closed() -> None:
    """Have stdin, stdout and stderr lead nowhere where they were closed (`2>&-`).

    Python has None in their place then, and the next file to be opened, the lock or the journal,
    would take the number that was theirs.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)  # in this order each gets its own number
            stream = os.fdopen(
                nowhere, mode, encoding="utf-8", errors="backslashreplace", closefd=False
            )
            setattr(sys, name, stream)
