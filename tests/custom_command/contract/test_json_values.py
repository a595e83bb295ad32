"""JSON values: written for people, compared by type and value, described in a few words."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_custom_command.contract import json_values, strict_json

JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON_VALUES)
def test_a_document_reads_back_as_the_same_value(value: object) -> None:
    """What is written is UTF-8, ends in one line break, and reads back by type and value."""
    raw = json_values.encode_document(value)
    assert raw.endswith(b"\n")
    assert not raw.endswith(b"\n\n")
    assert json_values.same(strict_json.decode(raw), value)


def test_a_document_is_for_people() -> None:
    """A document is indented and shows letters of every alphabet as themselves."""
    assert json_values.encode_document({"é": [1]}) == '{\n  "é": [\n    1\n  ]\n}\n'.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_never_writes_what_it_would_refuse(value: float) -> None:
    """A number that JSON does not have is an error of the writer, not a broken file."""
    with pytest.raises(ValueError, match="JSON compliant"):
        json_values.encode_document(value)


DIFFERENT: list[tuple[object, object]] = [
    (1, 1.0),
    (1, True),
    (0, False),
    (0.0, False),
    (0, None),
    ("", None),
    ("1", 1),
    ([], {}),
    ([], None),
    ({}, None),
    ([1], [1.0]),
    ([1, 2], [2, 1]),
    ([1], [1, 1]),
    ([], [None]),
    ({"a": 1}, {"a": True}),
    ({"a": 1}, {"b": 1}),
    ({"a": 1}, {"a": 1, "b": 1}),
    ({"a": None}, {}),
    ({"a": [{"b": 1}]}, {"a": [{"b": 1.0}]}),
    ("a", "A"),
    ("é", "e\u0301"),
]


@pytest.mark.parametrize(
    ("left", "right"), DIFFERENT, ids=[f"{json.dumps(a)} {json.dumps(b)}" for a, b in DIFFERENT]
)
def test_values_of_other_type_or_value_differ(left: object, right: object) -> None:
    """JSON compares by type and value, at every depth, both ways round."""
    assert not json_values.same(left, right)
    assert not json_values.same(right, left)


@given(JSON_VALUES)
def test_a_value_is_the_same_as_its_copy(value: object) -> None:
    """Every value is the same as a copy of it; the order of keys does not count."""
    copy = json.loads(json.dumps(value))
    assert json_values.same(value, copy)
    if isinstance(copy, dict):
        assert json_values.same(value, dict(reversed(copy.items())))


@given(JSON_VALUES, JSON_VALUES)
def test_same_is_what_the_canonical_text_says(left: object, right: object) -> None:
    """Two values are the same exactly where their sorted JSON text is (-0.0 apart)."""
    texts = [json.dumps(item, sort_keys=True).replace("-0.0", "0.0") for item in (left, right)]
    assert json_values.same(left, right) == (texts[0] == texts[1])


@pytest.mark.parametrize(
    ("value", "described"),
    [
        (True, "true"),
        (None, "null"),
        (1, "1"),
        (1.0, "1.0"),
        ("a\nb", "'a\\nb'"),
        ([1], "an array"),
        ({"a": 1}, "an object"),
        ("x" * 60, repr("x" * 60)),
        ("x" * 61, repr("x" * 60 + "…")),
    ],
)
def test_describes_a_value_in_a_few_words(value: object, described: str) -> None:
    """An error quotes what was found briefly and on one line; what is nested, by its type."""
    assert json_values.describe(value) == described


@given(JSON_VALUES)
def test_every_description_is_short_and_on_one_line(value: object) -> None:
    """No value makes a message long."""
    described = json_values.describe(value)
    assert "\n" not in described
    assert len(described) <= 62 * 10  # a quoted character takes at most ten


def test_a_long_integer_is_described_briefly() -> None:
    """An integer of thousands of digits does not fill the operator's screen."""
    assert len(json_values.describe(10**4_000)) <= 100
