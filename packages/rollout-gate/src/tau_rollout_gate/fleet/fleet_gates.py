"""The gates and triggers that a fleet has beside its policy's: how many hosts are how."""

from collections.abc import Iterator

from tau_rollout_gate.counted import counted
from tau_rollout_gate.decision.answer import GateResult, TriggerResult
from tau_rollout_gate.decision.fleet import Comparison, HostState, WorstHost
from tau_rollout_gate.fleet.counts import Partial
from tau_rollout_gate.fleet.tally import Tally
from tau_rollout_gate.policy.findings import (
    COHORT_SIZE,
    COMPARISON_UNDECIDED,
    CONTAMINATED,
    FAILED_HOSTS,
    FAILED_HOSTS_IN_GROUP,
    HOSTS_CLEAN,
    HOSTS_CLEAN_IN_GROUP,
    WORSE_THAN_CONTROL,
    EvidenceRef,
    GateStatus,
)
from tau_rollout_gate.policy.fleet import FleetRules
from tau_rollout_gate.policy.policy import Policy

_SEE = "hosts"
_ROLL_BACK = "freeze at the phase, roll back on every host that has the release"


def fleet_gates(
    policy: Policy, partial: Partial, counts: Tally, comparison: Comparison | None
) -> Iterator[GateResult]:
    """Yield them: hosts are clean, there are enough, and what is unknown could not decide."""
    total, tolerated = counts.total, counts.tolerated
    bad = total.unclean > tolerated
    from_unix_ms = None if partial.soaks is None else partial.soaks.earliest_unix_ms
    soaking = counts.canaries.get(HostState.SOAKING, 0)
    can_soak = bad and total.unclean - soaking <= tolerated
    worst = counts.worst[0] if counts.worst else None
    yield GateResult(
        name=HOSTS_CLEAN,
        surface=None,
        status=GateStatus.FAIL if bad else GateStatus.PASS,
        observed=f"{total.unclean} of {total.drawn} not clean{_why(counts)}",
        required=f"at most {tolerated} of {counted(total.drawn, 'host')} are not clean",
        evidence=_evidence(worst),
        remedy=_remedy(counts) if bad else "",
        cycles_help=can_soak,
        command=_SEE if bad else "",
        from_unix_ms=from_unix_ms if can_soak else None,
    )
    yield _in_groups(counts, from_unix_ms, can_soak=can_soak)
    yield _cohort_size(policy, counts)
    yield GateResult(
        name=CONTAMINATED,
        surface=None,
        status=GateStatus.PASS,  # it is for people: what is not to have the release decides nothing
        observed=counted(total.contaminated, "host")
        + (f": {', '.join(partial.contaminated_hosts)}" if partial.contaminated_hosts else ""),
        required="hosts that are not to have the release do not show it; else they are left out "
        "of the comparison",
    )
    yield _undecided(comparison, from_unix_ms, can_soak=can_soak)


def fleet_triggers(
    policy: Policy, counts: Tally, comparison: Comparison | None
) -> Iterator[TriggerResult]:
    """Yield them: too many failed, of all or of a group, or the canaries are the ones that do."""
    total, tolerated = counts.total, counts.tolerated
    failed = [one for one in counts.worst if one.state is HostState.FAILED]
    yield TriggerResult(
        name=FAILED_HOSTS,
        surface=None,
        fired=total.failed > tolerated,
        observed=f"{total.failed} of {counted(total.drawn, 'host')} failed; "
        + _used(total.failed, tolerated),
        threshold=f"more than {tolerated} of {counted(total.drawn, 'host')} failed",
        evidence=_evidence(failed[0]) if failed else None,
        action=_ROLL_BACK,
    )
    over = {name: count.failed - counts.tolerated_in[name] for name, count in counts.groups.items()}
    group = min(over, key=lambda name: (-over[name], name))
    limit, count = counts.tolerated_in[group], counts.groups[group]
    first = next((one for one in failed if one.group == group), None)
    yield TriggerResult(
        name=FAILED_HOSTS_IN_GROUP,
        surface=None,
        fired=over[group] > 0,
        observed=f"{count.failed} of {counted(count.drawn, 'host')} failed in {group}, where "
        + _used(count.failed, limit),
        threshold=f"more than {limit} of {counted(count.drawn, 'host')} failed in {group}",
        evidence=_evidence(first),
        action=_ROLL_BACK,
    )
    if policy.fleet is not None and policy.fleet.compare is not None:
        yield TriggerResult(
            name=WORSE_THAN_CONTROL,
            surface=None,
            fired=comparison is not None and comparison.fired,
            observed=_compared(comparison),
            threshold="canaries fail so much more than hosts without the release that chance "
            f"alone does it in less than {policy.fleet.compare.alpha} of all rollouts",
            evidence=None,
            action=_ROLL_BACK,
        )


