"""The decision: one pure function of policy, rollout, evidence and time.

A trigger that fired beats every gate; a gate that does not hold, or of which nothing is known,
holds the release. Missing evidence never counts as a pass (runbooks/rollout-gate-ops.md, "The
verdict").
"""

from collections.abc import Iterator, Mapping, Sequence

from tau_rollout_gate.contract.pin import SurfacePin
from tau_rollout_gate.contract.rollout import RecordedInput, Rollout, RolloutStatus
from tau_rollout_gate.counted import counted
from tau_rollout_gate.decision.answer import Answer, GateResult, Soak, TriggerResult, Verdict
from tau_rollout_gate.decision.fold import SurfaceFold, folded
from tau_rollout_gate.decision.integrity import FLAW_NAMES
from tau_rollout_gate.decision.release_gates import how_to_tell
from tau_rollout_gate.decision.rollout_gates import preflight_gates, rollout_gates, soak_gate
from tau_rollout_gate.decision.soak import JointSoak, joint
from tau_rollout_gate.decision.triggers import judge_triggers
from tau_rollout_gate.evidence.values import Evidence, SurfaceEvidence
from tau_rollout_gate.policy.policy import Policy, policy_digest


def decide(policy: Policy, rollout: Rollout, evidence: Evidence, *, now_unix_ms: int) -> Answer:
    """What may be done now, and everything that led to it.

    Args:
        policy: The policy that the rollout is judged by.
        rollout: Where the rollout stands.
        evidence: What was read; of each surface of the rollout, from the first canary phase on.
        now_unix_ms: The time to decide at.
    """
    surfaces = {
        pin.name: folded(policy, rollout, pin, evidence.surfaces[pin.name])
        for pin in judged_surfaces(policy, rollout)
    }
    return conclude(policy, rollout, evidence, surfaces, now_unix_ms=now_unix_ms)


def judged_surfaces(policy: Policy, rollout: Rollout) -> tuple[SurfacePin, ...]:
    """The surfaces whose cycles are judged: all of them, in a canary phase of an open rollout."""
    is_canary = policy.phase(rollout.phase).canary_percent > 0
    return rollout.surfaces if rollout.is_open and is_canary else ()


def conclude(  # noqa: PLR0913 - what an answer is made of
    policy: Policy,
    rollout: Rollout,
    evidence: Evidence,
    surfaces: Mapping[str, SurfaceFold],
    *,
    now_unix_ms: int,
    named_surfaces: frozenset[str] | None = None,
) -> Answer:
    """The answer, once the cycles of the judged `surfaces` were taken; `evidence` has the rest.

    `named_surfaces` are those that the policy as it was written names; None for those of `policy`.
    """
    named = policy.named_surfaces if named_surfaces is None else named_surfaces
    triggers = judge_triggers(policy, rollout, evidence, surfaces, now_unix_ms=now_unix_ms)
    judged = [fold.finish(evidence.surfaces[name], now_unix_ms) for name, fold in surfaces.items()]
    soak = joint([surface.soak for surface in judged])
    gates: tuple[GateResult, ...] = ()
    if rollout.is_open:  # of a closed one, nothing is to be passed any more
        of_surfaces = [gate for surface in judged for gate in surface.gates]
        gates = (
            *rollout_gates(policy, rollout, evidence, triggers, now_unix_ms),
            *preflight_gates(policy, rollout, evidence, now_unix_ms),
            *of_surfaces,
            *soak_gate(policy.phase(rollout.phase).soak_ms, soak, of_surfaces, now_unix_ms),
        )
    found = [evidence.surfaces[name] for name in surfaces]
    return answer_of(
        policy,
        rollout,
        gates=gates,
        triggers=triggers,
        soak=soak,
        warnings=tuple(_warnings(named, rollout, evidence, surfaces)),
        inputs=_inputs(found, evidence),
        now_unix_ms=now_unix_ms,
    )


def answer_of(  # noqa: PLR0913 - what an answer is made of
    policy: Policy,
    rollout: Rollout,
    *,
    gates: tuple[GateResult, ...],
    triggers: tuple[TriggerResult, ...],
    soak: JointSoak,
    warnings: tuple[str, ...],
    inputs: tuple[RecordedInput, ...],
    now_unix_ms: int,
) -> Answer:
    """The answer that follows, once all gates and triggers are judged."""
    phase = policy.phase(rollout.phase)
    following = policy.next_phase(phase.name)
    verdict = _verdict(rollout, gates, triggers, is_last_phase=following is None)
    if not rollout.is_open or verdict not in {Verdict.PROMOTE, Verdict.HOLD}:
        following = None
    return Answer(
        verdict=verdict,
        release=rollout.release,
        phase=phase.name,
        canary_percent=phase.canary_percent,
        next_phase=following.name if following else None,
        next_canary_percent=following.canary_percent if following else None,
        evaluated_unix_ms=now_unix_ms,
        soak=Soak(
            required_ms=phase.soak_ms,
            held_ms=soak.held_ms,
            since_unix_ms=soak.since_unix_ms,
            earliest_promotion_unix_ms=_earliest(verdict, gates, soak, phase.soak_ms),
        ),
        gates=gates,
        triggers=triggers,
        reasons=_reasons(rollout, verdict, gates, triggers),
        warnings=warnings,
        policy_sha256=policy_digest(policy),
        inputs=inputs,
    )


