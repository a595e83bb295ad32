"""The entry point: what has to come before the rest of the program is imported."""

from __future__ import annotations

import atexit
import gc
import os
import sys

INTERRUPTED = 130  # errors.ExitCode.INTERRUPTED, which is not imported yet


def main() -> None:
    """Run the command line; an interruption gives 130, also while the program starts."""
    # One decision and the process ends: what it makes is kept until then, so that collecting
    # garbage would scan it again and again and free nothing.
    gc.disable()
    # Looking for plugins of pydantic's, which this program has no use for, reads the metadata of
    # every package that is installed: a sixth of the start-up by measurement.
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    atexit.register(gc.freeze)
    try:
        from tau_rollout_gate.cli.app import app  # noqa: PLC0415 - takes most of the start-up

        app()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)
