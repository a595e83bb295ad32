"""What is answered before the command line is imported, which takes most of a short call's time.

All else is left to the command line, and so is what goes wrong here: it is asked again there, and
tells what is wrong.
"""

import os
from collections.abc import Sequence

from .version import VERSION


def plain_answer(words: Sequence[str]) -> tuple[str, int] | None:
    """What to print for the words of a command line, and to exit with; None where it is needed.

    `evaluate` is called by scripts and CI jobs, mostly in plain words.
    """
    if list(words) == ["--version"]:
        return VERSION, 0
    if words[:1] != ["evaluate"] or any(
        name.startswith("TAU_ROLLOUT_GATE_") for name in os.environ
    ):
        return None
    from .plain_evaluate import evaluate_plainly  # noqa: PLC0415 - for no other command

    try:
        return evaluate_plainly(words[1:])
    except Exception:  # noqa: BLE001 - whatever it is, the command line meets it again
        return None
