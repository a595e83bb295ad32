"""The entry point: what has to come before the rest of the program is imported."""

from __future__ import annotations

import atexit
import gc
import sys

INTERRUPTED = 130  # errors.ExitCode.INTERRUPTED, which is not imported yet


def main() -> None:
    """Run the command line; an interruption gives 130, also while the program starts."""
    # A cycle keeps nearly all that it makes to its end: scanning that for garbage, again and again,
    # took a fifth of the time of 30,000 cases and freed nothing; so does the scan at the very end.
    gc.disable()
    atexit.register(gc.freeze)
    try:
        from tau_custom_command.cli import app  # noqa: PLC0415 - takes most of the start-up

        app()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)
