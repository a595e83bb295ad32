"""The words of a template: split as a POSIX shell splits a line, and as `shlex.split` does.

`shlex.split` itself takes minutes for a word of a million characters: it adds them one by one.
"""

import re
from functools import lru_cache

_QUOTED = r"""'([^']*)'|"([^"\\]*(?:\\.[^"\\]*)*)"|\\(.)"""
_QUOTED_PART = re.compile(_QUOTED, re.DOTALL)
_WORD = re.compile(rf"""(?:[^ \t\r\n'"\\]+|{_QUOTED})+""", re.DOTALL)
_MORE_THAN_BLANKS = re.compile(r"""['"\\\x0b\x0c\x1c-\x1f]|[^\x00-\x7f]""")
_ESCAPED_IN_QUOTES = re.compile(r'\\(["\\])')


@lru_cache(maxsize=16)  # a template is split again with each RUN of its command
def words_of(template: str) -> tuple[str, ...] | None:
    """The words without their quotes; None where a quote or a backslash is left open."""
    # Most templates have nothing but blanks, where this takes a third of the time. Python's blanks
    # are a shell's, but for those that are looked for here.
    if not _MORE_THAN_BLANKS.search(template):
        return tuple(template.split())
    if _WORD.sub("", template).strip(" \t\r\n"):
        return None
    return tuple(_QUOTED_PART.sub(_unquoted, found[0]) for found in _WORD.finditer(template))


def _unquoted(part: re.Match[str]) -> str:
    single, double, escaped = part.groups()
    if double is not None:
        return _ESCAPED_IN_QUOTES.sub(r"\1", double)
    return str(single if escaped is None else escaped)
