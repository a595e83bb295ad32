"""Patterns in output of which only the beginning was kept: only what is certain counts."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_custom_command.cycle.checks.pattern_match import (
    Groups,
    Unmatched,
    decoded,
    is_lossy,
    search,
)
from tau_custom_command.cycle.execution import Stream


def matches(pattern: str, text: str) -> Groups | Unmatched:
    """Look for a pattern in this very process: those of the tests take no time."""
    found = re.search(pattern, text)
    return Unmatched.NO_MATCH if found is None else (found[0], *found.groups())


def _cut(kept: bytes) -> Stream:
    return Stream(kept=kept, size=len(kept) + 9, left_out=9)


def test_in_all_of_an_output() -> None:
    """The groups are handed on, and that there is no match."""
    stream = Stream(kept=b"version 1.4\n", size=12)
    assert search(r"(x)?version ([0-9.]+)$", stream, matches) == ("version 1.4", None, "1.4")
    assert search("beta", stream, matches) is Unmatched.NO_MATCH


@pytest.mark.parametrize(
    "pattern", ["b", "^a", "(?m)b$", "(?ism)A.B$", "(?sm)^b$", r"(?<=a)b|b", r"\bb\b", r"[*?]|b"]
)
def test_a_match_that_nothing_can_undo(pattern: str) -> None:
    """It ends before the cut, and does not look further."""
    assert isinstance(search(pattern, _cut(b"a\nb\nc"), matches), tuple)


@pytest.mark.parametrize(
    "pattern",
    [
        "c",  # what follows may belong to it, so that it stands elsewhere or not at all
        "c*",
        "b$|b",
        r"b(?=\n)",
        "b(?!x)",
        r"a|\Z",
        "(?>a|b)",
        "a*+",
        "a{1}+",
        "(?m)(?-m:a)",
        "nowhere",
    ],
)
def test_a_match_that_may_be_undone(pattern: str) -> None:
    """Unknown is no: so is a pattern that is not found, but might be further on."""
    assert search(pattern, _cut(b"a\nb\nc"), matches) is Unmatched.TRUNCATED


@pytest.mark.parametrize("answer", [Unmatched.TIMED_OUT, Unmatched.FAILED])
def test_who_could_not_look_says_so(answer: Unmatched) -> None:
    """Whether the output was kept whole or not."""
    for stream in (_cut(b"a"), Stream(kept=b"a", size=1)):
        assert search("a", stream, lambda *_: answer) is answer


def test_text_that_was_cut_within_a_character() -> None:
    """The half of it is left out; bytes that are not UTF-8 are told apart from that."""
    assert decoded(_cut("é".encode()[:1])) == ""
    assert not is_lossy(_cut("aé".encode()[:2]))
    assert decoded(Stream(kept=b"a\xc3", size=2)) == "a\ufffd"
    assert is_lossy(Stream(kept=b"a\xc3", size=2))
    assert is_lossy(_cut(b"\xffa"))


@given(st.text("ab\n", max_size=12), st.text("ab\n", min_size=1, max_size=6), st.data())
def test_what_counts_holds_of_the_whole(kept: str, rest: str, data: st.DataObject) -> None:
    """Whatever follows the cut, a match that counted is there, and so is one that is unknown."""
    atoms = [
        "a",
        "b",
        "^",
        "$",
        ".",
        r"\n",
        "(?m)$",
        "a*",
        "(a|b)+?",
        r"\b",
        "(?!a)",
        "(?=b)",
        r"\Z",
    ]
    parts = data.draw(st.lists(st.sampled_from(atoms), min_size=1, max_size=4))
    pattern = "".join(part.removeprefix("(?m)") for part in parts)
    pattern = "(?m)" * any(part.startswith("(?m)") for part in parts) + pattern
    found = search(pattern, _cut(kept.encode()), matches)
    assert found is not Unmatched.NO_MATCH
    if isinstance(found, tuple):
        assert re.search(pattern, kept + rest), (pattern, kept, rest)
