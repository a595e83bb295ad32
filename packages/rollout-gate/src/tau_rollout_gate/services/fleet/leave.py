"""`leave`, and `reenter --host`: what is changed by hand of single hosts of a fleet."""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.counted import counted
from tau_rollout_gate.decision.fleet import HostState
from tau_rollout_gate.errors import RefusedError
from tau_rollout_gate.files.rollout_directory import Change
from tau_rollout_gate.fleet.chunk import Job, Wanted
from tau_rollout_gate.fleet.engines.worker import opened_store, read_of
from tau_rollout_gate.fleet.record import (
    is_absent,
    is_excusable,
    record_made_anew,
    record_of_absent,
)
from tau_rollout_gate.fleet.silence import SilenceKind
from tau_rollout_gate.fleet.table import TableRow, table_bytes
from tau_rollout_gate.rollout.ledger import Action, Entry
from tau_rollout_gate.rollout.stops import refuse_closed
from tau_rollout_gate.services.fleet.hosts import ground, host_named, rows
from tau_rollout_gate.services.fleet.look import Ground, named
from tau_rollout_gate.services.intervene import Asked, pinned_change


class Left(NamedTuple):
    """What became of hosts that were to be taken out.

    Args:
        entry: The decision.
        excused: The hosts that count no more.
        counting: Those that go on counting, each with the reason.
    """

    entry: Entry
    excused: tuple[str, ...]
    counting: tuple[str, ...]


def leave(asked: Asked, hosts: Sequence[str]) -> Left:
    """Take hosts out of the pinned cohort: those that were recorded clean in this phase.

    Raises:
        RefusedError: if a host is none, was not given the release, or none is left to take out.
        RolloutGateError: if the rollout cannot be changed.
    """
    with pinned_change(asked.question) as change:
        known = _open(asked, change)
        for name in hosts:
            record = host_named(known, name).record
            if record is None or record.drawn_unix_ms is None:
                raise RefusedError(f"{name}: is not pinned with the release: nothing to take out")
        return _excused(asked, change, known, hosts)


def leave_gone(asked: Asked) -> Left:
    """Take all hosts out that left the roster, as `leave` does.

    Raises:
        RefusedError: if none did.
        RolloutGateError: if the rollout cannot be changed.
    """
    with pinned_change(asked.question) as change:
        known = _open(asked, change)
        gone = [
            host.name
            for host in known.hosts
            if not host.is_on_roster
            and host.record is not None
            and host.record.drawn_unix_ms is not None
            and not host.record.is_excused
        ]
        if not gone:
            raise RefusedError("--gone: no pinned host left the roster")
        return _excused(asked, change, known, gone)


def leave_absent(asked: Asked) -> Left:
    """Take the hosts out of the draw of which nothing was ever seen.

    Raises:
        RefusedError: if there is none, or a phase has drawn already.
        RolloutGateError: if the fleet cannot be judged, or the rollout not be changed.
    """
    with pinned_change(asked.question) as change:
        known = _open(asked, change)
        if known.plan.phase.canary_percent > 0:
            raise RefusedError(
                f"--absent: {known.plan.phase.name} has drawn already; of single hosts: "
                "'leave HOST --reason'"
            )
        silent = {
            row.host
            for row in rows(asked.question, change.current.rollout)
            if row.state is HostState.SILENT and row.reason == SilenceKind.NEVER_SEEN
        }
        absent = [
            host for host in known.hosts if host.name in silent and not is_absent(host.record)
        ]
        if not absent:
            raise RefusedError("--absent: something was seen of every host")
        table = dict(known.table.rows)
        for host in absent:
            record = record_of_absent(known.plan, host)
            reason = SilenceKind.NEVER_SEEN
            table[host.name] = TableRow(host.name, HostState.SILENT, reason, record)
        names = tuple(host.name for host in absent)
        entry = _commit(asked, change, known, table, Action.LEAVE, _told(names, ()))
        return Left(entry, names, ())


def reenter_host(asked: Asked, name: str, *, accepts_lost: bool) -> Entry:
    """Have one host enter the phase anew, alone, its damaged evidence left behind.

    Raises:
        RefusedError: if it was not given the release, failed, or lines of it are lost and that is
            not accepted.
        RolloutGateError: if it cannot be read, or the rollout not be changed.
    """
    with pinned_change(asked.question) as change:
        known = _open(asked, change)
        host, pin = host_named(known, name), known.pin
        job = Job(known.plan, pin.store, pin.store_id, Wanted.COUNTS, {})
        evidence = read_of(job, opened_store(job), host)
        record = record_made_anew(known.plan, host, evidence, accepts_lost=accepts_lost)
        if record is None:
            raise RefusedError(f"{name}: was not given the release: it has nothing to enter anew")
        row = TableRow(name, HostState.SOAKING, "reentered", record)
        table = {**known.table.rows, name: row}
        words = (f"{name} enters {known.plan.phase.name} anew, alone",)
        return _commit(asked, change, known, table, Action.REENTER_HOST, words)


def _open(asked: Asked, change: Change) -> Ground:
    rollout = change.current.rollout
    refuse_closed(rollout)
    return ground(asked.question, rollout)


def _excused(asked: Asked, change: Change, known: Ground, hosts: Sequence[str]) -> Left:
    table = dict(known.table.rows)
    excused, counting = [], []
    for name in dict.fromkeys(hosts):
        row = table[name]
        if is_excusable(row.record):
            table[name] = row._replace(record=row.record._replace(is_excused=True))
            excused.append(name)
        else:
            counting.append(name)
    entry = _commit(asked, change, known, table, Action.LEAVE, _told(excused, counting))
    return Left(entry, tuple(excused), tuple(counting))


def _told(excused: Sequence[str], counting: Sequence[str]) -> tuple[str, ...]:
    found = []
    if excused:
        count = counted(len(excused), "host counts", "hosts count")
        found.append(f"{count} no more: {named(tuple(excused))}")
    if counting:
        found.append(
            f"{counted(len(counting), 'goes', 'go')} on counting, not recorded clean in this phase:"
            f" {named(tuple(counting))}; 'reenter --reason' draws without those that are not on "
            "the roster"
        )
    return tuple(found)


def _commit(  # noqa: PLR0913, PLR0917 - what a decision says
    asked: Asked,
    change: Change,
    known: Ground,
    table: dict[str, TableRow],
    action: Action,
    reasons: tuple[str, ...],
) -> Entry:
    raw = table_bytes((row for _, row in sorted(table.items())), known.table.cutoffs)
    rollout: Rollout = change.current.rollout
    number = 1 if change.count is None else change.count.count + 1
    pin = known.pin.replaced(table=number, table_sha256=sha256(raw).hexdigest(), seen_sha256=None)
    entry = Entry.following(
        change.count,
        action,
        rollout.replaced(fleet=pin),
        by=asked.by,
        decided_unix_ms=known.plan.now_unix_ms,
        reason=asked.reason,
        reasons=reasons,
    )
    return change.commit(entry, table=raw)
