"""The page of `report`: what it shows of a rollout, and that nothing in the files acts in it."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from tau_rollout_gate.contract.rollout import RolloutStatus
from tau_rollout_gate.decision.answer import Answer, Verdict
from tau_rollout_gate.decision.soak import Restart
from tau_rollout_gate.files.policy import built_in_policy_text
from tau_rollout_gate.formats.context import Surroundings
from tau_rollout_gate.formats.page.page import LONGEST_TEXT, MOST_BARS, MOST_DECISIONS, page
from tau_rollout_gate.formats.phrases import shown
from tau_rollout_gate.policy.policy import parse_policy
from tau_rollout_gate.rollout.ledger import Action, Entry
from tau_rollout_gate.services.report import templates
from tests.rollout_gate.answers import (
    HOSTILE,
    SITUATIONS,
    answer,
    around,
    filled_with,
    fired,
    over,
    promoted,
    stuck,
)
from tests.rollout_gate.making import (
    ENTERED,
    MINUTE,
    SURFACE,
    History,
    failed,
    rollout,
    surface_evidence,
)
from tests.rollout_gate.recording import decided

POLICY = parse_policy(built_in_policy_text().encode(), source="built-in")


class Reader(HTMLParser):
    """Reads a page as a browser does: its tags with their attributes' names, and its text."""

    def __init__(self, text: str) -> None:
        """Read the page."""
        super().__init__()
        self.tags: list[tuple[str, ...]] = []
        self.words: list[str] = []
        self.values: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append((tag, *(name for name, _ in attrs)))
        self.values += [value or "" for _, value in attrs]

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.words += data.split()

    @property
    def said(self) -> str:
        """Return the text, in one line."""
        return " ".join(self.words)


def drawn(
    one: Answer,
    where: Surroundings | None = None,
    decisions: list[Entry] | None = None,
    **restarts: list[Restart],
) -> str:
    """Return the page about an answer."""
    where = where or around()
    begun = [decided(rollout("preflight"), Action.START)]
    found = {name.replace("_", "-"): each for name, each in restarts.items()}
    return page(one, where, POLICY, decisions or begun, found, templates=templates())


def read(*arguments: Any, **restarts: Any) -> Reader:  # noqa: ANN401 - as `drawn` has them
    """Return the page about an answer as a browser reads it."""
    return Reader(drawn(*arguments, **restarts))


@pytest.mark.parametrize("situation", SITUATIONS)
def test_all_that_led_to_the_verdict_is_there(situation: str) -> None:
    """The verdict, the reasons, every gate and trigger with what was seen and what was needed."""
    one = SITUATIONS[situation]
    said = read(one).said
    assert f"{one.verdict.upper()}: {one.release}" in said
    wanted: list[str | None] = [*one.reasons, *one.warnings]
    wanted += [text for gate in one.gates for text in (gate.name, gate.observed, gate.required)]
    wanted += [text for each in one.triggers for text in (each.observed, each.threshold)]
    for text in wanted:
        assert " ".join(str(text or "nothing yet").split()) in said


def test_the_phases_are_a_track() -> None:
    """Each with its share, its soak and how far it is; said in words, not by colour alone."""
    said = read(answer()).said
    assert "preflight 0 % ✓ passed no soak" in said
    assert "canary-1 5 % ▶ here soak 30 min" in said
    assert "canary-2 25 % ○ ahead soak 1 h" in said
    back = around(rollout=rollout(status=RolloutStatus.ROLLED_BACK))
    assert "canary-1 5 % ■ stopped here" in read(over(Verdict.ROLLBACK), back).said
    done = around(rollout=rollout("general-availability", status=RolloutStatus.COMPLETE))
    said = read(over(Verdict.COMPLETE), done).said
    assert "general-availability 100 % ✓ passed" in said
    assert "○ ahead" not in said


def test_the_soak_is_progress_with_its_restarts() -> None:
    """How much is served, and what it was that restarted it, with the cycle that shows it."""
    (cycle,) = surface_evidence(History().every(MINUTE, 1)).cycles
    found = drawn(stuck(), custom_command=[Restart(cause="a gap of 7 h", cycle=cycle)], voice=[])
    assert f"a gap of 7 h {cycle.file} line {cycle.line}" in Reader(found).said
    assert "voice did not restart it in this phase." in Reader(found).said
    assert re.search(r'<progress max="1800000" value="\d+" aria-label="Soak">', found)
    assert "<progress" not in drawn(over(Verdict.COMPLETE))


