"""How a fleet stands, in sentences: what the formats say of it in the same words."""

from collections.abc import Iterator, Sequence

from tau_rollout_gate.counted import counted
from tau_rollout_gate.decision.answer import Answer
from tau_rollout_gate.decision.fleet import FleetStanding, GroupStanding, StateCount, WorstHost
from tau_rollout_gate.formats.fleet.hosts import place
from tau_rollout_gate.policy.findings import (
    FAILED_HOSTS,
    FAILED_HOSTS_IN_GROUP,
    WORSE_THAN_CONTROL,
)

_MOST_REASONS = 5
_MOST_GROUPS = 10


def sentences(answer: Answer) -> Iterator[str]:
    """Yield how many hosts there are and how they stand, and how much of what is tolerated is used.

    Nothing where the answer is not of a fleet.
    """
    fleet = answer.fleet
    if fleet is None:
        return
    cohort = fleet.cohort
    control = sum(one.hosts for one in fleet.control)
    hosts = f"{fleet.name}: {counted(fleet.hosts, 'host')}"
    if cohort.percent:
        without = counted(control, "is", "are")
        share = f"the cohort of {cohort.percent} % has {cohort.hosts}"
        yield f"{hosts}; {share}, and {without} without the release."
    else:
        yield f"{hosts}; none has the release yet, and {cohort.hosts} would be the first to get it."
    yield f"Canaries: {states(fleet.canaries)}."
    if fleet.control:
        yield f"Without the release: {states(fleet.control)}."
    yield f"Not clean: {_used(cohort.not_clean, cohort.tolerated)}."
    told = [FAILED_HOSTS, WORSE_THAN_CONTROL]
    if any(one.failed for one in fleet.groups) and len(fleet.groups) > 1:
        told.insert(1, FAILED_HOSTS_IN_GROUP)
    yield from (
        f"{one.observed[:1].upper()}{one.observed[1:]}."
        for name in told
        for one in answer.triggers
        if one.name == name
    )
    changes = {"joined": cohort.joined, "left": cohort.left, "count no more": cohort.excused}
    told = [f"{hosts} {what}" for what, hosts in changes.items() if hosts]
    if told:
        yield f"Of the cohort since its entry: {', '.join(told)}."


def states(counts: Sequence[StateCount]) -> str:
    """Counts by state, the worst first: `1 failed, 20 clean`."""
    words = [f"{one.hosts} {one.state.replace('_', ' ')}" for one in counts]
    return ", ".join(words) or "none"


def reasons(fleet: FleetStanding) -> Iterator[str]:
    """Yield why canaries are not clean: the most frequent reasons, each with how many."""
    for one in fleet.reasons[:_MOST_REASONS]:
        yield f"{one.hosts} for {one.reason}"
    more = len(fleet.reasons) - _MOST_REASONS
    if more > 0:
        yield counted(more, "more reason")


def of_host(host: WorstHost) -> str:
    """A host in a sentence: how it stands, why, and where to look."""
    where = place(host)
    look = f" ({where})" if where else ""
    return f"{host.host} in {host.group} is {host.state.replace('_', ' ')}: {host.why}{look}"


def standing_out(fleet: FleetStanding) -> list[GroupStanding]:
    """The groups with hosts that are not clean, those first that use most of what they may."""
    bad = [one for one in fleet.groups if one.not_clean]
    bad.sort(key=lambda one: (one.tolerated - one.not_clean, -one.failed, one.name))
    return bad[:_MOST_GROUPS]


def of_group(group: GroupStanding) -> str:
    """A group in a sentence: how many of its canaries are not clean, and how many may be."""
    return (
        f"{group.name}: {group.not_clean} of {group.cohort} not clean, {group.failed} of them "
        f"failed; {group.tolerated} tolerated"
    )


def _used(bad: int, tolerated: int) -> str:
    if bad > tolerated:
        return f"{bad}, and {tolerated} may be: {bad - tolerated} too many to go on"
    more = ": one more holds the release back" if bad == tolerated else ""
    return f"{bad} of the {tolerated} that may be{more}"
