"""Judges one host, by the code that judges a rollout of it alone, and says how it stands."""

from tau_rollout_gate.decision.answer import Answer
from tau_rollout_gate.evidence.values import Evidence
from tau_rollout_gate.fleet.plan import Host, HostRow, Plan


def judge_host(plan: Plan, host: Host, evidence: Evidence) -> HostRow:
    """How a host stands, by what was read of its surfaces, `surfaces_of(plan, host)`."""
    raise NotImplementedError(plan, host, evidence)


def host_answer(plan: Plan, host: Host, evidence: Evidence) -> Answer:
    """The whole answer for one host, as a rollout of it alone has it."""
    raise NotImplementedError(plan, host, evidence)
