"""The words of a template: those of a shell, in little time."""

import shlex
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tau_custom_command.policy.words import words_of


def of_shlex(template: str) -> tuple[str, ...] | None:
    """Return what the standard library makes of a template."""
    try:
        return tuple(shlex.split(template))
    except ValueError:
        return None


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("", ()),
        ("a  b\t'c d'\n", ("a", "b", "c d")),
        ("''", ("",)),
        ("a'' \"\" b", ("a", "", "b")),
        (r"""a\ b "c\"d\\e\f" 'g\h'""", ("a b", 'c"d\\e\\f', "g\\h")),
        ("a\\\nb", ("a\nb",)),
        ("it's", None),
        ('say "', None),
        ("a\\", None),
        ('"a\\', None),
    ],
)
def test_words_are_those_of_a_shell(template: str, words: tuple[str, ...] | None) -> None:
    """Blanks part them, quotes and backslashes hold them together; what is left open has none."""
    assert words_of(template) == words


@given(st.text(alphabet="ab '\"\\\t\r\n\u00a0{}#", max_size=20))
@example("a'b\"c'd\"")
def test_the_standard_library_says_the_same(template: str) -> None:
    """Whatever the template."""
    assert words_of(template) == of_shlex(template)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "piece",
    ["x", "'", '"', "\\", "x ", "''", '\\"', "'x' ", "{{x}}", " "],
)
@pytest.mark.parametrize("before", ["", '"', "'"])
def test_a_long_template_takes_no_long_time(piece: str, before: str) -> None:
    """A million characters are split in seconds, also where they are one word; never in minutes."""
    template = before + piece * (1_000_000 // len(piece))
    started = time.monotonic()
    words_of(template)
    assert time.monotonic() - started < 30
