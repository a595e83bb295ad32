"""JSON that is plainly right, read several times as fast as `strict_json` reads it.

msgspec refuses what the rules refuse, but for a key that stands twice and for deep nesting, which
are looked for here. Whatever is not plainly right is read the strict way, which says what is wrong.
"""

import re
from typing import Any

from msgspec import UNSET, MsgspecError, json

from tau_custom_command.contract import strict_json
from tau_custom_command.contract.strict_json import DEEPEST_NESTING, MOST_VALUES

_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_PIECES = 2  # levels of a fixture: its members, and the cases, each of which is one piece


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
        # Of a key that stands twice msgspec keeps one, so that the value has fewer strings.
        is_whole = _quotes_of(value, _PIECES) == quotes
    except (MsgspecError, ValueError, ArithmeticError, RecursionError):
        return UNSET
    return value if is_whole and not _is_deep(value) else UNSET


def _quotes(raw: bytes) -> int:
    """How many quotes begin and end strings in a JSON text."""
    return (_ESCAPE.sub(b"", raw) if b"\\" in raw else raw).count(b'"')


def _quotes_of(value: object, levels: int) -> int:
    """How many quotes a value is written with; it is written in pieces, to take little memory."""
    if levels and isinstance(value, dict):
        return 2 * len(value) + sum(_quotes_of(item, levels - 1) for item in value.values())
    if levels and isinstance(value, list):
        return sum(_quotes_of(item, levels - 1) for item in value)
    return _quotes(json.encode(value))


def _is_deep(value: object) -> bool:
    """Tell whether arrays and objects lie so deep within each other that it may be too deep."""
    level: list[Any] = [value] if isinstance(value, (dict, list)) else []
    for _ in range(DEEPEST_NESTING):
        level = [
            item
            for outer in level
            for item in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(item, (dict, list))
        ]
        if not level:
            return False
    return True
