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
from tau_rollout_gate.fleet.draw.cohort import is_member
from tau_rollout_gate.fleet.draw.roster import Mark, RosterEntry
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
from tau_rollout_gate.rollout.phase_entry import entered, left_behind

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
    was_clean = before.was_clean or row.state is HostState.CLEAN
    is_retired = host.mark is Mark.RETIRED and was_clean
    # One that was taken out before the draw, being absent, is as any new one once it is there.
    is_absent = before.is_joined and before.is_excused and row.state is HostState.SILENT
    return before._replace(
        surfaces=row.surfaces,
        fired=row.fired,
        failed_look=before.failed_look or row.failed_look,
        is_contaminated=before.is_contaminated or row.is_contaminated,
        was_clean=was_clean,
        is_excused=is_absent or (not before.is_joined and (before.is_excused or is_retired)),
    )


def record_of_absent(plan: Plan, host: Host) -> HostRecord:
    """What is recorded of a host that is taken out before the draw, since it is not there."""
    pins = surfaces_of(plan, host)
    return HostRecord(surfaces=pins, group=host.group, is_joined=True, is_excused=True)


def is_absent(record: HostRecord | None) -> bool:
    """Tell whether a host was taken out before the draw, and was not seen since."""
    return record is not None and record.is_joined and record.is_excused


def is_excusable(record: HostRecord) -> bool:
    """Tell whether a host may be excused: it was recorded clean in this phase, and never failed."""
    return record.was_clean and not record.fired


def record_at_entry(  # noqa: PLR0913 - what is known of a host, and of the lot
    plan: Plan,
    host: Host,
    row: HostRow,
    evidence: Evidence,
    cutoffs: Mapping[str, str],
    *,
    percent: int | None = None,
) -> HostRecord | None:
    """What is pinned of a host when the phase after the plan's is entered; None where it left.

    A canary goes on with its triggers' window; one that is drawn now, and each host without the
    release, begins at the end of its log. Where that is not known, the pins stay as they are: such
    a host is silent or damaged, which is not clean.

    Args:
        plan: What the hosts were judged by, in the phase that is left.
        host: The host. One that is not on the roster stays pinned only if it failed: that counts
            until the rollout ends.
        row: How it stands.
        evidence: What was read of it.
        cutoffs: The cut-offs of the phase that is entered.
        percent: The share of that phase; None for that of the next one.
    """
    if percent is None:
        following = plan.policy.next_phase(plan.rollout.phase)
        percent = 0 if following is None else following.canary_percent
    record = host.record
    had = record is not None and record.drawn_unix_ms is not None
    if record is not None and is_absent(record) and row.state is HostState.SILENT:
        return record._replace(surfaces=tuple(map(with_whole_log, record.surfaces)))
    if not host.is_on_roster:
        is_kept = record is not None and had and row.state is HostState.FAILED
        return record_after(host, row)._replace(arm=None, failed_look=None) if is_kept else None
    entry = RosterEntry(host.name, group_of(host), host.mark)
    is_drawn = had or (
        host.mark is not Mark.RETIRED and is_member(entry, cutoffs, salt=plan.salt, percent=percent)
    )
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


def record_at_reentry(  # noqa: PLR0913 - as above
    plan: Plan,
    host: Host,
    row: HostRow,
    evidence: Evidence,
    cutoffs: Mapping[str, str],
    *,
    accepts_lost: bool,
) -> HostRecord | None:
    """What is pinned of a host when the plan's phase is entered anew; None where it left.

    The lot is drawn among the hosts that there are now. The two sides of the comparison stay those
    of the phase's first entry, and who failed of them. Damaged evidence is left behind; where that
    is lost in part and it is not accepted, or it is not known how a log ends, the pins stay as they
    are, and so does the host: damaged, which is not clean.
    """
    percent = plan.phase.canary_percent
    following = record_at_entry(plan, host, row, evidence, cutoffs, percent=percent)
    record = host.record
    if following is None or record is None or not host.is_on_roster or is_absent(following):
        return following
    had = record.drawn_unix_ms is not None
    return following._replace(
        surfaces=tuple(
            _left_behind(plan, pin, evidence, accepts_lost=accepts_lost) for pin in record.surfaces
        )
        if had
        else following.surfaces,
        drawn_unix_ms=record.drawn_unix_ms or following.drawn_unix_ms,
        arm=record.arm,
        failed_look=record.failed_look or row.failed_look,
        is_contaminated=record.is_contaminated or row.is_contaminated,
        fired=row.fired,
    )


def record_made_anew(
    plan: Plan, host: Host, evidence: Evidence, *, accepts_lost: bool
) -> HostRecord | None:
    """What is pinned of one canary that enters the phase anew, alone; None where it is none.

    Raises:
        RefusedError: if a trigger of it fired, it is not known how its log ends, or lines of it are
            lost and that is not accepted.
    """
    record = host.record
    if record is None or record.drawn_unix_ms is None:
        return None
    if record.fired:
        names = ", ".join(one.name for one in record.fired)
        raise RefusedError(f"{host.name}: failed ({names}), and counts so until the rollout ends")
    return record._replace(
        surfaces=tuple(
            left_behind(
                plan.rollout,
                pin,
                evidence.surfaces[pin.name],
                accepts_lost=accepts_lost,
                now_unix_ms=plan.now_unix_ms,
            )
            for pin in record.surfaces
        ),
        entered_unix_ms=plan.now_unix_ms,
        was_clean=False,
        is_excused=False,
    )


def _left_behind(
    plan: Plan, pin: SurfacePin, evidence: Evidence, *, accepts_lost: bool
) -> SurfacePin:
    found = evidence.surfaces.get(pin.name)
    try:
        return (
            pin
            if found is None
            else left_behind(
                plan.rollout, pin, found, accepts_lost=accepts_lost, now_unix_ms=plan.now_unix_ms
            )
        )
    except RefusedError:
        return pin


def _entered(plan: Plan, pin: SurfacePin, evidence: Evidence, *, is_first: bool) -> SurfacePin:
    nothing = SurfaceEvidence(surface=pin.name, is_chained=pin.is_chained, snapshot=None)
    found = evidence.surfaces.get(pin.name, nothing)
    try:
        return entered(
            plan.rollout, pin, found, is_first_canary=is_first, now_unix_ms=plan.now_unix_ms
        )
    except RefusedError:  # it is not known how the log ends
        return pin if pin.evidence_from is not None else with_whole_log(pin)
