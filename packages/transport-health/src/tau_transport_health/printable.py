"""Text from the files, made harmless for a terminal: it is somebody's data, not ours."""

from __future__ import annotations


def harmless(text: str) -> str:
    """Return `text` on one line, with control, escape and invisible characters escaped."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
