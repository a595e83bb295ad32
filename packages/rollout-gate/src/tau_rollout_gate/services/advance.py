"""`advance`: evaluates, and records what follows, under the lock of the rollout directory."""

from __future__ import annotations

from dataclasses import dataclass

from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.decision.answer import Answer, Verdict
from tau_rollout_gate.errors import RefusedError
from tau_rollout_gate.files.rollout_directory import changing
from tau_rollout_gate.rollout.ledger import Action, Decided, Entry
from tau_rollout_gate.rollout.transitions import Found, advanced, stopped
from tau_rollout_gate.services.evaluate import Evaluation, Question, evaluate


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """The answer that was acted on, and its record; None where it says nothing new."""

    answer: Answer
    recorded: Entry | None


def advance(question: Question, *, by: str) -> Advance:
    """Move the rollout on if its gates let it, and record the decision.

    A verdict to roll back freezes and is recorded; one to hold is recorded only where other gates
    hold than those last recorded.

    Raises:
        RefusedError: if another process recorded a decision while this one waited.
        RolloutGateError: if the rollout, its policy or a file that was named cannot be used.
    """
    with changing(question.rollout_dir) as change:
        before = change.current
        if change.has_moved:
            raise RefusedError(
                f"the rollout moved meanwhile: decision {before.decisions.count} "
                f"({before.last.action} by {before.last.by}), now in {before.rollout.phase}; "
                "nothing was written. See 'status', and advance again"
            )
        evaluation = evaluate(question, before.rollout)
        decided = _decided(evaluation, by=by)
        if not before.rollout.is_open or _says_nothing_new(before.last, decided):
            return Advance(answer=evaluation.answer, recorded=None)
        return Advance(answer=evaluation.answer, recorded=change.commit(decided))


def _decided(evaluation: Evaluation, *, by: str) -> Decided:
    answer = evaluation.answer
    return Decided(
        action=Action.ADVANCE,
        by=by,
        decided_unix_ms=evaluation.now_unix_ms,
        phase=answer.phase,
        rollout_after=_after(evaluation, by=by),
        verdict=answer.verdict,
        reasons=answer.reasons,
        held_by=answer.held_by,
        inputs=answer.inputs,
    )


def _after(evaluation: Evaluation, *, by: str) -> Rollout:
    rollout, now = evaluation.rollout, evaluation.now_unix_ms
    found = Found(answer=evaluation.answer, evidence=evaluation.evidence)
    if not rollout.is_open or evaluation.answer.verdict is Verdict.HOLD:
        return rollout
    if evaluation.answer.verdict is Verdict.ROLLBACK:
        return stopped(rollout, found, by=by, now_unix_ms=now)
    return advanced(rollout, found, now_unix_ms=now)


def _says_nothing_new(last: Entry, decided: Decided) -> bool:
    """Tell whether a decision leaves the rollout as it is, for the causes last recorded."""
    return (
        decided.rollout_after == last.rollout_after
        and decided.verdict is last.verdict
        and decided.phase == last.phase
        # On a rollback, what is new is a trigger, which the rollout after it has latched.
        and (decided.held_by == last.held_by or decided.verdict is Verdict.ROLLBACK)
    )
