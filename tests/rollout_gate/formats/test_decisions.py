"""What is said of a rollout and of its decisions."""

from tau_rollout_gate.contract.rollout import RolloutStatus
from tau_rollout_gate.decision.answer import Verdict
from tau_rollout_gate.formats.decisions import did, history_text, standing_text
from tau_rollout_gate.rollout.ledger import Action
from tau_rollout_gate.rollout.ledger_check import standing
from tests.rollout_gate.making import rollout
from tests.rollout_gate.recording import Ledger, frozen_by, ledger_of


def test_a_rollback_that_nothing_was_captured_of_says_so() -> None:
    """It was killed before it captured: the command that does it is named."""
    stopped = rollout("preflight", status=RolloutStatus.ROLLED_BACK, frozen=frozen_by("ada"))
    ledger = Ledger().add(rollout("preflight"), Action.START).add(stopped, Action.ROLLBACK)
    found = standing(ledger.file(), ledger.lines())
    assert found is not None
    for place, told in (((), ""), (("--rollout-dir", "a b"), " --rollout-dir 'a b'")):
        said = " ".join(standing_text(found, place=place).split())
        rollback = f"tau-rollout-gate rollback --reason 'WHAT HAPPENED'{told}"
        assert f"evidence none; '{rollback}' captures it" in said


def test_the_history_says_what_was_done_and_not_what_was_judged_meanwhile() -> None:
    """A resume that worked is none that was held, though the release was."""
    opened, frozen, resumed = ledger_of(3).entries
    assert [did(one) for one in (opened, frozen)] == ["start", "freeze"]
    assert resumed.verdict is Verdict.HOLD
    assert "resume: promotion is free  ada" in history_text([resumed])
    for action in (Action.REENTER, Action.ADOPT):
        assert did(resumed.replaced(action=action)) == (f"{action}: the phase begins anew")
    assert did(resumed.replaced(action=Action.ADVANCE)) == "advance: hold"
