"""Bytes are one strict JSON value, or refused with the place and the reason."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_rollout_gate.contract.strict_json import decode
from tau_rollout_gate.errors import JsonRefusedError

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(value=VALUES, is_ascii=st.booleans())
def test_what_json_can_say_is_read(value: object, *, is_ascii: bool) -> None:
    """Every value reads back equal, escaped or not."""
    assert decode(json.dumps(value, ensure_ascii=is_ascii).encode()) == value


@given(raw=st.binary())
def test_any_bytes_are_a_value_or_refused(raw: bytes) -> None:
    """Nothing else is ever raised."""
    with suppress(JsonRefusedError):
        decode(raw)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON: .* \\(line 1, column 2\\)"),
        (b"{} {}", "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'"\xff"', "not UTF-8 text \\(byte 1\\)"),
        (b"[NaN]", "NaN is not a JSON number"),
        (b"[-Infinity]", "-Infinity is not a JSON number"),
        (b"[-1e999]", "the number -1e999 is too large"),
        (b'{"a": {"b": 1, "b": 1}}', "the key 'b' stands twice in one object"),
        (b'"\\ud800"', "half of a surrogate pair"),
        (b'{"\\udc00": 1}', "half of a surrogate pair"),
        (b"[" * 100_000, "nested too deeply"),
        (b"9" * 10_000, "digits"),
    ],
)
def test_what_is_refused(raw: bytes, words: str) -> None:
    """Each thing that a plain reader would let pass, and each that it would crash at."""
    with pytest.raises(JsonRefusedError, match=words):
        decode(raw)
