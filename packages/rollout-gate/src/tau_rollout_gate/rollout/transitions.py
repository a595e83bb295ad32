"""Changes a rollout: each function gives it as a command leaves it, or refuses.

A refusal says what to do instead, and nothing is written (runbooks/rollout-gate-ops.md, "A
rollout, start to end").
Nothing here mutes a trigger: once fired it stays until `rollback` or a new rollout.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from tau_rollout_gate.contract.rollout import (
    FiredTrigger,
    Frozen,
    Rollout,
    RolloutStatus,
    UsedReport,
)
from tau_rollout_gate.decision.answer import Answer, TriggerResult, Verdict
from tau_rollout_gate.errors import RefusedError
from tau_rollout_gate.evidence.values import Evidence, ReportStatus
from tau_rollout_gate.policy.policy import Policy, policy_digest
from tau_rollout_gate.rollout.phase_entry import entered, left_behind, remembered


class Found(NamedTuple):
    """What the files said of a rollout, and the evidence that it was said on.

    What follows from it happens at the time of the answer.
    """

    answer: Answer
    evidence: Evidence


def advanced(rollout: Rollout, found: Found) -> Rollout:
    """Follow a verdict to promote or to complete.

    Args:
        rollout: The rollout as it was judged.
        found: The answer, whose verdict is one of the two, and its evidence: each log's end there
            is where the next phase starts; it is entered when the answer was given.

    Raises:
        RefusedError: if the rollout is closed or the phase was entered later than now.
    """
    _refuse_closed(rollout)
    answer, evidence = found.answer, found.evidence
    now_unix_ms = answer.evaluated_unix_ms
    _refuse_backwards(rollout, now_unix_ms)
    after = _changed(rollout, used_reports=_used_reports(rollout, evidence))
    if answer.verdict is Verdict.COMPLETE:
        return _changed(after, status=RolloutStatus.COMPLETE)
    if answer.verdict is not Verdict.PROMOTE or answer.next_phase is None:
        raise RefusedError(f"the verdict is {answer.verdict}: there is nothing to advance to")
    is_canary = bool(answer.next_canary_percent)
    is_first_canary = is_canary and rollout.canary_entered_unix_ms is None
    return _changed(
        after,
        phase=answer.next_phase,
        phase_entered_unix_ms=now_unix_ms,
        canary_entered_unix_ms=now_unix_ms if is_first_canary else rollout.canary_entered_unix_ms,
        surfaces=tuple(
            entered(
                pin,
                evidence.surfaces[pin.name],
                is_first_canary=is_first_canary,
                now_unix_ms=now_unix_ms,
            )
            if is_canary
            else pin
            for pin in rollout.surfaces
        ),
    )


def stopped(rollout: Rollout, found: Found, *, by: str) -> Rollout:
    """Follow a verdict to roll back: latch the triggers, freeze promotion.

    Raises:
        RefusedError: if the rollout is closed.
    """
    _refuse_closed(rollout)
    names = ", ".join(dict.fromkeys(one.name for one in found.answer.fired_triggers))
    after = _frozen(
        with_fired(rollout, found.answer),
        f"rollback trigger fired: {names}",
        by,
        found.answer.evaluated_unix_ms,
    )
    return _changed(after, used_reports=_used_reports(rollout, found.evidence))


def remembering(rollout: Rollout, evidence: Evidence) -> Rollout:
    """Note the newest cycle that was seen of each surface: no later log may lack it."""
    return _changed(
        rollout,
        surfaces=tuple(
            remembered(pin, evidence.surfaces[pin.name]) if pin.name in evidence.surfaces else pin
            for pin in rollout.surfaces
        ),
    )


def moved(
    rollout: Rollout,
    state_dirs: Mapping[str, str],
    evidence: Evidence,
    *,
    pinned: Found | None = None,
) -> Rollout:
    """Pin where the files of each surface are now.

    Args:
        rollout: The rollout.
        state_dirs: The directory of each surface.
        evidence: What was read there.
        pinned: What the pinned directories say, where it may be that another is not their log;
            None where it may not.

    Raises:
        RefusedError: if another directory than the pinned one is not shown to have its log, unless
            the pinned one has that no more, and what it has fires no trigger.
    """
    for pin in rollout.surfaces:
        other = state_dirs[pin.name]
        if other == pin.state_dir or pin.evidence_from is None:
            continue
        if evidence.surfaces[pin.name].is_same_log:
            continue
        if pinned is None:
            raise RefusedError(
                f"--surface {pin.name}={other}: nothing shows that this is the log of "
                f"{pin.state_dir}, which is pinned; if that is gone for good, 'reenter --reason "
                f"TEXT --surface {pin.name}={other} --accept-lost-evidence' takes the new place"
            )
        _refuse_fired(rollout, pinned.answer)
        there = pinned.evidence.surfaces[pin.name]
        was_empty = pin.seen is None or pin.seen.position.event_sha256 is None
        if there.end is not None and (there.is_same_log or was_empty):
            raise RefusedError(
                f"--surface {pin.name}={other}: the log that is pinned is still in "
                f"{pin.state_dir}: leave --surface out"
            )
    return _changed(
        rollout,
        surfaces=tuple(
            pin.model_copy(update={"state_dir": state_dirs[pin.name]}) for pin in rollout.surfaces
        ),
    )


def with_fired(rollout: Rollout, answer: Answer) -> Rollout:
    """Latch the answer's fired triggers beside those that were."""
    known = {(one.name, one.surface) for one in rollout.fired_triggers}
    new = tuple(
        _fired(trigger, answer.evaluated_unix_ms)
        for trigger in answer.fired_triggers
        if (trigger.name, trigger.surface) not in known
    )
    return _changed(rollout, fired_triggers=rollout.fired_triggers + new)


