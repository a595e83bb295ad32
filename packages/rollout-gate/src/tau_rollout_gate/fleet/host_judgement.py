"""Judges one host, by the code that judges a rollout of it alone, and says how it stands.

Of a host that is to have the release every gate counts; of any other the triggers alone.
"""

from collections.abc import Sequence
from hashlib import sha256

from tau_rollout_gate.contract.pin import SurfacePin, Tie
from tau_rollout_gate.contract.rollout import FiredTrigger, RollbackTarget, Rollout
from tau_rollout_gate.decision.answer import Answer, TriggerResult, Verdict
from tau_rollout_gate.decision.decide import conclude, judged_surfaces
from tau_rollout_gate.decision.fleet import HostState
from tau_rollout_gate.decision.fold import folded
from tau_rollout_gate.durations import in_words
from tau_rollout_gate.evidence.values import (
    Evidence,
    Flaw,
    FlawFound,
    SurfaceEvidence,
)
from tau_rollout_gate.fleet.draw.cohort import is_member
from tau_rollout_gate.fleet.draw.roster import Mark, RosterEntry
from tau_rollout_gate.fleet.host_state import (
    LEFT,
    Judged,
    Standing,
    of_new,
    with_release,
    without_release,
)
from tau_rollout_gate.fleet.plan import (
    Arm,
    Host,
    HostRecord,
    HostRow,
    Part,
    Plan,
    group_of,
    surfaces_of,
)
from tau_rollout_gate.policy.findings import FAIL_SILENT_AFTER
from tau_rollout_gate.policy.variants import without_gates
from tau_rollout_gate.rollout.phase_entry import remembered
from tau_rollout_gate.rollout.stops import changed, with_fired
from tau_rollout_gate.versions import is_same_release


def judge_host(plan: Plan, host: Host, evidence: Evidence) -> HostRow:
    """How a host stands.

    Args:
        plan: What it is judged by.
        host: The host.
        evidence: What was read of its surfaces, `surfaces_of(plan, host)`, by name; a surface that
            is not there has no files.
    """
    member, shows = _is_member(plan, host), _shows_release(plan, evidence)
    # One that is new may have come with the release, whatever its score: an image has it.
    has_release = member or (shows and _is_new(plan, host))
    judged = _judged(plan, host, evidence, has_release=has_release)
    standing = with_release(plan, judged) if has_release else without_release(judged)
    is_unread = judged.is_unread
    part = _part(plan, host, has_release=has_release or is_unread, member=member)
    if part in {Part.JOINED, Part.OUTSIDE}:
        standing = of_new(standing, part, is_unread=is_unread)
    elif not host.is_on_roster and standing.state is not HostState.FAILED:
        standing = LEFT
    return _row(plan, host, judged, part, standing, shows=shows, is_unread=is_unread)


def host_answer(plan: Plan, host: Host, evidence: Evidence) -> Answer:
    """The whole answer for one host, as a rollout of it alone has it.

    It is of the release under rollout, also where the host has none of it.
    """
    shows = _is_new(plan, host) and _shows_release(plan, evidence)
    judged = _judged(plan, host, evidence, has_release=shows or _is_member(plan, host))
    answer = judged.answer._replace(release=plan.rollout.release)
    row = judge_host(plan, host, evidence)
    is_bricked = row.counts_as_failed and row.state is HostState.SILENT
    return _gone_silent(plan, row, answer) if is_bricked else answer


def _gone_silent(plan: Plan, row: HostRow, answer: Answer) -> Answer:
    """The answer for a host that counts as failed, since it fell silent with the release."""
    limit = None if plan.policy.fleet is None else plan.policy.fleet.fail_silent_after_ms
    trigger = TriggerResult(
        name=FAIL_SILENT_AFTER,
        surface=None,
        fired=True,
        observed=row.why,
        threshold=f"a host that had the release is silent for {in_words(limit or 0)}",
        evidence=None,
        action="look at the host itself: the release may have killed it",
    )
    return answer._replace(
        verdict=Verdict.ROLLBACK,
        next_phase=None,
        next_canary_percent=None,
        soak=answer.soak._replace(earliest_promotion_unix_ms=None),
        triggers=(*answer.triggers, trigger),
        reasons=(f"{FAIL_SILENT_AFTER}: {row.why}",),
    )


