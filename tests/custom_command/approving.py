"""Builders of approvals for the tests of the command runtime."""

from typing import Any

from msgspec.structs import replace

from tau_custom_command.policy.approvals import Approval, ApprovedFile, Subject
from tau_custom_command.policy.model import ExecutionPolicy

NOW_UNIX_MS = 1_767_225_600_000
ONE, TWO = "1" * 64, "2" * 64
PROGRAM = ApprovedFile(path="/usr/bin/df", sha256=ONE)
SUBJECT = Subject(
    command_name="disk-usage",
    template="df --output=pcent -- {{path}}",
    default_arguments={"path": "/", "depth": 1},
    read_only=True,
    execution_policy=ExecutionPolicy(schema_version=1, allow_network=True),
    user=65534,
    workspace="/srv/work",
    program=PROGRAM,
    files=(ApprovedFile(path="/etc/df.conf", sha256=ONE),),
)


def approval_of(subject: Subject = SUBJECT, **changes: Any) -> Approval:  # noqa: ANN401 - any field
    """Return an approval of a command by alice, which does not expire."""
    given_by = Approval(
        approved_by="alice",
        approved_unix_ms=NOW_UNIX_MS,
        expires_unix_ms=None,
        pins={},
        subject=subject,
        subject_sha256=subject.sha256,
    )
    return replace(given_by, **changes)
