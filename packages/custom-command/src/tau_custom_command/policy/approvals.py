"""Approvals: who approved exactly which command, and whether that still holds.

These models are the form of `approvals.json`, beside the state; a key that it does not have is an
error. The rules are those of runbooks/custom-command-ops.md, "Approval".
"""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Annotated, Any, Literal, NamedTuple, Self

from msgspec import Meta, to_builtins
from msgspec.structs import replace

from tau_custom_command.durations import utc
from tau_custom_command.policy.command_line import as_word
from tau_custom_command.policy.model import ExecutionPolicy, StrictForm
from tau_custom_command.policy.words import words_of

_Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", max_length=64)]
_UnixMs = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class ApprovedFile(StrictForm, frozen=True):
    """A file as it was approved; `sha256` is null where it could not be read, which never counts.

    Args:
        path: Where it is found, absolute.
        sha256: The digest of what it holds.
    """

    path: str
    sha256: _Digest | None


class Subject(StrictForm, frozen=True, kw_only=True):
    """What an approval covers; if any of it changes, the approval is void.

    Args:
        command_name: The command's name.
        template: The registered template.
        default_arguments: Those that are registered with it.
        read_only: Whether it is registered as one that changes nothing.
        execution_policy: The registered policy, as its author wrote it.
        user: The id of the user that it runs as.
        workspace: The folder that it may write to, absolute; null without one.
        program: The program that is found; null where none is, which never counts.
        files: The files that the template names as words.
    """

    command_name: str
    template: str
    default_arguments: dict[str, Any]
    read_only: bool
    execution_policy: ExecutionPolicy
    user: _UnixMs
    workspace: str | None
    program: ApprovedFile | None
    files: tuple[ApprovedFile, ...]

    @property
    def sha256(self) -> str:
        """The digest that stands for all of it: of its JSON with sorted keys, without blanks."""
        return sha256(_encoded(self)).hexdigest()


class Approval(StrictForm, frozen=True, kw_only=True):
    """One command that somebody approved.

    Args:
        approved_by: Who says so.
        approved_unix_ms: When.
        expires_unix_ms: From when on it no longer counts; null if it does not expire.
        pins: Arguments that must have these values, as they are filled in, by name.
        subject: What was approved.
        subject_sha256: The digest of it.
    """

    approved_by: Annotated[str, Meta(min_length=1)]
    approved_unix_ms: _UnixMs
    expires_unix_ms: _UnixMs | None
    pins: dict[str, str]
    subject: Subject
    subject_sha256: _Digest

    def is_expired(self, *, now_unix_ms: int) -> bool:
        """Tell whether it no longer counts at this time."""
        return self.expires_unix_ms is not None and now_unix_ms >= self.expires_unix_ms


class Approvals(StrictForm, frozen=True, kw_only=True):
    """`approvals.json`: at most one approval a command, sorted by name.

    Args:
        schema_version: The version of the form; 1 is the only one.
        approvals: The approvals.
    """

    schema_version: Literal[1]
    approvals: tuple[Approval, ...]

    def of(self, command_name: str) -> Approval | None:
        """The approval of a command; None if it has none."""
        return next((a for a in self.approvals if a.subject.command_name == command_name), None)

    def without(self, command_name: str) -> Self:
        """The same without that of a command."""
        kept = (a for a in self.approvals if a.subject.command_name != command_name)
        return replace(self, approvals=tuple(kept))

    def with_(self, approval: Approval) -> Self:
        """The same with an approval, which takes the place of an earlier one of its command."""
        others = self.without(approval.subject.command_name).approvals
        by_name = sorted((*others, approval), key=lambda each: each.subject.command_name)
        return replace(self, approvals=tuple(by_name))


NO_APPROVALS = Approvals(schema_version=1, approvals=())


class BrokenApprovals(NamedTuple):
    """A file of approvals that cannot be taken as one, so nothing is approved; why, for people."""

    reason: str


class NotApproved(NamedTuple):
    """Why a command is not approved, for people."""

    reason: str