def _is_member(plan: Plan, host: Host) -> bool:
    """Tell whether a host is to have the release: as recorded, or by its score where it is new.

    Before the first canary phase those count that it would draw: their files have to be there.
    """
    record = host.record
    if record is not None and not record.is_joined:
        return record.drawn_unix_ms is not None
    if host.mark is Mark.RETIRED:
        return False
    percent = plan.phase.canary_percent or plan.policy.first_canary.canary_percent
    entry = RosterEntry(host.name, group_of(host), host.mark)
    return is_member(entry, plan.cutoffs, salt=plan.salt, percent=percent)


def _is_new(plan: Plan, host: Host) -> bool:
    """Tell whether a host was not there yet when the phase was entered."""
    is_pinned = host.record is not None and not host.record.is_joined
    return not is_pinned and plan.phase.canary_percent > 0


def _part(plan: Plan, host: Host, *, has_release: bool, member: bool) -> Part:
    if _is_new(plan, host):
        return Part.JOINED if has_release else Part.OUTSIDE
    return Part.CANARY if member else Part.CONTROL


def _judged(plan: Plan, host: Host, evidence: Evidence, *, has_release: bool) -> Judged:
    rollout = _rollout_of(plan, host, has_release=has_release)
    policy = plan.policy if has_release else without_gates(plan.policy)
    found = {
        pin.name: evidence.surfaces.get(pin.name) or _without_files(pin) for pin in rollout.surfaces
    }
    whole = Evidence(surfaces=found, reports=evidence.reports, signoff=evidence.signoff)
    surfaces = {
        pin.name: folded(policy, rollout, pin, found[pin.name])
        for pin in judged_surfaces(policy, rollout)
    }
    answer = conclude(
        policy,
        rollout,
        whole,
        surfaces,
        now_unix_ms=plan.now_unix_ms,
        named_surfaces=plan.policy.named_surfaces,  # also where its gates were left out
    )
    return Judged(rollout, whole, surfaces, answer)


def _rollout_of(plan: Plan, host: Host, *, has_release: bool) -> Rollout:
    """The rollout as if the host were all of it.

    Of one without the release, that of the version it has: for the triggers its cycles would else
    be those of the rollback target, which they leave out.
    """
    rollout, record = plan.rollout, host.record
    entered = drawn = rollout.phase_entered_unix_ms
    if record is not None:
        entered = max(entered, record.entered_unix_ms or 0)
        drawn = record.drawn_unix_ms or drawn
    values = {
        "surfaces": surfaces_of(plan, host),
        "phase_entered_unix_ms": entered,
        "canary_entered_unix_ms": drawn if rollout.canary_entered_unix_ms is not None else None,
        "fired_triggers": () if record is None else record.fired,
    }
    if not has_release:
        values["release"] = rollout.rollback.rollback_version
        values["rollback"] = RollbackTarget(
            rollback_channel=rollout.rollback.rollback_channel, rollback_version=rollout.release
        )
    return changed(rollout, **values)


def _without_files(pin: SurfacePin) -> SurfaceEvidence:
    """What is to be said of a surface of which nothing was read."""
    flaws = [
        FlawFound(flaw=Flaw.NO_FILES, detail=f"{pin.state_dir}: nothing is there"),
        FlawFound(flaw=Flaw.NO_FILES, detail="neither state.json nor an event log"),
    ]
    return SurfaceEvidence(
        surface=pin.name, is_chained=pin.is_chained, snapshot=None, flaws=tuple(flaws)
    )


def _shows_release(plan: Plan, evidence: Evidence) -> bool:
    release = plan.rollout.release
    told = {cycle.event.release for found in evidence.surfaces.values() for cycle in found.cycles}
    return any(one is not None and is_same_release(one, release) for one in told)


