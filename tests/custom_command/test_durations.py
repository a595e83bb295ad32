"""Durations as people write them, always with their unit; and times as they read them."""

import pytest

from tau_custom_command.durations import parse_duration, utc


@pytest.mark.parametrize(
    ("text", "duration_ms"),
    [("0s", 0), ("500ms", 500), ("90s", 90_000), ("30m", 1_800_000), ("24h", 86_400_000)],
)
def test_a_duration_has_a_unit(text: str, duration_ms: int) -> None:
    """A whole number and its unit, without a blank."""
    assert parse_duration(text) == duration_ms


@pytest.mark.parametrize(
    "text", ["", "5", "5 s", "-5s", "1.5s", "5S", "s", "5w", "5s ", "9" * 10 + "s"]
)
def test_anything_else_is_refused(text: str) -> None:
    """A number alone could be anything."""
    with pytest.raises(ValueError, match="is not a duration: write 90s, 30m, 24h or 2d"):
        parse_duration(text)


def test_none_is_longer_than_a_hundred_years() -> None:
    """The kernel cannot wait as long as nine digits of days."""
    assert parse_duration("36500d") == 36_500 * 86_400_000
    for text in ("36501d", "999999999d", "999999999h"):
        with pytest.raises(ValueError, match="is too long: the longest duration is 36500d"):
            parse_duration(text)


@pytest.mark.parametrize(
    ("unix_ms", "expected"),
    [
        (0, "1970-01-01 00:00:00Z"),
        (1_767_225_600_999, "2026-01-01 00:00:00Z"),
        (10**16, "10000000000000000 ms"),
        (10**30, f"{10**30} ms"),
        (10**400, f"{10**400} ms"),
    ],
    ids=["epoch", "to the second", "far", "farther", "beyond any float"],
)
def test_times_are_said_in_utc(unix_ms: int, expected: str) -> None:
    """A time that no calendar has is shown as its number."""
    assert utc(unix_ms) == expected
