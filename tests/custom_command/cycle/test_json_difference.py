"""Where JSON values differ: by value, by subset, and where first."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_custom_command.contract import json_pointer
from tau_custom_command.cycle.checks.json_difference import (
    NOTHING,
    JsonDifference,
    first_difference,
)

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.0, 1.0, 2.5])
    | st.text("ab~/", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("ab~/", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("expected", "observed"),
    [
        (5, 5.0),
        (0, -0.0),
        (10**30, 10**30),
        ({"a": 1, "b": [2]}, {"b": [2.0], "a": 1.0}),
        (None, None),
        (True, True),
        ("é", "é"),
        ([], []),
        ({}, {}),
    ],
)
def test_values_that_are_equal(expected: object, observed: object) -> None:
    """Numbers by value, objects without regard to the order of their keys."""
    for by_subset in (False, True):
        assert first_difference(expected, observed, by_subset=by_subset) is None


@pytest.mark.parametrize(
    ("expected", "observed", "pointer"),
    [
        (1, True, ""),
        (0, False, ""),
        (False, 0, ""),
        (1, "1", ""),
        (None, False, ""),
        ([], {}, ""),
        ("e\u0301", "\u00e9", ""),
        (2**53 + 1, float(2**53), ""),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, "/a/1/b"),
        ({"x/y": {"~": 1}}, {"x/y": {"~": 2}}, "/x~1y/~0"),
    ],
)
def test_values_that_differ(expected: object, observed: object, pointer: str) -> None:
    """A boolean is no number, and text is compared as it is; the place is a JSON Pointer."""
    for by_subset in (False, True):
        found = first_difference(expected, observed, by_subset=by_subset)
        assert found is not None
        assert found.pointer == pointer


def test_objects_by_subset_arrays_whole() -> None:
    """Further keys are passed over only by subset, at any depth; further items never."""
    observed = {"status": "ok", "items": [{"id": 1, "name": "a"}, {"id": 2}]}
    assert first_difference({"items": [{"id": 1}, {}]}, observed, by_subset=True) is None
    shorter = first_difference({"items": [{"id": 1}]}, observed, by_subset=True)
    assert shorter == JsonDifference("/items/1", NOTHING, {"id": 2}, is_in_array=True)
    longer = first_difference({"items": [{}, {}, 5]}, observed, by_subset=True)
    assert longer == JsonDifference("/items/2", 5, NOTHING, is_in_array=True)
    turned = first_difference({"items": [{"id": 2}, {"id": 1}]}, observed, by_subset=True)
    assert turned == JsonDifference("/items/0/id", 2, 1, is_in_array=True)
    further = first_difference({"status": "ok"}, observed, by_subset=False)
    assert further == JsonDifference("/items", NOTHING, observed["items"], is_in_array=False)
    absent = first_difference({"state": None}, observed, by_subset=True)
    assert absent == JsonDifference("/state", None, NOTHING, is_in_array=False)


@given(VALUES, VALUES)
def test_it_is_an_equality(left: object, right: object) -> None:
    """Of the value with itself, in both directions, and what is equal contains the other."""
    equal = first_difference(left, right, by_subset=False) is None
    assert (first_difference(right, left, by_subset=False) is None) is equal
    assert first_difference(left, left, by_subset=False) is None
    if equal:
        assert first_difference(left, right, by_subset=True) is None


@given(VALUES, VALUES)
def test_the_place_that_is_named_differs(expected: object, observed: object) -> None:
    """Both values stand there, where either has one."""
    found = first_difference(expected, observed, by_subset=False)
    if found is None:
        return
    path = json_pointer.tokens(found.pointer)
    assert path is not None
    for value, named in ((expected, found.expected), (observed, found.observed)):
        if named is not NOTHING:
            assert json.dumps(json_pointer.at(value, path)) == json.dumps(named)
