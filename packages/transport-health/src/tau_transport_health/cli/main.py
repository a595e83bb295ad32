"""The entry point: what has to come before the rest of the program is imported.

The three packages share no code: each has this file, the same to the byte.
"""

import sys

from .ending import code_of_ending, hear_no_more, hear_of_endings


def main() -> None:
    """Run the command line; a signal that asks to end ends it at any moment, with its own code."""
    try:
        try:
            hear_of_endings()
            from .program import run_command_line  # noqa: PLC0415 - a signal may come meanwhile

            run_command_line()
        finally:
            hear_no_more()
    except BaseException:
        if (code := code_of_ending()) is not None:
            sys.exit(code)
        raise
