"""The comparison: E as its definition says, to the last digit."""

from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_rollout_gate.fleet.split_test import (
    CANARY,
    CONTROL,
    ODDS,
    GroupFailures,
    Likelihood,
    bar_of,
    expected_canaries,
    least_to_fire,
    likelihood,
)


def brute(groups: list[GroupFailures]) -> Fraction:
    """Return E by its definition, failure by failure."""
    total = Fraction(0)
    for t in ODDS:
        product = Fraction(1)
        for a, b, failures in groups:
            left = {CANARY: a, CONTROL: b}
            for one in failures:
                weight = t if one == CANARY else 1
                product *= Fraction(
                    weight * (left[CANARY] + left[CONTROL]), t * left[CANARY] + left[CONTROL]
                )
                left[one] -= 1
        total += product
    return total / len(ODDS)


def value(groups: list[GroupFailures]) -> Fraction:
    """Return E."""
    return Fraction(*likelihood(groups))


@st.composite
def groups(draw: st.DrawFn) -> GroupFailures:
    """Draw a group and who failed in it, in some order."""
    canaries, controls = draw(st.integers(0, 6)), draw(st.integers(0, 6))
    failed = [CANARY] * draw(st.integers(0, canaries)) + [CONTROL] * draw(st.integers(0, controls))
    return GroupFailures(canaries, controls, "".join(draw(st.permutations(failed))))


@given(several=st.lists(groups(), max_size=5))
def test_e_equals_brute_force(several: list[GroupFailures]) -> None:
    """Fractions of integers, in any number of groups."""
    assert value(several) == brute(several)


@given(
    several=st.lists(groups(), min_size=1, max_size=3), at=st.integers(0, 12), which=st.integers(0)
)
def test_a_canary_never_lowers_it_and_a_control_host_never_raises_it(
    several: list[GroupFailures], at: int, which: int
) -> None:
    """Wherever in the order one more failure comes: evidence that goes missing never helps."""
    place = which % len(several)
    group = several[place]
    for letter, of, sign in ((CANARY, group.canaries, 1), (CONTROL, group.controls, -1)):
        if group.failures.count(letter) < of:
            more = group.failures[:at] + letter + group.failures[at:]
            others = [*several[:place], group._replace(failures=more), *several[place + 1 :]]
            assert sign * (value(others) - value(several)) >= 0


@given(group=groups(), unknown=st.integers(0, 3), data=st.data())
def test_unknown_canaries_put_first_are_the_worst_case(
    group: GroupFailures, unknown: int, data: st.DataObject
) -> None:
    """Whichever of them failed, and whenever."""
    unknown = min(unknown, group.canaries - group.failures.count(CANARY))
    worst = group._replace(failures=CANARY * unknown + group.failures)
    failures = list(group.failures)
    for _ in range(data.draw(st.integers(0, unknown))):
        failures.insert(data.draw(st.integers(0, len(failures))), CANARY)
    assert value([worst]) >= value([group._replace(failures="".join(failures))])


@pytest.mark.parametrize(("canaries", "controls"), [(1, 1), (1, 3), (2, 3), (3, 2), (2, 2)])
def test_its_mean_over_the_lots_is_1(canaries: int, controls: int) -> None:
    """Over all lots that could have been drawn, whoever fails: so false alarms are bounded."""
    hosts = canaries + controls
    for failed in range(hosts + 1):
        lots = set(permutations([CANARY] * canaries + [CONTROL] * controls))
        values = [value([GroupFailures(canaries, controls, "".join(lot[:failed]))]) for lot in lots]
        assert sum(values, Fraction(0)) / len(values) == 1


def test_a_group_with_one_side_tells_nothing() -> None:
    """All are canaries, or none is."""
    assert value([GroupFailures(4, 0, "ccc"), GroupFailures(0, 4, "oo")]) == 1
    assert value([]) == 1


@pytest.mark.parametrize("failures", ["cc", "oo", "coc"])
def test_more_failures_than_hosts_are_refused(failures: str) -> None:
    """No count may be made up of what cannot be."""
    with pytest.raises(ValueError, match="more hosts of an arm failed than there are"):
        likelihood([GroupFailures(1, 1, failures)])


def test_what_is_said_of_it() -> None:
    """Exact where that can be read, and rounded down to three digits."""
    one = likelihood([GroupFailures(1, 3, "c")])
    assert Fraction(one.exact or "0") == brute([GroupFailures(1, 3, "c")])
    assert [
        Likelihood(above, below).rounded
        for above, below in (
            (1, 1),
            (19_999, 10_000),
            (99_999, 1000),
            (999_999, 1000),
            (10**6, 1),
            (1, 3),
            (407 * 10**10, 1),
            (10**400, 7),
        )
    ] == ["1.00", "1.99", "99.9", "999", "1.00e+06", "3.33e-01", "4.07e+12", "1.42e+399"]
    many = likelihood([GroupFailures(300, 300, "co" * 300)])
    assert many.exact is None
    assert expected_canaries([GroupFailures(1, 3, "c"), GroupFailures(2, 2, "oc")]) == "1.42"
    assert expected_canaries([]) == "0.00"


def test_what_it_takes_to_fire() -> None:
    """Three canaries and no other of 20 in 400: one or two may be silent, and it is decided."""
    bar = bar_of(Fraction("0.01"), 3)
    assert bar == 300
    assert least_to_fire(20, 380, bar) == 3
    assert least_to_fire(1, 1, bar) is None


def test_it_is_quick_where_very_many_failed() -> None:
    """Eight thousand of ten thousand: numbers of a hundred thousand digits, and one comparison."""
    group = GroupFailures(500, 9_500, "c" * 400 + "o" * 7_600)
    assert likelihood([group]).reaches(Fraction(300))
