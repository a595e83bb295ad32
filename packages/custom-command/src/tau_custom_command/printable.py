"""Text from fixtures and files, made harmless for a terminal and for the log of a CI job.

It is somebody's data, not ours. The three packages share no code: each has this file, the same to
the byte.
"""

import re

_ACTS = re.compile(
    r"(?<=#)#(?=\w*\[)"  # ##[ ##vso[ ##teamcity[ ##octopus[, which are read anywhere in a line
    r"|(?<!\S):(?=:)"  # GitHub's ::, read at the start of a line, and behind blanks there
    r"|(?<!\S)([-+~^])(?=\1\1(?!\S))"  # what opens a group of Buildkite's: --- +++ ~~~ ^^^
    r"|(?<=section)_(?=(?:start|end):)|(?<=travis)_(?=fold:)"  # what folds lines of other logs
    r"|(?<=SPINNAKER)_(?=PROPERTY_|CONFIG_JSON=)"  # values for the steps that follow
)
"""One character of each mark that a CI system acts on. A text may be wrapped at any blank."""

_MARKS = ("##", "::", "---", "+++", "~~~", "^^^", "section_", "travis_", "SPINNAKER_")
"""One of these is in each text that has such a mark: to look for them takes a fifth of the time."""

_HALVES = re.compile(r"[\ud800-\udfff]")
"""Halves of surrogate pairs: Python has them for the bytes of a file's name that are no text."""


def printable(text: str) -> str:
    """`text` on one line: control, escape and invisible characters are escaped, and what acts."""
    if not text.isprintable():
        text = "".join(
            character if character.isprintable() else character.encode("unicode_escape").decode()
            for character in text
        )
    if not any(map(text.__contains__, _MARKS)):
        return text
    return _ACTS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def harmless(document: str) -> str:
    """A JSON document that says the same to its readers, and nothing to the log of a CI job.

    It is written without escapes but for those that JSON requires. No UTF-8 holds half of a
    surrogate pair, nor does an escape of one read as text everywhere: it becomes the text that
    `printable` gives. Two backslashes, since this is JSON already: its reader sees one.
    """
    document = _HALVES.sub(lambda found: f"\\\\u{ord(found[0]):x}", document)
    return _ACTS.sub(lambda found: f"\\u{ord(found[0]):04x}", document)