def frozen(rollout: Rollout, *, reason: str, by: str, now_unix_ms: int) -> Rollout:
    """Freeze promotion.

    Raises:
        RefusedError: if it is closed, or frozen already.
    """
    _refuse_closed(rollout)
    if rollout.frozen is not None:
        raise RefusedError(
            f"promotion is frozen already, by {rollout.frozen.by}: {rollout.frozen.reason}; "
            "'status' shows it"
        )
    return _frozen(rollout, reason, by, now_unix_ms)


def resumed(rollout: Rollout, found: Found) -> Rollout:
    """Free promotion again; the soak stays as it is.

    Args:
        rollout: The rollout.
        found: What its files say now: a trigger that fired there counts as one recorded.

    Raises:
        RefusedError: if it is closed, nothing is frozen or a trigger fired.
    """
    _refuse_closed(rollout)
    if rollout.frozen is None:
        raise RefusedError("promotion is not frozen: there is nothing to resume")
    _refuse_fired(rollout, found.answer)
    return _changed(rollout, frozen=None)


def reentered(rollout: Rollout, found: Found, *, accepts_lost: bool = False) -> Rollout:
    """Enter the phase anew, now, damaged evidence left behind; triggers look at it all the same.

    Raises:
        RefusedError: if it is closed, a trigger fired or the phase was entered later than now; if
            lines of the evidence are unreadable or gone, unless `accepts_lost`.
    """
    _refuse_closed(rollout)
    now_unix_ms = found.answer.evaluated_unix_ms
    _refuse_fired(rollout, found.answer)
    _refuse_backwards(rollout, now_unix_ms)
    if rollout.canary_entered_unix_ms is None:
        return _changed(rollout, phase_entered_unix_ms=now_unix_ms)
    return _changed(
        rollout,
        phase_entered_unix_ms=now_unix_ms,
        surfaces=tuple(
            left_behind(
                pin,
                found.evidence.surfaces[pin.name],
                accepts_lost=accepts_lost,
                now_unix_ms=now_unix_ms,
            )
            for pin in rollout.surfaces
        ),
    )


def adopted(rollout: Rollout, found: Found, policy: Policy, *, policy_file: str | None) -> Rollout:
    """Judge by another policy from now on, the phase entered anew.

    Args:
        rollout: The rollout.
        found: What its files say now, by the policy that it had so far.
        policy: The other policy.
        policy_file: Where that is; None for the built-in one.

    Raises:
        RefusedError: as `reentered` does, and if the policy is the same, lacks the phase, or has
            it on the other side of the first canary.
    """
    _refuse_closed(rollout)
    digest = policy_digest(policy)
    if digest == rollout.policy_sha256:
        raise RefusedError("that is the policy the rollout has: there is nothing to adopt")
    phases = {phase.name: phase for phase in policy.phases}
    if rollout.phase not in phases:
        raise RefusedError(
            f"the policy has no phase {rollout.phase!r}, which the rollout is in; it has "
            f"{', '.join(phases)}"
        )
    percent = phases[rollout.phase].canary_percent
    if (percent > 0) != (rollout.canary_entered_unix_ms is not None):
        raise RefusedError(
            f"the policy gives the release to {percent} % in {rollout.phase}, where the rollout is "
            "now: evidence would start or stop to count in the middle of a phase"
        )
    again = reentered(rollout, found)
    return _changed(again, phases=tuple(phases), policy_sha256=digest, policy_file=policy_file)


