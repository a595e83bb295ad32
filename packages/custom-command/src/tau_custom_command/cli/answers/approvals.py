"""What `approve`, `approvals` and `revoke` show: approvals as text or as JSON values."""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from tau_custom_command.cli.answers.text import aligned, cut
from tau_custom_command.durations import utc
from tau_custom_command.policy.approvals import Approval, ApprovedFile, Subject
from tau_custom_command.policy.effective import as_written
from tau_custom_command.policy.words import words_of
from tau_custom_command.printable import printable
from tau_custom_command.services.approve import ApprovalReport, Standing, free

_PLAIN = re.compile(r"[\w@%+=:,./{}-]+", re.ASCII)
_LONGEST_VALUE = 2_000


def approval_as_text(report: ApprovalReport, *, carried_out: bool) -> str:
    """What is approved, a line a part; what to know of it; and whether it was done."""
    approval = report.approval
    rows = [(f"{name}:", cut(printable(value), _LONGEST_VALUE)) for name, value in _parts(approval)]
    lines = [*aligned(rows), *(f"note: {printable(remark)}" for remark in report.remarks)]
    name, by = approval.subject.command_name, approval.approved_by
    done = f"{name} is approved by {by}, {_until(approval)}"
    if not carried_out:
        done = f"{name} would be approved by {by}, {_until(approval)}; nothing was changed"
    if report.replaced is not None:
        earlier = report.replaced
        done += f" (instead of {earlier.approved_by}'s of {utc(earlier.approved_unix_ms)})"
    return "\n".join([*lines, printable(done)])


def approval_as_json(report: ApprovalReport, *, carried_out: bool) -> dict[str, Any]:
    """The same for programs: the approval as the file holds it, and what follows from it."""
    value: dict[str, Any] = msgspec.to_builtins(report.approval)
    return value | {
        "free_placeholders": free(report.approval),
        "remarks": list(report.remarks),
        "carried_out": carried_out,
    }


def standings_as_text(standings: Sequence[Standing]) -> str:
    """A table of approvals, and below it why some do not count; a sentence where there is none."""
    if not standings:
        return "Nothing is approved."
    head = ("COMMAND", "COUNTS", "BY", "GIVEN", "EXPIRES", "PINNED")
    rows = [
        (
            printable(each.approval.subject.command_name),
            "yes" if each.void is None else "no",
            cut(printable(each.approval.approved_by)),
            utc(each.approval.approved_unix_ms),
            _expiry(each.approval),
            cut(printable(_pinned(each.approval.pins))),
        )
        for each in standings
    ]
    why = [
        printable(f"{each.approval.subject.command_name}: {each.void}")
        for each in standings
        if each.void is not None
    ]
    return "\n".join([*aligned([head, *rows]), *why])


def standings_as_json(standings: Sequence[Standing]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        msgspec.to_builtins(each.approval) | {"counts": each.void is None, "why_not": each.void}
        for each in standings
    ]


def revocation_as_text(approval: Approval) -> str:
    """What was withdrawn."""
    given = f"by {approval.approved_by} at {utc(approval.approved_unix_ms)}"
    return printable(f"{approval.subject.command_name}: the approval {given} is withdrawn")


def _parts(approval: Approval) -> Iterator[tuple[str, str]]:
    """Yield the parts of what is approved, each with its name."""
    subject = approval.subject
    yield "template", subject.template
    yield "words", "  ".join(map(_quoted, words_of(subject.template) or ()))
    yield "free", ", ".join(free(approval)) or "no placeholder"
    yield "pinned", _pinned(approval.pins)
    yield "other arguments", _other_arguments(subject)
    yield "default arguments", json.dumps(subject.default_arguments, ensure_ascii=False)
    yield "read only", "yes, as its author says" if subject.read_only else "no"
    yield "policy", _policy(subject)
    yield "runs as", f"user {subject.user}, workspace {subject.workspace or 'none'}"
    yield "program", _file(subject.program)
    for file in subject.files:
        yield "file", _file(file)


def _quoted(word: str) -> str:
    """A word of a template in quotes where it needs them; its placeholders need none."""
    return word if _PLAIN.fullmatch(word) else shlex.quote(word)


def _pinned(pins: dict[str, str]) -> str:
    return ", ".join(f"{name}={shlex.quote(value)}" for name, value in pins.items()) or "nothing"


def _other_arguments(subject: Subject) -> str:
    allowed = as_written(subject.execution_policy).allowed_env
    names = "any name that is not denied" if allowed is None else ", ".join(sorted(allowed))
    return f"variables of the environment: {names}"


def _policy(subject: Subject) -> str:
    said: dict[str, Any] = msgspec.to_builtins(subject.execution_policy)
    parts = [f"{k} {json.dumps(v)}" for k, v in said.items() if k != "schema_version"]
    return "; ".join([*parts, "what it leaves out, the options of 'run' say"])


def _file(file: ApprovedFile | None) -> str:
    return "" if file is None else f"{file.path}, SHA-256 {file.sha256}"


def _until(approval: Approval) -> str:
    if approval.expires_unix_ms is None:
        return "without an end"
    return f"until {utc(approval.expires_unix_ms)}"


def _expiry(approval: Approval) -> str:
    return "never" if approval.expires_unix_ms is None else utc(approval.expires_unix_ms)
