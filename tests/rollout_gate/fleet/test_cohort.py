"""Which hosts get the release: exactly so many, nested, and nobody else moves."""

import subprocess
from collections.abc import Sequence
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_rollout_gate.fleet.draw.cohort import (
    EVERY_SCORE,
    draw,
    first_phase,
    is_member,
    preview,
    score,
    why,
)
from tau_rollout_gate.fleet.draw.roster import Mark, RosterEntry
from tau_rollout_gate.policy.fleet import FleetRules
from tests.rollout_gate.fleet.fleets import policy_of

SALT = "1.4.0"
PERCENTS = st.integers(0, 100) | st.fractions(0, 100, max_denominator=1000)


@st.composite
def rosters(draw: st.DrawFn, *, marks: Sequence[Mark | None] = (None,)) -> list[RosterEntry]:
    """Draw hosts in groups of very different sizes; those of one name are marked alike."""
    return [
        RosterEntry(f"{group}-{index}", group, marks[(index + ord(group)) % len(marks)])
        for group, size in draw(
            st.dictionaries(st.sampled_from("abcdefg"), st.integers(1, 30), max_size=7)
        ).items()
        for index in range(size)
    ]


def members(
    entries: Sequence[RosterEntry], cutoffs: dict[str, str], percent: Fraction | int
) -> set[str]:
    """Return the hosts of a cohort."""
    return {one.host for one in entries if is_member(one, cutoffs, salt=SALT, percent=percent)}


@given(entries=rosters(), percent=PERCENTS, min_hosts=st.integers(1, 40))
def test_the_first_draw_is_exact(
    entries: list[RosterEntry], percent: Fraction | int, min_hosts: int
) -> None:
    """The share rounded up, or the least number of hosts; each group within one of its share."""
    found = draw(entries, salt=SALT, percent=percent, min_hosts=min_hosts)
    share = ceil(Fraction(len(entries)) * percent / 100)
    wanted = max(share, min(min_hosts, len(entries))) if percent else 0
    assert found.wanted == found.drawn == len(members(entries, found.cutoffs, percent)) == wanted
    assert found.is_raised == (wanted > share)
    for name, group in found.groups.items():
        exact = Fraction(group.hosts * wanted, len(entries))
        assert abs(group.wanted - exact) < 1
        drawn = [one for one in entries if one.group == name]
        assert group.drawn == len(members(drawn, found.cutoffs, percent)) == group.wanted


@given(
    entries=rosters(marks=(None, None, *Mark)),
    later=rosters(marks=(None, None, *Mark)),
    percents=st.lists(PERCENTS, min_size=2, max_size=4).map(sorted),
    min_hosts=st.integers(1, 10),
)
def test_cohorts_nest_whoever_comes_or_goes(
    entries: list[RosterEntry],
    later: list[RosterEntry],
    percents: list[Fraction | int],
    min_hosts: int,
) -> None:
    """Who has the release has it in every later phase, however the roster changed between."""
    roster, before = entries, set[str]()
    cutoffs: dict[str, str] = {}
    for percent in percents:
        found = draw(roster, salt=SALT, percent=percent, min_hosts=min_hosts, earlier=cutoffs)
        assert all(
            found.cutoffs[name] >= old for name, old in cutoffs.items() if name in found.groups
        )
        cutoffs = {**cutoffs, **found.cutoffs}
        now = members(roster, cutoffs, percent)
        there = {one.host for one in roster}
        assert before & there <= now
        assert found.drawn >= found.wanted
        before, roster = now, later


@given(entries=rosters(), joining=rosters(), percent=PERCENTS, data=st.data())
def test_who_comes_or_goes_moves_nobody_else(
    entries: list[RosterEntry],
    joining: list[RosterEntry],
    percent: Fraction | int,
    data: st.DataObject,
) -> None:
    """Between two entries a host's membership is its own score alone."""
    found = draw(entries, salt=SALT, percent=percent)
    before = members(entries, found.cutoffs, percent)
    stay = [one for one in entries if data.draw(st.booleans())]
    now = members([*stay, *joining], found.cutoffs, percent)
    assert {one.host for one in stay} & before == {one.host for one in stay} & now


