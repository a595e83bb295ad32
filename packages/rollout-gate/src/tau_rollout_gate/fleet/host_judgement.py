"""Judges one host, by the code that judges a rollout of it alone, and says how it stands.

Of a host that is to have the release every gate counts; of any other the triggers alone.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from tau_rollout_gate.contract.pin import SurfacePin, Tie
from tau_rollout_gate.contract.rollout import RollbackTarget, Rollout
from tau_rollout_gate.decision.answer import Answer, GateResult, TriggerResult
from tau_rollout_gate.decision.decide import conclude, judged_surfaces
from tau_rollout_gate.decision.fleet import HostState
from tau_rollout_gate.decision.fold import SurfaceFold, folded
from tau_rollout_gate.decision.integrity import FLAW_GATES, FLAW_NAMES
from tau_rollout_gate.evidence.values import (
    UNHEALABLE,
    Evidence,
    Flaw,
    FlawFound,
    SurfaceEvidence,
)
from tau_rollout_gate.fleet.cohort import is_member
from tau_rollout_gate.fleet.plan import Arm, Host, HostRow, Part, Plan, group_of, surfaces_of
from tau_rollout_gate.fleet.roster import Mark, RosterEntry
from tau_rollout_gate.fleet.silence import Silence, SilenceKind, silence_of
from tau_rollout_gate.policy.findings import (
    EVIDENCE_OF_RELEASE,
    FILES_PRESENT,
    LOG_END_KNOWN,
    SOAK_GATE,
    EvidenceRef,
)
from tau_rollout_gate.rollout.phase_entry import remembered
from tau_rollout_gate.rollout.stops import changed, with_fired
from tau_rollout_gate.versions import is_same_release

_DAMAGE = frozenset(FLAW_GATES[flaw].name for flaw in UNHEALABLE)
_OF_FILES = FLAW_NAMES | {LOG_END_KNOWN}
"""The gates that fail where files do not tell all."""

_AT_ONCE = frozenset({HostState.FAILED, HostState.DAMAGED, HostState.SILENT})
"""What counts against the release also of a host that is new."""


class _Judged(NamedTuple):
    """A host as a rollout of it alone has it: its answer, and what that was made from."""

    rollout: Rollout
    evidence: Evidence
    surfaces: Mapping[str, SurfaceFold]
    answer: Answer

    @property
    def of_host(self) -> list[GateResult]:
        """The gates in the way that are of the host itself, not of the rollout as a whole."""
        gates = self.answer.failing_gates
        return [gate for gate in gates if gate.surface is not None or gate.name == SOAK_GATE]

    @property
    def ties(self) -> dict[str, Tie]:
        """How the cycles of each surface are tied to the release."""
        return {name: fold.release.tie for name, fold in self.surfaces.items()}


class _Standing(NamedTuple):
    """A host's state, why in a word and in a sentence, and where to look."""

    state: HostState
    reason: str = ""
    why: str = ""
    where: EvidenceRef | None = None
    age_ms: int | None = None
    counts_as_failed: bool = False


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
    standing = _standing(plan, judged) if has_release else _without_release(judged)
    is_unread = any(gate.name in _OF_FILES for gate in judged.of_host)
    part = _part(plan, host, has_release=has_release or is_unread, member=member)
    if part in {Part.JOINED, Part.OUTSIDE}:
        standing = _of_new(standing, part, is_unread=is_unread)
    elif not host.is_on_roster and standing.state is not HostState.FAILED:
        standing = _Standing(HostState.LEFT, "left", "it is not on the roster any more")
    return _row(plan, host, judged, part, standing, shows=shows, is_unread=is_unread)


def host_answer(plan: Plan, host: Host, evidence: Evidence) -> Answer:
    """The whole answer for one host, as a rollout of it alone has it."""
    shows = _is_new(plan, host) and _shows_release(plan, evidence)
    return _judged(plan, host, evidence, has_release=shows or _is_member(plan, host)).answer


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


def _judged(plan: Plan, host: Host, evidence: Evidence, *, has_release: bool) -> _Judged:
    rollout = _rollout_of(plan, host, has_release=has_release)
    found = {
        pin.name: evidence.surfaces.get(pin.name) or _without_files(pin) for pin in rollout.surfaces
    }
    whole = Evidence(surfaces=found, reports=evidence.reports, signoff=evidence.signoff)
    surfaces = {
        pin.name: folded(plan.policy, rollout, pin, found[pin.name])
        for pin in judged_surfaces(plan.policy, rollout)
    }
    answer = conclude(plan.policy, rollout, whole, surfaces, now_unix_ms=plan.now_unix_ms)
    return _Judged(rollout, whole, surfaces, answer)


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


def _standing(plan: Plan, judged: _Judged) -> _Standing:
    """How a host stands that is to have the release: the worst that there is."""
    found = _of_evidence(plan, judged)
    if found is not None:
        return found
    gates = judged.of_host
    awaited = next((one for one in gates if _awaits_release(one, judged)), None)
    if awaited is not None:
        return _of_gate(HostState.NOT_UPGRADED, awaited)
    holding = [one for one in gates if one.name != SOAK_GATE and not one.cycles_help]
    if holding:
        return _of_gate(HostState.HOLDING, holding[0])
    return _of_gate(HostState.SOAKING, gates[-1]) if gates else _Standing(HostState.CLEAN)


