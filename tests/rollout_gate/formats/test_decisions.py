"""What is said of a rollout and of its decisions."""

from tau_rollout_gate.contract.rollout import RolloutStatus
from tau_rollout_gate.formats.decisions import standing_text
from tau_rollout_gate.rollout.ledger import Action
from tau_rollout_gate.rollout.ledger_check import standing
from tests.rollout_gate.making import rollout
from tests.rollout_gate.recording import Ledger, frozen_by


def test_a_rollback_that_nothing_was_captured_of_says_so() -> None:
    """It was killed before it captured: the command that does it is named."""
    stopped = rollout("preflight", status=RolloutStatus.ROLLED_BACK, frozen=frozen_by("ada"))
    ledger = Ledger().add(rollout("preflight"), Action.START).add(stopped, Action.ROLLBACK)
    found = standing(ledger.file(), ledger.lines())
    assert found is not None
    said = " ".join(standing_text(found).split())
    assert "evidence none; 'tau-rollout-gate rollback' captures it" in said
