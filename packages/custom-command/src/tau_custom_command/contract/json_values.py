"""JSON values: how they are written, compared, and described to people."""

import json
from typing import Any

_LONGEST_QUOTE = 60
_TYPE_NAMES = {dict: "an object", list: "an array"}


def encode_document(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Write `value` indented for people, its final line break included."""
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
    """Write `value` as an error message quotes it: short, on one line; a nested one by type."""
    if isinstance(value, (dict, list)):
        return _TYPE_NAMES[type(value)]
    if isinstance(value, str):
        return repr(_cut(value))
    return _cut(json.dumps(value))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "…"
