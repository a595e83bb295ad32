"""From the counts of all hosts to the answer for the fleet.

One budget, the policy's `tolerate`, is for everything that is not clean. With two, the log of a
host that failed could be deleted, and a rollback would turn into a promotion
(runbooks/rollout-gate-ops.md, "A fleet").
"""

from collections.abc import Mapping

from tau_rollout_gate.counted import counted
from tau_rollout_gate.decision.answer import Answer, GateResult, TriggerResult
from tau_rollout_gate.decision.decide import answer_of, named_inputs
from tau_rollout_gate.decision.fleet import (
    MOST_GROUPS,
    Cohort,
    Comparison,
    FleetStanding,
    GroupStanding,
    HostState,
    ReasonCount,
    StateCount,
)
from tau_rollout_gate.decision.rollout_gates import rollout_gates
from tau_rollout_gate.decision.soak import JointSoak
from tau_rollout_gate.decision.triggers import rollout_triggers, with_latched
from tau_rollout_gate.evidence.values import Evidence
from tau_rollout_gate.fleet.comparison import compared
from tau_rollout_gate.fleet.counts import Partial
from tau_rollout_gate.fleet.fleet_gates import fleet_gates, fleet_triggers
from tau_rollout_gate.fleet.partial import root_sha256
from tau_rollout_gate.fleet.plan import Plan
from tau_rollout_gate.fleet.tally import Tally, tally


def decide(plan: Plan, partial: Partial, evidence: Evidence) -> Answer:
    """What may be done now; `Answer.fleet` tells how the fleet stands.

    Args:
        plan: What the hosts were judged by.
        partial: All chunks together, by `merge`.
        evidence: What no host tells: reports and the sign-off.

    Raises:
        ChunkRefusedError: if a chunk is missing.
    """
    policy, rollout, now = plan.policy, plan.rollout, plan.now_unix_ms
    counts = tally(plan, partial)
    comparison = compared(policy, partial, counts.groups)
    own: list[TriggerResult] = []
    if rollout.is_open:
        own = [
            *rollout_triggers(policy, rollout, evidence, now_unix_ms=now),
            *fleet_triggers(policy, counts, comparison),
        ]
    triggers = with_latched(rollout, own, now_unix_ms=now)
    gates: tuple[GateResult, ...] = ()
    if rollout.is_open:  # of a closed one, nothing is to be passed any more
        gates = (
            *rollout_gates(policy, rollout, evidence, triggers, now),
            *fleet_gates(policy, partial, counts, comparison),
        )
    soaks = partial.soaks
    answer = answer_of(
        policy,
        rollout,
        gates=gates,
        triggers=triggers,
        soak=JointSoak(
            since_unix_ms=None if soaks is None else soaks.since_unix_ms,
            held_ms=0 if soaks is None else soaks.held_ms,
            restart=None,
        ),
        warnings=tuple(_warnings(partial, counts)),
        inputs=named_inputs(evidence),
        now_unix_ms=now,
    )
    return answer._replace(fleet=_standing(plan, partial, counts, comparison))


def _warnings(partial: Partial, counts: Tally) -> list[str]:
    found = []
    if partial.untold and not counts.waiting:
        hosts = counted(sum(one.clean + one.soaking for one in partial.untold), "host")
        found.append(
            f"the evidence of {hosts} is not tied to the release, since no cycle of "
            "any canary tells it: 'tau-custom-command run --release', or --release-file"
        )
    if counts.waiting and partial.unread:
        found.append(
            f"{counted(counts.waiting, 'host tells', 'hosts tell')} no release, and of "
            f"{partial.unread} that cannot be read: they count as without it"
        )
    if counts.total.contaminated:
        found.append(
            f"{counted(counts.total.contaminated, 'host shows', 'hosts show')} the release, "
            f"though not drawn for it: {', '.join(partial.contaminated_hosts)}"
        )
    return found


def _standing(
    plan: Plan, partial: Partial, counts: Tally, comparison: Comparison | None
) -> FleetStanding:
    groups = [
        GroupStanding(
            name=name,
            hosts=count.pinned,
            cohort=count.drawn,
            cutoff=plan.cutoffs.get(name),
            failed=count.failed,
            not_clean=count.unclean,
            tolerated=counts.tolerated_in[name],
        )
        for name, count in counts.groups.items()
    ]
    shown = sorted(groups, key=lambda group: (-group.not_clean, group.name))[:MOST_GROUPS]
    total = counts.total
    return FleetStanding(
        name=plan.name,
        roster_sha256=plan.roster_sha256,
        hosts=plan.hosts,
        cohort=Cohort(
            hosts=total.drawn,
            percent=plan.phase.canary_percent,
            not_clean=total.unclean,
            tolerated=counts.tolerated,
            joined=total.joined,
            left=total.left,
            excused=total.excused,
        ),
        canaries=_in_order(counts.canaries),
        control=_in_order(partial.control),
        contaminated=total.contaminated,
        groups=tuple(sorted(shown, key=lambda group: group.name)),
        more_groups=len(groups) - len(shown),
        reasons=tuple(
            ReasonCount(reason=reason, hosts=hosts)
            for reason, hosts in sorted(counts.reasons.items(), key=lambda one: (-one[1], one[0]))
        ),
        worst=tuple(counts.worst),
        more=max(total.unclean - len(counts.worst), 0),
        comparison=comparison,
        root_sha256=root_sha256(partial),
    )


def _in_order(counts: Mapping[HostState, int]) -> tuple[StateCount, ...]:
    return tuple(
        StateCount(state=state, hosts=counts[state]) for state in HostState if state in counts
    )
