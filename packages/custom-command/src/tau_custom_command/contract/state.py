"""`state.json` and the event log, key by key: what the runtime knows, and what each cycle did.

What is written is built from these models, so a writer cannot write a key that the schema lacks.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StrictBool
from pydantic_core import PydanticCustomError

from tau_custom_command.contract.forms import (
    LARGEST_INTEGER,
    Count,
    Digest,
    DurationMs,
    FileForm,
    SchemaVersion,
    UnixMs,
)
from tau_custom_command.contract.health import HealthState, ReasonCode
from tau_custom_command.contract.vocabulary import ErrorCode, Outcome, is_command_name
from tau_custom_command.policy.model import ExecutionPolicy

LONGEST_NAME_SHOWN = 80


class RunMode(StrEnum):
    """What happens to a RUN: it is recorded, or it really runs."""

    RECORD = "record"
    EXECUTE = "execute"


class CommandRecord(FileForm):
    """A registered command. Only a success changes a record, and an executed RUN."""

    case_key: Annotated[str, Field(description="The key of the case that last changed the record.")]
    case_id: Annotated[str, Field(description="That case's id.")]
    command_name: Annotated[str, Field(description="The command's name.", examples=["greet"])]
    template: Annotated[
        str, Field(description="The command line with its placeholders.", examples=["echo {{who}}"])
    ]
    operation: Annotated[
        Literal["CREATE", "UPDATE", "RUN"],
        Field(description="The operation that last changed the record."),
    ]
    last_status_code: Annotated[
        int, Field(strict=True, gt=0, description="The status it ended with.", examples=[201])
    ]
    last_outcome: Annotated[Outcome, Field(description="How it ended.")]
    run_count: Annotated[Count, Field(description="RUNs carried out since it was first created.")]
    updated_unix_ms: Annotated[UnixMs, Field(description="When the record was last changed.")]
    execution_policy: Annotated[
        ExecutionPolicy,
        Field(
            description="The policy as the command's author wrote it; what is left out is unsaid."
        ),
    ]
    last_error_code: Annotated[
        ErrorCode | Literal[""], Field(description="Error of the last execution; '' if none.")
    ]
    last_command_line: Annotated[
        str, Field(description="Command line of the last execution; '' if none.")
    ]
    last_exit_code: Annotated[
        int | None, Field(strict=True, description="Its exit code; null if it has none.")
    ]
    last_stdout: Annotated[str, Field(description="The beginning of its standard output.")]
    last_stderr: Annotated[str, Field(description="The beginning of its standard error.")]
    last_timed_out: Annotated[StrictBool, Field(description="It was ended by its time limit.")]
    last_duration_ms: Annotated[DurationMs, Field(description="How long it ran, in milliseconds.")]


class HealthSnapshot(FileForm):
    """The health block, the same for every transport; about the last cycle."""

    updated_unix_ms: Annotated[UnixMs, Field(description="The end of the last cycle.")]
    cycle_duration_ms: Annotated[
        DurationMs, Field(description="How long that cycle processed cases, in milliseconds.")
    ]
    queue_depth: Annotated[Count, Field(description="Cases left over by the queue limit.")]
    active_runs: Annotated[Count, Field(description="Commands running when this was written.")]
    failure_streak: Annotated[
        Count, Field(description="Consecutive cycles that ended with at least one failed case.")
    ]
    last_cycle_discovered: Annotated[Count, Field(description="Cases that the fixture holds.")]
    last_cycle_processed: Annotated[
        Count, Field(description="Cases applied, malformed, failed or skipped as duplicates.")
    ]
    last_cycle_completed: Annotated[Count, Field(description="Cases applied or malformed.")]
    last_cycle_failed: Annotated[Count, Field(description="Cases that ended as failed.")]
    last_cycle_duplicates: Annotated[
        Count, Field(description="Cases skipped since their key had been processed.")
    ]


class LastCycle(FileForm):
    """Which line of the event log the state belongs to: the end of the chain."""

    cycle_id: Annotated[str, Field(min_length=1, description="The id in that line.")]
    cycle_number: Annotated[
        int, Field(strict=True, ge=1, le=LARGEST_INTEGER, description="The number in that line.")
    ]
    event_sha256: Annotated[Digest, Field(description="The digest of that line's bytes.")]


def _each_registered_once(records: tuple[CommandRecord, ...]) -> tuple[CommandRecord, ...]:
    """Hold that a registry has one record a name, and only names it would register."""
    names: set[str] = set()
    for record in records:
        if not is_command_name(record.command_name):
            raise PydanticCustomError("name", "{name} is no command name", {"name": _shown(record)})
        if record.command_name in names:
            raise PydanticCustomError("name", "{name} stands there twice", {"name": _shown(record)})
        names.add(record.command_name)
    return records


def _shown(record: CommandRecord) -> str:
    return ascii(record.command_name)[:LONGEST_NAME_SHOWN]


class StateFile(FileForm):
    """`state.json`: what the runtime knows after its last cycle."""

    schema_version: SchemaVersion
    processed_case_keys: Annotated[
        tuple[str, ...],
        Field(
            description="Keys of cases that are settled, oldest first.",
            examples=[["CREATE:greet:010-create"]],
        ),
    ]
    failed_case_keys: Annotated[
        tuple[str, ...],
        Field(description="Keys of cases that failed, least recently tried first."),
    ]
    commands: Annotated[
        tuple[CommandRecord, ...],
        AfterValidator(_each_registered_once),
        Field(description="The registry, sorted by command_name; each name once."),
    ]
    health: HealthSnapshot
    last_cycle: LastCycle


class RuntimeEvent(FileForm):
    """A line of `runtime-events.jsonl`: one cycle, chained to the line before."""

    schema_version: SchemaVersion
    timestamp_unix_ms: Annotated[UnixMs, Field(description="The end of the cycle.")]
    cycle_id: Annotated[
        str,
        Field(
            min_length=1,
            description="Unique; sorts by time.",
            examples=["1767225600000-00000042-9f86d081"],
        ),
    ]
    cycle_number: Annotated[
        int,
        Field(
            strict=True, ge=1, le=LARGEST_INTEGER, description="From 1; the line before's plus 1."
        ),
    ]
    previous_sha256: Annotated[
        Digest | None,
        Field(description="Digest of the line before, without its line break; null for the first."),
    ]
    run_mode: Annotated[RunMode, Field(description="Whether RUNs were recorded or executed.")]
    health_state: Annotated[HealthState, Field(description="The health after the cycle.")]
    health_reason: Annotated[str, Field(description="The same in a few words, for people.")]
    reason_codes: Annotated[
        tuple[ReasonCode, ...],
        Field(min_length=1, description="What was noteworthy, in the order of the table."),
    ]
    discovered_cases: Annotated[Count, Field(description="Cases that the fixture holds.")]
    queued_cases: Annotated[
        Count, Field(description="Discovered less left over; duplicates count as queued.")
    ]
    applied_cases: Annotated[Count, Field(description="Cases that succeeded, as expected.")]
    duplicate_skips: Annotated[
        Count, Field(description="Cases skipped since their key had been processed.")
    ]
    malformed_cases: Annotated[Count, Field(description="Cases malformed, as expected.")]
    unexpected_malformed_cases: Annotated[
        Count, Field(description="Cases malformed, not as expected; they count as failed.")
    ]
    retryable_failures: Annotated[
        Count, Field(description="Attempts that failed in a retryable way.")
    ]
    retry_attempts: Annotated[Count, Field(description="Attempts after a case's first.")]
    failed_cases: Annotated[Count, Field(description="Cases that ended as failed.")]
    upserted_commands: Annotated[Count, Field(description="Commands created or updated.")]
    deleted_commands: Annotated[Count, Field(description="Commands deleted.")]
    executed_runs: Annotated[
        Count, Field(description="RUNs recorded; in execute mode, processes started.")
    ]
    run_timeout_failures: Annotated[Count, Field(description="Runs that hit their time limit.")]
    run_non_zero_exit_failures: Annotated[
        Count, Field(description="Runs that ended with a non-zero exit code.")
    ]
    run_spawn_failures: Annotated[Count, Field(description="Programs that could not be started.")]
    run_missing_command_failures: Annotated[
        Count, Field(description="RUNs of a command that is not registered.")
    ]
    backlog_cases: Annotated[Count, Field(description="Cases left over by the queue limit.")]
    failure_streak: Annotated[
        Count, Field(description="Consecutive cycles that ended with at least one failed case.")
    ]
    recovered: Annotated[StrictBool, Field(description="The cycle was closed after a crash.")]
    cycle_duration_ms: Annotated[
        DurationMs, Field(description="How long the cycle processed cases, in milliseconds.")
    ]
    fixture_name: Annotated[str, Field(description="The fixture's name.", examples=["rollout"])]
    fixture_sha256: Annotated[Digest, Field(description="The digest of the fixture's file.")]
    runtime_version: Annotated[
        str, Field(description="The version of the runtime.", examples=["0.1.0"])
    ]


class ChainLink(FileForm):
    """What the runtime needs of an event it wrote earlier, to continue the chain."""

    cycle_number: Annotated[int, Field(strict=True, ge=1, le=LARGEST_INTEGER)]
    previous_sha256: Digest | None
