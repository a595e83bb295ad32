"""The counts of all chunks as they count: those that tell no release among them, and limits."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from tau_rollout_gate.decision.fleet import (
    MOST_WORST,
    HostState,
    WorstHost,
)
from tau_rollout_gate.errors import ChunkRefusedError
from tau_rollout_gate.fleet.counts import GroupCount, Partial
from tau_rollout_gate.fleet.partial import is_untold, worst_first
from tau_rollout_gate.fleet.plan import HostRow, Plan
from tau_rollout_gate.policy.findings import EVIDENCE_OF_RELEASE
from tau_rollout_gate.policy.fleet import FleetRules

_MOST_SHOWN = 10
_UNTOLD = "no cycle of it tells the release yet, and those of others do, or cannot be read"


class Tally(NamedTuple):
    """How many hosts are what, and how many may be.

    Args:
        total: The counts of all groups together.
        groups: Those of each, by name.
        canaries: How many of the hosts that are to have the release are in each state.
        reasons: Why these are not clean.
        worst: The worst of them.
        tolerated: How many may be anything but clean.
        tolerated_in: The same by group.
        waiting: How many tell no release, and are not clean for that alone.
    """

    total: GroupCount
    groups: Mapping[str, GroupCount]
    canaries: Mapping[HostState, int]
    reasons: Mapping[str, int]
    worst: Sequence[WorstHost]
    tolerated: int
    tolerated_in: Mapping[str, int]
    waiting: int


def tally(plan: Plan, partial: Partial) -> Tally:
    """Count a fleet.

    Where no canary's cycles tell a release, each counts as it is. As soon as one's do, or did once,
    one whose cycles tell none is without it; so it is while there is any of which that cannot be
    read, since nothing that is missing may ever help.

    Raises:
        ChunkRefusedError: if a chunk is missing.
    """
    refuse_missing(plan, partial)
    groups, canaries = dict(partial.groups), dict(partial.canaries)
    told, waiting = {*plan.tells_release, *partial.told}, 0
    for one in partial.untold:
        if partial.unread or told.intersection(one.surfaces):
            waiting += one.clean + one.soaking
            count = groups[one.group]
            groups[one.group] = msgspec.structs.replace(
                count, unclean=count.unclean + one.clean, unknown=count.unknown + one.in_arm
            )
            for state, hosts in ((HostState.CLEAN, one.clean), (HostState.SOAKING, one.soaking)):
                canaries[state] = canaries.get(state, 0) - hosts
            new = one.clean + one.soaking
            canaries[HostState.NOT_UPGRADED] = canaries.get(HostState.NOT_UPGRADED, 0) + new
    total = sum(groups.values(), start=GroupCount())
    rules = plan.policy.fleet or FleetRules()
    tolerated = rules.tolerated.within(total.drawn)
    reasons = dict(partial.reasons)
    if waiting:
        reasons[EVIDENCE_OF_RELEASE] = reasons.get(EVIDENCE_OF_RELEASE, 0) + waiting
    return Tally(
        total=total,
        groups=groups,
        canaries={state: hosts for state, hosts in canaries.items() if hosts},
        reasons=reasons,
        worst=_worst(partial, is_waiting=bool(waiting)),
        tolerated=tolerated,
        tolerated_in={name: _in_group(rules, count, tolerated) for name, count in groups.items()},
        waiting=waiting,
    )


def refuse_missing(plan: Plan, partial: Partial) -> None:
    """Pass for the partial of all chunks.

    Raises:
        ChunkRefusedError: for any other; the text names the chunks.
    """
    found = {chunk.index for chunk in partial.chunks}
    missing = [str(index) for index in range(plan.chunks) if index not in found]
    if missing:
        more = f" and {len(missing) - _MOST_SHOWN} more" if len(missing) > _MOST_SHOWN else ""
        raise ChunkRefusedError(f"chunks are missing: {', '.join(missing[:_MOST_SHOWN])}{more}")


def _in_group(rules: FleetRules, count: GroupCount, tolerated: int) -> int:
    """How many hosts of a group may be anything but clean.

    At least one, where any may be of all: else no small group could ever have one.
    """
    share = rules.tolerated_in_group
    own = tolerated if share is None else share.within(count.drawn)
    return max(own, min(tolerated, 1))


def counted_rows(plan: Plan, partial: Partial, rows: Iterable[HostRow]) -> list[HostRow]:
    """The rows as `tally` counts their hosts: those that tell no release, while others do, without.

    Args:
        plan: What they were judged by.
        partial: All chunks together.
        rows: The rows of all hosts.
    """
    told = {*plan.tells_release, *partial.told}
    return [_waiting(row) if partial.unread else counted_row(row, told) for row in rows]


def counted_row(row: HostRow, told: Iterable[str]) -> HostRow:
    """The row as its host counts where canaries tell the release on these surfaces."""
    return _waiting(row) if set(told).intersection(row.untold) else row


def _waiting(row: HostRow) -> HostRow:
    if not is_untold(row):
        return row
    return row._replace(
        state=HostState.NOT_UPGRADED,
        reason=EVIDENCE_OF_RELEASE,
        why=_UNTOLD,
        counts_as_unclean=True,
    )


def _worst(partial: Partial, *, is_waiting: bool) -> list[WorstHost]:
    if not is_waiting:
        return list(partial.worst)
    waiting = {
        one.host: one._replace(
            state=HostState.NOT_UPGRADED,
            reason=EVIDENCE_OF_RELEASE,
            why=_UNTOLD,
        )
        for one in partial.untold_hosts
    }
    others = [one for one in partial.worst if one.host not in waiting]
    return worst_first([*others, *waiting.values()])[:MOST_WORST]
