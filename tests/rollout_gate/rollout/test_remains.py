"""Of a record that is not sound it is told what there is, what was lost, and what to type."""

import pytest

from tau_rollout_gate.contract.rollout import RolloutFile
from tau_rollout_gate.rollout.ledger import Action
from tau_rollout_gate.rollout.remains import remains
from tests.rollout_gate import making
from tests.rollout_gate.recording import Ledger, frozen_by, led_to, ledger_of

WHERE = "--rollout-dir 'my dir'"
RECOVER = f"to type: tau-rollout-gate recover {WHERE}; it shows what would come back, --yes does it"
LOST_FILE = "lost: nothing but rollout.json as it was: put it back from a copy, or rebuild it"
LOST_ENTRIES = "lost: decisions, or that they are what was decided; put both files back from a copy"


def ending(command: str) -> str:
    """Return the sentence about what ends the rollout all the same."""
    return (
        f"to end the rollout all the same: tau-rollout-gate {command} --reason 'WHAT HAPPENED' "
        f"{WHERE}"
    )


def told(file: RolloutFile | None, lines: list[bytes] | None) -> list[str]:
    """Return what is told."""
    return list(remains(file, lines, where=WHERE))


def canary(*, by: str = "ada") -> Ledger:
    """Return a ledger that leads to a frozen rollout in canary-1, at last by somebody."""
    frozen = making.rollout().replaced(frozen=frozen_by("ada"))
    return led_to(making.rollout()).add(frozen, Action.FREEZE, by=by)


def test_whole_decisions_give_it_back() -> None:
    """They are what is there; `recover` shows and does it."""
    there, *rest = told(None, canary().lines())
    assert there == (
        "there is: decisions.jsonl of 3 entries, all sound; the last: freeze of 1.4.0 in canary-1, "
        "2026-01-01T00:00:00Z, by ada; no rollout.json that can be used"
    )
    assert rest == [LOST_FILE, RECOVER, ending("rollback")]


def test_text_of_the_files_takes_one_line() -> None:
    """Nobody who wrote into them says what is to be typed."""
    there, *rest = told(None, canary(by="ada\nto type: rm -rf x").lines())
    assert there.isprintable()
    assert rest == [LOST_FILE, RECOVER, ending("rollback")]


def test_at_0_per_cent_it_can_be_cancelled() -> None:
    """Nobody has the release, so that nothing goes back."""
    there, *rest = told(None, ledger_of(1).lines())
    assert there.startswith("there is: decisions.jsonl of 1 entry, all sound; the last: start of ")
    assert rest == [LOST_FILE, RECOVER, ending("cancel")]


@pytest.mark.parametrize(
    ("lines", "there"),
    [(None, "no decisions.jsonl to read"), ([], "decisions.jsonl without a line")],
)
def test_without_decisions_nothing_is_rebuilt(lines: list[bytes] | None, there: str) -> None:
    """`rollout.json` alone proves nothing; it says what the rollout was."""
    assert told(canary().file(), lines) == [
        f"there is: {there}; rollout.json after entry 3: 1.4.0 in canary-1",
        LOST_ENTRIES,
        ending("rollback"),
    ]


def test_decisions_that_are_not_sound_are_counted() -> None:
    """Up to the first that is not; one that cannot be read says nothing of itself."""
    ledger = canary()
    first, second, third = ledger.lines()
    altered = [first, second.replace(b"ada", b"bob"), third]
    there, *rest = told(ledger.file(), altered)
    assert "decisions.jsonl of 3 entries, the first 2 sound; the last: freeze" in there
    assert rest == [LOST_ENTRIES, ending("rollback")]
    (there, *rest) = told(None, [first, b"no JSON"])
    assert there == (
        "there is: decisions.jsonl of 2 entries, the first 1 sound; "
        "no rollout.json that can be used"
    )
    assert rest == [LOST_ENTRIES, ending("cancel")]


def test_the_decision_that_rollout_json_names_was_altered() -> None:
    """The chain alone does not show it."""
    ledger = canary()
    *others, last = ledger.lines()
    there, *rest = told(ledger.file(), [*others, last.replace(b'"ada"', b'"bob"')])
    assert "of 3 entries, the first 2 sound" in there
    assert rest == [LOST_ENTRIES, ending("rollback")]


def test_where_nothing_tells_of_a_rollout() -> None:
    """Only a copy helps, or to begin anew elsewhere."""
    assert told(None, [b""])[1:] == [
        "lost: all that there was; put both files back from a copy",
        "without one: move the directory away, and open a rollout anew by 'start'",
    ]
