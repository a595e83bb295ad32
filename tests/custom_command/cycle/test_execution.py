"""What of a stream is shown as text: the beginning, whole characters, and how much is missing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_custom_command.cycle.execution import MOST_TEXT_BYTES, Stream


def stream(content: bytes, *, left_out: int = 0) -> Stream:
    """Return a stream that kept this."""
    return Stream(kept=content, size=len(content) + left_out, left_out=left_out)


def test_a_short_one_is_shown_whole() -> None:
    """Nothing is added, and nothing is lost."""
    shown = stream("grüße\n".encode())
    assert (shown.text, shown.is_whole, shown.is_lossy) == ("grüße\n", True, False)
    assert (Stream().text, Stream().is_lossy) == ("", False)


@pytest.mark.parametrize("character", ["a", "ü", "€", "😀"])
@pytest.mark.parametrize("shift", range(4))
def test_a_long_one_is_cut_between_characters(character: str, shift: int) -> None:
    """The number of bytes that are left out follows, whether they were kept or not."""
    content = b"x" * shift + (character * MOST_TEXT_BYTES).encode()
    shown = stream(content, left_out=7)
    head, _, more = shown.text.partition("...<truncated:")
    assert not shown.is_lossy
    assert MOST_TEXT_BYTES - 4 < len(head.encode()) <= MOST_TEXT_BYTES
    assert more == f"{len(content) + 7 - len(head.encode())} bytes>"


def test_bytes_that_are_no_text() -> None:
    """They are told, and a sign stands for each."""
    shown = stream(b"gr\xfc\xdfe")
    assert (shown.text, shown.is_whole, shown.is_lossy) == ("gr\ufffd\ufffde", True, True)


@given(st.binary(max_size=40))
def test_what_is_no_text_is_told(content: bytes) -> None:
    """Bytes that are no UTF-8 are shown as a sign that stands for them."""
    shown = stream(content)
    assert shown.is_lossy == (content.decode(errors="replace").encode() != content)
    assert shown.is_whole
