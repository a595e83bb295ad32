"""`state.json` and the event log, key by key: what the runtime knows, and what each cycle did.

What is written is built from these models, so a writer cannot write a key that the schema lacks.
"""

import re
from enum import StrEnum
from io import BytesIO
from typing import Annotated, Any, Literal, Self

from msgspec import UNSET, Meta, MsgspecError, UnsetType, json
from msgspec.structs import replace

from tau_custom_command.contract.forms import (
    Count,
    Digest,
    DurationMs,
    FileForm,
    NotEmpty,
    Number,
    SchemaVersion,
    Status,
    UnixMs,
)
from tau_custom_command.contract.health import HealthState, ReasonCode
from tau_custom_command.contract.plain_json import has_few_values
from tau_custom_command.contract.strict_json import DEEPEST_NESTING
from tau_custom_command.contract.vocabulary import ErrorCode, Outcome, is_command_name
from tau_custom_command.errors import FormRefusedError
from tau_custom_command.policy.model import ExecutionPolicy

LONGEST_NAME_SHOWN = 80


class RunMode(StrEnum):
    """What happens to a RUN: it is recorded, or it really runs."""

    RECORD = "record"
    EXECUTE = "execute"


class CommandRecord(FileForm, frozen=True):
    """A registered command. Only a success changes a record, and an executed RUN.

    Args:
        case_key: The key of the case that last changed the record.
        case_id: That case's id.
        command_name: The command's name. Examples: "greet"
        template: The command line with its placeholders. Examples: "echo {{who}}"
        operation: The operation that last changed the record.
        last_status_code: The status it ended with. Examples: 201
        last_outcome: How it ended.
        run_count: RUNs carried out since it was first created.
        updated_unix_ms: When the record was last changed.
        execution_policy: The policy as the command's author wrote it; what is left out is unsaid.
        last_error_code: Error of the last execution; '' if none.
        last_command_line: Command line of the last execution; '' if none.
        last_exit_code: Its exit code; null if it has none.
        last_stdout: The beginning of its standard output.
        last_stderr: The beginning of its standard error.
        last_timed_out: It was ended by its time limit.
        last_duration_ms: How long it ran, in milliseconds.
        default_arguments: Values for the placeholders that a RUN's arguments leave out. Examples:
            {"who": "world"}
        read_only: The command changes nothing, as its author says: it may be run again and again.
    """

    case_key: str
    case_id: str
    command_name: str
    template: str
    operation: Literal["CREATE", "UPDATE", "RUN"]
    last_status_code: Status
    last_outcome: Outcome
    run_count: Count
    updated_unix_ms: UnixMs
    execution_policy: ExecutionPolicy
    last_error_code: Annotated[str, Meta(pattern=f"^({'|'.join(ErrorCode)}|)$(?!\\n)")]
    last_command_line: str
    last_exit_code: int | None
    last_stdout: str
    last_stderr: str
    last_timed_out: bool
    last_duration_ms: DurationMs
    default_arguments: dict[str, Any] = {}  # noqa: RUF012 - msgspec copies it
    read_only: bool = False

    def without_output(self) -> "CommandRecord":
        """The same with no more of what it ran with and wrote than how much that is."""
        texts = ("last_command_line", "last_stdout", "last_stderr")
        return replace(self, **{name: _left_out(getattr(self, name)) for name in texts})


_DEEP_LINE = b"\n" + b" " * DEEPEST_NESTING
"""Of a document: what lies half as deep as may be is indented by so much."""

_FEW_RECORDS, _RECORDS_AT_ONCE = 10_000, 1_000

_CUT = re.compile(r"\.\.\.<truncated:(\d{1,18}) bytes>\Z", re.ASCII)


def _left_out(text: str) -> str:
    """How long a text is, in the form of one that was cut before; empty where that is empty."""
    cut = _CUT.search(text)
    shown, more = (text, 0) if cut is None else (text[: cut.start()], int(cut[1]))
    return f"...<truncated:{len(shown.encode()) + more} bytes>" if text else ""


class HealthSnapshot(FileForm, frozen=True):
    """The health block, the same for every transport; about the last cycle.

    Args:
        updated_unix_ms: The end of the last cycle.
        cycle_duration_ms: How long that cycle processed cases, in milliseconds.
        queue_depth: Cases left over by the queue limit.
        active_runs: Commands running when this was written.
        failure_streak: Consecutive cycles that ended with at least one failed case.
        last_cycle_discovered: Cases that the fixture holds.
        last_cycle_processed: Cases applied, malformed, failed or skipped as duplicates.
        last_cycle_completed: Cases applied or malformed.
        last_cycle_failed: Cases that ended as failed.
        last_cycle_duplicates: Cases skipped since their key had been processed.
    """

    updated_unix_ms: UnixMs
    cycle_duration_ms: DurationMs
    queue_depth: Count
    active_runs: Count
    failure_streak: Count
    last_cycle_discovered: Count
    last_cycle_processed: Count
    last_cycle_completed: Count
    last_cycle_failed: Count
    last_cycle_duplicates: Count


class LastCycle(FileForm, frozen=True):
    """Which line of the event log the state belongs to: the end of the chain.

    Args:
        cycle_id: The id in that line.
        cycle_number: The number in that line.
        event_sha256: The digest of that line's bytes.
    """

    cycle_id: NotEmpty
    cycle_number: Number
    event_sha256: Digest


