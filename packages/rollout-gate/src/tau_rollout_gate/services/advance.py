"""`advance`: evaluates, and records what follows, under the lock of the rollout directory."""

from functools import partial

from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.decision.answer import Answer, Found, Verdict
from tau_rollout_gate.errors import RefusedError
from tau_rollout_gate.files.record import load
from tau_rollout_gate.files.rollout_directory import changing
from tau_rollout_gate.rollout.ledger import Action, Entry
from tau_rollout_gate.rollout.ledger_check import Standing
from tau_rollout_gate.rollout.transitions import advanced, moved, remembering, stopped
from tau_rollout_gate.services.evaluate import (
    Question,
    check_pinned,
    evaluate_news,
    pinned_state_dirs,
)


def advance(question: Question, *, by: str) -> tuple[Answer, Entry | None]:
    """Move the rollout on if its gates let it, and record the decision.

    A verdict to roll back freezes and is recorded; one to hold is recorded only where other gates
    hold than those last recorded. The record is None where there is nothing new to say.

    Raises:
        RefusedError: if another process recorded a decision while this one waited.
        RolloutGateError: if the rollout, its policy or a file that was named cannot be used.
    """
    before = load(question.rollout_dir)
    if before.rollout.is_open and before.rollout.fleet is not None:
        from tau_rollout_gate.services.fleet import advance as fleet  # noqa: PLC0415 - few are

        check_pinned(question, before)
        return fleet.advance_fleet(
            question,
            before,
            by=by,
            says_nothing_new=partial(_says_nothing_new, before),
            after=partial(_after, by=by),
        )
    with changing(question.rollout_dir) as change:
        before = change.current
        if change.has_moved:
            raise RefusedError(meanwhile(before))
        check_pinned(question, before)
        found = evaluate_news(question, before)
        if not before.rollout.is_open:
            return found.answer, None
        dirs = pinned_state_dirs(question, before.rollout)
        here = remembering(moved(before.rollout, dirs, found.evidence), found.evidence)
        entry = Entry.following(
            before.decisions,
            Action.ADVANCE,
            _after(here, found, by=by),
            by=by,
            decided_unix_ms=found.answer.evaluated_unix_ms,
            answer=found.answer,
        )
        has_moved = found.answer.verdict in {Verdict.PROMOTE, Verdict.COMPLETE}
        answer = found.answer._replace(advanced=has_moved)
        if not _says_nothing_new(before, entry):
            return answer, change.commit(entry, judged=found.evidence.judged)
        if here != before.rollout:
            change.note(here)
        return answer, None


def meanwhile(now: Standing) -> str:
    """Say that another process recorded a decision, and which."""
    return (
        f"the rollout moved meanwhile: decision {now.decisions.count} "
        f"({now.last.action} by {now.last.by}), now in {now.rollout.phase}; nothing was written. "
        "See 'status', and advance again"
    )


def _after(rollout: Rollout, found: Found, *, by: str) -> Rollout:
    if found.answer.verdict is Verdict.HOLD:
        return rollout
    if found.answer.verdict is Verdict.ROLLBACK:
        return stopped(rollout, found, by=by)
    return advanced(rollout, found)


def _says_nothing_new(before: Standing, entry: Entry) -> bool:
    """Tell whether a decision leaves the rollout as it is, for the causes last recorded."""
    last = before.last
    return (
        entry.rollout_after.without_seen() == before.rollout.without_seen()
        and entry.verdict is last.verdict
        and entry.phase == last.phase
        # On a rollback, what is new is a trigger, which the rollout after it has latched.
        and (entry.held_by == last.held_by or entry.verdict is Verdict.ROLLBACK)
    )
