"""No byte of a secret's value is written, however its stream is cut and whatever overlaps."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tau_custom_command.execution.masking import Masker, masked, masked_text

KEY = b"-----BEGIN KEY-----\nMIIEvAIBADAN\n\tBgkqhkiG9w0B\r\nAQEF\n-----END KEY-----\n"


def cut(content: bytes, places: list[int]) -> list[bytes]:
    """Cut the content at places, as a pipe may."""
    inside = sorted(place % (len(content) + 1) for place in places)
    ends = [*inside, len(content)]
    return [content[a:b] for a, b in zip([0, *inside], ends, strict=True)]


def reference(content: bytes, parts: list[bytes]) -> bytes:
    """Mask the content as a whole, position by position: slow, and seen to be right."""
    covered = bytearray(len(content))
    joined = bytearray(len(content) + 1)  # the occurrence goes on past the beginning of this byte
    for part in parts:
        for start in range(len(content)):
            if content.startswith(part, start):
                covered[start : start + len(part)] = b"\1" * len(part)
                joined[start + 1 : start + len(part)] = b"\1" * (len(part) - 1)
    written = bytearray()
    for place, byte in enumerate(content):
        if not covered[place]:
            written.append(byte)
        elif not joined[place]:
            written += b"***"
    return bytes(written)


FEW_LETTERS = st.binary(max_size=60).map(lambda raw: bytes(b"ab\n"[byte % 3] for byte in raw))
VALUES = st.lists(
    st.binary(min_size=1, max_size=9).map(lambda raw: bytes(b"ab"[byte % 2] for byte in raw)),
    max_size=4,
)


@given(FEW_LETTERS, VALUES, st.lists(st.integers(min_value=0), max_size=12))
@example(b"abab", [b"aba", b"bab"], [1, 2, 3])
@example(b"aaaaaaa", [b"aaa"], [3])
@example(b"abab", [b"ab"], [2])
def test_however_it_is_cut_it_is_masked_as_the_whole(
    content: bytes, values: list[bytes], places: list[int]
) -> None:
    """Every byte of every occurrence goes, and what comes out does not depend on the chunks."""
    masker = Masker(values)
    pieces = [masker.feed(chunk) for chunk in cut(content, places)]
    assert b"".join([*pieces, masker.end()]) == reference(content, values)


@given(FEW_LETTERS, VALUES.filter(bool), st.lists(st.integers(min_value=0), max_size=12))
def test_it_holds_back_less_than_the_longest_value(
    content: bytes, values: list[bytes], places: list[int]
) -> None:
    """So it takes no more memory the longer the stream is, and a secret is never half out."""
    masker, taken = Masker(values), b""
    longest, given_out = max(map(len, values)), b""
    for chunk in cut(content, places):
        taken += chunk
        given_out += masker.feed(chunk)
        certain = taken[: max(0, len(taken) - longest + 1)]
        # What was certain is out: all of it that is masked as it will be whatever follows.
        assert given_out == reference(taken, values)[: len(given_out)]
        assert len(given_out) >= len(reference(certain, values)) - longest + 1


@pytest.mark.parametrize(
    ("secrets", "content", "expected"),
    [
        ([b"hunter22"], b"the password is hunter22.", b"the password is ***."),
        ([b"hunter22\n"], b"hunter22 hunter22\n", b"*** ***\n"),
        ([b"hunter", b"hunter22"], b"hunter22 hunter hunter2", b"*** *** ***2"),
        ([b"hunter22", b"hunter"], b"hunter22 hunter hunter2", b"*** *** ***2"),
        ([b"abcdef", b"defghi"], b"<abcdefghi>", b"<***>"),
        ([b"abcdef"], b"abcdefabcdef", b"******"),
        ([b"ababab"], b"<abababab>", b"<***>"),
        ([b"abcdef"], b"abcde", b"abcde"),
        ([], b"abcde", b"abcde"),
        ([b"", b"\n"], b"abc\n", b"abc\n"),
    ],
)
def test_what_is_masked(secrets: list[bytes], content: bytes, expected: bytes) -> None:
    """A prefix of another, an overlap, a value that overlaps itself, a line break, nothing."""
    assert masked(content, secrets) == expected
    masker = Masker(secrets)
    one_by_one = b"".join(masker.feed(bytes([byte])) for byte in content) + masker.end()
    assert one_by_one == expected


def test_a_value_of_several_lines_is_masked_line_by_line() -> None:
    """As a whole, without its last line break, with other indentation, and with CRLF."""
    assert masked(KEY.rstrip(b"\n") + b"|", [KEY]) == b"***|"
    assert masked(b"> -----BEGIN KEY-----\r\n> MIIEvAIBADAN\r\n", [KEY]) == b"> ***\r\n> ***\r\n"
    assert masked(b"BgkqhkiG9w0B AQEF", [KEY]) == b"*** AQEF"  # AQEF alone is too short


def test_a_masker_is_as_new_after_the_end() -> None:
    """Nothing of the stream before shows in the next one, nor joins with it."""
    masker = Masker([b"hunter22"])
    assert masker.feed(b"hunter22 hunter") + masker.end() == b"*** hunter"
    assert masker.feed(b"22") + masker.end() == b"22"


def test_a_text_is_masked_as_its_bytes() -> None:
    """Also one that holds what is no UTF-8, as an argument of a program may."""
    secrets = ["größe22".encode(), b"\xff\xfe\xfd\xfc\xfb\xfa"]
    assert masked_text("die größe22", ()) == "die größe22"
    assert masked_text("die größe22", secrets) == "die ***"
    assert masked_text("a\udcff\udcfe\udcfd\udcfc\udcfb\udcfab\udcff", secrets) == "a***b\udcff"


def test_a_masker_shows_no_value() -> None:
    """Neither where it is printed, nor in a traceback that names what went wrong."""
    assert "hunter22" not in repr(Masker([b"hunter22"]))
