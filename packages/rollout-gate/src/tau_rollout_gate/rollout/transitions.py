"""Changes a rollout: each function gives it as a command leaves it, or refuses.

A refusal says what to do instead, and nothing is written (runbooks/rollout-gate-ops.md, "A
rollout, start to end").
Nothing here mutes a trigger: once fired it stays until `rollback` or a new rollout.
"""

from collections.abc import Mapping

from tau_rollout_gate.contract.rollout import Rollout, RolloutStatus, UsedReport
from tau_rollout_gate.decision.answer import Answer, Found, Verdict
from tau_rollout_gate.errors import RefusedError
from tau_rollout_gate.evidence.values import Evidence, ReportStatus
from tau_rollout_gate.policy.policy import Policy, policy_digest
from tau_rollout_gate.rollout.phase_entry import entered, left_behind, remembered
from tau_rollout_gate.rollout.stops import changed, kept_frozen, refuse_closed, with_fired


def advanced(rollout: Rollout, found: Found) -> Rollout:
    """Follow a verdict to promote or to complete.

    Args:
        rollout: The rollout as it was judged.
        found: The answer, whose verdict is one of the two, and its evidence: each log's end there
            is where the next phase starts; it is entered when the answer was given.

    Raises:
        RefusedError: if the rollout is closed or the phase was entered later than now.
    """
    refuse_closed(rollout)
    answer, evidence = found.answer, found.evidence
    now_unix_ms = answer.evaluated_unix_ms
    _refuse_backwards(rollout, now_unix_ms)
    after = changed(rollout, used_reports=_used_reports(rollout, evidence))
    if answer.verdict is Verdict.COMPLETE:
        return changed(after, status=RolloutStatus.COMPLETE)
    if answer.verdict is not Verdict.PROMOTE or answer.next_phase is None:
        raise RefusedError(f"the verdict is {answer.verdict}: there is nothing to advance to")
    is_canary = bool(answer.next_canary_percent)
    is_first_canary = is_canary and rollout.canary_entered_unix_ms is None
    return changed(
        after,
        phase=answer.next_phase,
        phase_entered_unix_ms=now_unix_ms,
        canary_entered_unix_ms=now_unix_ms if is_first_canary else rollout.canary_entered_unix_ms,
        surfaces=tuple(
            entered(
                rollout,
                pin,
                evidence.surfaces[pin.name],
                is_first_canary=is_first_canary,
                now_unix_ms=now_unix_ms,
            )
            if is_canary and rollout.fleet is None  # of a fleet, the table of hosts has them
            else pin
            for pin in rollout.surfaces
        ),
    )


def stopped(rollout: Rollout, found: Found, *, by: str) -> Rollout:
    """Follow a verdict to roll back: latch the triggers, freeze promotion.

    Raises:
        RefusedError: if the rollout is closed.
    """
    refuse_closed(rollout)
    names = ", ".join(dict.fromkeys(one.name for one in found.answer.fired_triggers))
    after = kept_frozen(
        with_fired(rollout, found.answer),
        f"rollback trigger fired: {names}",
        by,
        found.answer.evaluated_unix_ms,
    )
    return changed(after, used_reports=_used_reports(rollout, found.evidence))


