"""What stops a rollout: each function gives it as a command leaves it, or refuses.

What an operator asks for depends on the rollout alone: not on its evidence, nor on its policy.
"""

from typing import Any

from tau_rollout_gate.contract.rollout import FiredTrigger, Frozen, Rollout, RolloutStatus
from tau_rollout_gate.decision.answer import Answer, TriggerResult
from tau_rollout_gate.errors import RefusedError


def frozen(rollout: Rollout, *, reason: str, by: str, now_unix_ms: int) -> Rollout:
    """Freeze promotion.

    Raises:
        RefusedError: if it is closed, or frozen already.
    """
    refuse_closed(rollout)
    if rollout.frozen is not None:
        raise RefusedError(
            f"promotion is frozen already, by {rollout.frozen.by}: {rollout.frozen.reason}; "
            "'status' shows it"
        )
    return kept_frozen(rollout, reason, by, now_unix_ms)


def cancelled(rollout: Rollout) -> Rollout:
    """Close a rollout that nobody runs yet.

    Raises:
        RefusedError: if it is closed, or was given to a canary.
    """
    refuse_closed(rollout)
    if rollout.canary_entered_unix_ms is not None:
        raise RefusedError(
            f"{rollout.release} was given to a canary ({rollout.phase}): end it with "
            "'rollback --reason WHY'"
        )
    return changed(rollout, status=RolloutStatus.CANCELLED)


def rolled_back(rollout: Rollout, *, reason: str, by: str, now_unix_ms: int) -> Rollout:
    """Freeze and close the rollout, complete or not, with the reason it went back.

    One that went back already stays as it is.

    Raises:
        RefusedError: if it was cancelled.
    """
    if rollout.status is RolloutStatus.ROLLED_BACK:
        return rollout
    if rollout.status is RolloutStatus.CANCELLED:
        refuse_closed(rollout)
    return changed(
        kept_frozen(rollout, reason, by, now_unix_ms),
        status=RolloutStatus.ROLLED_BACK,
        rollback=rollout.rollback.replaced(
            rollback_reason=reason, rollback_reference_unix_ms=now_unix_ms
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
    return changed(rollout, fired_triggers=rollout.fired_triggers + new)


def kept_frozen(rollout: Rollout, reason: str, by: str, since_unix_ms: int) -> Rollout:
    """Freeze promotion, unless it is: the first reason stays."""
    now = Frozen(reason=reason, by=by, since_unix_ms=since_unix_ms)
    return changed(rollout, frozen=rollout.frozen or now)


def changed(rollout: Rollout, **values: Any) -> Rollout:  # noqa: ANN401 - any of its fields
    """Give a rollout with other values, held against its form."""
    return rollout.replaced(**values).checked()


def refuse_closed(rollout: Rollout) -> None:
    """Pass for an open rollout.

    Raises:
        RefusedError: for any other.
    """
    if not rollout.is_open:
        state = {
            RolloutStatus.COMPLETE: "is complete",
            RolloutStatus.ROLLED_BACK: "was rolled back",
            RolloutStatus.CANCELLED: "was cancelled",
        }[rollout.status]
        raise RefusedError(f"the rollout of {rollout.release} {state}; 'start' opens the next one")


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
