"""JSON as the state-file contract wants it: nothing coerced, nothing silently dropped.

The standard decoder accepts `NaN`, repeated keys and halves of surrogate pairs. Each of them
would let two readers of one file see different things, so each is refused here
(runbooks/state-files.md, "Rules for every file").
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, NoReturn

from tau_custom_command.errors import JsonRefusedError
from tau_custom_command.limits import MOST_VALUES

DEEPEST_NESTING = 100
"""Arrays and objects within each other: more than a fixture needs, less than a stack has."""

_LONGEST_QUOTE = 60
_STRING_OR_MARK = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|([,[{])', re.DOTALL)
_TOO_DEEP = f"not usable: arrays and objects are nested too deeply (the most is {DEEPEST_NESTING})"
_TYPE_NAMES = {
    bool: "a boolean",
    int: "an integer",
    float: "a number with a fraction",
    str: "a string",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


def decode(raw: bytes) -> Any:  # noqa: ANN401 - JSON is any value; the caller's model narrows it
    """Return the value that `raw` holds.

    Raises:
        JsonRefusedError: for anything but one strict JSON value in UTF-8; the text begins with
            `line L, column C: ` where the place is known.
    """
    _refuse_many_values(raw)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise JsonRefusedError(f"line {line}: not UTF-8 text (byte {error.start})") from None
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object_without_repeated_keys,
            parse_constant=_refuse_constant,
            parse_float=_finite_float,
        )
    except json.JSONDecodeError as error:
        raise JsonRefusedError(
            f"line {error.lineno}, column {error.colno}: not JSON: {error.msg}"
        ) from None
    except RecursionError:
        raise JsonRefusedError(_TOO_DEEP) from None
    except ValueError as error:  # an integer of more digits than Python converts
        raise JsonRefusedError(f"not usable: {error}") from None
    _refuse_deep_nesting(value)
    # Only an escape can make half of a surrogate pair, so the walk is rarely needed.
    if b"\\u" in raw:
        _refuse_lone_surrogates(value)
    return value


def encode_document(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Return `value` indented for people, its final line break included."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2).encode("utf-8") + b"\n"


def same(left: object, right: object) -> bool:
    """Tell whether two JSON values are equal by type and value: 1 is not 1.0 and not true."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


def describe(value: object) -> str:
    """Return `value` as an error message quotes it: short, on one line; a nested one by type."""
    if isinstance(value, (dict, list)):
        return _TYPE_NAMES[type(value)]
    if isinstance(value, str):
        return repr(_cut(value))
    return _cut(json.dumps(value))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "…"


def _object_without_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        repeated = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise JsonRefusedError(f"the key {repeated!r} stands twice in one object")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise JsonRefusedError(f"{name} is not a JSON number")


def _finite_float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise JsonRefusedError(f"the number {digits[:40]} is too large")
    return value


def _refuse_many_values(raw: bytes) -> None:
    """Refuse a text of very many values, by what stands before each: before they take memory."""
    if len(raw) <= MOST_VALUES or sum(map(raw.count, (b",", b"[", b"{"))) <= MOST_VALUES:
        return
    marks = (found for found in _STRING_OR_MARK.finditer(raw) if found.lastindex)
    if next(islice(marks, MOST_VALUES, None), None) is not None:
        raise JsonRefusedError(f"not usable: it holds more than {MOST_VALUES:,} values, the most")


def _refuse_deep_nesting(value: object) -> None:
    level = [value]
    for _ in range(DEEPEST_NESTING + 1):
        inner: list[object] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        if not inner:
            return
        level = inner
    raise JsonRefusedError(_TOO_DEEP)


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _refuse_lone_surrogates(value: object) -> None:
    for string in _strings(value):
        if any("\ud800" <= character <= "\udfff" for character in string):
            raise JsonRefusedError(f"{ascii(string)[:60]} holds half of a surrogate pair")
