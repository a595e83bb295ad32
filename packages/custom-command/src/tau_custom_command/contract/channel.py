"""The files of a channel, key by key: what happened to one command, in order."""

from typing import Any, Literal

from msgspec import UNSET, UnsetType

from tau_custom_command.contract.forms import (
    Count,
    Digest,
    DurationMs,
    FileForm,
    NotEmpty,
    SchemaVersion,
    Status,
    UnixMs,
)
from tau_custom_command.contract.vocabulary import ErrorCode, Outcome

TRANSPORT = "custom-command"
SOURCE = "tau-custom-command-runner"


class ObservedResult(FileForm, frozen=True):
    """One side of a contract drift: what a case should have, or did, result in.

    Args:
        outcome: How the case should end, or ended.
        status_code: Its status.
        error_code: Its error; null if none.
        response_body: Its answer; null where none was expected in particular.
    """

    outcome: Outcome
    status_code: Status
    error_code: ErrorCode | None
    response_body: dict[str, Any] | None


class OutputDifference(FileForm, frozen=True):
    """Where a run's output, exit code or duration is not as its fixture states.

    Args:
        field: What was stated. Examples: "stdout.equals", "max_duration_ms"
        expected: What it should be; the first difference in its context, escaped.
        observed: What it was, likewise.
    """

    field: str
    expected: str
    observed: str


class Drift(FileForm, frozen=True):
    """How a case's result differs from what its fixture expects.

    Args:
        differences: What its output, exit code or duration lacks, after an execution.
    """

    expected: ObservedResult
    observed: ObservedResult
    differences: tuple[OutputDifference, ...] | UnsetType = UNSET


class RunAudit(FileForm, frozen=True):
    """What an execution did.

    Args:
        executed: A process was started.
        command_line: The words that were run, quoted.
        exit_code: Null if it has none.
        stdout: The beginning of its standard output.
        stderr: The beginning of its standard error.
        timed_out: It was ended by its time limit.
        duration_ms: How long it ran, in milliseconds.
        failure_reason: Why it failed; null if it did not.
        signal: The signal that it died of.
        left_behind: It left processes behind, which were ended.
        working_directory: The folder it ran in.
        output_is_lossy: The output is not all UTF-8, so the text cannot show every byte.
    """

    executed: bool
    command_line: str
    exit_code: int | None
    stdout: str
    stderr: str
    timed_out: bool
    duration_ms: DurationMs
    failure_reason: str | None
    signal: int | UnsetType = UNSET
    left_behind: bool | UnsetType = UNSET
    working_directory: str | UnsetType = UNSET
    output_is_lossy: bool | UnsetType = UNSET


class ChannelPayload(FileForm, frozen=True):
    """What happened to a command.

    Args:
        outcome: How the case ended.
        operation: The operation, in lower case. Examples: "create"
        case_id: The case's id.
        command_name: The command's name, as the case gave it.
        status_code: The status it ended with.
        upserted_commands: After a success: commands created or updated.
        deleted_commands: After a success: commands deleted.
        executed_runs: After a success: RUNs carried out.
        error_code: Otherwise: the error it ended with.
        run_audit: After an execution.
        drift: After a contract drift.
    """

    outcome: Outcome
    operation: str
    case_id: str
    command_name: str
    status_code: Status
    upserted_commands: Count | UnsetType = UNSET
    deleted_commands: Count | UnsetType = UNSET
    executed_runs: Count | UnsetType = UNSET
    error_code: ErrorCode | UnsetType | None = UNSET
    run_audit: RunAudit | UnsetType | None = UNSET
    drift: Drift | UnsetType | None = UNSET


class ChannelLogEntry(FileForm, frozen=True):
    """A line of a channel's `log.jsonl`: one case of one cycle.

    Args:
        timestamp_unix_ms: When the case ended.
        direction: Always `system`.
        event_key: The case's key.
        source: The program that wrote the line. Examples: "tau-custom-command-runner"
    """

    timestamp_unix_ms: UnixMs
    direction: Literal["system"]
    event_key: str
    source: str
    payload: ChannelPayload


class ContextEntry(FileForm, frozen=True):
    """A line of a channel's `context.jsonl`: the same case as one sentence.

    Args:
        timestamp_unix_ms: When the case ended.
        role: Always `system`.
        text: What happened, in one sentence. Examples: "Case '010-create' created the command greet
            (status 201)."
    """

    timestamp_unix_ms: UnixMs
    role: Literal["system"]
    text: str


class ChannelDescription(FileForm, frozen=True):
    """A channel's `schema.json`: whose folder this is.

    Args:
        transport: The transport. Examples: "custom-command"
        channel_id: The command's name, or `registry`. Examples: "greet"
    """

    schema_version: SchemaVersion
    transport: str
    channel_id: str


class ArtifactEntry(FileForm, frozen=True):
    """A line of `artifacts/index.jsonl`: the full output of a run, kept beside its record.

    Args:
        id: Names the artifact, unique in its channel.
        run_id: The run that it is the output of.
        artifact_type: What it is. Examples: "stdout", "stderr"
        relative_path: The file, from the channel's folder. Examples: "artifacts/1.txt"
        bytes: Its size.
        checksum_sha256: The digest of its bytes.
        created_unix_ms: When it was written.
        expires_unix_ms: When it may be deleted; null if never.
    """

    id: NotEmpty
    run_id: NotEmpty
    artifact_type: str
    relative_path: str
    bytes: Count
    checksum_sha256: Digest
    created_unix_ms: UnixMs
    expires_unix_ms: UnixMs | None
