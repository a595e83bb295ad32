"""What stdout is: a terminal, how wide and whether in colours, or something else."""

import os
import sys

from tau_rollout_gate.formats.layout import PIPED, Look

_NARROWEST = 60
_WIDEST = 200


def terminal_look() -> Look:
    """Look at the terminal: its width, and colours unless they are refused (no-color.org)."""
    if not sys.stdout.isatty():
        return PIPED
    import shutil  # noqa: PLC0415 - start-up time counts most where nobody looks

    width = min(max(shutil.get_terminal_size().columns, _NARROWEST), _WIDEST)
    refused = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    return Look(width=width, is_coloured=not refused)
