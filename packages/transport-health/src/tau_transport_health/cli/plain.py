"""What is answered before the command line is imported, which takes most of a short call's time.

All else is left to the command line, and so is what goes wrong here: it is asked again there, and
tells what is wrong.
"""

import os
from collections.abc import Sequence

from .version import VERSION


def plain_answer(words: Sequence[str]) -> tuple[str, int] | None:
    """What to print for the words of a command line, and to exit with; None where it is needed.

    `inspect` and `check` are called from prompts and by monitoring, mostly in plain words.
    """
    if list(words) == ["--version"]:
        return VERSION, 0
    if words[:1] not in (["inspect"], ["check"]) or any(
        name.startswith("TAU_TRANSPORT_HEALTH_") for name in os.environ
    ):
        return None
    from .plain_look import look_plainly  # noqa: PLC0415 - for no other command

    try:
        return look_plainly(*words)
    except Exception:  # noqa: BLE001 - whatever it is, the command line meets it again
        return None
