"""TOML as a fixture holds it: what is refused, in which words, and that it costs little."""

import tomllib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tau_custom_command.contract.strict_toml import TomlRefusedError, decode, strangers
from tau_custom_command.limits import LARGEST_TOML_BYTES, MOST_DOTTED_PARTS


def refusal(raw: bytes) -> str:
    """Return why the bytes are refused."""
    with pytest.raises(TomlRefusedError) as refused:
        decode(raw)
    return str(refused.value)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"a = ", "not TOML: Invalid value (at end of document)"),
        (b"a = 1\na = 2", "not TOML: Cannot overwrite a value (at end of document)"),
        (b"a = 'b\x00'", "not TOML: Found invalid character '\\x00' (at line 1"),
        (b'a = "\\ud800"', "not TOML: Escaped character is not a Unicode scalar value (at line 1"),
        (b'a = 1\nb = "\xff"', "line 2: not UTF-8 text (byte 11)"),
        (b"a = " + b"[" * 5_000, "not usable: arrays and tables are nested too deeply"),
        (b"a = " + b"1" * 5_000, "not TOML: Exceeds the limit"),
        (b"#" * (LARGEST_TOML_BYTES + 1), "is larger than 512 KiB, the most for TOML; write it as"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_refused(raw: bytes, expected: str) -> None:
    """Each refusal says what is wrong, and where, if that is known."""
    assert refusal(raw).startswith(expected)


@pytest.mark.parametrize(
    "key",
    [
        "a" + ".a" * 200_000,
        "a" + " . a" * 100_000,
        "a" + '."a"' * 100_000,
        "a" + ".'a'" * 100_000,
        ".".join(["a"] * (MOST_DOTTED_PARTS + 1)),
    ],
    ids=["bare", "with blanks", "quoted", "literal", "one too many"],
)
@pytest.mark.parametrize(
    "form", ["{} = 1", "[{}]", "[[{}]]", "a = {{ {} = 1 }}", "x = '''\n'''\n{}=1"]
)
def test_a_key_of_very_many_parts_is_refused_at_once(form: str, key: str) -> None:
    """It would take memory for the square of its parts."""
    assert refusal(form.format(key).encode()) == "a key has more than 16 parts with dots"


@pytest.mark.parametrize(
    "text",
    [
        ".".join(["a"] * MOST_DOTTED_PARTS) + " = 1",
        'a = "' + "x." * 100 + '"',
        'a = "\\"' + "x." * 100 + '"',
        "a = '" + "x." * 100 + "'",
        'a = """\n"' + "x." * 100 + '"""',
        "a = '''\n'" + "x." * 100 + "'''",
        "# " + "x." * 100,
        'a = "# no comment" # "' + "x." * 100,
    ],
    ids=lambda text: text[:20],
)
def test_dots_in_texts_and_comments_are_no_keys(text: str) -> None:
    """A template may hold as many as it likes."""
    assert decode(text.encode()) == tomllib.loads(text)


@given(st.text(alphabet="a.'\"\\#\n=[]{} ", max_size=30))
@example('a = "')
@example("a = '''")
@example('a = """')
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but a refusal comes of what is no TOML, and nothing is refused that is."""
    try:
        expected = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assert refusal(text.encode())
    else:
        assert decode(text.encode()) == expected


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("1", []),
        ("9223372036854775807", []),
        ("-9223372036854775808", []),
        ("true", []),
        ("1.5", []),
        ("9223372036854775808", [(("a",), "must be an integer of at most 64 bits")]),
        ("-9223372036854775809", [(("a",), "must be an integer of at most 64 bits")]),
        ("nan", [(("a",), "must be a number that JSON has (found nan)")]),
        ("[1, -inf]", [(("a", 1), "must be a number that JSON has (found -inf)")]),
        ("1e999", [(("a",), "must be a number that JSON has (found inf)")]),
        (
            "{ b = 2020-01-01 }",
            [(("a", "b"), "must be no date or time (found 2020-01-01); write it in quotes")],
        ),
        (
            "2020-01-01T00:00:00Z",
            [
                (
                    ("a",),
                    "must be no date or time (found 2020-01-01 00:00:00+00:00); write it in quotes",
                )
            ],
        ),
        ("10:00:00", [(("a",), "must be no date or time (found 10:00:00); write it in quotes")]),
        (
            "[" * 100 + "]" * 100,
            [(("a", 0, 0), "is nested too deeply (the most is 100)")],
        ),
        ("[" * 99 + "]" * 99, []),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_json_has_not(written: str, found: list[tuple[tuple[str | int, ...], str]]) -> None:
    """Values without a place in JSON are found wherever they stand, each with its path."""
    assert list(strangers(decode(f"a = {written}".encode()))) == found