def _used(bad: int, tolerated: int) -> str:
    """How much of what is tolerated is used up."""
    if bad > tolerated:
        return f"{tolerated} tolerated"
    return f"{bad} of {tolerated} tolerated" + (": one more rolls back" if bad == tolerated else "")


def _why(counts: Tally) -> str:
    """Of what kinds the hosts are that are not clean."""
    if not counts.total.unclean:  # in preflight some are silent that do not count yet
        return ""
    states = [
        f"{hosts} {state.replace('_', ' ')}"
        for state in HostState
        if state not in {HostState.CLEAN, HostState.JOINED}
        and (hosts := counts.canaries.get(state, 0))
    ]
    return f" ({', '.join(states)})" if states else ""


def _remedy(counts: Tally) -> str:
    worst = counts.worst[0]
    if worst.state is HostState.SOAKING:
        return "go on running clean cycles on every host"
    return (
        f"see to {worst.host} first ({worst.why}), then to the others; a host that is gone for "
        "good: 'leave HOST --reason' if it was clean in this phase, else take its line off the "
        "roster, and 'reenter --reason' begins the phase anew without it"
    )


def _evidence(host: WorstHost | None) -> EvidenceRef | None:
    if host is None or host.file is None:
        return None
    return EvidenceRef(file=host.file, line=host.line, cycle_id=host.cycle_id, age_ms=host.age_ms)


def _in_groups(counts: Tally, from_unix_ms: int | None, *, can_soak: bool) -> GateResult:
    over = {
        name: count.unclean - counts.tolerated_in[name] for name, count in counts.groups.items()
    }
    bad = sorted(name for name, more in over.items() if more > 0)
    group = min(over, key=lambda name: (-over[name], name))
    limit, count = counts.tolerated_in[group], counts.groups[group]
    return GateResult(
        name=HOSTS_CLEAN_IN_GROUP,
        surface=None,
        status=GateStatus.FAIL if bad else GateStatus.PASS,
        observed=f"{count.unclean} of {count.drawn} not clean in {group}"
        + (f", and too many in {counted(len(bad) - 1, 'more group')}" if len(bad) > 1 else ""),
        required=f"at most {limit} of {counted(count.drawn, 'host')} are not clean in {group}",
        remedy=f"see to the hosts of {group} first" if bad else "",
        cycles_help=bool(bad) and can_soak,
        command=f"{_SEE} --group {group}" if bad else "",
        from_unix_ms=from_unix_ms if bad and can_soak else None,
    )


def _cohort_size(policy: Policy, counts: Tally) -> GateResult:
    total, rules = counts.total, policy.fleet or FleetRules()
    wanted = max(min(rules.min_hosts, total.pinned), 1)
    enough = total.drawn >= wanted
    return GateResult(
        name=COHORT_SIZE,
        surface=None,
        status=GateStatus.PASS if enough else GateStatus.FAIL,
        observed=f"{counted(total.drawn, 'host has', 'hosts have')} the release",
        required=f"at least {counted(wanted, 'host has', 'hosts have')} the release",
        remedy="" if enough else "'reenter --reason' draws anew, of the hosts that there are now",
        command="" if enough else "reenter --reason 'TOO FEW HOSTS'",
    )


def _undecided(
    comparison: Comparison | None, from_unix_ms: int | None, *, can_soak: bool
) -> GateResult:
    required = "canaries of which nothing is known could not show that they are worse"
    if comparison is None:
        return GateResult(
            name=COMPARISON_UNDECIDED,
            surface=None,
            status=GateStatus.NOT_APPLICABLE,
            observed="the policy asks for no comparison, or there is nothing to compare with",
            required=required,
        )
    holds = comparison.is_decided
    return GateResult(
        name=COMPARISON_UNDECIDED,
        surface=None,
        status=GateStatus.PASS if holds else GateStatus.UNKNOWN,
        observed=f"{comparison.undecided} unknown: if all had failed, E would be "
        f"{comparison.e_if_failed}, and the bar is {comparison.bar}",
        required=required,
        remedy="" if holds else "see to the hosts that are silent or held",
        cycles_help=not holds and can_soak,
        command="" if holds else _SEE,
        from_unix_ms=from_unix_ms if can_soak and not holds else None,
    )


def _compared(comparison: Comparison | None) -> str:
    if comparison is None:
        return "there is nothing to compare with"
    failed = counted(comparison.failed_canary + comparison.failed_control, "failed host")
    return (
        f"{comparison.failed_canary} of the {failed} are canaries; "
        f"{comparison.expected_canary} would be by chance (E = {comparison.e_rounded}, and the bar "
        f"is {comparison.bar})"
    )
