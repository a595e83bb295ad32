"""When nothing is promoted: weekdays, hours and dates, each in a time zone of its own.

A window is closed time: at night, over a weekend, before a holiday. It holds promotion alone; no
trigger waits for it (runbooks/rollout-gate-ops.md, "Windows and deadlines").
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta

from tau_rollout_gate.contract.forms import Form, Location, Name, Text

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

_DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ONE_DAY = timedelta(days=1)
_MOST_STEPS = 800  # closed days in a row: two years are as good as for ever
_LATEST_UNIX_MS = 253_000_000_000_000  # in the year 9987: no date is near the last one
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")
_OFFSET = re.compile(r"([+-])(0[0-9]|1[0-4]):([0-5][0-9])")
_DATES = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:/([0-9]{4}-[0-9]{2}-[0-9]{2}))?")


class ClosedWindow(Form, frozen=True, kw_only=True):
    """A time in which nothing is promoted: all that is given has to fit.

    Args:
        name: What it is called in an answer.
        timezone: Where its days and hours are: `Europe/Berlin`, `UTC` or `+02:00`.
        days: The weekdays; None for each. Hours that pass midnight belong to the day they begin on.
        hours: From when to when, `18:00-08:00`; None for all day.
        dates: The dates, each one or `2026-12-20/2027-01-03`; None for each.
    """

    name: Name
    timezone: Text
    days: Annotated[tuple[Day, ...], Meta(min_length=1, max_length=7)] | None = None
    hours: Text | None = None
    dates: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=64)] | None = None


class Closed(NamedTuple):
    """That nothing is promoted now: which window says so, and when promotion opens.

    `opens_unix_ms` is None where that is not within two years.
    """

    window: str
    opens_unix_ms: int | None


def closed_now(windows: Sequence[ClosedWindow], now_unix_ms: int) -> Closed | None:
    """Whether any window is closed at a time, and when none is any more."""
    first, at = None, now_unix_ms
    for _ in range(_MOST_STEPS):
        ends = [(end, one.name) for one in windows if (end := _end(one, at)) is not None]
        if not ends:
            return None if first is None else Closed(window=first, opens_unix_ms=at)
        at, name = max(ends)
        first = first or name
        if at > _LATEST_UNIX_MS:
            break
    return Closed(window=first or "", opens_unix_ms=None)


def _end(window: ClosedWindow, at_unix_ms: int) -> int | None:
    """When a window that is closed at a time ends; None where it is open then."""
    if at_unix_ms > _LATEST_UNIX_MS:
        return at_unix_ms + 1  # no calendar says anything of it: not known is no
    zone = zone_of(window.timezone)
    today = datetime.fromtimestamp(at_unix_ms // 1000, tz=zone).date()
    ends = [
        end
        for day in (today - _ONE_DAY, today)
        if _is_on(window, day)
        for start, end in [_span(window, day, zone)]
        if start <= at_unix_ms < end
    ]
    return max(ends, default=None)


def _is_on(window: ClosedWindow, day: date) -> bool:
    if window.days is not None and _DAYS[day.weekday()] not in window.days:
        return False
    spans = [_first_and_last(one) for one in window.dates or ()]
    return not spans or any(first <= day <= last for first, last in spans)


def _span(window: ClosedWindow, day: date, zone: tzinfo) -> tuple[int, int]:
    """From when to when a window is closed that begins on a day, in Unix milliseconds."""
    start, end = (time.min, time.min) if window.hours is None else _start_and_end(window.hours)
    last = day + _ONE_DAY if end <= start else day
    return _unix_ms(day, start, zone), _unix_ms(last, end, zone)


def _unix_ms(day: date, at: time, zone: tzinfo) -> int:
    return int(datetime.combine(day, at, tzinfo=zone).timestamp() * 1000)


def zone_of(name: str) -> tzinfo:
    """The time zone called so.

    Raises:
        ValueError: if it is none, or this machine has no data of it.
    """
    found = _OFFSET.fullmatch(name)
    if found is not None:
        offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
        return timezone(-offset if found[1] == "-" else offset)
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - few policies have windows, and it takes its time

    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        raise ValueError(
            f"{name!r} is no time zone that this machine has data of: write Europe/Berlin, UTC or "
            "+02:00"
        ) from None


def _start_and_end(text: str) -> tuple[time, time]:
    found = _HOURS.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no time of day: write 18:00-08:00")
    return time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))


def _first_and_last(text: str) -> tuple[date, date]:
    found = _DATES.fullmatch(text)
    try:
        first = date.fromisoformat(found[1] if found else "")
        last = date.fromisoformat((found[2] if found else None) or first.isoformat())
    except ValueError:
        raise ValueError(
            f"{text!r} is no date: write 2026-12-24 or 2026-12-20/2027-01-03"
        ) from None
    if last < first:
        raise ValueError(f"{text!r} ends before it begins")
    return first, last


def misfits(windows: Sequence[ClosedWindow]) -> Iterator[tuple[Location, str]]:
    """Yield what is wrong in the windows, beyond the types of their fields, with its place."""
    for index, one in enumerate(windows):
        place: Location = ("windows", index)
        if one.name in {other.name for other in windows[:index]}:
            yield (*place, "name"), f"{one.name!r} is the name of an earlier window"
        if one.hours is None and one.dates is None and set(one.days or _DAYS) == set(_DAYS):
            yield place, "is never open: it needs days, hours or dates"
        for field, read, texts in (
            ("timezone", zone_of, (one.timezone,)),
            ("hours", _start_and_end, () if one.hours is None else (one.hours,)),
            ("dates", _first_and_last, one.dates or ()),
        ):
            for text in texts:
                try:
                    read(text)
                except ValueError as error:
                    yield (*place, field), str(error)
