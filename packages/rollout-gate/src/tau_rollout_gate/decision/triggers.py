"""Which rollback triggers fired: in the evidence, or in an earlier decision."""

from collections.abc import Iterable, Iterator, Mapping

from tau_rollout_gate.contract.rollout import FiredTrigger, Rollout
from tau_rollout_gate.decision.answer import TriggerResult
from tau_rollout_gate.decision.clock_gates import clock_triggers
from tau_rollout_gate.decision.fold import SurfaceFold
from tau_rollout_gate.decision.integrity import reference
from tau_rollout_gate.evidence.values import Evidence
from tau_rollout_gate.policy.findings import EvidenceRef, cut
from tau_rollout_gate.policy.policy import Policy
from tau_rollout_gate.policy.triggers.interface import CycleTrigger, RolloutTrigger, Sign, Trigger


def judge_triggers(
    policy: Policy,
    rollout: Rollout,
    evidence: Evidence,
    surfaces: Mapping[str, SurfaceFold],
    *,
    now_unix_ms: int,
) -> tuple[TriggerResult, ...]:
    """How each trigger stands; those of an earlier decision stay fired.

    Of a closed rollout only these are told: what its surfaces do now is the next one's matter.
    """
    results = [
        _result(trigger, surface, sign, now_unix_ms)
        for trigger in (policy.triggers if rollout.is_open else ())
        for surface, sign in _signs(trigger, policy, rollout, evidence, surfaces)
    ]
    if rollout.is_open:
        results += clock_triggers(policy, rollout, now_unix_ms)
    return with_latched(rollout, results, now_unix_ms=now_unix_ms)


def rollout_triggers(
    policy: Policy, rollout: Rollout, evidence: Evidence, *, now_unix_ms: int
) -> list[TriggerResult]:
    """How the triggers stand that are over what no cycle tells, such as a report or the clock."""
    of_policy = [
        _result(trigger, None, trigger.look(evidence), now_unix_ms)
        for trigger in policy.triggers
        if isinstance(trigger, RolloutTrigger)
    ]
    return [*of_policy, *clock_triggers(policy, rollout, now_unix_ms)]


def with_latched(
    rollout: Rollout, results: Iterable[TriggerResult], *, now_unix_ms: int
) -> tuple[TriggerResult, ...]:
    """The results, where those that fired in an earlier decision stay fired."""
    latched = {(one.name, one.surface): one for one in rollout.fired_triggers}
    found = []
    for one in results:
        before = latched.pop((one.name, one.surface), None)
        found.append(one if before is None or one.fired else _latched(before, now_unix_ms))
    # A trigger that fired stays fired, also where the policy has it no longer.
    return (*found, *(_latched(one, now_unix_ms) for one in latched.values()))


def _signs(
    trigger: RolloutTrigger | CycleTrigger,
    policy: Policy,
    rollout: Rollout,
    evidence: Evidence,
    surfaces: Mapping[str, SurfaceFold],
) -> Iterator[tuple[str | None, Sign]]:
    """Yield what a trigger sees, by surface; None for the rollout as a whole."""
    if isinstance(trigger, RolloutTrigger):
        yield None, trigger.look(evidence)
    else:
        for pin in rollout.surfaces:
            if not trigger.applies_to(pin.name):
                continue
            if pin.name in surfaces:
                yield pin.name, surfaces[pin.name].sign(trigger)
            else:
                observed = f"judged from {policy.first_canary.name} on"
                yield pin.name, Sign(fired=False, observed=observed)


def _result(trigger: Trigger, surface: str | None, sign: Sign, now_unix_ms: int) -> TriggerResult:
    return TriggerResult(
        name=trigger.name,
        surface=surface,
        fired=sign.fired,
        observed=cut(sign.observed),
        threshold=trigger.threshold,
        evidence=sign.evidence if sign.cycle is None else reference(sign.cycle, now_unix_ms),
        action=trigger.action,
    )


def _latched(fired: FiredTrigger, now_unix_ms: int) -> TriggerResult:
    where = None
    if fired.file is not None:
        at = fired.timestamp_unix_ms
        age_ms = None if at is None else now_unix_ms - at
        where = EvidenceRef(
            file=fired.file,
            line=fired.line,
            cycle_id=fired.cycle_id,
            age_ms=age_ms,
            fixture_name=fired.fixture_name,
        )
    return TriggerResult(
        name=fired.name,
        surface=fired.surface,
        fired=True,
        observed=fired.observed,
        threshold=fired.threshold,
        evidence=where,
        action=fired.action,
        is_latched=True,
    )
