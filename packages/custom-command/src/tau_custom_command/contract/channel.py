"""The files of a channel, key by key: what happened to one command, in order."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue, StrictBool

from tau_custom_command.contract.forms import (
    Count,
    Digest,
    DurationMs,
    FileForm,
    SchemaVersion,
    UnixMs,
)
from tau_custom_command.contract.vocabulary import ErrorCode, Outcome

TRANSPORT = "custom-command"
SOURCE = "tau-custom-command-runner"


class ObservedResult(FileForm):
    """One side of a contract drift: what a case should have, or did, result in."""

    outcome: Annotated[Outcome, Field(description="How the case should end, or ended.")]
    status_code: Annotated[int, Field(strict=True, gt=0, description="Its status.")]
    error_code: Annotated[ErrorCode | None, Field(description="Its error; null if none.")]
    response_body: Annotated[
        dict[str, JsonValue] | None,
        Field(description="Its answer; null where none was expected in particular."),
    ]


class Drift(FileForm):
    """How a case's result differs from what its fixture expects."""

    expected: ObservedResult
    observed: ObservedResult


class RunAudit(FileForm):
    """What an execution did."""

    executed: Annotated[StrictBool, Field(description="A process was started.")]
    command_line: Annotated[str, Field(description="The words that were run, quoted.")]
    exit_code: Annotated[int | None, Field(strict=True, description="Null if it has none.")]
    stdout: Annotated[str, Field(description="The beginning of its standard output.")]
    stderr: Annotated[str, Field(description="The beginning of its standard error.")]
    timed_out: Annotated[StrictBool, Field(description="It was ended by its time limit.")]
    duration_ms: Annotated[DurationMs, Field(description="How long it ran, in milliseconds.")]
    failure_reason: Annotated[str | None, Field(description="Why it failed; null if it did not.")]


class ChannelPayload(FileForm):
    """What happened to a command."""

    outcome: Annotated[Outcome, Field(description="How the case ended.")]
    operation: Annotated[
        str, Field(description="The operation, in lower case.", examples=["create"])
    ]
    case_id: Annotated[str, Field(description="The case's id.")]
    command_name: Annotated[str, Field(description="The command's name, as the case gave it.")]
    status_code: Annotated[int, Field(strict=True, gt=0, description="The status it ended with.")]
    upserted_commands: Annotated[
        Count, Field(description="After a success: commands created or updated.")
    ] = 0
    deleted_commands: Annotated[Count, Field(description="After a success: commands deleted.")] = 0
    executed_runs: Annotated[Count, Field(description="After a success: RUNs carried out.")] = 0
    error_code: Annotated[
        ErrorCode | None, Field(description="Otherwise: the error it ended with.")
    ] = None
    run_audit: Annotated[RunAudit | None, Field(description="After an execution.")] = None
    drift: Annotated[Drift | None, Field(description="After a contract drift.")] = None


class ChannelLogEntry(FileForm):
    """A line of a channel's `log.jsonl`: one case of one cycle."""

    timestamp_unix_ms: Annotated[UnixMs, Field(description="When the case ended.")]
    direction: Annotated[Literal["system"], Field(description="Always `system`.")]
    event_key: Annotated[str, Field(description="The case's key.")]
    source: Annotated[str, Field(description="The program that wrote the line.", examples=[SOURCE])]
    payload: ChannelPayload


class ContextEntry(FileForm):
    """A line of a channel's `context.jsonl`: the same case as one sentence."""

    timestamp_unix_ms: Annotated[UnixMs, Field(description="When the case ended.")]
    role: Annotated[Literal["system"], Field(description="Always `system`.")]
    text: Annotated[
        str,
        Field(
            description="What happened, in one sentence.",
            examples=["Case '010-create' created the command greet (status 201)."],
        ),
    ]


class ChannelDescription(FileForm):
    """A channel's `schema.json`: whose folder this is."""

    schema_version: SchemaVersion
    transport: Annotated[str, Field(description="The transport.", examples=[TRANSPORT])]
    channel_id: Annotated[
        str, Field(description="The command's name, or `registry`.", examples=["greet"])
    ]


class ArtifactEntry(FileForm):
    """A line of `artifacts/index.jsonl`: the full output of a run, kept beside its record."""

    id: Annotated[
        str, Field(min_length=1, description="Names the artifact, unique in its channel.")
    ]
    run_id: Annotated[str, Field(min_length=1, description="The run that it is the output of.")]
    artifact_type: Annotated[str, Field(description="What it is.", examples=["stdout", "stderr"])]
    relative_path: Annotated[
        str, Field(description="The file, from the channel's folder.", examples=["artifacts/1.txt"])
    ]
    bytes: Annotated[Count, Field(description="Its size.")]
    checksum_sha256: Annotated[Digest, Field(description="The digest of its bytes.")]
    created_unix_ms: Annotated[UnixMs, Field(description="When it was written.")]
    expires_unix_ms: Annotated[
        UnixMs | None, Field(description="When it may be deleted; null if never.")
    ]