def test_the_health_of_the_cycles_is_told_and_drawn() -> None:
    """The worse, the higher, so that no colour is needed; of many the worst of neighbours."""
    history = (
        History().every(MINUTE, 3).every(MINUTE, 2, after=ENTERED + 3 * MINUTE, **failed(streak=1))
    )
    where = around(
        surfaces={SURFACE: surface_evidence(history), "voice": surface_evidence(History())}
    )
    found = drawn(answer(), where)
    assert "5 cycles: 3 healthy, 2 degraded." in Reader(found).said
    assert "no cycle yet." in Reader(found).said
    heights = re.findall(r'<rect class="(\w+)".* height="(\d+)"', found)
    assert heights == [("good", "20")] * 3 + [("unsure", "40")] * 2
    many = around(surfaces={SURFACE: surface_evidence(History().every(MINUTE, 3 * MOST_BARS))})
    found = drawn(answer(), many)
    assert found.count("<rect") == MOST_BARS
    assert "healthy: 3 cycles to " in found


def test_the_decisions_are_a_timeline() -> None:
    """Who decided what, when and why, where it went; of very many the last ones."""
    held = decided(rollout(), Action.ADVANCE, answer=stuck(), by="ci")
    moved = decided(rollout("canary-2"), Action.ADVANCE, answer=promoted(), by="ci")
    frozen = decided(rollout(), Action.FREEZE, reason="the hall is moved")
    said = read(answer(), None, [held, moved, frozen]).said
    assert "advance: hold in canary-1 2026-01-01T00:00:00Z , decision 1, by ci" in said
    assert "advance: promote in canary-1, now in canary-2" in said
    assert "by ada the hall is moved" in said
    said = read(answer(), None, [frozen] * (MOST_DECISIONS + 3)).said
    assert "The 3 before these are in" in said
    assert said.count("the hall is moved") == MOST_DECISIONS


def test_what_to_do_is_there() -> None:
    """What to type next; after a rollback, the steps that are left."""
    assert "Type next tau-rollout-gate advance asks once" in read(answer()).said
    assert "Type next tau-rollout-gate rollback" in read(fired()).said
    back = around(rollout=rollout(status=RolloutStatus.ROLLED_BACK))
    said = read(over(Verdict.ROLLBACK), back).said
    assert "Set the share of 1.4.0 back to 0 %" in said
    assert "Type next" not in said


@pytest.mark.unmeasured
@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_text_from_the_files_does_nothing_in_the_page(situation: str, hostile: str) -> None:
    """The same tags as without it, and it stands there as text; nothing is asked for."""
    plain = SITUATIONS[situation]
    where = around(rollout_dir=hostile, state_dirs={SURFACE: hostile})
    text = hostile.encode(errors="replace").decode()
    reason = decided(rollout(), Action.FREEZE, reason=text, by=text)
    found = drawn(filled_with(plain, hostile), where, [reason])
    assert all(line.isprintable() for line in found.split("\n"))
    read_back = Reader(found)
    assert read_back.tags == read(plain, None, [reason]).tags
    assert " ".join(shown(hostile[:LONGEST_TEXT]).split()) in read_back.said
    for value in read_back.values:
        assert not re.match(r"\s*(javascript|https?|data):", value)


def test_a_long_text_is_cut() -> None:
    """A file cannot make the page too large to open."""
    found = drawn(answer(reasons=("x" * 10**6,)))
    assert f"{'x' * LONGEST_TEXT}…" in found
    assert len(found) < 10**5


def test_the_page_needs_nothing_else() -> None:
    """No script, no font, no picture, no address: its policy forbids them, and it has none."""
    found = drawn(answer())
    assert "content=\"default-src 'none'; style-src 'unsafe-inline'\"" in found
    assert {tag for tag, *_ in Reader(found).tags}.isdisjoint({"script", "link", "img", "a"})
    assert not re.search(r"url\(|@import|https?:", found)
