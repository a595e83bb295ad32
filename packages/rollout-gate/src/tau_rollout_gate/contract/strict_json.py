"""JSON as the state-file contract wants it: nothing coerced, nothing silently dropped.

The standard decoder accepts `NaN`, repeated keys and halves of surrogate pairs. Each of them
would let two readers of one file see different things, so each is refused here
(runbooks/state-files.md, "Rules for every file"). The three packages share no code: each has this
file, the same to the byte (tests/contract/test_copies.py).
"""

import codecs
import json
import math
import re
from collections import Counter
from itertools import islice
from typing import Any, NoReturn

DEEPEST_NESTING = 100
"""Arrays and objects within each other: more than a file needs, less than a stack has."""

MOST_VALUES = 10_000_000
"""Values in one JSON text: each takes about 60 bytes of memory, however few it has in the file."""

_LONGEST_QUOTE = 40
_STRING_OR_MARK = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|([,[{])', re.DOTALL)
TOO_DEEP = f"not usable: arrays and objects are nested too deeply (the most is {DEEPEST_NESTING})"


class JsonRefusedError(ValueError):
    """Bytes that are not strict JSON; the text says where and what."""


def decode(raw: bytes) -> Any:  # noqa: ANN401 - JSON is any value; the caller's model narrows it
    """The value that `raw` holds.

    Raises:
        JsonRefusedError: for anything but one strict JSON value in UTF-8; the text begins with
            `line L, column C: ` where the place is known.
    """
    if raw.startswith(codecs.BOM_UTF8):
        raise JsonRefusedError("line 1: a byte order mark (BOM) comes first; save the file without")
    _refuse_many_values(raw)
    try:
        value = DECODER.decode(raw.decode("utf-8"))
        if b"\\u" in raw:
            refuse_half_pairs(value)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise JsonRefusedError(f"line {line}: not UTF-8 text (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise JsonRefusedError(
            f"line {error.lineno}, column {error.colno}: not JSON: {error.msg}"
        ) from None
    except RecursionError:
        raise JsonRefusedError(TOO_DEEP) from None
    except JsonRefusedError:
        raise
    except ValueError as error:  # an integer of more digits than Python converts
        raise JsonRefusedError(f"not usable: {error}") from None
    if raw.count(b"[") + raw.count(b"{") > DEEPEST_NESTING:
        _refuse_deep_nesting(value)
    return value


def refuse_half_pairs(value: object) -> None:
    """Refuse a value with half of a surrogate pair in it, which only an escape can make.

    Raises:
        JsonRefusedError: if there is one.
    """
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start : error.end][:_LONGEST_QUOTE])
        raise JsonRefusedError(f"{half} holds half of a surrogate pair") from None


def _object_without_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        times = Counter(key for key, _ in pairs)
        key = next(key for key, count in times.items() if count > 1)
        raise JsonRefusedError(f"the key {key[:_LONGEST_QUOTE]!r} stands twice in one object")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise JsonRefusedError(f"{name} is not a JSON number")


def _finite_float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise JsonRefusedError(f"the number {digits[:_LONGEST_QUOTE]} is too large")
    return value


DECODER = json.JSONDecoder(
    object_pairs_hook=_object_without_repeated_keys,
    parse_constant=_refuse_constant,
    parse_float=_finite_float,
)
"""Decodes text by these rules, but for halves of surrogate pairs and deep nesting."""


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
    raise JsonRefusedError(TOO_DEEP)