def _row(  # noqa: PLR0913 - what a row is made of
    plan: Plan,
    host: Host,
    judged: Judged,
    part: Part,
    standing: Standing,
    *,
    shows: bool,
    is_unread: bool,
) -> HostRow:
    record, where = host.record, standing.where
    is_latched = record is not None and record.is_contaminated
    is_contaminated = part is Part.CONTROL and (shows or is_latched)
    fired = _fired(judged)
    is_excused = record is not None and _is_excused(record, fired, is_unread=is_unread)
    counts = part in {Part.CANARY, Part.JOINED} and not is_excused
    is_unclean = standing.state not in {HostState.CLEAN, HostState.JOINED}
    soak = judged.answer.soak
    is_fine = standing.state in {HostState.SOAKING, HostState.CLEAN}
    since = soak.since_unix_ms if is_fine else None
    return HostRow(
        host=host.name,
        group=group_of(host),
        part=part,
        state=standing.state,
        reason=standing.reason,
        why=standing.why,
        file=None if where is None else where.file,
        line=None if where is None else where.line,
        cycle_id=None if where is None else where.cycle_id,
        age_ms=standing.age_ms,
        counts_as_failed=counts and standing.counts_as_failed,
        counts_as_unclean=counts and standing.counts and is_unclean,
        arm=None if record is None else record.arm,
        failed_look=_failed_look(plan, host, standing, is_known=not (is_contaminated or is_unread)),
        told=tuple(name for name, tie in judged.ties.items() if tie is not Tie.UNTOLD),
        untold=tuple(name for name, tie in judged.ties.items() if tie is Tie.UNTOLD),
        newest=judged.newest,
        is_unread=is_unread,
        is_contaminated=is_contaminated,
        is_excused=is_excused,
        since_unix_ms=since,
        held_ms=soak.held_ms if is_fine else 0,
        earliest_unix_ms=None if since is None else _earliest(judged, since),
        inputs_sha256=_inputs_digest(judged.evidence),
        fired=fired,
        surfaces=tuple(
            remembered(judged.rollout, pin, judged.evidence.surfaces[pin.name])
            for pin in judged.rollout.surfaces
        ),
    )


def _is_excused(record: HostRecord, fired: Sequence[FiredTrigger], *, is_unread: bool) -> bool:
    """Tell whether a host counts no more: it was excused, and nothing of it says otherwise.

    What a drawn one left has to be there whole: else its failure could be deleted, and a rollback
    would turn into a promotion. One that was taken out before the draw never had anything.
    """
    has_gone_bad = bool(fired) or (is_unread and record.drawn_unix_ms is not None)
    return record.is_excused and not has_gone_bad


def _failed_look(plan: Plan, host: Host, standing: Standing, *, is_known: bool) -> int | None:
    """At which look a host on a side of the comparison was first seen failed; None if it was not.

    A control host whose files do not tell all may have had the release when it failed: only where
    that is known does it speak for the release. One that was recorded stays.
    """
    record = host.record
    if record is None or record.arm is None or standing.state is not HostState.FAILED:
        return None
    if record.failed_look is not None:
        return record.failed_look
    return plan.look if record.arm is Arm.CANARY or is_known else None


def _fired(judged: Judged) -> tuple[FiredTrigger, ...]:
    """The triggers of the host itself: a report or a deadline is none of its doing."""
    fired = with_fired(judged.rollout, judged.answer).fired_triggers
    return tuple(one for one in fired if one.surface is not None)


def _earliest(judged: Judged, since_unix_ms: int) -> int:
    """When a host that is soaking can be clean, given clean cycles."""
    halves = [gate.from_unix_ms or 0 for gate in judged.of_host]
    return max(since_unix_ms + judged.answer.soak.required_ms, *halves, 0)


def _inputs_digest(evidence: Evidence) -> str:
    lines = [
        f"{name} {one.sha256} {one.offset} {one.length}\n"
        for name, found in sorted(evidence.surfaces.items())
        for one in found.inputs
    ]
    return sha256("".join(lines).encode()).hexdigest()