def _verdict(
    rollout: Rollout,
    gates: Sequence[GateResult],
    triggers: Sequence[TriggerResult],
    *,
    is_last_phase: bool,
) -> Verdict:
    if rollout.status is RolloutStatus.COMPLETE:
        return Verdict.COMPLETE
    if rollout.status is RolloutStatus.ROLLED_BACK or any(one.fired for one in triggers):
        return Verdict.ROLLBACK
    is_cancelled = rollout.status is RolloutStatus.CANCELLED
    if is_cancelled or not all(gate.status.lets_pass for gate in gates):
        return Verdict.HOLD
    return Verdict.COMPLETE if is_last_phase else Verdict.PROMOTE


def _earliest(
    verdict: Verdict, gates: Sequence[GateResult], soak: JointSoak, required_ms: int
) -> int | None:
    """When promotion is possible at the earliest; None where time alone does not help."""
    if soak.since_unix_ms is None:
        return None
    helps = all(gate.status.lets_pass or gate.cycles_help for gate in gates)
    if verdict is Verdict.ROLLBACK or not helps:
        return None
    halves = [gate.from_unix_ms or 0 for gate in gates if not gate.status.lets_pass]
    return max(soak.since_unix_ms + required_ms, *halves, 0)


def _reasons(
    rollout: Rollout,
    verdict: Verdict,
    gates: Sequence[GateResult],
    triggers: Sequence[TriggerResult],
) -> tuple[str, ...]:
    if rollout.status is RolloutStatus.ROLLED_BACK:
        return (f"the rollout was rolled back: {rollout.rollback.rollback_reason}",)
    if rollout.status is RolloutStatus.COMPLETE:
        return (f"the rollout of {rollout.release} is complete",)
    if rollout.status is RolloutStatus.CANCELLED:
        return (f"the rollout of {rollout.release} was cancelled",)
    if verdict is Verdict.ROLLBACK:
        return tuple(
            f"{_subject(one)}: {one.observed}; fires at {one.threshold}"
            for one in triggers
            if one.fired
        )
    if verdict is Verdict.HOLD:
        return tuple(
            reason_of(gate) for gate in sorted(gates, key=_order) if not gate.status.lets_pass
        )
    return (f"every gate of {rollout.phase} holds, and no rollback trigger fired",)


def reason_of(gate: GateResult) -> str:
    """Why a gate is in the way, as a reason of the answer."""
    return f"{_subject(gate)}: {gate.observed or 'nothing seen'}; required: {gate.required}"


def _order(gate: GateResult) -> int:
    """Causes before consequences: what cannot be read, what was seen, and where nothing was."""
    return 0 if gate.name in FLAW_NAMES else 1 if gate.observed else 2


def _subject(result: GateResult | TriggerResult) -> str:
    return result.name if result.surface is None else f"{result.surface}: {result.name}"


def _warnings(
    named: frozenset[str],
    rollout: Rollout,
    evidence: Evidence,
    surfaces: Mapping[str, SurfaceFold],
) -> Iterator[str]:
    for pin in rollout.surfaces if rollout.is_open else ():
        if named and pin.name not in named:
            yield (
                f"{pin.name}: no gate or trigger of the policy names it, so only what is for every "
                "surface judges it"
            )
        watch = surfaces[pin.name].release if pin.name in surfaces else None
        tells = evidence.surfaces[pin.name].tells_release if watch is None else watch.is_told
        if not tells:
            yield (
                f"{pin.name}: the evidence is not tied to the release, since no cycle tells it; "
                f"what does: {how_to_tell(pin.name, rollout.release)}"
            )
        if watch is not None and watch.passed_over:
            yield (
                f"{pin.name}: no trigger looks at {counted(watch.passed_over, 'cycle')} of the "
                f"rollback target, {rollout.rollback.rollback_version}, before the first of "
                f"{rollout.release}"
            )
        if pin.carried.lost_lines:
            yield (
                f"{pin.name}: {pin.carried.lost_lines} or more lines of the evidence since "
                "canary-1 are lost, which 'reenter' accepted; what they showed is not judged"
            )
    for name in surfaces:
        yield from evidence.surfaces[name].warnings


def _inputs(surfaces: Sequence[SurfaceEvidence], evidence: Evidence) -> tuple[RecordedInput, ...]:
    return (
        *(one for surface in surfaces for one in surface.inputs),
        *named_inputs(evidence),
    )


def named_inputs(evidence: Evidence) -> tuple[RecordedInput, ...]:
    """The files that the command line named: reports and the sign-off."""
    return (
        *(
            RecordedInput(path=report.path, sha256=report.sha256)
            for _, report in sorted(evidence.reports.items())
        ),
        *(evidence.signoff.inputs if evidence.signoff is not None else ()),
    )
