"""Strict JSON: nothing coerced, nothing silently dropped (runbooks/state-files.md, the rules)."""

import json
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

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


@pytest.fixture(
    scope="module", params=["tau_custom_command", "tau_rollout_gate", "tau_transport_health"]
)
def strict_json(request: pytest.FixtureRequest) -> ModuleType:
    """Return each package's copy of the module."""
    return import_module(f"{request.param}.contract.strict_json")


def refusal(strict_json: ModuleType, raw: bytes) -> str | None:
    """Return how `raw` is refused; None where it is read."""
    try:
        strict_json.decode(raw)
    except strict_json.JsonRefusedError as error:
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
            "the key 'b' stands twice in one object",
            id="repeated keys, nested",
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
        pytest.param(
            b"\xef\xbb\xbf{}",
            "line 1: a byte order mark (BOM) comes first; save the file without",
            id="a byte order mark",
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
def test_refuses_what_two_readers_could_read_differently(
    strict_json: ModuleType, raw: bytes, message: str
) -> None:
    """Whatever is not one strict JSON value is refused, and the message says where and what."""
    with pytest.raises(strict_json.JsonRefusedError) as refused:
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
def test_refuses_what_is_not_json(strict_json: ModuleType, raw: bytes) -> None:
    """What only some readers would take for JSON is refused, never an error of another kind."""
    with pytest.raises(strict_json.JsonRefusedError):
        strict_json.decode(raw)


@pytest.mark.parametrize(
    ("opening", "closing"),
    [pytest.param(b"[", b"]", id="arrays"), pytest.param(b'{"a":', b"}", id="objects")],
)
@pytest.mark.parametrize(
    "leaf", [pytest.param(b"1", id="a number"), pytest.param(b'"\\u0041"', id="an escape")]
)
def test_refuses_nesting_that_would_exhaust_the_stack(
    strict_json: ModuleType, opening: bytes, closing: bytes, leaf: bytes
) -> None:
    """Values nested too deeply are refused; no RecursionError reaches the operator."""
    with pytest.raises(strict_json.JsonRefusedError, match="nested too deeply"):
        strict_json.decode(opening * 100_000 + leaf + closing * 100_000)


@pytest.mark.parametrize("depth", [*range(900, 1_000, 7), 1_500, 5_000])
def test_no_depth_near_the_limit_escapes(strict_json: ModuleType, depth: int) -> None:
    """Around the interpreter's limit a value is either returned or refused, nothing else."""
    message = refusal(strict_json, b"[" * depth + b'"\\u0041"' + b"]" * depth)
    assert message is None or "nested too deeply" in message


def test_many_values_side_by_side_are_not_nested(strict_json: ModuleType) -> None:
    """Only arrays and objects within each other count."""
    assert len(strict_json.decode(b'[{"a":[1]},' + b'{"a":[1]},' * 200 + b"1]")) == 202


def test_keeps_numbers_as_they_were_written(strict_json: ModuleType) -> None:
    """1 stays an integer, 1.0 a fraction, true a boolean; an integer may exceed 64 bits."""
    value = strict_json.decode(b"[1, 1.0, true, 1e2, -0, 123456789012345678901234567890]")
    assert [type(item) for item in value] == [int, float, bool, float, int, int]
    assert value[-1] == 123456789012345678901234567890


def test_accepts_a_whole_surrogate_pair(strict_json: ModuleType) -> None:
    """An escaped pair is one character, and text beside it stays."""
    assert strict_json.decode(b'{"\\u0061\\n":["\\ud83d\\ude00", 1, null]}') == {
        "a\n": ["\N{GRINNING FACE}", 1, None]
    }


@given(st.binary() | st.text().map(str.encode) | JSON_VALUES.map(lambda v: json.dumps(v).encode()))
@example(b'"\\ud800"')
@example(b"-")
def test_any_bytes_are_read_or_refused(strict_json: ModuleType, raw: bytes) -> None:
    """Whatever the bytes, the answer is a value or one kind of error on one line."""
    message = refusal(strict_json, raw)
    assert message is None or (message and "\n" not in message)


def test_more_values_than_a_text_may_hold_are_refused(
    strict_json: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each counts once, by what stands before it; what stands in a string does not."""
    monkeypatch.setattr(strict_json, "MOST_VALUES", 5)
    assert strict_json.decode(b'[1,2,3,4,",,,,["]') == [1, 2, 3, 4, ",,,,["]
    with pytest.raises(strict_json.JsonRefusedError, match="it holds more than 5 values"):
        strict_json.decode(b"[1,2,3,4,5,6]")
