"""The entry point: what has to come before the rest of the program is imported."""

from __future__ import annotations

import atexit
import gc
import sys

INTERRUPTED = 130  # errors.ExitCode.INTERRUPTED, which is not imported yet


def main() -> None:
    """Run the command line; an interruption gives 130, also while the program starts."""
    # Most calls last a tenth of a second. Collecting garbage while the program starts, and all that
    # it imported once more at its end, was an eighth of that by measurement, and freed nothing.
    gc.disable()
    atexit.register(gc.freeze)
    try:
        from tau_transport_health.cli import app  # noqa: PLC0415 - takes most of the start-up

        app.main()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)
