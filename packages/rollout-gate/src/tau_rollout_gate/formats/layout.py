"""Lines for a terminal: paragraphs as wide as it is, and aligned columns before them."""

import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from tau_rollout_gate.decision.answer import Verdict
from tau_rollout_gate.formats.phrases import shown

_GAP = "  "
_NARROWEST = 24
_WIDEST_COLUMN = 40


class Colour(StrEnum):
    """A colour by its meaning, as the terminal's SGR parameters; the words say the same."""

    GOOD = "32"
    WARNING = "33"
    BAD = "1;31"
    QUIET = "2"
    HEADING = "1"


_VERDICT_COLOURS = {
    Verdict.PROMOTE: Colour.GOOD,
    Verdict.COMPLETE: Colour.GOOD,
    Verdict.HOLD: Colour.WARNING,
    Verdict.ROLLBACK: Colour.BAD,
}


class Look(NamedTuple):
    """How wide the lines may be, in columns, and whether colours may be used."""

    width: int = 100
    is_coloured: bool = False

    def painted(self, text: str, colour: Colour) -> str:
        """Paint `text` in a colour, if there are colours."""
        return f"\x1b[{colour}m{text}\x1b[0m" if self.is_coloured else text

    def word(self, verdict: Verdict) -> str:
        """Write a verdict as a word, in its colour."""
        return self.painted(verdict.upper(), _VERDICT_COLOURS[verdict])


PIPED = Look()
"""How it looks where nobody looks: always the same."""


def paragraph(text: str, look: Look, *, label: str = "", indent: int = 0) -> Iterator[str]:
    """Yield `text` in lines, behind an indent; `label` stands in the first line's indent.

    A word longer than the line stays whole, so that paths can be copied.
    """
    head = label.ljust(indent)
    for line in textwrap.wrap(
        shown(text),
        max(look.width - indent, _NARROWEST),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [""]:
        yield f"{head}{line}".rstrip()
        head = " " * indent


def paragraphs(texts: Iterable[str], look: Look, *, label: str, indent: int) -> Iterator[str]:
    """Yield each text as a paragraph, the first one behind the label."""
    for text in texts:
        yield from paragraph(text, look, label=label, indent=indent)
        label = ""


def heading(words: str, look: Look) -> Iterator[str]:
    """Yield what stands above a part of the answer."""
    yield from ("", look.painted(words.upper(), Colour.HEADING))


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Set each row's cells in columns, and the gap to what follows. No cell is broken."""
    widths = [
        min(max(_columns(shown(cell)) for cell in column), _WIDEST_COLUMN)
        for column in zip(*rows, strict=True)
    ]
    return ["".join(map(_padded, map(shown, cells), widths)) for cells in rows]


def joined(lines: Iterator[str]) -> str:
    """Join the lines to text."""
    return "\n".join(lines) + "\n"


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _columns(text)) + _GAP


def _columns(text: str) -> int:
    """Count how many columns of a terminal `text` takes: letters of the East take two."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.combining(character)
        else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )
