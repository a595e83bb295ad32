"""Where two JSON values differ first, compared by value: 5 is 5.0, and neither is true."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any, NamedTuple

from tau_custom_command.contract import json_pointer


class _Nothing:
    """Stands where one of the two has no value."""


NOTHING = _Nothing()


class JsonDifference(NamedTuple):
    """The JSON Pointer of the first difference, and both values; `NOTHING` where one has none.

    `is_in_array` tells that it is an item of an array, or stands in one.
    """

    pointer: str
    expected: object
    observed: object
    is_in_array: bool


def first_difference(
    expected: object, observed: object, *, by_subset: bool
) -> JsonDifference | None:
    """The first difference of two values, in the order of what is expected; None if there is none.

    With `by_subset` the objects in `observed`, at any depth, may have further keys. Arrays are
    compared whole and in order. Neither value may be nested deeper than `strict_json` allows.
    """
    return next(_differences(expected, observed, by_subset, ()), None)


def _differences(
    expected: Any,  # noqa: ANN401 - any JSON value
    observed: Any,  # noqa: ANN401 - as above
    by_subset: bool,  # noqa: FBT001 - a private step of the recursion
    path: tuple[str | int, ...],
) -> Iterator[JsonDifference]:
    if isinstance(expected, dict) and isinstance(observed, dict):
        keys = expected if by_subset else expected | observed
        for key in keys:
            inner = expected.get(key, NOTHING), observed.get(key, NOTHING)
            yield from _differences(*inner, by_subset, (*path, key))
    elif isinstance(expected, list) and isinstance(observed, list):
        for index, inner in enumerate(zip_longest(expected, observed, fillvalue=NOTHING)):
            yield from _differences(*inner, by_subset, (*path, index))
    elif not _equal(expected, observed):
        is_in_array = any(isinstance(step, int) for step in path)
        yield JsonDifference(json_pointer.pointer(*path), expected, observed, is_in_array)


def _equal(left: object, right: object) -> bool:
    """Tell whether two values that are not both objects, or both arrays, are the same."""
    if _is_number(left) and _is_number(right):
        return left == right
    return type(left) is type(right) and left == right


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
