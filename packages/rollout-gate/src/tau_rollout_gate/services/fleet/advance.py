"""`advance`, and what begins a phase anew, for a fleet: what is recorded of each host, and when."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import NamedTuple

from tau_rollout_gate.contract.fleet import FleetPin
from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.decision.answer import Answer, Found, Verdict
from tau_rollout_gate.errors import FleetRefusedError, NamedFileError, RefusedError
from tau_rollout_gate.evidence.values import Evidence
from tau_rollout_gate.files.host_table import read_seen
from tau_rollout_gate.files.policy import pinned_policy
from tau_rollout_gate.files.rollout_directory import Change, changing
from tau_rollout_gate.fleet.chunk import Wanted
from tau_rollout_gate.fleet.record import is_absent
from tau_rollout_gate.fleet.table import (
    NO_TABLE,
    Table,
    TableRow,
    parse_table,
    table_bytes,
    with_failures,
)
from tau_rollout_gate.rollout import transitions
from tau_rollout_gate.rollout.ledger import Action, Entry
from tau_rollout_gate.rollout.ledger_check import Standing
from tau_rollout_gate.services.advance import meanwhile
from tau_rollout_gate.services.evaluate import (
    Question,
    clock_warning,
    evidence_for,
    now_unix_ms,
)
from tau_rollout_gate.services.fleet.look import Look, look, table_of
from tau_rollout_gate.services.fleet.store_lock import release_lock


class Seen(NamedTuple):
    """A look, what no host tells, and the rollout with what was seen noted in it."""

    look: Look
    evidence: Evidence
    rollout: Rollout
    found: Found


class TakenUp(NamedTuple):
    """A rollout as `recover` takes it up, and the table of its hosts; None where there is none."""

    rollout: Rollout
    table: bytes | None


def advance_fleet(
    question: Question,
    before: Standing,
    *,
    by: str,
    says_nothing_new: Callable[[Entry], bool],
    after: Callable[[Rollout, Found], Rollout],
) -> tuple[Answer, Entry | None]:
    """Move a fleet's rollout on if its gates let it, and record the decision; as `advance` does.

    The rollout directory is locked only to record it: a look at many hosts takes time, in which
    `freeze` and `rollback` are not to wait.

    Args:
        question: What is asked.
        before: Where the rollout stands.
        by: Who asks.
        says_nothing_new: Tells whether a decision is not to be recorded.
        after: The rollout as a verdict leaves it.

    Raises:
        RefusedError: if another process recorded something meanwhile.
        RolloutGateError: if the fleet cannot be judged.
    """
    seen = _seen(question, before.rollout, Wanted.LOOK)
    answer = seen.found.answer._replace(changed=before.is_news(seen.found.answer))
    found = seen.found._replace(answer=answer)
    has_moved = answer.verdict in {Verdict.PROMOTE, Verdict.COMPLETE}
    enters = answer.verdict is Verdict.PROMOTE and bool(answer.next_canary_percent)
    table = _table(seen.look, enters=enters)
    moved = after(seen.rollout, found)
    entry = Entry.following(
        before.decisions,
        Action.ADVANCE,
        moved,
        by=by,
        decided_unix_ms=answer.evaluated_unix_ms,
        answer=answer,
    )
    told = answer._replace(advanced=has_moved)
    if says_nothing_new(entry):
        with _unmoved(question, before) as change:
            if table is not None:
                change.note_seen(_noting(seen.rollout, table), table)
        return told, None
    pinned = _pinned(seen.look, moved, entry.decision_number, table, enters=enters)
    entry = entry.replaced(rollout_after=pinned).checked()
    with _unmoved(question, before) as change:
        change.commit(entry, judged=seen.evidence.judged, table=table)
    if not pinned.is_open and pinned.fleet is not None:
        warnings = release_lock(pinned.fleet)
        told = told._replace(warnings=(*told.warnings, *warnings))
    return told, entry


@contextmanager
def _unmoved(question: Question, before: Standing) -> Iterator[Change]:
    """Give a change of a rollout that stands where it was judged.

    Raises:
        RefusedError: if another process recorded something meanwhile.
    """
    with changing(question.rollout_dir) as change:
        now = change.current
        if (now.decisions, now.rollout) != (before.decisions, before.rollout):
            raise RefusedError(meanwhile(now))
        yield change


def begin_anew(  # noqa: PLR0913 - what a decision says
    question: Question,
    change: Change,
    action: Action,
    transition: Callable[[Rollout, Found], Rollout],
    *,
    by: str,
    reason: str,
    judged: Mapping[str, bytes],
    accepts_lost: bool,
) -> Entry:
    """Carry out what rests on a look at a fleet, and record both.

    `reenter` and `policy adopt` draw anew, among the hosts that there are now.

    Raises:
        RolloutGateError: if it is refused, or the fleet cannot be judged.
    """
    enters = action is not Action.RESUME
    wanted = Wanted.LOSSY_REENTRY if accepts_lost else Wanted.REENTRY
    seen = _seen(question, change.current.rollout, wanted if enters else Wanted.LOOK)
    is_canary = seen.look.ground.plan.phase.canary_percent > 0
    table = _table(seen.look, enters=enters and is_canary)
    after = transition(seen.rollout, seen.found)
    entry = Entry.following(
        change.count,
        action,
        after,
        by=by,
        decided_unix_ms=seen.found.answer.evaluated_unix_ms,
        reason=reason,
        answer=seen.found.answer,
    )
    if not enters:
        return change.commit(entry, judged={**seen.evidence.judged, **judged})
    pinned = _pinned(seen.look, after, entry.decision_number, table, enters=False)
    pinned = _redrawn(seen.look, pinned)
    return change.commit(
        entry.replaced(rollout_after=pinned).checked(),
        judged={**seen.evidence.judged, **judged},
        table=table,
    )


def taken_up(question: Question, rollout: Rollout, *, by: str, decision: int) -> TakenUp:
    """Give a rollout as `recover` takes it up, its phase entered anew on every host.

    What was recorded of the hosts is as the last decision left it, and what canaries and new
    hosts were seen to have failed of since, as far as that is still there.

    Raises:
        RolloutGateError: if the table of that decision is gone, or the fleet cannot be judged.
    """
    rollout = _with_pin(rollout, seen_sha256=None)
    root, pin = question.rollout_dir, rollout.fleet
    known = NO_TABLE if pin is None else table_of(root, pin)
    for raw, source in read_seen(root):
        with suppress(FleetRefusedError):
            known = with_failures(known, parse_table(raw, source=source))
    seen = _seen(question, rollout, Wanted.LOSSY_REENTRY, known)
    is_canary = seen.look.ground.plan.phase.canary_percent > 0
    table = _table(seen.look, enters=is_canary)
    after = transitions.recovered(seen.rollout, seen.found, by=by)
    after = _pinned(seen.look, after, decision, table, enters=False)
    return TakenUp(_redrawn(seen.look, after), table)


def _seen(question: Question, rollout: Rollout, wanted: Wanted, table: Table | None = None) -> Seen:
    now = now_unix_ms(question.now_unix_ms)
    policy = pinned_policy(question.policy, rollout, question.rollout_dir)
    try:
        evidence = evidence_for(question, rollout, policy, now)
        problem = None
    except NamedFileError as error:  # no report may hide a trigger that fired
        evidence = evidence_for(question._replace(reports=()), rollout, policy, now)
        problem = error
    found = look(question, rollout, policy, evidence, now, wanted, table)
    if problem is not None and found.answer.verdict is not Verdict.ROLLBACK:
        raise problem
    plan, pin = found.ground.plan, found.ground.pin
    if plan.phase.canary_percent > 0:
        tells = tuple(sorted({*pin.tells_release, *found.partial.told}))
        pin = pin.replaced(look=plan.look, tells_release=tells)
    told = () if problem is None else (str(problem),)
    warnings = (*told, *clock_warning(question.now_unix_ms), *found.answer.warnings)
    answer = found.answer._replace(warnings=warnings)
    return Seen(found, evidence, rollout.replaced(fleet=pin), Found(answer, evidence))


def _table(found: Look, *, enters: bool) -> bytes | None:
    """The table after a look: of the phase that is entered, or of the one that goes on.

    Before the first canary phase there is one only where hosts were taken out of the draw.
    """
    rows = list(_rows(found, enters=enters))
    if not enters and found.ground.plan.phase.canary_percent == 0:
        rows = [row for row in rows if is_absent(row.record)]
        if not rows and not found.ground.table.rows:
            return None
    return table_bytes(rows, found.cutoffs if enters else found.ground.table.cutoffs)


def _rows(found: Look, *, enters: bool) -> Iterator[TableRow]:
    for chunk in found.results:
        for one in chunk.recorded:
            record = one.entry if enters else one.after
            if record is not None:
                yield TableRow(one.host, one.state, one.reason, record)


def _noting(rollout: Rollout, table: bytes) -> Rollout:
    return _with_pin(rollout, seen_sha256=sha256(table).hexdigest())


def _pinned(
    found: Look, rollout: Rollout, decision: int, table: bytes | None, *, enters: bool
) -> Rollout:
    """The rollout with the table that a decision leaves."""
    if table is None:
        return rollout
    rollout = _with_pin(
        rollout, table=decision, table_sha256=sha256(table).hexdigest(), seen_sha256=None
    )
    return _with_pin(_redrawn(found, rollout), look=0) if enters else rollout


def _redrawn(found: Look, rollout: Rollout) -> Rollout:
    """The rollout with the roster that a phase was entered with."""
    roster = found.ground.roster
    return _with_pin(rollout, roster_sha256=roster.sha256, hosts=len(roster.entries))


def _with_pin(rollout: Rollout, **values: object) -> Rollout:
    pin: FleetPin | None = rollout.fleet
    return rollout if pin is None else rollout.replaced(fleet=pin.replaced(**values))
