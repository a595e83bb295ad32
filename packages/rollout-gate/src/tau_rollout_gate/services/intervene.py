"""The commands that change a rollout by hand: each one transition, carried out under the lock."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.errors import RefusedError
from tau_rollout_gate.files.policy import load_policy
from tau_rollout_gate.files.rollout_directory import Change, changing
from tau_rollout_gate.rollout import transitions
from tau_rollout_gate.rollout.ledger import Action, Decided, Entry
from tau_rollout_gate.rollout.transitions import Found
from tau_rollout_gate.services.actor import actor
from tau_rollout_gate.services.evaluate import (
    Evaluation,
    Question,
    check_pinned,
    evaluate,
    now_unix_ms,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What an operator asks for, as the command line has it: about what, who, and why."""

    question: Question
    by: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asks and why, as it is recorded."""

    by: str
    reason: str

    @classmethod
    def in_request(cls, request: Request) -> Asked:
        """Return what is recorded of a request.

        Raises:
            RefusedError: if nothing is said, or what is no text.
        """
        return cls(by=who(request.by), reason=as_text("--reason", request.reason))


def who(by: str | None) -> str:
    """Return who asks, for the record.

    Raises:
        RefusedError: if what was said is no text.
    """
    return as_text("--by", actor(by, os.environ))


def as_text(option: str, text: str) -> str:
    """Return the text of an option without the blanks around it.

    Raises:
        RefusedError: if nothing is left, or bytes that are no UTF-8 were given.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RefusedError(f"{option}: is not UTF-8 text") from None
    if not text.strip():
        raise RefusedError(f"{option}: is empty; say something for the record")
    return text.strip()


def freeze(request: Request) -> Entry:
    """Freeze promotion.

    Raises:
        RolloutGateError: if it is refused, or the directory cannot be used.
    """
    asked, now = Asked.in_request(request), now_unix_ms(request.question.now_unix_ms)
    with pinned_change(request.question) as change:
        before = change.current.rollout
        after = transitions.frozen(before, reason=asked.reason, by=asked.by, now_unix_ms=now)
        decided = Decided(
            action=Action.FREEZE,
            by=asked.by,
            reason=asked.reason,
            decided_unix_ms=now,
            phase=before.phase,
            rollout_after=after,
        )
        return change.commit(decided)


def resume(request: Request) -> Entry:
    """Free promotion again; refused while a trigger is fired.

    Raises:
        RolloutGateError: if it is refused, or the directory cannot be used.
    """
    asked = Asked.in_request(request)
    with pinned_change(request.question) as change:
        seen = evaluate(request.question, change.current.rollout)
        after = transitions.resumed(seen.rollout, seen.answer)
        return change.commit(_on_evidence(Action.RESUME, asked, seen, after))


def reenter(request: Request) -> Entry:
    """Enter the phase anew, damaged evidence left behind; refused while a trigger is fired.

    Raises:
        RolloutGateError: if it is refused, or the directory cannot be used.
    """
    asked = Asked.in_request(request)
    with pinned_change(request.question) as change:
        seen = evaluate(request.question, change.current.rollout)
        after = transitions.reentered(seen.rollout, found_in(seen), now_unix_ms=seen.now_unix_ms)
        return change.commit(_on_evidence(Action.REENTER, asked, seen, after))


def adopt(request: Request) -> Entry:
    """Change the rollout's policy and enter the phase anew; refused while a trigger is fired.

    The policy of the question is the one to adopt; what the files say now is judged by the one
    that the rollout has.

    Raises:
        RolloutGateError: if it is refused, or a policy or the directory cannot be used.
    """
    asked, path = Asked.in_request(request), request.question.policy
    policy = load_policy(path)
    question = replace(request.question, policy=None)
    with pinned_change(question) as change:
        seen = evaluate(question, change.current.rollout)
        after = transitions.adopted(
            seen.rollout,
            found_in(seen),
            policy,
            policy_file=None if path is None else as_text("--policy", str(path)),
            now_unix_ms=seen.now_unix_ms,
        )
        return change.commit(_on_evidence(Action.ADOPT, asked, seen, after))


def found_in(seen: Evaluation) -> Found:
    """Return an evaluation as the transitions take it."""
    return Found(answer=seen.answer, evidence=seen.evidence)


@contextmanager
def pinned_change(question: Question) -> Iterator[Change]:
    """Give a change of the rollout; names and a policy that were given must be its own.

    Raises:
        RolloutGateError: if they are not, or the directory cannot be used.
    """
    with changing(question.rollout_dir) as change:
        check_pinned(question, change.current.rollout)
        yield change


def _on_evidence(action: Action, asked: Asked, seen: Evaluation, after: Rollout) -> Decided:
    return Decided(
        action=action,
        by=asked.by,
        reason=asked.reason,
        decided_unix_ms=seen.now_unix_ms,
        phase=seen.rollout.phase,
        rollout_after=after,
        verdict=seen.answer.verdict,
        reasons=seen.answer.reasons,
        held_by=seen.answer.held_by,
        inputs=seen.answer.inputs,
    )
