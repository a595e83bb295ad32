"""What is answered before the command line is imported, which takes half of a short call's time."""

import os
from collections.abc import Sequence

from .version import VERSION


def plain_answer(words: Sequence[str]) -> tuple[str, int] | None:
    """What to print for the words of a command line, and to exit with; None where it is needed.

    `run` is called by timers, mostly in plain words; it then runs, prints and ends here.

    Raises:
        SystemExit: once such a `run` is through.
    """
    if list(words) == ["--version"]:
        return VERSION, 0
    if words[:1] != ["run"] or any(name.startswith("TAU_CUSTOM_COMMAND_") for name in os.environ):
        return None
    from .plain_run import asked_plainly, run_plainly  # noqa: PLC0415 - for no other command

    if (asked := asked_plainly(words[1:])) is not None:
        run_plainly(asked)
    return None
