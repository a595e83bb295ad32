"""What is answered before the command line is imported, which takes most of a short call's time."""

from collections.abc import Sequence

from .version import VERSION


def plain_answer(words: Sequence[str]) -> tuple[str, int] | None:
    """What to print for the words of a command line, and to exit with; None where it is needed."""
    return (VERSION, 0) if list(words) == ["--version"] else None
