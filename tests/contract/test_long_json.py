"""JSON that is too long to be held is read as strictly, and only what decides is kept."""

import json
from collections.abc import Callable
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.contract.test_strict_json import JSON_VALUES

SMALL = 24
"""How many bytes are held at once where a test makes every text a long one."""


@pytest.fixture(scope="module", params=["tau_rollout_gate", "tau_transport_health"])
def modules(request: pytest.FixtureRequest) -> tuple[ModuleType, ModuleType]:
    """Return each package's copy of the module, and of `strict_json`."""
    room = f"{request.param}.contract"
    return import_module(f"{room}.long_json"), import_module(f"{room}.strict_json")


@pytest.fixture
def long_json(modules: tuple[ModuleType, ModuleType]) -> ModuleType:
    """Return each package's copy of the module."""
    return modules[0]


@pytest.fixture
def small(long_json: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the module as it is where very little is held at once."""
    monkeypatch.setattr(text_of(long_json), "AT_ONCE", SMALL)
    return long_json


def text_of(long_json: ModuleType) -> ModuleType:
    """Return the module of the same package that says how much is held at once."""
    return import_module(long_json.LongText.__module__)


def cut(raw: bytes, size: int = SMALL) -> list[bytes]:
    """Return the bytes in pieces, two at least, so that they are read as a long text."""
    return [raw[start : start + size] for start in range(0, len(raw), size)] + [b""]


def refusal(read: Callable[[], object]) -> str | None:
    """Return how a text is refused; None where it is read."""
    try:
        read()
    except ValueError as error:  # of two packages
        return str(error)
    return None


def test_a_text_of_one_piece_is_decoded_as_a_whole(long_json: ModuleType) -> None:
    """Keys that nobody asked for may be there; arrays are handed on where they are asked for."""
    taken: list[object] = []
    folds = {"list": long_json.Fold(taken.extend), "text": long_json.Fold(taken.extend)}
    read = long_json.read_object
    assert read((b'{"a":1,"b":2}',), {"a"}) == {"a": 1, "b": 2}
    assert read(long_json.pieces_of(b"[1]"), {"a"}, folds) == [1]
    found = read((b'{"list":[1,"x",{"y":[2]}],"text":"t"}',), (), folds)
    assert (found, taken) == ({"list": long_json.Items(3), "text": "t"}, [1, "x", {"y": [2]}])


def test_bytes_are_cut_where_they_are_long(long_json: ModuleType) -> None:
    """Into pieces of what may be held at once."""
    raw = b"x" * (2 * long_json.AT_ONCE + 1)
    assert [len(piece) for piece in long_json.pieces_of(raw)] == [*[long_json.AT_ONCE] * 2, 1]
    assert list(long_json.pieces_of(raw[: long_json.AT_ONCE])) == [raw[: long_json.AT_ONCE]]


JUNK = st.sampled_from(
    [
        *(b"[", b"]", b"{", b"}", b",", b":", b'"', b"\\", b"\\u", b"d83d", b"\\ude00", b"\\ud800"),
        *(b"1", b"-", b"e9", b".5", b"true", b"NaN", b" ", b"\n", b"\x00", b"\xff", b"\xf0\x9f"),
        *(b'"key":', b'"x",', b"[[[[[[[[[[[[", b'{"a":1},', "\U0001f600é".encode()),
    ]
)
ENCODED = JSON_VALUES.map(lambda value: json.dumps(value).encode())
PLAIN = JSON_VALUES.map(lambda value: json.dumps(value, ensure_ascii=False, indent=1).encode())


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    raw=ENCODED | PLAIN | st.lists(JUNK | ENCODED, max_size=12).map(b"".join),
    size=st.integers(1, 9),
)
@example(raw=b'["' + b"\\n" * 40 + b'","' + b"\\ud83d\\ude00" * 9 + b'"]', size=3)
@example(raw=b"[" + b"123456, " * 20 + b"7]", size=5)
@example(raw=b"[" + b'{"a": 1}, ' * 20 + b"7]", size=5)
def test_a_long_text_is_held_to_the_same_rules(
    modules: tuple[ModuleType, ModuleType], raw: bytes, size: int
) -> None:
    """What is read in pieces is strict JSON; what is refused is not, or is of what none needs."""
    long_json, strict_json = modules
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_of(long_json), "AT_ONCE", SMALL)
        why = refusal(lambda: long_json.read_object(cut(raw, size), ()))
    strictly = refusal(lambda: strict_json.decode(raw))
    if strictly is not None:
        assert why is not None, strictly
    elif why is not None:
        assert any(words in why for words in ("too long", "too deeply", "very many keys")), why


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=JSON_VALUES,
    items=st.lists(JSON_VALUES, max_size=9),
    indent=st.sampled_from([None, 3]),
    size=st.integers(1, 9),
)
def test_what_is_asked_for_is_kept(
    long_json: ModuleType, before: object, items: list[object], indent: int | None, size: int
) -> None:
    """Whatever stands before and after it, and however it is cut."""
    raw = json.dumps(
        {"before": before, "kept": {"a": [1, "é"]}, "items": items, "after": before}, indent=indent
    ).encode()
    taken: list[object] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_of(long_json), "AT_ONCE", 4096)
        patch.setattr(long_json, "LONGEST_WANTED", 100)
        patch.setattr(text_of(long_json), "LONGEST_WANTED", 100)
        folds = {"items": long_json.Fold(taken.extend)}
        found = long_json.read_object(cut(raw, size), ("kept",), folds)
    assert found["kept"] == {"a": [1, "é"]}
    assert found["items"] == long_json.Items(len(items))
    for one, item in zip(taken, items, strict=True):
        assert one == item or one is long_json.LONG or str(item).startswith(str(one))
    assert found.keys() <= {"before", "kept", "items", "after"}


def test_what_nobody_asks_for_is_dropped(small: ModuleType) -> None:
    """Values of any length, before and after what is kept; a long item keeps what was asked for."""
    junk = json.dumps({"x": ["y" * 50, {"z": [*range(50)], "n": None}], "t": "é\n" * 30})
    item = f'{{"a":1,"junk":{junk},"b":"{"x" * 99}"}}'
    items = f'{item},{{"a":2}}, 3,"{"s" * 99}",["{"s" * 99}"]'
    raw = f'{{"junk":{junk},"a":7,"items":[{items}],"more":{junk}}}'
    taken: list[Any] = []
    folds = {"items": small.Fold(taken.extend, ("a",))}
    assert small.read_object(cut(raw.encode()), ("a",), folds) == {"a": 7, "items": small.Items(5)}
    assert taken == [{"a": 1}, {"a": 2}, 3, "s" * len(taken[3]), small.LONG]
    assert repr(taken[4]) == "a long value"


@pytest.mark.parametrize("times", [3, 50])
def test_of_a_long_string_the_beginning_is_kept(
    small: ModuleType, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """No escape is cut in two, and no character."""
    for module in (small, text_of(small)):
        monkeypatch.setattr(module, "LONGEST_WANTED", 8)
    for text in ("x" * 99, "\n" * 99, "\U0001f600" * 99):
        for as_ascii in (True, False):
            raw = json.dumps({"kept": text[:times], "b": "b" * 99}, ensure_ascii=as_ascii)
            kept = small.read_object(cut(raw.encode()), ("kept",))["kept"]
            assert text.startswith(kept)
            assert len(kept) <= 8
            assert kept or as_ascii  # an escaped pair has 12 characters


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"kept":"%s"}' % (b"x" * 99), None),
        (b'{"a":1,\n"kept":[%s1]}' % (b"1," * 99), "line 2: kept: is too long"),
        (b'{"kept":{"a":"%s"}}' % (b"x" * 99), "line 1: kept: is too long"),
        (b'{"kept":[%s], "b":"%s"}' % (b"1" * 9, b"x" * 99), "line 1: kept: is too long"),
        (b'{"a":%s}' % (b"1" * 99), "line 1: not JSON: Expecting value, or a number that is too"),
        (b'{"a":NaN,"b":"%s"}' % (b"x" * 99), "NaN is not a JSON number"),
        (b'{"b":["%s",NaN]}' % (b"x" * 99), "NaN is not a JSON number"),
        (b'{"%s":1}' % (b"x" * 99), "line 1: not JSON: Expecting ':' delimiter, or a key that is"),
        (b'{1:"%s"}' % (b"x" * 99), "line 1: not JSON: Expecting property name enclosed in double"),
        (b'{"a" 1,"b":"%s"}' % (b"x" * 99), "line 1: not JSON: Expecting ':' delimiter"),
        (b'{"a":1,"a":"%s"}' % (b"x" * 99), "line 1: the key 'a' stands twice in one object"),
        (b'{"a":1,"\\u0061":"%s"}' % (b"x" * 99), "line 1: the key 'a' stands twice in one object"),
        (b'{"b":[{"a":1,"a":2}, "%s"]}' % (b"x" * 99), "line 1: the key 'a' stands twice in one"),
        (
            b'{"a":"%s\n"}' % (b"x" * 99),
            "line 1: not JSON: a string that is cut off or has a wrong",
        ),
        (
            b'{"a":"%s\\ud800x"}' % (b"x" * 99),
            "line 1: not JSON: a string that is cut off or has a",
        ),
        (b'{"a":"%s","b":"\\ud800"}' % (b"x" * 99), r"'\ud800' holds half of a surrogate pair"),
        (b'{"a":"%s' % (b"x" * 99), "line 1: not JSON: a string that is cut off or has a wrong"),
        (b'{"a":"%s"]' % (b"x" * 99), "line 1: not JSON: Expecting ',' delimiter"),
        (b'\n{"a":"%s"} 1' % (b"x" * 99), "line 2: not JSON: Extra data"),
        (b'\n\n{"a":"%s\xff"}' % (b"x" * 99), "line 3: not UTF-8 text (byte 107)"),
        (b'{"a":"%s\xf0\x9f"}' % (b"x" * 98), "line 1: not UTF-8 text (byte 104)"),
        (b'\xef\xbb\xbf{"a":"%s"}' % (b"x" * 99), "line 1: a byte order mark (BOM) comes first"),
        (b"[" * 99, "line 1: not usable: long arrays and objects are nested too deeply"),
        (b'{"a":"%s","b":%s1%s}' % (b"x" * 99, b"[" * 8, b"]" * 8), None),
        (
            b"{%s}" % b",".join(b'"%d":"%d"' % (n, n) for n in range(99)),
            "line 1: not usable: long objects have",
        ),
        (b"[%s1]" % (b"1," * 99), None),
        (b"[%s1]" % (b"1,,1," * 99), "line 1: not JSON: Expecting value"),
        (b"[ %s ]" % (b" " * 99), None),
        (b"{ %s }" % (b" " * 99), None),
        (b" " * 99, "line 1: not JSON: Expecting value"),
    ],
)
def test_what_is_wrong_in_a_long_text_is_told(
    small: ModuleType, monkeypatch: pytest.MonkeyPatch, raw: bytes, message: str | None
) -> None:
    """In one line, with where it is as far as that is known."""
    monkeypatch.setattr(small, "LONGEST_WANTED", 8)
    monkeypatch.setattr(small, "MOST_KEYS", 50)
    why = refusal(lambda: small.read_object(cut(raw), ("kept",)))
    assert (why is None) is (message is None), why
    assert message is None or str(why).startswith(message), why


def test_nesting_is_counted_from_the_outside(long_json: ModuleType) -> None:
    """A short value in a long text is nested as deeply as it is in the text."""
    long = b"x" * (2 * long_json.AT_ONCE)
    for depth, is_read in ((98, True), (99, False), (5_000, False)):
        for deep in (b"[" * depth + b"1" + b"]" * depth, b'[{"\\u0061":' + b"[" * depth):
            raw = b'{"a":[{"b":"%s"},%s]}' % (long, deep)
            why = refusal(partial(long_json.read_object, long_json.pieces_of(raw), ()))
            assert (why is None) is (is_read and deep.endswith(b"]")), (depth, why)
            raw = b'{"a":[%s1,"%s"]}' % ((deep + b",") * 2, long)
            why = refusal(partial(long_json.read_object, long_json.pieces_of(raw), ()))
            assert (why is None) is (is_read and deep.endswith(b"]")), (depth, why)


def test_more_items_than_an_array_may_have_are_refused(
    small: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a text is decoded as a whole."""
    monkeypatch.setattr(small, "MOST_VALUES", 50)
    assert small.read_object(cut(b"[%s1]" % (b"1," * 49)), ()) is not None
    why = refusal(lambda: small.read_object(cut(b"[%s1]" % (b"1," * 50)), ()))
    assert why == "not usable: it holds more than 50 values"


def test_brackets_in_strings_nest_nothing(long_json: ModuleType) -> None:
    """Whatever is escaped before and behind them."""
    marks = json.dumps(["\\" * count + '"[{' * 150 for count in range(4)]).encode()
    raw = b'{"a":"%s","b":%s}' % (b"x" * (2 * long_json.AT_ONCE), marks)
    assert refusal(partial(long_json.read_object, long_json.pieces_of(raw), ())) is None


def test_long_objects_beside_each_other_may_have_many_keys(
    small: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer version's index is none of a reader's business; only those around a key are kept."""
    monkeypatch.setattr(small, "MOST_KEYS", 102)
    many = b"{%s}" % b",".join(b'"%d":"%d"' % (n, n) for n in range(99))
    for beside in (b'{"a":%s,"b":%s,"kept":1}' % (many, many), b'{"a":[%s,%s]}' % (many, many)):
        assert refusal(partial(small.read_object, cut(beside), ("kept",))) is None
    within = b'{"a":%s,"b":{"c":{"d":%s}}}' % (many, many)
    assert "very many keys" in str(refusal(partial(small.read_object, cut(within), ())))