def remembering(rollout: Rollout, evidence: Evidence) -> Rollout:
    """Note the newest cycle that was seen of each surface: no later log may lack it."""
    return changed(
        rollout,
        surfaces=tuple(
            remembered(rollout, pin, evidence.surfaces[pin.name])
            if pin.name in evidence.surfaces
            else pin
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
            the pinned one has that no more, and what it has fires no trigger; before canary-1, if
            it has no files, unless the surface was started as one that never ran.
    """
    for pin in rollout.surfaces:
        other = state_dirs[pin.name]
        if other == pin.state_dir or evidence.surfaces[pin.name].is_same_log:
            continue
        if pin.evidence_from is None:  # nobody has the release: any directory may be taken
            if evidence.surfaces[pin.name].has_no_files and not pin.is_first_run:
                raise RefusedError(
                    f"--surface {pin.name}={other}: there is neither a state.json nor an event "
                    f"log, so it is not pinned in place of {pin.state_dir}"
                )
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
    return changed(
        rollout,
        surfaces=tuple(pin.replaced(state_dir=state_dirs[pin.name]) for pin in rollout.surfaces),
    )


def resumed(rollout: Rollout, found: Found) -> Rollout:
    """Free promotion again; the soak stays as it is.

    Args:
        rollout: The rollout.
        found: What its files say now: a trigger that fired there counts as one recorded.

    Raises:
        RefusedError: if it is closed, nothing is frozen or a trigger fired.
    """
    refuse_closed(rollout)
    if rollout.frozen is None:
        raise RefusedError("promotion is not frozen: there is nothing to resume")
    _refuse_fired(rollout, found.answer)
    return changed(rollout, frozen=None)


def reentered(rollout: Rollout, found: Found, *, accepts_lost: bool = False) -> Rollout:
    """Enter the phase anew, now, damaged evidence left behind; triggers look at it all the same.

    An entry that was dated ahead of the clock is left so, too.

    Raises:
        RefusedError: if it is closed or a trigger fired; if lines of the evidence are unreadable
            or gone, unless `accepts_lost`.
    """
    refuse_closed(rollout)
    _refuse_fired(rollout, found.answer)
    return _entered_anew(rollout, found, accepts_lost=accepts_lost)


def recovered(rollout: Rollout, found: Found, *, by: str) -> Rollout:
    """Take up a rollout of which it is not proven that its last decision is known.

    It is frozen, its phase entered anew; a trigger that fired, also only in what the files say
    now, stays so. A rollout that is over stays as it is.

    Raises:
        RefusedError: if it is not known how a log ends.
    """
    if not rollout.is_open:
        return rollout
    anew = _entered_anew(with_fired(rollout, found.answer), found, accepts_lost=True)
    why = "recovered from the decisions: that none is missing at their end is not proven"
    return kept_frozen(anew, why, by, found.answer.evaluated_unix_ms)


def _entered_anew(rollout: Rollout, found: Found, *, accepts_lost: bool) -> Rollout:
    now_unix_ms = found.answer.evaluated_unix_ms
    canary_unix_ms = rollout.canary_entered_unix_ms
    if canary_unix_ms is None:
        return changed(rollout, phase_entered_unix_ms=now_unix_ms)
    return changed(
        rollout,
        phase_entered_unix_ms=now_unix_ms,
        canary_entered_unix_ms=min(canary_unix_ms, now_unix_ms),
        surfaces=rollout.surfaces
        if rollout.fleet is not None
        else tuple(
            left_behind(
                rollout,
                pin,
                found.evidence.surfaces[pin.name],
                accepts_lost=accepts_lost,
                now_unix_ms=now_unix_ms,
            )
            for pin in rollout.surfaces
        ),
    )


def adopted(
    rollout: Rollout,
    found: Found,
    policy: Policy,
    *,
    policy_file: str | None,
    cycle_interval_ms: int | None = None,
) -> Rollout:
    """Judge by another policy or cycle interval from now on, the phase entered anew.

    Args:
        rollout: The rollout.
        found: What its files say now, by the policy that it had so far.
        policy: The other policy.
        policy_file: Where that is; None for the built-in one.
        cycle_interval_ms: How often a cycle is expected from now on; None for as often as so far.

    Raises:
        RefusedError: as `reentered` does, and if both are the same, the policy lacks the phase,
            or has it on the other side of the first canary.
    """
    refuse_closed(rollout)
    digest = policy_digest(policy)
    interval_ms = cycle_interval_ms or rollout.cycle_interval_ms
    if (digest, interval_ms) == (rollout.policy_sha256, rollout.cycle_interval_ms):
        raise RefusedError(
            "that is the policy the rollout has, and its cycle interval: there is nothing to adopt"
        )
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
    return changed(
        again,
        phases=tuple(phases),
        policy_sha256=digest,
        policy_file=policy_file,
        cycle_interval_ms=interval_ms,
    )


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


def _used_reports(rollout: Rollout, evidence: Evidence) -> tuple[UsedReport, ...]:
    """List the reports that serve no other release, those of this decision among them."""
    used = dict.fromkeys(rollout.used_reports)
    for report in evidence.reports.values():
        if report.status in {ReportStatus.PASSED, ReportStatus.FAILED}:
            used[UsedReport(release=rollout.release, sha256=report.sha256)] = None
    return tuple(used)