def approval_in(
    approvals: Approvals | BrokenApprovals, command_name: str
) -> Approval | NotApproved:
    """The approval that somebody gave of a command, whether or not it still counts."""
    if isinstance(approvals, BrokenApprovals):
        return NotApproved(f"nothing is approved: {approvals.reason}")
    if approval := approvals.of(command_name):
        return approval
    return NotApproved("nobody approved it ('approve' does)")


def refusal(
    approval: Approval, subject: Subject, arguments: Mapping[str, object], *, now_unix_ms: int
) -> str | None:
    """Why a command may not run under an approval of it; None if it may.

    Args:
        approval: The approval.
        subject: The command as it is now.
        arguments: By the names of their placeholders: the case's over the defaults, and captured
            values as `capture.NAME`.
        now_unix_ms: The time.
    """
    return void(approval, subject, now_unix_ms=now_unix_ms) or _unpinned(approval, arguments)


def void(approval: Approval, subject: Subject, *, now_unix_ms: int) -> str | None:
    """Why an approval does not count for its command as it is now; None if it does."""
    given = f"what {approval.approved_by} approved"
    if changed := tuple(_changes(approval.subject, subject)):
        return f"{given} has changed: {'; '.join(changed)}"
    if approval.is_expired(now_unix_ms=now_unix_ms):
        return f"{given} expired at {utc(approval.expires_unix_ms or 0)}"
    return None


def unknown(subject: Subject) -> Iterator[str]:
    """Yield what of a command is not known, so that it cannot be approved."""
    if subject.program is None:
        program, *_ = words_of(subject.template) or ("",)
        yield f"the program {program!r} is not found"
    for file in (subject.program, *subject.files):
        if file is not None and file.sha256 is None:
            yield f"{file.path} cannot be read, or is too large to look through"


def problem(approvals: Approvals) -> str | None:
    """What is wrong with approvals of sound form; None if nothing is."""
    names: set[str] = set()
    for approval in approvals.approvals:
        name = approval.subject.command_name
        if name in names:
            return f"the command {name!r} stands there twice"
        names.add(name)
        if approval.subject.sha256 != approval.subject_sha256:
            return f"what was approved of {name!r} was edited: its digest is another"
        for reason in unknown(approval.subject):
            return f"what was approved of {name!r} cannot be held against anything: {reason}"
    return None


def as_values(approvals: Approvals) -> dict[str, Any]:
    """Approvals as JSON values, as the file holds them."""
    values: dict[str, Any] = to_builtins(approvals)
    return values


def _unpinned(approval: Approval, arguments: Mapping[str, object]) -> str | None:
    """Why arguments are not those that an approval pins; none of their values is told."""
    for name, pinned in approval.pins.items():
        value = arguments.get(name)
        if value is None or as_word(value) != pinned:
            found = "is not given" if value is None else "has another value"
            return f"{approval.approved_by} approved {name} = {pinned!r} alone, and it {found}"
    return None


_NAMED = {
    "template": "the template",
    "default_arguments": "the default arguments",
    "read_only": "read_only",
    "execution_policy": "the registered policy",
}


def _changes(before: Subject, now: Subject) -> Iterator[str]:
    """Yield what of a command is no longer as it was approved."""
    for field, name in _NAMED.items():
        if _encoded(getattr(before, field)) != _encoded(getattr(now, field)):
            yield name
    if before.user != now.user:
        yield f"the user was {before.user}, and is {now.user}"
    if before.workspace != now.workspace:
        yield f"the workspace was {before.workspace or 'none'}, and is {now.workspace or 'none'}"
    if before.program != now.program:
        yield f"the program was {_told(before.program)}, and is {_told(now.program)}"
    was, found = ({file.path: file for file in subject.files} for subject in (before, now))
    for path in sorted(was.keys() | found.keys()):
        file, other = was.get(path), found.get(path)
        if file != other:
            yield f"a file that the template names was {_told(file)}, and is {_told(other)}"


def _told(file: ApprovedFile | None) -> str:
    """A file in a few words, by the beginning of its digest."""
    if file is None:
        return "not found"
    return f"{file.path} ({'not readable' if file.sha256 is None else file.sha256[:12]})"


def _encoded(value: object) -> bytes:
    """A value as it is compared: 1 is not 1.0 and not true, and the order of keys says nothing."""
    plain = to_builtins(value)
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode()
