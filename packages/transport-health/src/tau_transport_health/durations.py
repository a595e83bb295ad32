"""Durations as people write and read them."""

import re

_DURATION = re.compile(r"(\d{1,12})(ms|s|m|h|d)")
_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def duration_ms(text: str) -> int | None:
    """Read `500ms`, `90s`, `15m`, `1h` or `2d` as milliseconds, and `none` as None.

    Raises:
        ValueError: for anything else; the text says what to write.
    """
    if text == "none":
        return None
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is not a duration with its unit: write 500ms, 90s, 15m, 1h, 2d or none"
        )
    return int(match[1]) * _UNITS_MS[match[2]]


def written(milliseconds: int | None) -> str:
    """A duration as `duration_ms` reads it, in the largest unit that it is a whole number of."""
    if milliseconds is None:
        return "none"
    fitting = [unit for unit, size in _UNITS_MS.items() if milliseconds % size == 0]
    unit = fitting[-1] if milliseconds else "ms"
    return f"{milliseconds // _UNITS_MS[unit]}{unit}"


def age(duration_ms: int) -> str:
    """An age as people say it: `3 min 20 s ago`, `2 h 5 min ago`, `5 s in the future`."""
    seconds = abs(duration_ms) // 1000
    for unit, below, size, smaller, smaller_size in (
        ("d", None, 86_400, "h", 3600),
        ("h", 86_400, 3600, "min", 60),
        ("min", 3600, 60, "s", 1),
    ):
        if seconds >= size and (below is None or seconds < below):
            text = f"{seconds // size} {unit} {seconds % size // smaller_size} {smaller}"
            break
    else:
        text = f"{seconds} s"
    return f"{text} in the future" if duration_ms < 0 else f"{text} ago"
