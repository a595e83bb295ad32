"""`approve`, `approvals`, `revoke`: who approved exactly which command."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from tau_custom_command.contract.paths import APPROVALS
from tau_custom_command.contract.state import CommandRecord
from tau_custom_command.errors import NotRegisteredError, StateUnusableError, StorageError
from tau_custom_command.hint import hint
from tau_custom_command.policy.approvals import (
    NO_APPROVALS,
    Approval,
    Approvals,
    BrokenApprovals,
    Subject,
    unknown,
    void,
)
from tau_custom_command.policy.command_line import placeholders
from tau_custom_command.policy.effective import as_written, effective
from tau_custom_command.policy.model import ExecutionPolicy, SandboxProfile
from tau_custom_command.policy.programs import LAUNCHERS, SHELLS, program_name
from tau_custom_command.policy.rules import denial, may_be_filled
from tau_custom_command.policy.words import words_of
from tau_custom_command.services.execute.subject import Surroundings, subject_of
from tau_custom_command.storage.approvals import put_aside, read_approvals, write_approvals
from tau_custom_command.storage.lock import APPROVALS_LOCK_FILE, HeldLock, locked
from tau_custom_command.storage.state_directory import read_state

_DENYING_NO_NAME = ExecutionPolicy(denied_env=())
"""Options that leave the names to the registered policy."""


class ApprovalRequest(NamedTuple):
    """What is to be approved, by whom, and for how long; without `carry_out` it is only shown."""

    state_dir: Path
    command_name: str
    approved_by: str
    expires_after_ms: int | None
    pins: Mapping[str, str]
    around: Surroundings
    wait_seconds: float
    carry_out: bool


class ApprovalReport(NamedTuple):
    """An approval, the one that it takes the place of, and what is worth telling people."""

    approval: Approval
    replaced: Approval | None
    remarks: tuple[str, ...]


class Standing(NamedTuple):
    """An approval, and why it does not count as things stand; None if it does."""

    approval: Approval
    void: str | None


def approve(request: ApprovalRequest, *, now_unix_ms: int) -> ApprovalReport:
    """Approve a command as it is registered and found now.

    A broken file of approvals, which approves nothing, is kept beside the new one.

    Raises:
        NotRegisteredError: if the command is not registered.
        StateDirectoryBusyError: if another approves there at the moment, or the lock is lost.
        StateUnusableError: if the state cannot be read, or what would be approved cannot be told.
        StorageError: if there is no state, or a file cannot be read or written.
    """
    _records(request.state_dir)  # before the lock, which would make a directory
    with _approvals_locked(request.state_dir, request.wait_seconds) as lock:
        subject = subject_of(_record(request), request.around)
        if missing := "; ".join(unknown(subject)):
            where = "" if subject.program else f"; PATH is {request.around.path}"
            raise StateUnusableError(
                f"{request.command_name}: cannot be approved: {missing}{where}"
            )
        approval = Approval(
            approved_by=request.approved_by,
            approved_unix_ms=now_unix_ms,
            expires_unix_ms=(
                None if request.expires_after_ms is None else now_unix_ms + request.expires_after_ms
            ),
            pins=dict(request.pins),
            subject=subject,
            subject_sha256=subject.sha256,
        )
        before = read_approvals(lock.root)
        remarks = tuple(_doubts(approval))
        if isinstance(before, BrokenApprovals):
            remarks = (before.reason, *remarks)
        if request.carry_out:
            remarks += _written(lock, before, approval)
    replaced = None if isinstance(before, BrokenApprovals) else before.of(subject.command_name)
    return ApprovalReport(approval=approval, replaced=replaced, remarks=remarks)


def standing(root: Path, around: Surroundings, *, now_unix_ms: int) -> tuple[Standing, ...]:
    """The approvals of a state directory, each held against its command as it is now.

    Workspace and user are those that were approved: a run that has others is told so.

    Raises:
        StateUnusableError: if the approvals, or the state, cannot be read.
        StorageError: if there is no state.
    """
    records = _records(root)
    return tuple(
        Standing(approval, _void(approval, records, around, now_unix_ms=now_unix_ms))
        for approval in _whole(root).approvals
    )


def revoke(root: Path, command_name: str, *, wait_seconds: float) -> Approval:
    """Withdraw the approval of a command, and return it.

    Raises:
        NotRegisteredError: if there is none.
        StateDirectoryBusyError: if another approves there at the moment, or the lock is lost.
        StateUnusableError: if the approvals cannot be read; none of them counts.
        StorageError: if there is no such directory, or a file cannot be written.
    """
    if not root.is_dir():
        raise StorageError(f"{root}: there is no such directory; pass --state-dir")
    with _approvals_locked(root, wait_seconds) as lock:
        approvals = _whole(root)
        approval = approvals.of(command_name)
        if approval is None:
            raise NotRegisteredError(
                f"nobody approved {command_name!r} in {root}; "
                f"'{hint('approvals', state_dir=str(root))}' shows what is approved"
            )
        write_approvals(lock, approvals.without(command_name))
    return approval


def free(approval: Approval) -> tuple[str, ...]:
    """The placeholders that a RUN may fill with anything.

    Not those whose names the registered policy denies: no option of a run allows them.
    """
    subject = approval.subject
    most = effective(subject.execution_policy, (), _DENYING_NO_NAME, approved=True)
    return tuple(
        name
        for name in placeholders(subject.template)
        if name not in approval.pins and may_be_filled(most, name)
    )


def _approvals_locked(root: Path, wait_seconds: float) -> AbstractContextManager[HeldLock]:
    """Hold a lock that no cycle holds: an approval can be withdrawn while one is at work."""
    return locked(root, wait_seconds=wait_seconds, file=APPROVALS_LOCK_FILE)


def _written(
    lock: HeldLock, before: Approvals | BrokenApprovals, approval: Approval
) -> tuple[str, ...]:
    """Write an approval beside the others; return what there is to say of it."""
    if not isinstance(before, BrokenApprovals):
        write_approvals(lock, before.with_(approval))
        return ()
    kept = put_aside(lock)
    write_approvals(lock, NO_APPROVALS.with_(approval))
    return (f"{APPROVALS} is kept in {kept}; what else it approved is to be approved again",)


def _doubts(approval: Approval) -> Iterator[str]:
    """Yield what whoever approves this should know of it."""
    subject = approval.subject
    policy, template = as_written(subject.execution_policy), subject.template
    named = placeholders(template)
    if reason := denial(policy, template=template, arguments=(subject.default_arguments,)):
        yield f"its own policy denies it, so a run is refused unless the options allow it: {reason}"
    program, *_ = words_of(template) or ("",)
    filled = free(approval)
    if filled and program_name(program) in SHELLS | LAUNCHERS:
        yield (
            f"it starts {program_name(program)}, which may take what fills "
            f"{', '.join(filled)} for code or a program: see that it does not, or --pin it"
        )
    if policy.sandbox_profile is SandboxProfile.WORKSPACE_WRITE and subject.workspace is None:
        yield "its profile is workspace_write, and this is without one: pass --workspace"
    for name in approval.pins:
        if name not in named:
            yield f"{name!r} is pinned as the variable ${name}; no placeholder has this name"


def _void(
    approval: Approval,
    records: Mapping[str, CommandRecord],
    around: Surroundings,
    *,
    now_unix_ms: int,
) -> str | None:
    approved = approval.subject
    record = records.get(approved.command_name)
    if record is None:
        return "the command is not registered any more"
    workspace = None if approved.workspace is None else Path(approved.workspace)
    now: Subject = subject_of(record, around._replace(workspace=workspace))
    as_that_user = replace(now, user=approved.user, workspace=approved.workspace)
    return void(approval, as_that_user, now_unix_ms=now_unix_ms)


def _records(root: Path) -> dict[str, CommandRecord]:
    """The registered commands by name."""
    state = read_state(root)
    if state is None:
        raise StorageError(
            f"{root}: there is no state.json; pass --state-dir, or run a fixture first"
        )
    return {record.command_name: record for record in state.commands}


def _record(request: ApprovalRequest) -> CommandRecord:
    record = _records(request.state_dir).get(request.command_name)
    if record is None:
        raise NotRegisteredError(
            f"{request.command_name!r} is not registered in {request.state_dir}; "
            f"'{hint('registry', 'list', state_dir=str(request.state_dir))}' shows what is"
        )
    return record


def _whole(root: Path) -> Approvals:
    approvals = read_approvals(root)
    if isinstance(approvals, BrokenApprovals):
        raise StateUnusableError(f"nothing is approved: {approvals.reason}")
    return approvals
