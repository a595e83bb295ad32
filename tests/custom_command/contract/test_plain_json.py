"""What is read fast is read as the strict way reads it: the same value, or the same refusal."""

import json
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tau_custom_command.contract import plain_json, strict_json

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
PIECES = st.sampled_from(
    [
        *('{"a":', '"a":1,', '"\\u0061":2', '"a"', ",", "}", "[", "]", ":", '"', "\\", '\\"', " "),
        *("1", "-0", "1.0", "1e400", "1e-400", "NaN", "-Infinity", "01", "9" * 4301, "9" * 30),
        *("\\ud800", "\\udc00", "\\u0000", "\x00", "\x1f", "\ufeff", "\n", "\t", "tru", "null"),
    ]
)


def answer(raw: bytes, *, strictly: bool) -> tuple[str, object]:
    """Return what is read of a text, or how it is refused; types count."""
    try:
        value = (strict_json if strictly else plain_json).decode(raw)
    except strict_json.JsonRefusedError as error:
        return "refused", str(error)
    return "value", repr(value)


def is_fast(raw: bytes) -> bool:
    """Tell whether the strict way is not needed."""
    with patch.object(strict_json, "decode", return_value=None) as strictly:
        plain_json.decode(raw)
    return not strictly.called


@given(value=VALUES, is_ascii=st.booleans())
def test_what_is_right_is_read_fast(value: object, *, is_ascii: bool) -> None:
    """Whatever it holds, and with escapes or without them."""
    raw = json.dumps(value, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
    assert is_fast(raw)
    assert plain_json.decode(raw) == value
    assert answer(raw, strictly=False) == answer(raw, strictly=True)


@given(st.lists(PIECES, max_size=12).map("".join))
@settings(max_examples=2_000)
@example('{"a":1,"a":2}')
@example('{"a":1,"\\u0061":1}')
@example('[{"a\\"":{"b":[1],"b":[]}}]')
@example('{"\\\\":1,"\\\\":1}')
@example("\ufeff1")
@example("")
def test_what_is_not_is_told_as_ever(text: str) -> None:
    """Hostile texts: neither does one pass that the rules refuse, nor is one read otherwise."""
    raw = text.encode("utf-8", "surrogatepass")
    assert answer(raw, strictly=False) == answer(raw, strictly=True)


@given(VALUES, st.data())
@settings(max_examples=500)
def test_a_mutated_text_is_read_as_ever(value: object, data: st.DataObject) -> None:
    """Whichever bytes are others."""
    raw = bytearray(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    for _ in range(data.draw(st.integers(min_value=1, max_value=3))):
        place = data.draw(st.integers(min_value=0, max_value=len(raw) - 1))
        raw[place : place + 1] = data.draw(st.binary(max_size=2)) or b'"'
    assert answer(bytes(raw), strictly=False) == answer(bytes(raw), strictly=True)


@pytest.mark.parametrize("depth", [100, 101, 102, 50_000])
@pytest.mark.parametrize(("first", "last"), [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize("inmost", [b"1", b"[]"])
def test_deep_nesting(depth: int, first: bytes, last: bytes, inmost: bytes) -> None:
    """Up to the most that the strict way takes."""
    raw = first * depth + inmost + last * depth
    assert answer(raw, strictly=False) == answer(raw, strictly=True)


def test_a_text_of_very_many_values_is_told_as_ever() -> None:
    """Before they take memory; strings that only look like many are none."""
    assert not is_fast(b"[" + b"1," * strict_json.MOST_VALUES + b"1]")
    assert is_fast(b'"' + b"x" * strict_json.MOST_VALUES + b'"')
