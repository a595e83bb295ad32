"""TOML that people write, held to what JSON can say: the same model reads both."""

import datetime as dt
import math
import re
from collections.abc import Iterator
from typing import Any

from tau_custom_command.contract.forms import LARGEST_INTEGER
from tau_custom_command.contract.strict_json import DEEPEST_NESTING
from tau_custom_command.limits import LARGEST_TOML_BYTES, MOST_DOTTED_PARTS

_STRING_OR_COMMENT = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*(?:""")?'
    r"|'''(?:[^']|'(?!''))*(?:''')?"
    r'|"(?:[^"\\\n]|\\.)*"?'
    r"|'[^'\n]*'?"
    r"|#[^\n]*",
    re.DOTALL,
)
_LONG_KEY = re.compile(rf"(?<![\w-])(?:[\w-]+[ \t]*\.[ \t]*){{{MOST_DOTTED_PARTS}}}")


class TomlRefusedError(ValueError):
    """Bytes that are not TOML, or more of it than is read; the text says where and what."""


def decode(raw: bytes) -> dict[str, Any]:
    """The tables that the bytes of a TOML file hold; what JSON has not: `strangers`.

    Raises:
        TomlRefusedError: for anything but TOML in UTF-8 of a limited size.
    """
    import tomllib  # noqa: PLC0415 - most fixtures are JSON, and this takes its time

    if len(raw) > LARGEST_TOML_BYTES:
        most = f"{LARGEST_TOML_BYTES // 1024} KiB"
        raise TomlRefusedError(f"is larger than {most}, the most for TOML; write it as JSON")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise TomlRefusedError(f"line {line}: not UTF-8 text (byte {error.start})") from None
    # A key of n parts costs the reader of TOML memory for n * n of them.
    if _LONG_KEY.search(_STRING_OR_COMMENT.sub("_", text)):
        raise TomlRefusedError(f"a key has more than {MOST_DOTTED_PARTS} parts with dots")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise TomlRefusedError("not usable: arrays and tables are nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, or an integer of more digits than Python reads
        raise TomlRefusedError(f"not TOML: {error}") from None


def strangers(
    value: object, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield each value that JSON, or a program that reads it, has no room for, and what it is."""
    if isinstance(value, (dict, list)) and len(path) >= DEEPEST_NESTING:
        yield path[:3], f"is nested too deeply (the most is {DEEPEST_NESTING})"
    elif isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from strangers(item, (*path, key))
    elif isinstance(value, (dt.date, dt.time)):
        yield path, f"must be no date or time (found {value}); write it in quotes"
    elif isinstance(value, float) and not math.isfinite(value):
        yield path, f"must be a number that JSON has (found {value})"
    elif isinstance(value, int) and not -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER:
        yield path, "must be an integer of at most 64 bits"
