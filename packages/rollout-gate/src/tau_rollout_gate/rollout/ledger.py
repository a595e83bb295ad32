"""`decisions.jsonl`: every recorded decision, each with the digest of the one before.

It is one chain per rollout directory, over all its rollouts. Each entry holds the whole rollout as
it is after the decision (runbooks/state-files.md, "The rollout directory").
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Self

from tau_rollout_gate.contract.event import line_digest
from tau_rollout_gate.contract.forms import Count, Form, Number, Sha256, Text, Version
from tau_rollout_gate.contract.rollout import (
    DecisionCount,
    RecordedInput,
    Rollout,
    RolloutStatus,
)
from tau_rollout_gate.decision.answer import Answer, Verdict


class Action(StrEnum):
    """What was done."""

    START = "start"
    ADVANCE = "advance"
    FREEZE = "freeze"
    RESUME = "resume"
    REENTER = "reenter"
    LEAVE = "leave"
    REENTER_HOST = "reenter_host"
    ADOPT = "adopt"
    ROLLBACK = "rollback"
    CAPTURE = "capture"
    CANCEL = "cancel"
    RECOVER = "recover"


STOPPING = frozenset({Action.FREEZE, Action.ROLLBACK, Action.CAPTURE, Action.CANCEL})
"""What depends on nothing: it is recorded whatever is wrong with the record itself."""


class Entry(Form, frozen=True, kw_only=True):
    """A line of `decisions.jsonl`: one decision, chained to the one before.

    Args:
        schema_version: The version of the form.
        decision_number: From 1; the line before's plus 1.
        previous_sha256: The digest of the line before, without its line break; None for the first.
        decided_unix_ms: When.
        action: What was done.
        by: Who asked.
        reason: Why, in the operator's words; None where they were not asked.
        release: The release under rollout.
        phase: The phase that it was decided in.
        verdict: The verdict that it rests on; None for what was done by hand.
        reasons: The verdict's reasons.
        held_by: The gates and triggers that stood in the way, without the figures of the moment.
        policy_sha256: The digest of the rollout's policy after it.
        inputs: The files that it rests on, or that it left.
        rollout_after: The rollout as it is after it.
    """

    schema_version: Version = 1
    decision_number: Number
    previous_sha256: Sha256 | None
    decided_unix_ms: Count
    action: Action
    by: Text
    reason: str | None
    release: Text
    phase: Text
    verdict: Verdict | None
    reasons: tuple[str, ...]
    held_by: tuple[str, ...]
    policy_sha256: Sha256
    inputs: tuple[RecordedInput, ...]
    rollout_after: Rollout

    @classmethod
    def following(  # noqa: PLR0913 - what a decision says
        cls,
        before: DecisionCount | None,
        action: Action,
        rollout_after: Rollout,
        *,
        by: str,
        decided_unix_ms: int,
        reason: str | None = None,
        answer: Answer | None = None,
        reasons: tuple[str, ...] = (),
        inputs: tuple[RecordedInput, ...] = (),
    ) -> Self:
        """Make the entry after the `before.count`th; the first after None.

        What rests on an `answer` was decided in its phase, for its reasons and on its inputs;
        anything else leaves the phase as it is.
        """
        return cls(
            decision_number=1 if before is None else before.count + 1,
            previous_sha256=None if before is None else before.sha256,
            decided_unix_ms=decided_unix_ms,
            action=action,
            by=by,
            reason=reason,
            release=rollout_after.release,
            phase=rollout_after.phase if answer is None else answer.phase,
            verdict=None if answer is None else answer.verdict,
            reasons=reasons if answer is None else answer.reasons,
            held_by=() if answer is None else answer.held_by,
            policy_sha256=rollout_after.policy_sha256,
            inputs=inputs if answer is None else answer.inputs,
            rollout_after=rollout_after,
        ).checked()

    @property
    def restrains(self) -> bool:
        """Tell whether it only holds a rollout back: such counts as soon as it is written."""
        if self.action is Action.ADVANCE:
            return self.verdict in {Verdict.HOLD, Verdict.ROLLBACK}
        return self.action in STOPPING

    def says(self, answer: Answer) -> bool:
        """Tell whether it says what an answer does: its verdict, phase and causes.

        Once a trigger fired, another one is news, and no gate is.
        """
        if (self.verdict, self.phase) != (answer.verdict, answer.phase):
            return False
        if answer.verdict is Verdict.ROLLBACK:
            return set(answer.causes_of_rollback) <= set(self.held_by)
        return self.held_by == answer.held_by

    @property
    def archive(self) -> str | None:
        """The evidence that a rollback captured; None of any other decision, or without any."""
        found = self.inputs if self.action is Action.CAPTURE else ()
        return next((one.path for one in found), None)

    @property
    def counted(self) -> DecisionCount:
        """The count and digest of the ledger that ends with this entry."""
        return DecisionCount(count=self.decision_number, sha256=line_digest(self.as_line()))


def completed_last(entries: Sequence[Entry]) -> Entry | None:
    """Find the decision that ended the last rollout here that is complete and was not taken back.

    A rollout ends with the entry before the next `start`; a rollback after completion counts.
    """
    followers = (*(entry.action for entry in entries[1:]), Action.START)
    return next(
        (
            entry
            for entry, follower in reversed(list(zip(entries, followers, strict=True)))
            if follower is Action.START and entry.rollout_after.status is RolloutStatus.COMPLETE
        ),
        None,
    )
