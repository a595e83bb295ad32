"""What is recorded of each host: by `advance` after a look, and when a phase is entered.

A host that fails, shows what it was not to have, or was clean once is remembered, whatever becomes
of its files (runbooks/rollout-gate-ops.md, "A fleet").
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tau_rollout_gate.contract.pin import SurfacePin
from tau_rollout_gate.decision.fleet import HostState
from tau_rollout_gate.errors import RefusedError
from tau_rollout_gate.evidence.values import Evidence, SurfaceEvidence
from tau_rollout_gate.fleet.cohort import is_member
from tau_rollout_gate.fleet.plan import (
    Arm,
    Host,
    HostRecord,
    HostRow,
    Plan,
    group_of,
    surfaces_of,
    with_whole_log,
)
from tau_rollout_gate.fleet.roster import Mark, RosterEntry
from tau_rollout_gate.rollout.phase_entry import entered

_WITHOUT_A_LOT = frozenset({Mark.FIRST, Mark.LAST})


class RosterChanges(NamedTuple):
    """What changed on a roster since the phase was entered: hosts by name.

    Args:
        joined: Those that are new.
        left: Those that were pinned and are not there any more.
        regrouped: Those that have another group now, which counts from the next rollout on.
    """

    joined: tuple[str, ...]
    left: tuple[str, ...]
    regrouped: tuple[str, ...]


def hosts_of(entries: Iterable[RosterEntry], records: Mapping[str, HostRecord]) -> tuple[Host, ...]:
    """All hosts to judge, sorted by name: those on the roster, and the recorded ones that left."""
    there = {
        one.host: Host(one.host, one.group, one.mark, records.get(one.host)) for one in entries
    }
    gone = {
        name: Host(name, record.group, record=record, is_on_roster=False)
        for name, record in records.items()
        if name not in there and not record.is_joined
    }
    return tuple(one for _, one in sorted({**there, **gone}.items()))


def roster_changes(hosts: Iterable[Host]) -> RosterChanges:
    """What changed on the roster that these hosts are of."""
    joined, left, regrouped = [], [], []
    for host in hosts:
        if host.record is None or host.record.is_joined:
            joined.append(host.name)
        elif not host.is_on_roster:
            left.append(host.name)
        if host.group != group_of(host):
            regrouped.append(host.name)
    return RosterChanges(tuple(joined), tuple(left), tuple(regrouped))


def record_after(host: Host, row: HostRow) -> HostRecord:
    """What `advance` records of a host after a look of a canary phase, also on a hold."""
    new = HostRecord(surfaces=row.surfaces, group=host.group, is_joined=True)
    before = host.record or new
    return before._replace(
        surfaces=row.surfaces,
        fired=row.fired,
        failed_look=before.failed_look or row.failed_look,
        is_contaminated=before.is_contaminated or row.is_contaminated,
        was_clean=before.was_clean or row.state is HostState.CLEAN,
    )


def is_excusable(record: HostRecord) -> bool:
    """Tell whether a host may be excused: it was recorded clean in this phase, and never failed."""
    return record.was_clean and not record.fired


def record_at_entry(
    plan: Plan, host: Host, row: HostRow, evidence: Evidence, cutoffs: Mapping[str, str]
) -> HostRecord:
    """What is pinned of a host when the phase after the plan's is entered.

    A canary goes on with its triggers' window; one that is drawn now, and each host without the
    release, begins at the end of its log. Where that is not known, the pins stay as they are: such
    a host is silent or damaged, which is not clean.

    Args:
        plan: What the hosts were judged by, in the phase that is left.
        host: The host, on the roster.
        row: How it stands.
        evidence: What was read of it.
        cutoffs: The cut-offs of the phase that is entered.
    """
    following = plan.policy.next_phase(plan.rollout.phase)
    percent = 0 if following is None else following.canary_percent
    record = host.record
    had = record is not None and record.drawn_unix_ms is not None
    entry = RosterEntry(host.name, group_of(host), host.mark)
    is_drawn = had or is_member(entry, cutoffs, salt=plan.salt, percent=percent)
    kept = record if had and record is not None else None
    arm = None
    if row.state is not HostState.FAILED and host.mark not in _WITHOUT_A_LOT:
        arm = Arm.CANARY if is_drawn else Arm.CONTROL
    return HostRecord(
        surfaces=tuple(
            _entered(plan, pin, evidence, is_first=not had) for pin in surfaces_of(plan, host)
        ),
        group=entry.group,
        drawn_unix_ms=kept.drawn_unix_ms if kept else plan.now_unix_ms if is_drawn else None,
        fired=row.fired if had else (),
        arm=arm,
        is_excused=kept.is_excused if kept else False,
    )


def _entered(plan: Plan, pin: SurfacePin, evidence: Evidence, *, is_first: bool) -> SurfacePin:
    nothing = SurfaceEvidence(surface=pin.name, is_chained=pin.is_chained, snapshot=None)
    found = evidence.surfaces.get(pin.name, nothing)
    try:
        return entered(
            plan.rollout, pin, found, is_first_canary=is_first, now_unix_ms=plan.now_unix_ms
        )
    except RefusedError:  # it is not known how the log ends
        return pin if pin.evidence_from is not None else with_whole_log(pin)
