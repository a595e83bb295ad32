"""Durations and times as people write and read them: `30m` in a policy, `30 min` in an answer."""

import re
from datetime import UTC, datetime

_LATEST_DATE_UNIX_MS = 253_402_300_799_999
_WRITTEN = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)")
_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_WORDS = {"d": "d", "h": "h", "m": "min", "s": "s", "ms": "ms"}


def parse_duration(text: str) -> int:
    """The milliseconds of `500ms`, `90s`, `30m`, `24h` or `2d`.

    Raises:
        ValueError: for anything else.
    """
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration: write 90s, 30m, 24h or 2d")
    return int(match[1]) * _UNITS_MS[match[2]]


def written(duration_ms: int) -> str:
    """A duration as `parse_duration` reads it, in the largest unit that is exact."""
    unit = next(
        unit
        for unit, size in sorted(_UNITS_MS.items(), key=lambda item: -item[1])
        if duration_ms % size == 0 and (duration_ms or unit == "s")
    )
    return f"{duration_ms // _UNITS_MS[unit]}{unit}"


def in_words(duration_ms: int) -> str:
    """A duration for people, exact to its two largest units: `1 h 12 min`, `0 s`."""
    if duration_ms < 0:
        return f"-{in_words(-duration_ms)}"
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        number, duration_ms = divmod(duration_ms, _UNITS_MS[unit])
        if number:
            parts.append(f"{number} {_WORDS[unit]}")
        elif parts:
            break
        if len(parts) == 2:  # noqa: PLR2004 - more tells nobody more
            break
    return " ".join(parts) or "0 s"


def utc(unix_ms: int) -> str:
    """A time in UTC, to the second; the number itself where no calendar has it."""
    if not 0 <= unix_ms <= _LATEST_DATE_UNIX_MS:
        return f"{unix_ms} ms"
    return datetime.fromtimestamp(unix_ms // 1000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
