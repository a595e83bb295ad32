"""A long JSON text, of which a bounded part is at hand: what stands next in it, by strict rules.

The two packages that read what others wrote have this file, the same to the byte
(tests/contract/test_copies.py).
"""

import codecs
import re
from array import array
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any, Final, cast

from .strict_json import (
    DECODER,
    DEEPEST_NESTING,
    TOO_DEEP,
    JsonRefusedError,
    decode,
    refuse_half_pairs,
)

AT_ONCE = 256 * 1024
"""Characters of a text that are at hand, about, and bytes of a piece of it at most."""

_STEP = 32 * 1024  # each escape that is matched takes memory

LONGEST_WANTED = 16 * 1024
"""Characters that are kept of a string that is long, and that another value to keep may have."""

# Without possessive quantifiers: before Python 3.11.5 they let halves of a group pass.
_Match = Callable[..., re.Match[str]]  # there is one, if only of nothing
_SPACE = cast(_Match, re.compile(r"[ \t\n\r]*").match)
_IN_STRING = cast(
    _Match,
    re.compile(
        r"""(?: [^"\\\x00-\x1f]+ | \\["\\/bfnrt]
            | \\u (?: [0-9a-cefA-CEF][0-9a-fA-F]{3} | [dD][0-7][0-9a-fA-F]{2}
                    | [dD][89abAB][0-9a-fA-F]{2} \\u [dD][c-fC-F][0-9a-fA-F]{2} ) )*""",
        re.VERBOSE,
    ).match,
)
_AS_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))


class TooLong:
    """Stands for an array or object that is too long to be decoded."""

    def __repr__(self) -> str:
        """It in words, as a refusal quotes what it found."""
        return "a long value"


LONG: Final = TooLong()


class LongText:
    """A long text, from its beginning on.

    Args:
        head: Its first piece.
        second: The next one.
        rest: The others.
    """

    def __init__(self, head: bytes, second: bytes, rest: Iterator[bytes]) -> None:
        if head.startswith(codecs.BOM_UTF8):
            decode(head)
        self._pieces = iter((head, second))
        self._rest = rest
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text = ""
        self.at = 0
        self._is_end = False
        self._line = 1
        self._bytes = 0

    def _fill(self) -> None:
        """Have at least half of what may be at hand ahead, or all that is left."""
        if self._is_end or len(self._text) - self.at >= AT_ONCE // 2:
            return
        self._line += self._text.count("\n", 0, self.at)
        self._text, self.at = self._text[self.at :], 0
        while not self._is_end and len(self._text) < AT_ONCE:
            piece = next(self._pieces, None) or next(self._rest, None)
            self._is_end = piece is None
            self._text += self._decoded(piece or b"")

    def _decoded(self, piece: bytes) -> str:
        begun = len(self._decoder.getstate()[0])
        try:
            text = self._decoder.decode(piece, self._is_end)
        except UnicodeDecodeError as error:
            line = self._line + self._text.count("\n") + error.object.count(b"\n", 0, error.start)
            byte = self._bytes - begun + error.start
            raise JsonRefusedError(f"line {line}: not UTF-8 text (byte {byte})") from None
        self._bytes += len(piece)
        return text

    def refused(self, why: str) -> JsonRefusedError:
        """The error that says what is wrong, and in which line."""
        line = self._line + self._text.count("\n", 0, self.at)
        return JsonRefusedError(f"line {line}: {why}")

    def next_mark(self) -> str:
        """Pass over white space; the character that follows, none at the end of the text.

        Raises:
            JsonRefusedError: if it is not UTF-8.
        """
        while True:
            self._fill()
            self.at = _SPACE(self._text, self.at).end()
            if self.at < len(self._text) or self._is_end:
                return self._text[self.at : self.at + 1]

    def goes_on(self, end: str) -> bool:
        """Pass over a comma, or the end of an array or object; tell whether it was a comma.

        Raises:
            JsonRefusedError: if neither comes next.
        """
        mark = self.next_mark()
        if mark not in {",", end}:
            raise self.refused("not JSON: Expecting ',' delimiter")
        self.at += 1
        return mark == ","

    def short(self, level: int) -> object:
        """The value that comes next, `level` levels deep, if all of it is at hand and strict.

        Otherwise `LONG`, and nothing is passed over.

        Raises:
            JsonRefusedError: if it is not strict, and no array or object.
        """
        try:
            value, end = DECODER.raw_decode(self._text, self.at)
        except JsonRefusedError:
            if self._text[self.at] in "[{":  # what is wrong in it is met again
                return LONG
            raise
        except (ValueError, RecursionError):
            return LONG
        if end + len("e+") >= len(self._text) and not self._is_end:  # a number may go on
            return LONG
        self._check(value, self.at, end, level)
        self.at = end
        return value

    def _check(self, value: object, start: int, end: int, level: int) -> None:
        """Refuse what the decoder lets pass in a value that stands at hand."""
        if self._text.find("\\u", start, end) >= 0:
            refuse_half_pairs(value)
        opened = self._text.count("[", start, end) + self._text.count("{", start, end)
        if opened > DEEPEST_NESTING - level:  # by the brackets: there may be very many values
            plain = self._text[start:end].replace("\\\\", "").replace('\\"', "")
            marks = "".join(plain.split('"')[::2]).encode().translate(_AS_STEPS, _NO_BRACKETS)
            steps = array("b", marks)
            if level + max(accumulate(steps), default=0) > DEEPEST_NESTING:
                raise JsonRefusedError(TOO_DEEP)

    def several(self, level: int) -> list[Any] | None:
        """The items of an array up to the last comma at hand, if they are whole and strict.

        Otherwise None, and nothing is passed over. The array is the `level`th around them.
        """
        self.next_mark()
        end = self._text.rfind(",", self.at)
        try:
            items: list[Any]
            items, length = DECODER.raw_decode(f"[{self._text[self.at : end]}]")
        except (ValueError, RecursionError):
            return None
        if not items or length != end - self.at + 2:
            return None
        self._check(items, self.at, end, level)
        self.at = end
        return items

    def pass_string(self) -> str:
        """Pass over the rest of a string, however long, and give its beginning.

        Raises:
            JsonRefusedError: if it is none.
        """
        self._fill()
        end = _IN_STRING(self._text, self.at, self.at + LONGEST_WANTED).end()
        beginning: str = DECODER.raw_decode(f'"{self._text[self.at : end]}"')[0]
        while True:
            self._fill()
            end = _IN_STRING(self._text, self.at, self.at + _STEP).end()
            is_stuck = end == self.at
            self.at = end
            if self._text.startswith('"', end):
                self.at += 1
                return beginning
            if is_stuck:
                raise self.refused("not JSON: a string that is cut off or has a wrong character")
