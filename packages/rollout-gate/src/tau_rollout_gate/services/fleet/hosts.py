"""`hosts`, `explain --host`, `cohort`: each host of a fleet; nothing is written."""

from collections.abc import Mapping
from typing import NamedTuple

from tau_rollout_gate.contract.rollout import Rollout, RolloutStatus
from tau_rollout_gate.counted import counted
from tau_rollout_gate.decision.answer import Found
from tau_rollout_gate.errors import RefusedError
from tau_rollout_gate.files.policy import pinned_policy
from tau_rollout_gate.fleet.chunk import Job, Wanted
from tau_rollout_gate.fleet.draw.cohort import PhaseDraw, Why, first_phase, is_member, preview, why
from tau_rollout_gate.fleet.draw.roster import Mark, RosterEntry
from tau_rollout_gate.fleet.engines.worker import opened_store, read_of
from tau_rollout_gate.fleet.host_judgement import host_answer, judge_host
from tau_rollout_gate.fleet.plan import Host, HostRow, group_of, surfaces_of
from tau_rollout_gate.fleet.rows import sentences_of, worst_rows
from tau_rollout_gate.fleet.table import is_given
from tau_rollout_gate.fleet.tally import counted_row, counted_rows
from tau_rollout_gate.policy.policy import Phase
from tau_rollout_gate.rollout.ledger import Entry
from tau_rollout_gate.rollout.ledger_check import Standing
from tau_rollout_gate.services.evaluate import Question, evidence_for, now_unix_ms
from tau_rollout_gate.services.fleet.look import Ground, ground_of, look, looked_at, named
from tau_rollout_gate.versions import is_same_release


class CohortFound(NamedTuple):
    """Which hosts get the release in a phase.

    Args:
        phase: The phase.
        percent: Its share.
        entries: These hosts, sorted by name.
        notes: What is to be known about it, in sentences.
    """

    phase: str
    percent: int
    entries: tuple[RosterEntry, ...]
    notes: tuple[str, ...]


class HostFound(NamedTuple):
    """One host, judged as a rollout of it alone would be.

    Args:
        last: Where that stands.
        found: The answer.
        words: What the host is to the fleet's rollout, in sentences.
    """

    last: Entry
    found: Found
    words: tuple[str, ...]


def ground(question: Question, rollout: Rollout) -> Ground:
    """What is known of a rollout's fleet before anything of its hosts is read.

    Raises:
        RolloutGateError: if it is of none, or its roster or table cannot be used.
    """
    policy = pinned_policy(question.policy, rollout, question.rollout_dir)
    now = now_unix_ms(question.now_unix_ms)
    return ground_of(question.rollout_dir, rollout, policy, now)


def rows(question: Question, rollout: Rollout) -> list[HostRow]:
    """How each host stands, the worst first.

    Raises:
        RefusedError: if the rollout is over.
        RolloutGateError: if its fleet cannot be judged.
    """
    if not rollout.is_open:
        raise RefusedError(f"the rollout of {rollout.release} is over: no host of it is judged")
    now = now_unix_ms(question.now_unix_ms)
    policy = pinned_policy(question.policy, rollout, question.rollout_dir)
    evidence = evidence_for(question, rollout, policy, now)
    found = look(question, rollout, policy, evidence, now, Wanted.ROWS)
    judged = [row for chunk in found.results for row in chunk.rows]
    return worst_rows(counted_rows(found.ground.plan, found.partial, judged))


def one_host(question: Question, standing: Standing, name: str) -> HostFound:
    """Judge one host as a rollout of it alone would be.

    Raises:
        RefusedError: if there is no such host, or the rollout is over.
        RolloutGateError: if its files or the rollout's cannot be read.
    """
    rollout = standing.rollout
    if not rollout.is_open:
        raise RefusedError(f"the rollout of {rollout.release} is over: no host of it is judged")
    known = ground(question, rollout)
    host = host_named(known, name)
    plan = known.plan
    job = Job(plan, known.pin.store, known.pin.store_id, Wanted.COUNTS, {})
    read = read_of(job, opened_store(job), host)
    whole = evidence_for(question, rollout, plan.policy, plan.now_unix_ms)
    evidence = whole._replace(surfaces=read.surfaces)
    answer = host_answer(plan, host, evidence)
    alone = rollout.replaced(surfaces=surfaces_of(plan, host), fleet=None)
    row = counted_row(judge_host(plan, host, evidence), plan.tells_release)
    return HostFound(
        standing.last.replaced(rollout_after=alone),
        Found(answer, evidence),
        tuple(sentences_of(row, rollout.release)),
    )


def host_named(known: Ground, name: str) -> Host:
    """The host of a name.

    Raises:
        RefusedError: if there is none.
    """
    found = next((host for host in known.hosts if host.name == name), None)
    if found is None:
        raise RefusedError(f"{name}: is no host of {known.pin.name}, nor was one at the entry")
    return found


def cohort(question: Question, rollout: Rollout, phase: str | None) -> CohortFound:
    """Which hosts get the release in a phase: the present one, or one that is still to come.

    While promotion is frozen it is the present one, whatever is asked for.

    Raises:
        RefusedError: if there is no such phase.
        RolloutGateError: if the roster or the table of hosts cannot be used.
    """
    known = ground(question, rollout)
    plan, policy = known.plan, known.plan.policy
    wanted = plan.phase if phase is None else _phase(known, phase)
    notes = []
    if rollout.frozen is not None and wanted.name != plan.phase.name:
        notes.append(f"promotion is frozen: this is the present cohort, of {plan.phase.name}")
        wanted = plan.phase
    if rollout.status is RolloutStatus.CANCELLED or not wanted.canary_percent:
        return CohortFound(wanted.name, wanted.canary_percent, (), tuple(notes))
    names = [one.name for one in policy.phases]
    if names.index(wanted.name) > names.index(plan.phase.name):
        draws = preview(policy, known.in_lot, salt=plan.salt)
        one = draws[names.index(wanted.name)]
        notes.append(f"a preview: {wanted.name} is not entered yet")
        notes.extend(_notes_of(one))
        entries = _members(known, known.drawn(wanted.canary_percent), wanted.canary_percent)
    else:
        entries = _present(known)
    return CohortFound(wanted.name, wanted.canary_percent, tuple(entries), tuple(notes))


