"""What holds of every fleet: damage never helps, order and chunks change nothing.

Each property was seen to fail with the code broken for it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from itertools import groupby

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from tau_rollout_gate.contract.forms import Milliseconds
from tau_rollout_gate.decision.answer import Answer, Verdict
from tau_rollout_gate.fleet.decide import decide
from tau_rollout_gate.fleet.partial import merge
from tau_rollout_gate.fleet.plan import Arm, Host
from tau_rollout_gate.formats.renderers import RENDERERS
from tau_rollout_gate.policy.fleet import Compare, FleetRules
from tests.rollout_gate.decision.test_properties import DAMAGES, GO, Files, is_earlier_state
from tests.rollout_gate.fleet.fleets import Fleet, fleet_of, policy_of, read, record_of
from tests.rollout_gate.making import ENTERED, MINUTE, failed
from tests.rollout_gate.worlds import (
    LATER,
    Step,
    World,
    histories,
    history_of,
    rollout_of,
    state_of,
)

pytestmark = pytest.mark.exhaustive

GROUPS = ("a", "b")
TOLERATED: list[int | str] = [0, 1, 2, "50%"]
TOLERATED_IN_GROUP: list[int | str | None] = [None, 1, "50%"]
RELEASE, TARGET = "1.4.0", "1.3.2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A fleet as it was drawn, and the world of each of its hosts."""

    fleet: Fleet
    worlds: dict[str, World]

    def with_files(self, name: str, files: Files) -> Fleet:
        """Return the fleet with other files of one host."""
        return self.fleet.with_evidence(name, read(self.worlds[name], files))


@st.composite
def rules(draw: st.DrawFn) -> FleetRules:
    """Draw what a fleet is judged by."""
    return FleetRules(
        tolerate=draw(st.sampled_from(TOLERATED)),
        group_tolerate=draw(st.sampled_from(TOLERATED_IN_GROUP)),
        compare=draw(st.sampled_from([None, Compare(alpha="0.9"), Compare(alpha="0.5")])),
        fail_silent_after=draw(st.sampled_from([None, Milliseconds(16 * MINUTE)])),
    )


CLEAN: list[Step] = [(5 * MINUTE, {})] * 4


@st.composite
def host_worlds(draw: st.DrawFn, *, is_control: bool) -> World:
    """Draw what a host went through since the entry of canary-1, mostly nothing to speak of."""
    before = draw(st.integers(0, 2))
    fails = [*CLEAN[:2], (5 * MINUTE, failed(streak=1)), *CLEAN[:1]]
    drawn = st.one_of(
        st.just(CLEAN), st.just(CLEAN), st.just(fails), histories(), histories(goes_wrong=True)
    )
    steps: list[Step] = draw(drawn)
    own, told = (TARGET, RELEASE) if is_control else (RELEASE, TARGET)
    first = draw(st.sampled_from([None, None, own, own, told]))
    at = draw(st.sampled_from([0, 0, 0, 2]))
    releases = [first] * at + [first if first is None else own] * (len(steps) - at)
    steps = [
        (pause, what if isinstance(what, bytes) or one is None else what | {"release": one})
        for (pause, what), one in zip(steps, releases, strict=False)
    ]
    lines = tuple(history_of([*([(0, {})] * before), *steps]).lines)
    return World(
        lines=lines,
        state=state_of(lines),
        rollout=rollout_of(lines[:before]),
        now=ENTERED + sum(pause for pause, _ in steps),
    )


def clean_world() -> World:
    """Return what a canary went through of which there is nothing to say."""
    lines = tuple(history_of([(pause, {"release": RELEASE}) for pause, _ in CLEAN]).lines)
    return World(
        lines=lines,
        state=state_of(lines),
        rollout=rollout_of(()),
        now=ENTERED + sum(pause for pause, _ in CLEAN),
    )


