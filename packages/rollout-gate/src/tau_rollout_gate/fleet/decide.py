"""From the counts of all hosts to the answer for the fleet."""

from tau_rollout_gate.decision.answer import Answer
from tau_rollout_gate.evidence.values import Evidence
from tau_rollout_gate.fleet.partial import Partial
from tau_rollout_gate.fleet.plan import Plan


def decide(plan: Plan, partial: Partial, evidence: Evidence) -> Answer:
    """What may be done now; `Answer.fleet` tells how the fleet stands.

    Args:
        plan: What the hosts were judged by.
        partial: All chunks together, by `merge`.
        evidence: What no host tells: reports and the sign-off.

    Raises:
        ChunkRefusedError: if a chunk is missing.
    """
    raise NotImplementedError(plan, partial, evidence)
