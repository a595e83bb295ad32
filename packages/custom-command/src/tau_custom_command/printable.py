"""Text from fixtures and files, made harmless for a terminal: it is somebody's data, not ours.

The three packages share no code: each has this file, the same to the byte.
"""


def printable(text: str) -> str:
    """`text` on one line: control, escape and invisible characters are escaped."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