@st.composite
def fleets(draw: st.DrawFn) -> Drawn:
    """Draw a fleet in canary-1: canaries, the rest, some that are new or left.

    In half of them all but one are clean canaries, so that it is that one which decides.
    """
    worlds: dict[str, World] = {}
    hosts = []
    size = draw(st.integers(1, 5))
    alone = draw(st.sampled_from([None, 0]))
    for index in range(size):
        name = f"h{index}"
        part = draw(st.sampled_from(["canary"] * 4 + ["control"] * 3 + ["new"] * 2 + ["left"]))
        if alone is None or index == alone:
            world = draw(host_worlds(is_control=part == "control"))
        else:
            part, world = "canary", clean_world()
        group = draw(st.sampled_from(GROUPS))
        is_control = part == "control"
        record = record_of(
            world.rollout,
            group=group,
            drawn_unix_ms=None if is_control else ENTERED,
            arm=Arm.CONTROL if is_control else draw(st.sampled_from([Arm.CANARY] * 3 + [None])),
            is_excused=draw(st.sampled_from([False] * 5 + [True])) if part == "left" else False,
            is_joined=part == "new",
        )
        is_unknown = part == "new" and draw(st.booleans())
        worlds[name] = world
        hosts.append(
            Host(
                name=name,
                group=group,
                record=None if is_unknown else record,
                is_on_roster=part != "left",
            )
        )
    now = max(world.now for world in worlds.values()) + draw(st.sampled_from(LATER))
    fleet = fleet_of(
        hosts,
        {name: read(world) for name, world in worlds.items()},
        policy=policy_of(draw(rules())),
        now_unix_ms=now,
        cutoffs=draw(st.sampled_from([{}, {"a": "8" * 64}, {"a": "f" * 64, "b": "f" * 64}])),
        tells_release=draw(st.sampled_from([(), (), ("custom-command",)])),
    )
    return Drawn(fleet=fleet, worlds=worlds)


def is_later(one: Answer, other: Answer) -> bool:
    """Tell whether the second answer lets a release go that the first did not."""
    return one.verdict not in GO and other.verdict in GO


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@settings(max_examples=200, deadline=None)
@given(drawn=fleets(), data=st.data())
def test_damage_to_any_host_never_lets_a_release_go(
    damage: Callable[[Files], st.SearchStrategy[Files]], drawn: Drawn, data: st.DataObject
) -> None:
    """What holds or goes back does so, or worse, with any part of a host's evidence gone."""
    answer = drawn.fleet.answer()
    assume(answer.verdict not in GO)
    name = data.draw(st.sampled_from(sorted(drawn.worlds)))
    world = drawn.worlds[name]
    files = data.draw(damage(world.files()))
    assume(not is_earlier_state(world, files))
    event(f"from {answer.verdict}")
    assert not is_later(answer, drawn.with_files(name, files).answer())


@settings(max_examples=300, deadline=None)
@given(drawn=fleets(), names=st.sets(st.sampled_from(["h0", "h1", "h2", "h3"]), min_size=1))
def test_evidence_that_is_gone_never_lets_a_release_go(drawn: Drawn, names: set[str]) -> None:
    """All files of some hosts, whichever they are."""
    answer, fleet = drawn.fleet.answer(), drawn.fleet
    for name in names:
        fleet = fleet.with_evidence(name, {})
    event(f"from {answer.verdict}")
    assert not is_later(answer, fleet.answer())


@settings(max_examples=300, deadline=None)
@given(drawn=fleets(), later_ms=st.sampled_from([1, MINUTE, 14 * MINUTE, 16 * MINUTE, 60 * MINUTE]))
def test_age_alone_never_lets_a_release_go(drawn: Drawn, later_ms: int) -> None:
    """The same files, asked about later; but for what was dated ahead of the clock."""
    fleet = drawn.fleet
    newest = max(world.now for world in drawn.worlds.values())
    assume(fleet.plan.now_unix_ms >= newest)
    later = replace(fleet, plan=fleet.plan._replace(now_unix_ms=fleet.plan.now_unix_ms + later_ms))
    answer = fleet.answer()
    event(f"from {answer.verdict}")
    assert not is_later(answer, later.answer())


