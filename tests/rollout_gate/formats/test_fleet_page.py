"""The page of `report` for a fleet: every host, the comparison, and that nothing in it acts."""

import re
from typing import Any

import pytest

from tau_rollout_gate.contract.rollout import RolloutStatus
from tau_rollout_gate.decision.answer import Verdict
from tau_rollout_gate.decision.fleet import HostState, WorstHost
from tau_rollout_gate.formats.page import fleet as drawing
from tau_rollout_gate.formats.page.fleet import KINDS, SIGNS, DrawnHost, fleet_view
from tau_rollout_gate.formats.page.page import page
from tau_rollout_gate.formats.phrases import shown
from tau_rollout_gate.policy.fleet import FleetRules
from tau_rollout_gate.rollout.ledger import Action
from tau_rollout_gate.services.report import templates
from tests.rollout_gate.answers import HOSTILE, around, over
from tests.rollout_gate.formats.drawn import COMPARED, FLEET, Drawn, control_of, drawn, many, row_of
from tests.rollout_gate.formats.test_page import Reader
from tests.rollout_gate.making import MINUTE, rollout
from tests.rollout_gate.recording import decided
from tests.rollout_gate.worlds import QUICK

ALL = [
    row_of(f"web-{number}", "zone-a", state, held_ms=5 * MINUTE)
    for number, state in enumerate(HostState)
]


def written(found: Drawn) -> str:
    """Return the page about a fleet."""
    begun = [decided(rollout("preflight"), Action.START)]
    parts: Any = (found.answer, found.where, QUICK, begun, {}, found.hosts)
    return page(*parts, templates=templates())


def test_every_host_is_a_cell_that_tells_why() -> None:
    """In its group, the worst first, by its state; the canaries apart from the others."""
    found = written(drawn([*ALL, control_of("web-a", "zone-b")]))
    assert found.count("<i title=") == len(ALL) + 1
    assert (
        '<span class="bad failed"><i title="web-0: failure_streak is 3; fires at &gt;= 3">' in found
    )
    assert '<span class="good clean"><i title="web-8"></i></span>' in found
    cells = re.findall(r'<span class="\w+ (\w+)"><i', found)
    assert cells == [*HostState, "clean"]
    assert 'aria-label="without the release: 1 clean"' in found
    said = Reader(found).said
    assert "zone-a 9 with" in said
    assert "zone-b 1 without" in said


def test_no_colour_is_needed() -> None:
    """Each state has a sign of its own, in the style of its cells and beside its name."""
    assert set(SIGNS) == set(KINDS) == set(HostState)
    assert len(set(SIGNS.values())) == len(HostState)
    found = written(drawn(ALL))
    for state, sign in SIGNS.items():
        assert f'.{state} i::before {{ content: "{sign}"; }}' in found
        assert f"{sign} {state.replace('_', ' ')} " in Reader(found).said


def test_counts_reasons_and_the_worst_are_told() -> None:
    """By state for both sides, what is tolerated, and where to look, with file and line."""
    said = Reader(written(drawn(many(400)))).said
    assert re.search(r"✗ failed \d+ \d+", said)
    assert "Hosts to look at first" in said
    assert "runtime-events.jsonl line 12" in said
    assert re.search(r"And \d+ more: tau-rollout-gate hosts lists them all", said)
    assert "Why they are not clean: " in said
    assert "Groups that stand out" in said
    assert "✗ too many zone-001" in said


def test_how_much_is_tolerated_is_drawn() -> None:
    """Failed and otherwise not clean along one bar, and the mark of what may be on it."""
    rows = [row_of(f"web-{at}", "a", HostState.CLEAN) for at in range(16)]
    rows += [row_of(f"web-x{at}", "a", HostState.FAILED) for at in range(1)]
    rows += [row_of(f"web-y{at}", "a", HostState.SILENT) for at in range(3)]
    found = drawn(rows, FleetRules(tolerate=8))
    used = fleet_view(found.answer, found.hosts).used
    assert used == ("12.50", "37.50", "100.00", 1, 3)
    none = drawn(rows[:16], FleetRules())
    assert fleet_view(none.answer, none.hosts).used == ("0.00", "0.00", "0.00", 0, 0)


def test_the_comparison_is_a_picture() -> None:
    """How many of the failed are canaries beside what the lot gives, and E beside its bar."""
    rows = [row_of(f"a-{at:02d}", "z", HostState.CLEAN) for at in range(15)]
    rows += [row_of(f"b-{at:02d}", "z", HostState.FAILED) for at in range(5)]
    rows += [control_of(f"c-{at:03d}", "z") for at in range(379)]
    rows += [control_of("d", "z", HostState.FAILED)]
    found = drawn(rows)
    picture = fleet_view(found.answer, found.hosts).picture
    assert found.answer.fleet is not None
    compared = found.answer.fleet.comparison
    assert picture is not None
    assert compared is not None
    assert (picture.failed, picture.canaries) == (6, "83.33")
    assert float(picture.e) > float(picture.bar) > 30
    assert picture.e == picture.e_if_failed
    assert picture.ticks[0] == ("0.00", "-2")
    said = Reader(written(found)).said
    assert "✗ The canaries are worse: roll back" in said
    assert f"5 of the 6 failed hosts are canaries; {compared.expected_canary} would be" in said
    assert "fires at 300" in said


