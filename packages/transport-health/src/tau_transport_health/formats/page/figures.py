"""Numbers, times and texts as a page shows them to people."""

from datetime import UTC, datetime, timedelta

from markupsafe import Markup

from tau_transport_health.printable import printable

LARGEST_WRITTEN = 10**15
"""A greater number, which only a damaged file holds, is written as greater, and drawn as this."""

LONGEST_TEXT = 600
"""A longer text is cut: a file must not make the page too large to open."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = ((86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"), (1000, "second"))


def figure(number: int) -> str:
    """A number with its thousands apart: `12,345`."""
    return "over 10^15" if number > LARGEST_WRITTEN else f"{number:,}"


def share(part: int, whole: int) -> str:
    """A part of a whole in percent; only nothing is 0 %, and only all of it 100 %."""
    if part in {0, whole}:
        return "100 %" if part else "0 %"
    return f"{min(max(100 * part / whole, 0.1), 99.9):.1f} %"


def utc(unix_ms: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A time in UTC, to the second or as `form` has it."""
    try:
        return (_EPOCH + timedelta(milliseconds=unix_ms)).strftime(form)
    except OverflowError:
        return "after the year 9999"


def span(duration_ms: int) -> str:
    """A length of whole seconds in its largest unit: `1 second`, `5 minutes`, `2 days`."""
    size, unit = next(unit for unit in _UNITS if duration_ms % unit[0] == 0)
    number = duration_ms // size
    return f"1 {unit}" if number == 1 else f"{figure(number)} {unit}s"


def pixels(number: float) -> str:
    """A length in a drawing, to a tenth, or a place in it in percent."""
    return f"{number:.1f}"


def written(value: object) -> object:
    """What a value comes to on a page; texts are made printable, and are not escaped yet."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, int):
        return figure(value)
    text = str(value)
    return printable(text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…")
