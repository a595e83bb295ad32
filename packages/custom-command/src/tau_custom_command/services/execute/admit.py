"""Whether a RUN may start, and under which policy: by what is said of it, and what is approved."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from tau_custom_command.contract.state import CommandRecord
from tau_custom_command.policy.approvals import (
    Approval,
    NotApproved,
    Subject,
    approval_in,
    refusal,
)
from tau_custom_command.policy.effective import Denied, EffectivePolicy, effective
from tau_custom_command.policy.model import ExecutionPolicy
from tau_custom_command.services.execute.subject import Surroundings, still, subject_of
from tau_custom_command.storage.approvals import read_approvals


class Terms(NamedTuple):
    """What the operator says: the options' policy, where approvals are, where commands run."""

    options: ExecutionPolicy
    state_dir: Path
    around: Surroundings


class _Approved(NamedTuple):
    approval: Approval
    subject: Subject
    state_dir: Path


class Admission(NamedTuple):
    """The policy that counts for a RUN, and the approval that it has, also if it needs none."""

    policy: EffectivePolicy
    approved: _Approved | None

    def words(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """The words to start: of what is approved the very program, whatever else has its name."""
        if self.approved is None or self.approved.subject.program is None:
            return words
        return (self.approved.subject.program.path, *words[1:])

    def withdrawn(self, *, now_unix_ms: int) -> str | None:
        """Look once more, just before a start: why the approval counts no more; None if it does."""
        if self.approved is None:
            return None
        approval, subject, state_dir = self.approved
        if approval_in(read_approvals(state_dir), subject.command_name) != approval:
            return "its approval was withdrawn, or replaced, before it could start"
        if approval.is_expired(now_unix_ms=now_unix_ms):
            return "its approval expired before it could start"
        return still(subject)


def admit(
    record: CommandRecord,
    stated: Iterable[ExecutionPolicy],
    arguments: Mapping[str, object],
    terms: Terms,
    *,
    now_unix_ms: int,
) -> Admission | NotApproved:
    """Whether a registered command may run, and under which policy.

    Args:
        record: The command.
        stated: The policies that the case states.
        arguments: As `refusal` takes them.
        terms: What the operator says. The approvals are read as they are now.
        now_unix_ms: The time.
    """
    found = _approved(record, arguments, terms, now_unix_ms=now_unix_ms)
    policies = record.execution_policy, stated, terms.options
    if isinstance(found, _Approved):
        return Admission(effective(*policies, approved=True), found)
    policy = effective(*policies, approved=False)
    if isinstance(policy, Denied):
        return NotApproved(f"{policy.reason}: {found.reason}")
    return Admission(policy, None)


def _approved(
    record: CommandRecord, arguments: Mapping[str, object], terms: Terms, *, now_unix_ms: int
) -> _Approved | NotApproved:
    """The approval of a command; program and files are looked through only where there is one."""
    approval = approval_in(read_approvals(terms.state_dir), record.command_name)
    if isinstance(approval, NotApproved):
        return approval
    subject = subject_of(record, terms.around)
    reason = refusal(approval, subject, arguments, now_unix_ms=now_unix_ms)
    if reason is not None:
        return NotApproved(reason)
    return _Approved(approval, subject, terms.state_dir)
