"""JSON that is plainly right, read several times as fast as `strict_json` reads it.

msgspec refuses what the rules refuse, but for a key that stands twice and for deep nesting, which
are looked for here. Whatever is not plainly right is read the strict way, which says what is wrong.
"""

import re
from collections.abc import Iterator
from typing import Any

from msgspec import UNSET, MsgspecError, json

from tau_custom_command.contract import strict_json
from tau_custom_command.contract.strict_json import DEEPEST_NESTING, MOST_VALUES

_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_LEVELS = 2  # of a fixture: its members, and the cases, each of which is one piece
_FEW_BRACKETS = DEEPEST_NESTING - _LEVELS


def decode(raw: bytes) -> Any:  # noqa: ANN401 - JSON is any value; the caller's model narrows it
    """The value that `raw` holds, as `strict_json.decode` gives it.

    Raises:
        JsonRefusedError: as `strict_json.decode`.
    """
    value = _decoded(raw)
    return strict_json.decode(raw) if value is UNSET else value


def has_few_values(raw: bytes) -> bool:
    """Tell whether a text has certainly no more values than are read; each takes memory."""
    return len(raw) <= MOST_VALUES or sum(map(raw.count, (b",", b"[", b"{"))) <= MOST_VALUES


def _decoded(raw: bytes) -> Any:  # noqa: ANN401 - as above
    """The value, or UNSET where it is not plainly right."""
    if not has_few_values(raw):
        return UNSET
    quotes = _quotes(raw)
    try:
        value = json.decode(raw)
        is_plain = quotes == sum(_quotes_of_pieces(value, _LEVELS))
    except (MsgspecError, ValueError, ArithmeticError, RecursionError):
        return UNSET
    return value if is_plain else UNSET


def _quotes(raw: bytes) -> int:
    """How many quotes begin and end strings in a JSON text."""
    return (_ESCAPE.sub(b"", raw) if b"\\" in raw else raw).count(b'"')


def _quotes_of_pieces(value: object, levels: int) -> Iterator[int]:
    """Yield the quotes that each piece of a value is written with: the parts, so many levels down.

    Of a key that stands twice the value has one, and so fewer quotes. Written in pieces it takes
    little memory.

    Raises:
        RecursionError: for a piece that may be nested too deeply.
    """
    if levels and isinstance(value, dict):
        yield 2 * len(value)
        for item in value.values():
            yield from _quotes_of_pieces(item, levels - 1)
    elif levels and isinstance(value, list):
        for item in value:
            yield from _quotes_of_pieces(item, levels - 1)
    else:
        written = json.encode(value)
        if written.count(b"[") + written.count(b"{") > _FEW_BRACKETS and _is_deep(value):
            raise RecursionError
        yield _quotes(written)


def _is_deep(value: object) -> bool:
    """Tell whether arrays and objects lie so deep within each other that it may be too deep."""
    level: list[Any] = [value] if isinstance(value, (dict, list)) else []
    for _ in range(_FEW_BRACKETS):
        level = [
            item
            for outer in level
            for item in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(item, (dict, list))
        ]
        if not level:
            return False
    return True
