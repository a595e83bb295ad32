"""Durations, as people write and read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_rollout_gate.durations import in_words, parse_duration, written


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("0s", 0), ("500ms", 500), ("90s", 90_000), ("30m", 1_800_000), ("24h", 86_400_000)],
)
def test_a_duration_is_read(text: str, milliseconds: int) -> None:
    """A number and its unit."""
    assert parse_duration(text) == milliseconds


@pytest.mark.parametrize("text", ["", "30", "m", "-5m", "1.5h", "30 m", "30M", "1w", "\u0663m"])
def test_anything_else_is_refused(text: str) -> None:
    """Without a unit nobody knows what was meant."""
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=999_999_999))
def test_what_is_written_reads_back(milliseconds: int) -> None:
    """In the largest unit that is exact."""
    assert parse_duration(written(milliseconds)) == milliseconds


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (0, "0 s"),
        (999, "999 ms"),
        (60_000, "1 min"),
        (4_320_000, "1 h 12 min"),
        (86_400_000 + 60_000, "1 d"),
        (90_061_001, "1 d 1 h"),
        (-1_500, "-1 s 500 ms"),
    ],
)
def test_a_duration_in_words(milliseconds: int, words: str) -> None:
    """Its two largest units that follow each other, since more tells nobody more."""
    assert in_words(milliseconds) == words