def why_host(question: Question, rollout: Rollout, name: str) -> tuple[Why, str | None]:
    """Why a host is in the present cohort or not, and the first phase of a preview that it is in.

    Raises:
        RefusedError: if there is no such host.
        RolloutGateError: if the roster or the table of hosts cannot be used.
    """
    known = ground(question, rollout)
    host, plan = host_named(known, name), known.plan
    entry = RosterEntry(host.name, group_of(host), host.mark)
    percent = plan.phase.canary_percent or plan.policy.first_canary.canary_percent
    found = why(entry, plan.cutoffs, salt=plan.salt, percent=percent)
    draws = preview(plan.policy, known.in_lot, salt=plan.salt)
    return found, first_phase(entry, draws, salt=plan.salt)


def carrying(question: Question, rollout: Rollout) -> CohortFound:
    """Which hosts still carry the release: those that were given it, and are not seen without.

    A host of which nothing can be read counts as one that carries it. One that the roster marks as
    retired is left out, and named: it is gone for good, and nobody can revert it.

    Raises:
        RolloutGateError: if the roster, the table of hosts or the store cannot be used, or the
            hosts cannot be looked at.
    """
    known = ground(question, rollout)
    percent = known.plan.phase.canary_percent
    given = [one for one in known.hosts if one.record is not None and is_given(one.record)]
    still = {
        row.host for row in looked_at(question, known, given) if not _is_reverted(rollout, row)
    }
    there = [one for one in given if one.name in still and one.mark is not Mark.RETIRED]
    retired = [one.name for one in given if one.name in still and one.mark is Mark.RETIRED]
    entries = tuple(RosterEntry(host.name, group_of(host), host.mark) for host in there)
    note = f"retired, and not seen without the release, so left out: {named(retired)}"
    return CohortFound(rollout.phase, percent, entries, (note,) if retired else ())


def refuse_other_version(rollout: Rollout, version: str, *, is_back: bool) -> None:
    """Pass for the version that this rollout has installed; `is_back`: where it went back.

    Raises:
        RefusedError: for any other, as what deploys another rollout's would bring.
    """
    if is_back and rollout.status is not RolloutStatus.ROLLED_BACK:
        raise RefusedError(
            f"--install {version}: the rollout of {rollout.release} did not go back, so no host is "
            "to be reverted"
        )
    own = rollout.rollback.rollback_version if is_back else rollout.release
    if not is_same_release(version, own):
        raise RefusedError(
            f"--install {version}: the rollout of {rollout.release} has {own} installed there: end "
            "what still deploys another version"
        )


def _is_reverted(rollout: Rollout, row: HostRow) -> bool:
    """Tell whether the newest cycle of every surface tells the version that it goes back to."""
    target = rollout.rollback.rollback_version
    return all(one is not None and is_same_release(one, target) for one in row.newest)


def _phase(known: Ground, name: str) -> Phase:
    policy = known.plan.policy
    found = next((one for one in policy.phases if one.name == name), None)
    if found is None:
        names = ", ".join(one.name for one in policy.phases)
        raise RefusedError(f"--phase: there is no phase {name!r}; there are {names}")
    return found


def _present(known: Ground) -> list[RosterEntry]:
    """The hosts on the roster that have the release now, or are to have it."""
    plan = known.plan
    new = _members(known, plan.cutoffs, plan.phase.canary_percent)
    drawn = [
        RosterEntry(host.name, group_of(host), host.mark)
        for host in known.hosts
        if host.is_on_roster and host.record is not None and host.record.drawn_unix_ms is not None
    ]
    pinned = {host.name for host in known.hosts if host.record and not host.record.is_joined}
    return sorted([*drawn, *(one for one in new if one.host not in pinned)])


def _members(known: Ground, cutoffs: Mapping[str, str], percent: int) -> list[RosterEntry]:
    """The hosts that these cut-offs give the release, and those that have it."""
    had = {
        host.name
        for host in known.hosts
        if host.record is not None and host.record.drawn_unix_ms is not None
    }
    return [
        one
        for one in known.in_lot
        if one.host in had
        or (
            one.mark is not Mark.RETIRED
            and is_member(one, cutoffs, salt=known.plan.salt, percent=percent)
        )
    ]


def _notes_of(one: PhaseDraw) -> list[str]:
    """What people have to know of a draw: why it is more, and who is left out."""
    found, draw = [], one.draw
    drawn = counted(draw.drawn, "host")
    if draw.is_raised:
        found.append(
            f"it is {counted(draw.wanted, 'host')}, more than {draw.percent} %, for min_hosts"
        )
    if draw.drawn > draw.wanted:
        found.append(
            f"it is {drawn}, and the share is {draw.wanted}: an earlier cut-off was "
            "higher in a group"
        )
    if draw.drawn == draw.wanted and not draw.is_raised:
        found.append(f"it is exactly {drawn} by lot, and {draw.first} marked")
    if one.without:
        found.append(f"groups without a canary: {', '.join(one.without[:10])}")
    if not one.added:
        found.append("it adds no host to the phase before")
    return found
