"""Strict JSON: nothing coerced, nothing silently dropped (runbooks/state-files.md, the rules)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tau_custom_command.contract import strict_json
from tau_custom_command.errors import JsonRefusedError

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


def _refusal(raw: bytes) -> str | None:
    try:
        strict_json.decode(raw)
    except JsonRefusedError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param(b"NaN", "NaN is not a JSON number", id="NaN"),
        pytest.param(b'{"a": [Infinity]}', "Infinity is not a JSON number", id="Infinity"),
        pytest.param(b"[-Infinity]", "-Infinity is not a JSON number", id="-Infinity"),
        pytest.param(b"[1e999]", "the number 1e999 is too large", id="1e999"),
        pytest.param(b"[-1e999]", "the number -1e999 is too large", id="-1e999"),
        pytest.param(
            b"1" + b"0" * 400 + b".0",
            "the number 1" + "0" * 39 + " is too large",
            id="a long one cut",
        ),
        pytest.param(
            b'{"a":1,"b":2,"a":1}', "the key 'a' stands twice in one object", id="repeated key"
        ),
        pytest.param(
            b'[{"x":{"b":1,"c":1,"c":2,"b":2}}]',
            "the key 'c' stands twice in one object",
            id="first repeated key, nested",
        ),
        pytest.param(
            b'{"a":1,"\\u0061":2}',
            "the key 'a' stands twice in one object",
            id="repeated key, escaped",
        ),
        pytest.param(
            b'"\\ud800"', r"'\ud800' holds half of a surrogate pair", id="lone high surrogate"
        ),
        pytest.param(
            b'{"k":["\\udfff"]}',
            r"'\udfff' holds half of a surrogate pair",
            id="lone low surrogate, nested",
        ),
        pytest.param(
            b'[{"\\udc00":1}]',
            r"'\udc00' holds half of a surrogate pair",
            id="lone surrogate in a key",
        ),
        pytest.param(
            b'"\\udc00\\ud800"',
            r"'\udc00\ud800' holds half of a surrogate pair",
            id="a pair the wrong way round",
        ),
        pytest.param(b'["a",\n"\xff"]', "line 2: not UTF-8 text (byte 7)", id="not UTF-8"),
        pytest.param(
            b'"\xed\xa0\x80"', "line 1: not UTF-8 text (byte 1)", id="a surrogate in UTF-8"
        ),
        pytest.param(b'"\xc0\xaf"', "line 1: not UTF-8 text (byte 1)", id="overlong UTF-8"),
        pytest.param(b"", "line 1, column 1: not JSON: Expecting value", id="empty"),
        pytest.param(
            b'{"a":1,\n "b":}',
            "line 2, column 6: not JSON: Expecting value",
            id="place of a mistake",
        ),
        pytest.param(b'{"a":1} {}', "line 1, column 9: not JSON: Extra data", id="two values"),
    ],
)
def test_refuses_what_two_readers_could_read_differently(raw: bytes, message: str) -> None:
    """Whatever is not one strict JSON value is refused, and the message says where and what."""
    with pytest.raises(JsonRefusedError) as refused:
        strict_json.decode(raw)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\xef\xbb\xbf{}", id="byte order mark"),
        pytest.param(b"\xff\xfe{\x00}\x00", id="UTF-16"),
        pytest.param(b"{'a':1}", id="single quotes"),
        pytest.param(b'{"a":1,}', id="trailing comma"),
        pytest.param(b'{"a":1} // why', id="comment"),
        pytest.param(b'"a\nb"', id="raw line break in a string"),
        pytest.param(b"01", id="leading zero"),
        pytest.param(b"+1", id="leading plus"),
        pytest.param(b"0x1", id="hexadecimal"),
        pytest.param(b"True", id="Python's True"),
        pytest.param(b"9" * 5_000, id="an integer of 5,000 digits"),
        pytest.param(b"\x00", id="NUL"),
    ],
)
def test_refuses_what_is_not_json(raw: bytes) -> None:
    """What only some readers would take for JSON is refused, never an error of another kind."""
    with pytest.raises(JsonRefusedError):
        strict_json.decode(raw)


@pytest.mark.parametrize(
    ("opening", "closing"),
    [pytest.param(b"[", b"]", id="arrays"), pytest.param(b'{"a":', b"}", id="objects")],
)
@pytest.mark.parametrize(
    "leaf", [pytest.param(b"1", id="a number"), pytest.param(b'"\\u0041"', id="an escape")]
)
def test_refuses_nesting_that_would_exhaust_the_stack(
    opening: bytes, closing: bytes, leaf: bytes
) -> None:
    """Values nested too deeply are refused; no RecursionError reaches the operator."""
    with pytest.raises(JsonRefusedError, match="nested too deeply"):
        strict_json.decode(opening * 100_000 + leaf + closing * 100_000)


@pytest.mark.parametrize("depth", [*range(900, 1_000, 7), 1_500, 5_000])
def test_no_depth_near_the_limit_escapes(depth: int) -> None:
    """Around the interpreter's limit a value is either returned or refused, nothing else."""
    message = _refusal(b"[" * depth + b'"\\u0041"' + b"]" * depth)
    assert message is None or "nested too deeply" in message