class StateFile(FileForm, frozen=True):
    """`state.json`: what the runtime knows after its last cycle.

    Args:
        processed_case_keys: Keys of cases that are settled, oldest first. Examples:
            ["CREATE:greet:010-create"]
        failed_case_keys: Keys of cases that failed, least recently tried first.
        executed_run_keys: Keys of RUNs whose process was started, oldest first; never forgotten.
            Left out where there is none.
        commands: The registry, sorted by command_name; each name once.
    """

    schema_version: SchemaVersion
    processed_case_keys: tuple[str, ...]
    failed_case_keys: tuple[str, ...]
    commands: tuple[CommandRecord, ...]
    health: HealthSnapshot
    last_cycle: LastCycle
    executed_run_keys: tuple[str, ...] | UnsetType = UNSET

    def as_document(self) -> bytes:
        """Write it as every document; the records in groups, since all at once take twice as much.

        That was a fifth of the memory of a cycle with 100,000 commands.
        """
        if len(self.commands) <= _FEW_RECORDS:
            return super().as_document()
        document = BytesIO()  # unlike others it gives its bytes away, and no copy of them
        without = super(StateFile, replace(self, commands=())).as_document()
        before, _, after = without.partition(b'"commands": []')
        document.write(before + b'"commands": [')
        for start in range(0, len(self.commands), _RECORDS_AT_ONCE):
            group = json.encode(self.commands[start : start + _RECORDS_AT_ONCE])
            lines = json.format(group, indent=2).removeprefix(b"[").removesuffix(b"\n]")
            document.write(b"," if start else b"")
            document.write(lines.replace(b"\n", b"\n  "))
        document.write(b"\n  ]" + after)
        return document.getvalue()

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read it, and hold that each command has a name and one record; raises as the others."""
        state = cls._as_written(raw) or super().parse(raw)
        names: set[str] = set()
        for record in state.commands:
            name = record.command_name
            wrong = "stands there twice" if name in names else None
            if wrong is not None or not is_command_name(name):
                shown = ascii(name)[:LONGEST_NAME_SHOWN]
                raise FormRefusedError(f"commands: {shown} {wrong or 'is no command name'}")
            names.add(name)
        return state

    @classmethod
    def _as_written(cls, raw: bytes) -> Self | None:
        """Read a state that has the very bytes that are written; None where it has not.

        The strict way takes five times as long. Where the bytes are the same again, nothing was
        repeated, coerced or left out; and how deep it is nested, its lines show.
        """
        if not has_few_values(raw) or _DEEP_LINE in raw:
            return None
        try:
            state = json.decode(raw, type=cls)
            return state if state.as_document() == raw else None
        except (MsgspecError, ValueError, ArithmeticError, RecursionError):
            return None


class RuntimeEvent(FileForm, frozen=True):
    """A line of `runtime-events.jsonl`: one cycle, chained to the line before.

    Args:
        timestamp_unix_ms: The end of the cycle.
        cycle_id: Unique; sorts by time. Examples: "1767225600000-00000042-9f86d081"
        cycle_number: From 1; the line before's plus 1.
        previous_sha256: Digest of the line before, without its line break; null for the first.
        run_mode: Whether RUNs were recorded or executed.
        health_state: The health after the cycle.
        health_reason: The same in a few words, for people.
        reason_codes: What was noteworthy, in the order of the table.
        discovered_cases: Cases that the fixture holds.
        queued_cases: Discovered less left over; duplicates count as queued.
        applied_cases: Cases that succeeded, as expected.
        duplicate_skips: Cases skipped since their key had been processed.
        malformed_cases: Cases malformed, as expected.
        unexpected_malformed_cases: Cases malformed, not as expected; they count as failed.
        retryable_failures: Attempts that failed in a retryable way.
        retry_attempts: Attempts after a case's first.
        failed_cases: Cases that ended as failed.
        upserted_commands: Commands created or updated.
        deleted_commands: Commands deleted.
        executed_runs: RUNs recorded; in execute mode, processes started.
        run_timeout_failures: Runs that hit their time limit.
        run_non_zero_exit_failures: Runs that ended with a non-zero exit code.
        run_spawn_failures: Programs that could not be started.
        run_missing_command_failures: RUNs of a command that is not registered.
        backlog_cases: Cases left over by the queue limit.
        failure_streak: Consecutive cycles that ended with at least one failed case.
        recovered: The cycle was closed after a crash.
        cycle_duration_ms: How long the cycle processed cases, in milliseconds.
        fixture_name: The fixture's name. Examples: "rollout"
        fixture_sha256: The digest of the fixture's file.
        runtime_version: The version of the runtime. Examples: "0.1.0"
        release: The release that runs here, as the operator says. Examples: "1.4.0"
    """

    schema_version: SchemaVersion
    timestamp_unix_ms: UnixMs
    cycle_id: Annotated[str, Meta(min_length=1)]
    cycle_number: Number
    previous_sha256: Digest | None
    run_mode: RunMode
    health_state: HealthState
    health_reason: str
    reason_codes: Annotated[tuple[ReasonCode, ...], Meta(min_length=1)]
    discovered_cases: Count
    queued_cases: Count
    applied_cases: Count
    duplicate_skips: Count
    malformed_cases: Count
    unexpected_malformed_cases: Count
    retryable_failures: Count
    retry_attempts: Count
    failed_cases: Count
    upserted_commands: Count
    deleted_commands: Count
    executed_runs: Count
    run_timeout_failures: Count
    run_non_zero_exit_failures: Count
    run_spawn_failures: Count
    run_missing_command_failures: Count
    backlog_cases: Count
    failure_streak: Count
    recovered: bool
    cycle_duration_ms: DurationMs
    fixture_name: str
    fixture_sha256: Digest
    runtime_version: str
    release: NotEmpty | UnsetType = UNSET


class ChainLink(FileForm, frozen=True):
    """What the runtime needs of an event it wrote earlier, to continue the chain."""

    cycle_number: Number
    previous_sha256: Digest | None
