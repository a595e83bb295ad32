"""How long ago something was, in words."""

import pytest

from tau_transport_health.durations import age, duration_ms, written


@pytest.mark.parametrize(
    ("duration_ms", "words"),
    [
        (0, "0 s ago"),
        (999, "0 s ago"),
        (59_999, "59 s ago"),
        (60_000, "1 min 0 s ago"),
        (3_599_999, "59 min 59 s ago"),
        (3_600_000, "1 h 0 min ago"),
        (86_399_999, "23 h 59 min ago"),
        (86_400_000, "1 d 0 h ago"),
        (90_000_000, "1 d 1 h ago"),
        (-61_000, "1 min 1 s in the future"),
    ],
)
def test_an_age_is_said_as_people_do(duration_ms: int, words: str) -> None:
    """Two units, the larger first."""
    assert age(duration_ms) == words


@pytest.mark.parametrize("text", ["none", "0ms", "1500ms", "90s", "15m", "25h", "2d"])
def test_a_duration_is_written_as_it_is_read(text: str) -> None:
    """In the largest unit that it is a whole number of."""
    assert written(duration_ms(text)) == text
