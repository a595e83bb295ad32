"""JSON Pointers: those of RFC 6901, what is none, and what is not there."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_custom_command.contract.json_pointer import NothingThereError, at, pointer, tokens

OF_THE_RFC: dict[str, Any] = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
}


def _at(value: object, text: str) -> object:
    path = tokens(text)
    assert path is not None
    return at(value, path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", OF_THE_RFC),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
    ],
)
def test_the_examples_of_the_rfc(text: str, expected: object) -> None:
    """Section 5 of RFC 6901 lists what its pointers lead to."""
    assert _at(OF_THE_RFC, text) == expected


@pytest.mark.parametrize("text", ["a", "foo/0", "/~", "/a~2", "/a~", "#/a", "~0", " /a"])
def test_what_is_no_pointer(text: str) -> None:
    """It begins with a slash, and a tilde stands only before 0 or 1."""
    assert tokens(text) is None


def test_an_escape_is_read_once() -> None:
    """`~01` is the key `~1`, and not a slash (section 4 of the RFC)."""
    assert tokens("/~01/~10") == ("~1", "/0")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("/bar", "/bar"),
        ("/foo/2", "/foo/2"),
        ("/foo/-", "/foo/-"),
        ("/foo/01", "/foo/01"),
        ("/foo/+1", "/foo/+1"),
        ("/foo/\u0661", "/foo/\u0661"),
        ("/foo/0/0/a", "/foo/0/0"),
        ("/foo/" + "9" * 9_000, "/foo/" + "9" * 9_000),
        ("/a~1b/x", "/a~1b/x"),
    ],
)
def test_what_is_not_there(text: str, part: str) -> None:
    """The first part that is not found is named, as a pointer."""
    with pytest.raises(NothingThereError) as missing:
        _at(OF_THE_RFC, text)
    assert str(missing.value) == part


@given(st.lists(st.text() | st.sampled_from(["/", "~", "~1", "~0", ""])))
def test_a_path_comes_back_from_its_pointer(path: list[str]) -> None:
    """Whatever keys hold, writing a pointer and reading it loses nothing."""
    assert tokens(pointer(*path)) == tuple(path)
