"""How many of something, for people."""

import pytest

from tau_transport_health.counted import counted


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 hosts"), (1, "1 host"), (2, "2 hosts"), (1000, "1000 hosts")]
)
def test_one_is_no_several(number: int, words: str) -> None:
    """Only one is one; also where the word does not end with an s."""
    assert counted(number, "host") == words
    assert counted(number, "canary", "canaries").endswith("y" if number == 1 else "ies")