@settings(max_examples=300, deadline=None)
@given(
    drawn=fleets(),
    names=st.sets(st.sampled_from(["h0", "h1", "h2", "h3"]), min_size=1),
    came_ms=st.sampled_from([0, MINUTE, 15 * MINUTE, 16 * MINUTE, -2 * MINUTE]),
    later_ms=st.sampled_from([0, 16 * MINUTE, 60 * MINUTE]),
)
def test_when_the_store_got_files_never_lets_a_release_go(
    drawn: Drawn, names: set[str], came_ms: int, later_ms: int
) -> None:
    """A mirror that does not keep times dates what it brings anew, also of a host that is dead."""
    plan = drawn.fleet.plan
    plan = plan._replace(now_unix_ms=plan.now_unix_ms + later_ms)
    fleet = replace(drawn.fleet, plan=plan)
    answer = fleet.answer()
    for name in names.intersection(drawn.worlds):
        found = {
            surface: one._replace(stored_unix_ms=plan.now_unix_ms - came_ms)
            for surface, one in fleet.evidence[name].items()
        }
        fleet = fleet.with_evidence(name, found)
    event(f"from {answer.verdict}")
    assert not is_later(answer, fleet.answer())


@settings(max_examples=150, deadline=None)
@given(drawn=fleets(), chunk_hosts=st.integers(1, 5), data=st.data())
def test_order_and_chunks_change_no_byte(
    drawn: Drawn, chunk_hosts: int, data: st.DataObject
) -> None:
    """But for the digest over the chunks, which are others."""
    fleet = drawn.fleet
    one = RENDERERS["json"](fleet.answer())
    dealt = replace(fleet, plan=fleet.plan._replace(chunk_hosts=chunk_hosts))
    partials = data.draw(st.permutations(dealt.partials()))
    answer = decide(dealt.plan, reduce(merge, partials), dealt.signed_off)
    assert RENDERERS["json"](answer) == RENDERERS["json"](dealt.answer())
    assert without_root(RENDERERS["json"](answer)) == without_root(one)


def without_root(text: str) -> object:
    """Return an answer without the digest over its chunks."""
    value = json.loads(text)
    del value["fleet"]["root_sha256"]
    return value


@settings(max_examples=150, deadline=None)
@given(drawn=fleets(), data=st.data())
def test_merge_is_associative_and_commutative(drawn: Drawn, data: st.DataObject) -> None:
    """However chunks come together, it is the same partial."""
    fleet = replace(drawn.fleet, plan=drawn.fleet.plan._replace(chunk_hosts=1))
    partials = fleet.partials()
    shuffled = data.draw(st.permutations(partials))
    split = data.draw(st.integers(0, len(partials)))
    halves = [reduce(merge, half) for half in (shuffled[:split], shuffled[split:]) if half]
    assert reduce(merge, halves) == reduce(merge, reversed(partials))


@settings(max_examples=200, deadline=None)
@given(drawn=fleets())
def test_what_is_tolerated_is_all_that_may_be_unclean(drawn: Drawn) -> None:
    """It promotes only where no more hosts are anything but clean, of all and of each group."""
    answer = drawn.fleet.answer()
    rows = drawn.fleet.rows()
    assert answer.fleet is not None
    tolerated = answer.fleet.cohort.tolerated
    if answer.verdict in GO:
        unclean = [row for row in rows if row.counts_as_unclean]
        assert len(unclean) <= tolerated
        by_group = groupby(sorted(row.group for row in unclean))
        assert all(len(list(group)) <= max(tolerated, 1) for _, group in by_group)
    if sum(row.counts_as_failed for row in rows) > tolerated:
        assert answer.verdict is Verdict.ROLLBACK
