"""What comes of looking for a regular expression in a command's output, and how it is looked for.

A pattern may take for ever, and holds the interpreter meanwhile: who looks for it is passed in
(`execution.pattern.search`).
"""

import codecs
import re
from collections.abc import Callable
from enum import StrEnum

from tau_custom_command.cycle.execution import Stream

Groups = tuple[str | None, ...]
"""What a pattern matched: all of it, then what each group did; None of one that took no part."""


class Unmatched(StrEnum):
    """Why there are no groups; but for the first, it is not known whether the pattern is there."""

    NO_MATCH = "no_match"
    TIMED_OUT = "match_timeout"
    FAILED = "match_failed"
    TRUNCATED = "output_truncated"


Matcher = Callable[[str, str], Groups | Unmatched]
"""Looks for a pattern, first, in a text, second. It never raises."""

_LINES = re.compile(r"\(\?[a-z]*m[a-z]*\)")
_LOOKS_AHEAD = re.compile(r"\(\?[=!>]|\\[Zz]|[*+?}]\+|\(\?[a-z]*-")
"""What can make of a match none once more text follows: looking ahead, the end, giving nothing back
(and turning `m` off). It may only be text of the pattern: then a match counts as unknown too."""


def search(pattern: str, stream: Stream, matches: Matcher) -> Groups | Unmatched:
    """Look for a pattern in what a command wrote.

    Where only the beginning of it was kept, a match counts if no text that follows can undo it.
    """
    found = matches(pattern, decoded(stream))
    if stream.is_whole or found in {Unmatched.TIMED_OUT, Unmatched.FAILED}:
        return found
    if isinstance(found, Unmatched) or _may_be_undone(pattern, str(found[0]), stream):
        return Unmatched.TRUNCATED
    return found


def decoded(stream: Stream) -> str:
    """What was kept of a stream as text; a character that the cut left half is not in it."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    return decode(stream.kept, final=stream.is_whole)


def is_lossy(stream: Stream) -> bool:
    """Tell whether `decoded` cannot show every byte, since they are not UTF-8."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(stream.kept, final=stream.is_whole)
    except UnicodeDecodeError:
        return True
    return False


def _may_be_undone(pattern: str, found: str, stream: Stream) -> bool:
    is_of_the_end = "$" in pattern and not _LINES.match(pattern)
    touches_the_cut = decoded(stream).endswith(found)
    return is_of_the_end or touches_the_cut or bool(_LOOKS_AHEAD.search(pattern))
