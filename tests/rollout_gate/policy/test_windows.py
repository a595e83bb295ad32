"""Windows: when nothing is promoted, and when that ends."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_rollout_gate.errors import PolicyRefusedError
from tau_rollout_gate.files.policy import built_in_policy_text
from tau_rollout_gate.policy.policy import Policy, parse_policy
from tau_rollout_gate.policy.windows import Closed, closed_now

NIGHT = 'name = "night"\ntimezone = "Europe/Berlin"\nhours = "18:00-08:00"\n'
WEEKEND = 'name = "weekend"\ntimezone = "UTC"\ndays = ["sat", "sun"]\n'
FRIDAY = 'name = "friday"\ntimezone = "-05:00"\ndays = ["fri"]\nhours = "12:00-06:00"\n'
HOLIDAYS = 'name = "holidays"\ntimezone = "UTC"\ndates = ["2026-12-20/2027-01-03", "2026-05-01"]\n'


def policy_of(*windows: str) -> Policy:
    """Return the built-in policy with windows."""
    text = built_in_policy_text() + "".join(f"\n[[windows]]\n{one}" for one in windows)
    return parse_policy(text.encode(), source="it")


def unix_ms(text: str) -> int:
    """Return a time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def at(time: str, *windows: str) -> tuple[str, str | None] | None:
    """Return which window is closed at a time in UTC, and when promotion opens."""
    found = closed_now(policy_of(*windows).windows or (), unix_ms(time))
    if found is None:
        return None
    opens = found.opens_unix_ms
    return found.window, None if opens is None else datetime.fromtimestamp(
        opens / 1000, tz=UTC
    ).isoformat()[:16]


@pytest.mark.parametrize(
    ("time", "windows", "found"),
    [
        ("2026-06-03T12:00", [NIGHT], None),
        ("2026-06-03T15:59", [NIGHT], None),
        ("2026-06-03T16:00", [NIGHT], ("night", "2026-06-04T06:00")),
        ("2026-06-04T05:59", [NIGHT], ("night", "2026-06-04T06:00")),
        ("2026-06-04T06:00", [NIGHT], None),
        ("2026-12-03T17:00", [NIGHT], ("night", "2026-12-04T07:00")),  # winter time
        ("2026-10-24T17:00", [NIGHT], ("night", "2026-10-25T07:00")),  # over its change
        ("2026-06-05T23:59", [WEEKEND], None),
        ("2026-06-06T00:00", [WEEKEND], ("weekend", "2026-06-08T00:00")),
        ("2026-06-07T23:59", [WEEKEND], ("weekend", "2026-06-08T00:00")),
        ("2026-06-05T16:59", [FRIDAY], None),
        ("2026-06-05T17:00", [FRIDAY], ("friday", "2026-06-06T11:00")),
        ("2026-06-06T10:59", [FRIDAY], ("friday", "2026-06-06T11:00")),
        ("2026-06-06T17:00", [FRIDAY], None),
        ("2026-12-19T23:59", [HOLIDAYS], None),
        ("2026-12-20T00:00", [HOLIDAYS], ("holidays", "2027-01-04T00:00")),
        ("2026-05-01T12:00", [HOLIDAYS], ("holidays", "2026-05-02T00:00")),
        # One after the other: it opens when the last one ends.
        ("2026-06-05T17:00", [FRIDAY, WEEKEND], ("friday", "2026-06-08T00:00")),
        ("2026-06-07T20:00", [NIGHT, WEEKEND], ("night", "2026-06-08T06:00")),
    ],
)
def test_a_window_is_closed_in_its_own_time_zone(
    time: str, windows: list[str], found: tuple[str, str | None] | None
) -> None:
    """Hours that pass midnight belong to the day they begin on; the last one to end counts."""
    assert at(time, *windows) == found


def test_what_is_closed_for_years_never_opens() -> None:
    """Two windows that leave nothing, dates to the end of all calendars, and times beyond them."""
    day = 'name = "day"\ntimezone = "UTC"\nhours = "07:00-19:00"\n'
    night = 'name = "night"\ntimezone = "UTC"\nhours = "19:00-07:00"\n'
    assert at("2026-06-03T12:00", day, night) == ("day", None)
    windows = policy_of(WEEKEND).windows or ()
    assert closed_now(windows, 2**62) == Closed(window="weekend", opens_unix_ms=None)
    edge = policy_of('name = "end"\ntimezone = "UTC"\ndates = ["9000-01-01/9998-12-31"]\n')
    late = closed_now(edge.windows or (), 253_000_000_000_000)
    assert late == Closed(window="end", opens_unix_ms=None)


@given(now=st.integers(0, 2**62), windows=st.sets(st.sampled_from([NIGHT, WEEKEND, HOLIDAYS])))
def test_when_it_opens_nothing_is_closed(now: int, windows: set[str]) -> None:
    """And until then something is, whatever the time."""
    known = policy_of(*sorted(windows)).windows or ()
    found = closed_now(known, now)
    if found is not None and found.opens_unix_ms is not None:
        assert found.opens_unix_ms > now
        assert closed_now(known, found.opens_unix_ms) is None
        assert closed_now(known, found.opens_unix_ms - 1) is not None


TWICE = f"{WEEKEND}\n[[windows]]\n{WEEKEND}"
REFUSED = {
    "windows[0]: is never open: it needs days, hours or dates": 'name = "w"\ntimezone = "UTC"\n',
    "windows[0].timezone: 'Mars/Base' is no time zone": WEEKEND.replace("UTC", "Mars/Base"),
    "windows[0].timezone: '../UTC' is no time zone": WEEKEND.replace("UTC", "../UTC"),
    "windows[0].timezone: '+25:00' is no time zone": WEEKEND.replace("UTC", "+25:00"),
    "windows[0].hours: '8-18' is no time of day: write": NIGHT.replace("18:00-08:00", "8-18"),
    "windows[0].hours: '24:00-08:00' is no time of day": NIGHT.replace("18:00", "24:00"),
    "windows[0].dates: '2026-02-30' is no date: write": HOLIDAYS.replace(
        "2026-05-01", "2026-02-30"
    ),
    "windows[0].dates: 'soon' is no date": HOLIDAYS.replace("2026-05-01", "soon"),
    "windows[0].dates: '2027-01-02/2027-01-01' ends before it begins": HOLIDAYS.replace(
        "2026-05-01", "2027-01-02/2027-01-01"
    ),
    "windows[1].name: 'weekend' is the name of an earlier window": TWICE,
}


@pytest.mark.parametrize(("problem", "text"), REFUSED.items())
def test_a_slip_in_a_window_is_named(problem: str, text: str) -> None:
    """With its place."""
    with pytest.raises(PolicyRefusedError) as refused:
        policy_of(text)
    assert problem in str(refused.value)


def test_a_fixed_offset_is_a_time_zone() -> None:
    """Both ways, and without data of any zone."""
    east = WEEKEND.replace("UTC", "+05:30")
    assert at("2026-06-05T18:30", east) == ("weekend", "2026-06-07T18:30")
