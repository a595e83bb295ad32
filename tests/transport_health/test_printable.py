"""Text of others does nothing in a terminal, nor in the log of a CI job."""

import pytest

from tau_transport_health.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a # b: c - d", "a # b: c - d"),
        ("##[error]x", "#\\x23[error]x"),
        ("::error::x", "\\x3a:error::x"),
        ("a\n--- b", "a\\n--- b"),
        ("--- b", "\\x2d-- b"),
        ("\x1b[31m", "\\x1b[31m"),
    ],
)
def test_what_acts_is_escaped(text: str, shown: str) -> None:
    """Marks that a CI system reads, and what a terminal does not show."""
    assert printable(text) == shown
