"""Durations as people write them, `500ms`, `90s`, `30m`; and times as they read them."""

import re
from datetime import UTC, datetime
from functools import lru_cache

_WRITTEN = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)")
LONGEST_MS = 36_500 * 86_400_000
"""A hundred years: the kernel waits no longer than 292."""

_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def parse_duration(text: str) -> int:
    """The milliseconds of `500ms`, `90s`, `30m`, `24h` or `2d`.

    Raises:
        ValueError: for anything else, a number without a unit too, and for more than a hundred
            years.
    """
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration: write 90s, 30m, 24h or 2d")
    found = int(match[1]) * _UNITS_MS[match[2]]
    if found > LONGEST_MS:
        raise ValueError(f"{text!r} is too long: the longest duration is 36500d")
    return found


def utc(unix_ms: int) -> str:
    """Write a time as people read it, in UTC to the second; the number where no date has it."""
    return _utc_second(unix_ms // 1000) or f"{unix_ms} ms"


@lru_cache  # a cycle writes the same few seconds thousands of times
def _utc_second(unix_seconds: int) -> str | None:
    try:
        return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return None