def test_keeps_numbers_as_they_were_written() -> None:
    """1 stays an integer, 1.0 a fraction, true a boolean; an integer may exceed 64 bits."""
    value = strict_json.decode(b"[1, 1.0, true, 1e2, -0, 123456789012345678901234567890]")
    assert [type(item) for item in value] == [int, float, bool, float, int, int]
    assert value[-1] == 123456789012345678901234567890


def test_accepts_a_whole_surrogate_pair() -> None:
    """An escaped pair is one character, and text beside it stays."""
    assert strict_json.decode(b'{"\\u0061\\n":["\\ud83d\\ude00", 1, null]}') == {
        "a\n": ["\N{GRINNING FACE}", 1, None]
    }


@given(JSON_VALUES)
def test_a_document_reads_back_as_the_same_value(value: object) -> None:
    """What is written is UTF-8, ends in one line break, and reads back by type and value."""
    raw = strict_json.encode_document(value)
    assert raw.endswith(b"\n")
    assert not raw.endswith(b"\n\n")
    assert strict_json.same(strict_json.decode(raw), value)


def test_a_document_is_for_people() -> None:
    """A document is indented and shows letters of every alphabet as themselves."""
    assert strict_json.encode_document({"é": [1]}) == '{\n  "é": [\n    1\n  ]\n}\n'.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_never_writes_what_it_would_refuse(value: float) -> None:
    """A number that JSON does not have is an error of the writer, not a broken file."""
    with pytest.raises(ValueError, match="JSON compliant"):
        strict_json.encode_document(value)


@given(st.binary() | st.text().map(str.encode) | JSON_VALUES.map(lambda v: json.dumps(v).encode()))
@example(b'"\\ud800"')
@example(b"-")
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """Whatever the bytes, the answer is a value or one kind of error on one line."""
    message = _refusal(raw)
    assert message is None or (message and "\n" not in message)


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
    assert not strict_json.same(left, right)
    assert not strict_json.same(right, left)


@given(JSON_VALUES)
def test_a_value_is_the_same_as_its_copy(value: object) -> None:
    """Every value is the same as a copy of it; the order of keys does not count."""
    copy = json.loads(json.dumps(value))
    assert strict_json.same(value, copy)
    if isinstance(copy, dict):
        assert strict_json.same(value, dict(reversed(copy.items())))


@given(JSON_VALUES, JSON_VALUES)
def test_same_is_what_the_canonical_text_says(left: object, right: object) -> None:
    """Two values are the same exactly where their sorted JSON text is (-0.0 apart)."""
    texts = [json.dumps(item, sort_keys=True).replace("-0.0", "0.0") for item in (left, right)]
    assert strict_json.same(left, right) == (texts[0] == texts[1])


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
    assert strict_json.describe(value) == described


@given(JSON_VALUES)
def test_every_description_is_short_and_on_one_line(value: object) -> None:
    """No value makes a message long."""
    described = strict_json.describe(value)
    assert "\n" not in described
    assert len(described) <= 62 * 10  # a quoted character takes at most ten


def test_a_long_integer_is_described_briefly() -> None:
    """An integer of thousands of digits does not fill the operator's screen."""
    assert len(strict_json.describe(10**4_000)) <= 100


def test_more_values_than_a_text_may_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each counts once, by what stands before it; what stands in a string does not."""
    monkeypatch.setattr(strict_json, "MOST_VALUES", 5)
    assert strict_json.decode(b'[1,2,3,4,",,,,["]') == [1, 2, 3, 4, ",,,,["]
    with pytest.raises(JsonRefusedError, match="it holds more than 5 values"):
        strict_json.decode(b"[1,2,3,4,5,6]")