def cancelled(rollout: Rollout) -> Rollout:
    """Close a rollout that nobody runs yet.

    Raises:
        RefusedError: if it is closed, or was given to a canary.
    """
    _refuse_closed(rollout)
    if rollout.canary_entered_unix_ms is not None:
        raise RefusedError(
            f"{rollout.release} was given to a canary ({rollout.phase}): end it with "
            "'rollback --reason'"
        )
    return _changed(rollout, status=RolloutStatus.CANCELLED)


def rolled_back(rollout: Rollout, *, reason: str, by: str, now_unix_ms: int) -> Rollout:
    """Freeze and close the rollout, complete or not, with the reason it went back.

    One that went back already stays as it is.

    Raises:
        RefusedError: if it was cancelled.
    """
    if rollout.status is RolloutStatus.ROLLED_BACK:
        return rollout
    if rollout.status is RolloutStatus.CANCELLED:
        _refuse_closed(rollout)
    return _changed(
        _frozen(rollout, reason, by, now_unix_ms),
        status=RolloutStatus.ROLLED_BACK,
        rollback=rollout.rollback.model_copy(
            update={"rollback_reason": reason, "rollback_reference_unix_ms": now_unix_ms}
        ),
    )


def _frozen(rollout: Rollout, reason: str, by: str, since_unix_ms: int) -> Rollout:
    """Freeze promotion, unless it is: the first reason stays."""
    now = Frozen(reason=reason, by=by, since_unix_ms=since_unix_ms)
    return _changed(rollout, frozen=rollout.frozen or now)


def _changed(rollout: Rollout, **values: Any) -> Rollout:  # noqa: ANN401 - any of its fields
    return Rollout.model_validate(dict(rollout) | values)


def _refuse_closed(rollout: Rollout) -> None:
    if not rollout.is_open:
        state = {
            RolloutStatus.COMPLETE: "is complete",
            RolloutStatus.ROLLED_BACK: "was rolled back",
            RolloutStatus.CANCELLED: "was cancelled",
        }[rollout.status]
        raise RefusedError(f"the rollout of {rollout.release} {state}; 'start' opens the next one")


def _refuse_fired(rollout: Rollout, answer: Answer) -> None:
    recorded = [one.name for one in rollout.fired_triggers]
    fired = dict.fromkeys([*recorded, *(one.name for one in answer.fired_triggers)])
    if fired:
        raise RefusedError(
            f"a rollback trigger fired: {', '.join(fired)}; it stays fired until "
            "'rollback --reason' and a new rollout"
        )


def _refuse_backwards(rollout: Rollout, now_unix_ms: int) -> None:
    if now_unix_ms < rollout.phase_entered_unix_ms:
        raise RefusedError(
            f"the phase was entered at {rollout.phase_entered_unix_ms}, after now "
            f"({now_unix_ms}): set the clock, or correct --now-unix-ms"
        )


def _fired(trigger: TriggerResult, evaluated_unix_ms: int) -> FiredTrigger:
    where = trigger.evidence
    age_ms = None if where is None else where.age_ms
    return FiredTrigger(
        name=trigger.name,
        surface=trigger.surface,
        observed=trigger.observed,
        threshold=trigger.threshold,
        action=trigger.action,
        file=None if where is None else where.file,
        line=None if where is None else where.line,
        cycle_id=None if where is None else where.cycle_id,
        fixture_name=None if where is None else where.fixture_name,
        timestamp_unix_ms=None if age_ms is None else max(evaluated_unix_ms - age_ms, 0),
    )


def _used_reports(rollout: Rollout, evidence: Evidence) -> tuple[UsedReport, ...]:
    """List the reports that serve no other release, those of this decision among them."""
    used = dict.fromkeys(rollout.used_reports)
    for report in evidence.reports.values():
        if report.status in {ReportStatus.PASSED, ReportStatus.FAILED}:
            used[UsedReport(release=rollout.release, sha256=report.sha256)] = None
    return tuple(used)
