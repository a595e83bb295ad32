"""`freeze`, `cancel`, `resume`, `reenter`, `policy adopt`: a change by hand, under the lock."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.decision.answer import Found
from tau_rollout_gate.errors import RefusedError
from tau_rollout_gate.files.policy import kept_policy, load_policy, pinned_policy
from tau_rollout_gate.files.rollout_directory import Change, changing
from tau_rollout_gate.files.stopping import stopping
from tau_rollout_gate.policy.fleet import FleetRules
from tau_rollout_gate.policy.policy import Policy
from tau_rollout_gate.rollout import stops, transitions
from tau_rollout_gate.rollout.ledger import Action, Entry
from tau_rollout_gate.services.actor import actor
from tau_rollout_gate.services.evaluate import (
    Question,
    check_pinned,
    evaluate,
    now_unix_ms,
    pinned_state_dirs,
)
from tau_rollout_gate.services.recorded import absolute, as_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an operator asks for: about what, who, and why."""

    question: Question
    by: str
    reason: str


def who(by: str | None) -> str:
    """Name who asks, for the record.

    Raises:
        RefusedError: if what was said is no text.
    """
    return as_text("--by", actor(by, os.environ))


def freeze(asked: Asked) -> Entry:
    """Freeze promotion, whatever is wrong with evidence or record.

    Raises:
        RolloutGateError: if it is refused, or the directory cannot be used.
    """
    now = now_unix_ms(asked.question.now_unix_ms)
    return _stopped(
        asked,
        Action.FREEZE,
        partial(stops.frozen, reason=asked.reason, by=asked.by, now_unix_ms=now),
        now,
    )


def cancel(asked: Asked) -> Entry:
    """Close a rollout that is still at 0 %, whatever is wrong with evidence or record.

    Raises:
        RolloutGateError: if it is refused, or the directory cannot be used.
    """
    now = now_unix_ms(asked.question.now_unix_ms)
    entry = _stopped(asked, Action.CANCEL, stops.cancelled, now)
    fleet = entry.rollout_after.fleet
    if fleet is not None:
        from tau_rollout_gate.services.fleet.store_lock import release_lock  # noqa: PLC0415 - few

        release_lock(fleet)
    return entry


def resume(asked: Asked) -> Entry:
    """Free promotion again; refused while a trigger is fired.

    Raises:
        RolloutGateError: if it is refused, or the directory cannot be used.
    """
    return _on_evidence(asked, Action.RESUME, transitions.resumed)


def reenter(asked: Asked, *, accepts_lost: bool) -> Entry:
    """Enter the phase anew, damaged evidence left behind; refused while a trigger is fired.

    `accepts_lost` says that lines of it may be unreadable or gone.

    Raises:
        RolloutGateError: if it is refused, or the directory cannot be used.
    """
    return _on_evidence(
        asked,
        Action.REENTER,
        partial(transitions.reentered, accepts_lost=accepts_lost),
        accepts_lost=accepts_lost,
    )


def adopt(asked: Asked, *, cycle_interval_ms: int | None) -> Entry:
    """Change the rollout's policy or cycle interval and enter the phase anew.

    The policy of the question is the one to adopt; without one but with an interval, the policy
    stays. A policy brings its interval along if that is another than the policy's so far. What the
    files say now is judged by what the rollout has. It is refused while a trigger is fired.

    Raises:
        RolloutGateError: if it is refused, or a policy or the directory cannot be used.
    """
    path = asked.question.policy
    stays = path is None and cycle_interval_ms is not None
    policy, policy_file = load_policy(path), None if path is None else absolute(path)

    def transition(before: Rollout, found: Found) -> Rollout:
        own = pinned_policy(None, before, asked.question.rollout_dir)
        _refuse_other_salt(before, own, policy)
        is_other = policy.cycle_interval_ms != own.cycle_interval_ms
        interval = policy.cycle_interval_ms if is_other else None
        return transitions.adopted(
            before,
            found,
            own if stays else policy,
            policy_file=before.policy_file if stays else policy_file,
            cycle_interval_ms=cycle_interval_ms or interval,
        )

    return _on_evidence(
        replace(asked, question=asked.question._replace(policy=None)),
        Action.ADOPT,
        transition,
        judged={} if stays else kept_policy(policy),
    )


def _refuse_other_salt(rollout: Rollout, own: Policy, other: Policy) -> None:
    """Pass for a policy by which a fleet's cohorts are drawn as they were."""
    salts = [(each.fleet or FleetRules()).salt_of(rollout.release) for each in (own, other)]
    if rollout.fleet is not None and salts[0] != salts[1]:
        raise RefusedError(
            f"the policy draws with the salt {salts[1]!r}, and the cohorts were drawn with "
            f"{salts[0]!r}: another lot is for another rollout"
        )


@contextmanager
def pinned_change(question: Question) -> Iterator[Change]:
    """Give a change of the rollout; names and a policy that were given must be its own.

    Raises:
        RolloutGateError: if they are not, or the directory cannot be used.
    """
    with changing(question.rollout_dir) as change:
        check_pinned(question, change.current)
        yield change


def _stopped(
    asked: Asked, action: Action, transition: Callable[[Rollout], Rollout], now_unix_ms: int
) -> Entry:
    with stopping(asked.question.rollout_dir, ends=action is Action.CANCEL) as stop:
        return stop.record(
            action,
            transition(stop.rollout),
            by=asked.by,
            reason=asked.reason,
            decided_unix_ms=now_unix_ms,
        )


def _on_evidence(
    asked: Asked,
    action: Action,
    transition: Callable[[Rollout, Found], Rollout],
    *,
    judged: Mapping[str, bytes] | None = None,
    accepts_lost: bool = False,
) -> Entry:
    """Look at the evidence, carry out a transition that depends on it, and record both."""
    with pinned_change(asked.question) as change:
        before = change.current.rollout
        if before.is_open and before.fleet is not None:
            from tau_rollout_gate.services.fleet.advance import begin_anew  # noqa: PLC0415 - few are

            return begin_anew(
                asked.question,
                change,
                action,
                transition,
                by=asked.by,
                reason=asked.reason,
                judged=judged or {},
                accepts_lost=accepts_lost,
            )
        found = evaluate(asked.question, before)
        pinned = None
        if action is Action.REENTER and asked.question.surfaces:
            pinned = evaluate(asked.question._replace(surfaces={}), before)
        dirs = pinned_state_dirs(asked.question, before)
        here = transitions.moved(before, dirs, found.evidence, pinned=pinned)
        return change.commit(
            Entry.following(
                change.count,
                action,
                transition(here, found),
                by=asked.by,
                decided_unix_ms=found.answer.evaluated_unix_ms,
                reason=asked.reason,
                answer=found.answer,
            ),
            judged={**found.evidence.judged, **(judged or {})},
        )
