"""The words of a template: split as a POSIX shell splits a line, and as `shlex.split` does.

`shlex.split` itself takes minutes for a word of a million characters: it adds them one by one.
"""

import re

_QUOTED = r"""'([^']*)'|"([^"\\]*(?:\\.[^"\\]*)*)"|\\(.)"""
_QUOTED_PART = re.compile(_QUOTED, re.DOTALL)
_WORD = re.compile(rf"""(?:[^ \t\r\n'"\\]+|{_QUOTED})+""", re.DOTALL)
_ESCAPED_IN_QUOTES = re.compile(r'\\(["\\])')


def words_of(template: str) -> list[str] | None:
    """The words without their quotes; None where a quote or a backslash is left open."""
    if _WORD.sub("", template).strip(" \t\r\n"):
        return None
    return [_QUOTED_PART.sub(_unquoted, found[0]) for found in _WORD.finditer(template)]


def _unquoted(part: re.Match[str]) -> str:
    single, double, escaped = part.groups()
    if double is not None:
        return _ESCAPED_IN_QUOTES.sub(r"\1", double)
    return str(single if escaped is None else escaped)