def _without_release(judged: _Judged) -> _Standing:
    """How a host stands that is not to have the release: triggers, and whether it can be read."""
    return _of_evidence(None, judged) or _Standing(HostState.CLEAN)


def _of_evidence(plan: Plan | None, judged: _Judged) -> _Standing | None:
    """What triggers and files say alone; None where nothing is wrong with these."""
    fired = [one for one in judged.answer.fired_triggers if one.surface is not None]
    if fired:
        return _of_trigger(fired[0])
    flaws = [one for one in judged.of_host if one.name in _OF_FILES]
    damage = next((one for one in flaws if one.name in _DAMAGE), None)
    if damage is not None:
        return _of_gate(HostState.DAMAGED, damage)
    silence = _silence(judged, flaws)
    if silence is not None:
        return _silent(plan, silence, flaws)
    return _of_gate(HostState.HOLDING, flaws[0]) if flaws else None


def _silence(judged: _Judged, flaws: Sequence[GateResult]) -> Silence | None:
    missing = [str(one.surface) for one in flaws if one.name == FILES_PRESENT]
    if not judged.surfaces and not missing:
        return None  # nothing runs the release yet, and nobody waits for a cycle
    return silence_of(
        judged.rollout,
        judged.evidence.surfaces,
        judged.ties,
        missing,
        now_unix_ms=judged.answer.evaluated_unix_ms,
    )


def _silent(plan: Plan | None, silence: Silence, flaws: Sequence[GateResult]) -> _Standing:
    rules = None if plan is None else plan.policy.fleet
    limit = None if rules is None else rules.fail_silent_after_ms
    is_bricked = limit is not None and silence.kind is SilenceKind.AFTER and silence.age_ms >= limit
    where = next((one.evidence for one in flaws if one.evidence is not None), None)
    return _Standing(
        HostState.SILENT,
        reason=silence.kind,
        why=silence.why,
        where=where,
        age_ms=silence.age_ms,
        counts_as_failed=is_bricked,
    )


def _awaits_release(gate: GateResult, judged: _Judged) -> bool:
    tie = judged.ties.get(gate.surface or "")
    return gate.name == EVIDENCE_OF_RELEASE and tie is Tie.AWAITED


def _of_gate(state: HostState, gate: GateResult) -> _Standing:
    why = f"{gate.observed or 'nothing seen'}; required: {gate.required}"
    age_ms = None if gate.evidence is None else gate.evidence.age_ms
    return _Standing(state, gate.name, why, gate.evidence, age_ms)


def _of_trigger(fired: TriggerResult) -> _Standing:
    why = f"{fired.observed}; fires at {fired.threshold}"
    age_ms = None if fired.evidence is None else fired.evidence.age_ms
    state = HostState.FAILED
    return _Standing(state, fired.name, why, fired.evidence, age_ms, counts_as_failed=True)


def _of_new(standing: _Standing, part: Part, *, is_unread: bool) -> _Standing:
    """How a new host stands: what is bad counts at once, and clean it has to be later."""
    if part is Part.JOINED and (standing.state in _AT_ONCE or is_unread):
        return standing
    return _Standing(HostState.JOINED, "joined", "it is new since the phase was entered")


def _shows_release(plan: Plan, evidence: Evidence) -> bool:
    release = plan.rollout.release
    told = {cycle.event.release for found in evidence.surfaces.values() for cycle in found.cycles}
    return any(one is not None and is_same_release(one, release) for one in told)


def _row(  # noqa: PLR0913 - what a row is made of
    plan: Plan,
    host: Host,
    judged: _Judged,
    part: Part,
    standing: _Standing,
    *,
    shows: bool,
    is_unread: bool,
) -> HostRow:
    record, where = host.record, standing.where
    is_latched = record is not None and record.is_contaminated
    is_contaminated = part is Part.CONTROL and (shows or is_latched)
    is_excused = record is not None and record.is_excused and not record.fired
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
        counts_as_unclean=counts and is_unclean,
        arm=None if record is None else record.arm,
        failed_look=_failed_look(plan, host, standing, is_known=not (is_contaminated or is_unread)),
        told=tuple(name for name, tie in judged.ties.items() if tie is not Tie.UNTOLD),
        untold=tuple(name for name, tie in judged.ties.items() if tie is Tie.UNTOLD),
        is_unread=is_unread,
        is_contaminated=is_contaminated,
        is_excused=is_excused,
        since_unix_ms=since,
        held_ms=soak.held_ms if is_fine else 0,
        earliest_unix_ms=None if since is None else _earliest(judged, since),
        inputs_sha256=_inputs_digest(judged.evidence),
        fired=with_fired(judged.rollout, judged.answer).fired_triggers,
        surfaces=tuple(
            remembered(judged.rollout, pin, judged.evidence.surfaces[pin.name])
            for pin in judged.rollout.surfaces
        ),
    )


def _failed_look(plan: Plan, host: Host, standing: _Standing, *, is_known: bool) -> int | None:
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


def _earliest(judged: _Judged, since_unix_ms: int) -> int:
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