@given(entries=rosters(marks=(None, *Mark)))
def test_at_100_percent_everybody_is_in(entries: list[RosterEntry]) -> None:
    """Those marked `last` too, and a host that joins later; one to retire is not drawn."""
    found = draw(entries, salt=SALT, percent=100)
    assert members(entries, found.cutoffs, 100) >= {
        one.host for one in entries if one.mark is not Mark.RETIRED
    }
    assert set(found.cutoffs.values()) <= {EVERY_SCORE}
    assert found.first == sum(one.mark in {Mark.FIRST, Mark.LAST} for one in entries)


def test_marked_hosts_are_outside_the_lot() -> None:
    """`first` from above 0 % on, `last` at 100 % only; both change nothing for the others."""
    usual = [RosterEntry(f"h{index}", "g") for index in range(20)]
    marked = [RosterEntry("x", "g", Mark.FIRST), RosterEntry("y", "g", Mark.LAST)]
    alone = draw(usual, salt=SALT, percent=5)
    found = draw([*usual, *marked], salt=SALT, percent=5)
    assert found.groups == alone.groups
    assert (found.first, found.drawn) == (1, 1)
    assert [is_member(one, {}, salt=SALT, percent=0) for one in marked] == [False, False]
    assert [is_member(one, {}, salt=SALT, percent=50) for one in marked] == [True, False]
    assert [is_member(one, {}, salt=SALT, percent=100) for one in marked] == [True, True]
    assert draw(marked, salt=SALT, percent=0).first == 0


def test_equal_remainders_are_drawn_by_lot() -> None:
    """By name, the same small groups would give the canaries of every release."""
    entries = [RosterEntry(f"{group}-{index}", group) for group in "abcdefghij" for index in "12"]
    given = set()
    for salt in ("1.4.0", "1.5.0", "1.6.0", "1.7.0"):
        found = draw(entries, salt=salt, percent=5)
        given |= {name for name, group in found.groups.items() if group.drawn}
    assert len(given) > 1


def test_a_preview_says_who_comes_with_each_phase() -> None:
    """The groups without a canary, the phases that add nobody, and the first phase of a host."""
    entries = [RosterEntry(f"a-{index}", "a") for index in range(9)]
    entries += [RosterEntry("b-0", "b"), RosterEntry("z", "b", Mark.LAST)]
    phases = preview(policy_of(FleetRules(min_hosts=4)), entries, salt=SALT)
    assert [(one.phase, one.draw.drawn, one.added) for one in phases] == [
        ("preflight", 0, 0),
        ("canary-1", 4, 4),
        ("canary-2", 4, 0),
        ("canary-3", 5, 1),
        ("general-availability", 10, 6),
    ]
    assert [one.without for one in phases] == [(), ("b",), ("b",), ("b",), ()]
    assert first_phase(entries[-1], phases, salt=SALT) == "general-availability"
    drawn = min(entries[:9], key=lambda one: score(SALT, one.host))
    assert first_phase(drawn, phases, salt=SALT) == "canary-1"
    assert first_phase(drawn, phases[:1], salt=SALT) is None
    (none, *_) = preview(policy_of(None), entries, salt=SALT)
    assert none.without == ()


@pytest.mark.parametrize("salt", ["1.4.0", "it's a $HOME; text"])
def test_anyone_can_check_a_score(salt: str) -> None:
    """The line that `why` gives prints it, in any shell."""
    entry = RosterEntry("web-1.example.org", "g")
    found = why(entry, {"g": EVERY_SCORE}, salt=salt, percent=5)
    assert found.is_member
    done = subprocess.run(["/bin/sh", "-c", found.check], capture_output=True, check=True)
    printed = done.stdout.decode().split()[0]
    assert printed == score(salt, entry.host)
    assert f"{printed}, is at most the cut-off" in found.sentence


def test_why_a_host_is_in_or_not() -> None:
    """By its score, without a cut-off, or by its mark."""
    entry = RosterEntry("h", "g")
    above = why(entry, {"g": "0" * 64}, salt=SALT, percent=5)
    assert (above.is_member, "is above the cut-off of its group g, 000" in above.sentence) == (
        False,
        True,
    )
    without = why(entry, {}, salt=SALT, percent=5)
    assert (without.is_member, "has no cut-off" in without.sentence) == (False, True)
    first = why(RosterEntry("h", "g", Mark.FIRST), {}, salt=SALT, percent=5)
    assert (first.is_member, first.check) == (True, "")
    assert "from the first canary phase on" in first.sentence
    last = why(RosterEntry("h", "g", Mark.LAST), {}, salt=SALT, percent=5)
    assert (last.is_member, "at 100 % only" in last.sentence) == (False, True)
