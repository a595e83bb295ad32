"""TOML that people write: policies, checklists, targets. Small, so that none costs much.

Two packages have this file, the same to the byte.
"""

import tomllib
from typing import Any

from ..errors import FormRefusedError  # noqa: TID252 - the same file in two packages

LARGEST_BYTES = 64 * 1024
"""Ten times the built-in policy, a thousand targets: a larger file was named by mistake."""

LONGEST_LINE_BYTES = 2000
"""A key of n dotted parts, on one line, costs the reader of TOML memory for n * n of them."""


def decode(raw: bytes) -> dict[str, Any]:
    """Read the tables that the bytes of a TOML file hold, also behind a byte order mark.

    Raises:
        FormRefusedError: if they are not TOML, or more than such a file has.
    """
    if len(raw) > LARGEST_BYTES:
        raise FormRefusedError(f"is larger than {LARGEST_BYTES // 1024} KiB")
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if len(line) > LONGEST_LINE_BYTES:
            raise FormRefusedError(f"line {number} is longer than {LONGEST_LINE_BYTES} bytes")
    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise FormRefusedError(f"not UTF-8 text (byte {error.start})") from None
    except RecursionError:
        raise FormRefusedError("arrays and tables are nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, or an integer too long to convert
        raise FormRefusedError(f"not TOML: {error}") from None