def test_what_is_unknown_is_in_the_picture() -> None:
    """E if those had failed goes on beyond the scale; nothing failed is said, not drawn."""
    rows = [row_of(f"a-{at:03d}", "z", HostState.SILENT) for at in range(100)]
    rows += [control_of(f"c-{at:03d}", "z") for at in range(300)]
    found = drawn(rows)
    picture = fleet_view(found.answer, found.hosts).picture
    assert picture is not None
    assert picture.e_if_failed == "100.00"
    said = Reader(written(found)).said
    assert "? Canaries of which nothing is known could show it" in said
    assert "No host failed since the phase was entered" in said
    quiet = [row_of("a", "z", HostState.CLEAN), control_of("b", "z")]
    assert "✓ Nothing shows that the canaries are worse" in Reader(written(drawn(quiet))).said
    assert "beside the hosts without" not in written(drawn(quiet, FleetRules()))


def test_the_soak_of_the_fleet() -> None:
    """That of the host furthest back, and how many have served which part of theirs."""
    rows = [row_of(f"a-{at}", "z", HostState.SOAKING, held_ms=at * MINUTE) for at in range(12)]
    found = drawn([*rows, row_of("b", "z", HostState.SILENT)])
    view = fleet_view(found.answer, found.hosts)
    assert [tenth.hosts for tenth in view.tenths] == [1] * 10 + [2]
    assert view.tenths[0] == ("0", 1, "50.00")
    assert view.unsoaked == 1
    said = Reader(written(found)).said
    assert "It is that of the host that is furthest back." in said
    assert "it runs on all but 1" in said
    without = found.answer._replace(soak=found.answer.soak._replace(required_ms=0))
    assert fleet_view(without, found.hosts).tenths == ()
    assert "The fleet's soak" not in written(found._replace(answer=without))
    none = drawn([row_of("b", "z", HostState.SILENT)])
    assert {tenth.height for tenth in fleet_view(none.answer, none.hosts).tenths} == {"0.00"}


@pytest.mark.parametrize(
    ("hosts", "size", "most"), [(40, "large", 60), (1_000, "medium", 120), (10_000, "small", 800)]
)
def test_a_page_stays_small(hosts: int, size: str, most: int) -> None:
    """In kilobytes, from forty hosts to ten thousand, each of which is there."""
    found = drawn(many(hosts, groups=hosts // 20))
    text = written(found)
    assert text.count("<i title=") == hosts
    assert f'class="fleet scroll {size}"' in text
    assert len(text.encode()) < most * 1000


def test_of_very_many_the_worst_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """And how many more there are is told, by group and of all."""
    monkeypatch.setattr(drawing, "MOST_CELLS", 5)
    found = drawn([*ALL, control_of("web-a", "zone-b")], COMPARED)
    text = written(found)
    assert text.count("<i title=") == 5
    said = Reader(text).said
    assert "and 4 more" in said
    assert "5 hosts are not drawn" in said
    assert "not_upgraded" in text.partition("Every host</h2>")[2]


def test_a_long_reason_is_cut() -> None:
    """In the cells, of which there may be ten thousand."""
    text = written(drawn([row_of("web", "z", HostState.FAILED, why="x" * 10**4)]))
    cell = re.search(r'<i title="([^"]*)"', text)
    assert cell is not None
    assert len(cell[1]) == len("web: ") + drawing.LONGEST_WHY + 1


def test_a_rollout_that_is_over_shows_its_hosts_as_recorded() -> None:
    """Nothing is judged any more: the cells are there, and what needs an answer is not."""
    found = drawn(ALL)
    where = around(rollout=rollout(status=RolloutStatus.ROLLED_BACK, fleet=FLEET))
    text = written(Drawn(over(Verdict.ROLLBACK), found.hosts, where))
    said = Reader(text).said
    assert "Every host, as it was recorded last" in said
    assert text.count("<i title=") == len(ALL)
    assert "How the fleet stands" not in said
    assert "What is left to do" in said
    assert "Every host" not in written(Drawn(over(Verdict.COMPLETE), (), where))


@pytest.mark.unmeasured
@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_names_and_reasons_do_nothing_in_the_page(hostile: str) -> None:
    """Whatever a roster, a store or a log says: the same tags, and it stands there as text."""
    plain = drawn([row_of("web", "zone", HostState.FAILED), control_of("x", "other")])
    fleet = plain.answer.fleet
    assert fleet is not None
    text = hostile.encode(errors="replace").decode()
    named = WorstHost(text, text, HostState.FAILED, text, text, file=text, line=3)
    answer = plain.answer._replace(
        fleet=fleet._replace(
            name=text,
            worst=(named,),
            groups=tuple(each._replace(name=text) for each in fleet.groups),
            reasons=tuple(each._replace(reason=text) for each in fleet.reasons),
        )
    )
    hosts = [DrawnHost(named, "canary", is_failed=True), plain.hosts[1]]
    found = written(Drawn(answer, hosts, plain.where))
    assert all(line.isprintable() for line in found.split("\n"))
    read = Reader(found)
    assert read.tags == Reader(written(plain)).tags
    assert " ".join(shown(text[: drawing.LONGEST_WHY]).split()) in read.said
    for value in read.values:
        assert not re.match(r"\s*(javascript|https?|data):", value)
