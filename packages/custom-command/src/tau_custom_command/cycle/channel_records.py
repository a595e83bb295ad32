"""Builds what a cycle writes to the channel store: the history of each command.

The form of each file is in runbooks/state-files.md, "The channel store".
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from msgspec import UNSET, json
from msgspec.structs import replace

from tau_custom_command.contract.channel import (
    SOURCE,
    TRANSPORT,
    ChannelDescription,
    ChannelLogEntry,
    ChannelPayload,
    ContextEntry,
    Drift,
    ObservedResult,
    OutputDifference,
    RunAudit,
)
from tau_custom_command.contract.paths import CHANNEL_LOGS, CHANNEL_STORE
from tau_custom_command.contract.state import CommandRecord
from tau_custom_command.contract.vocabulary import REGISTRY_CHANNEL, Operation, Outcome
from tau_custom_command.contract.writes import AppendLines, CreateFile, ReplaceFile, Write
from tau_custom_command.cycle.artifacts import index_writes
from tau_custom_command.cycle.attempt import Execution
from tau_custom_command.cycle.evaluation import Result
from tau_custom_command.cycle.registry import Registry, RegistryChange
from tau_custom_command.cycle.settle import Disposition, Settlement
from tau_custom_command.durations import utc
from tau_custom_command.fixture.model import Expectation
from tau_custom_command.policy.model import ExecutionPolicy
from tau_custom_command.printable import printable

_LONGEST_SAID = 200
"""Characters that are quoted of what a command said last."""

_PAST_TENSE = {
    Operation.CREATE: "created",
    Operation.UPDATE: "updated",
    Operation.DELETE: "deleted",
    Operation.RUN: "ran",
}


def by_channel(settlements: Iterable[Settlement]) -> dict[str, list[Settlement]]:
    """Sort the settled cases by the channels that a cycle touches, in the order they ran.

    The registry's channel is always among them, since it has a snapshot of the whole registry.
    """
    of_channel: dict[str, list[Settlement]] = {}
    for settlement in settlements:
        of_channel.setdefault(settlement.case.channel, []).append(settlement)
    if of_channel:
        of_channel.setdefault(REGISTRY_CHANNEL, [])
    return of_channel


def channel_writes(
    channel: str, entries: Sequence[Settlement], registry: Registry
) -> Iterator[Write]:
    """Yield the writes that bring a channel up to the end of a cycle, with `registry` as then."""
    folder = f"{CHANNEL_STORE}/{channel}"
    description = ChannelDescription(schema_version=1, transport=TRANSPORT, channel_id=channel)
    yield CreateFile(path=f"{folder}/schema.json", content=description.as_document())
    if entries:
        log = tuple(line.as_line() for entry in entries for line in log_entries(entry))
        context = tuple(line.as_line() for entry in entries for line in context_entries(entry))
        for name, lines in zip(CHANNEL_LOGS, (log, context), strict=True):
            yield AppendLines(path=f"{folder}/{name}", lines=lines)
    attempts = (execution.ended for entry in entries for execution in entry.executions)
    yield from index_writes(channel, attempts)
    yield ReplaceFile(path=f"{folder}/MEMORY.md", content=memory(channel, registry).encode())


def log_entries(settlement: Settlement) -> Iterator[ChannelLogEntry]:
    """Build the entries of the channel's log for a case that was settled.

    One; for an executed RUN, one for each attempt.
    """
    for execution in settlement.executions[:-1]:
        yield _entry(settlement, execution.result, execution, {})
    last = settlement.executions[-1] if settlement.executions else None
    outcome: dict[str, Any] = {}
    if settlement.drifted:
        observed = _side(settlement.result)
        differences = () if last is None else last.differences
        outcome["drift"] = Drift(
            expected=_side(settlement.case.expected),
            observed=observed,
            differences=tuple(OutputDifference(**each._asdict()) for each in differences) or UNSET,
        )
    yield _entry(settlement, settlement.result, last, outcome)


def _entry(
    settlement: Settlement, result: Result, execution: Execution | None, fields: dict[str, Any]
) -> ChannelLogEntry:
    case = settlement.case
    if execution is not None:
        fields["run_audit"] = _audit(execution)
    if result.outcome is not Outcome.SUCCESS:
        fields["error_code"] = result.error_code
    elif execution is None:
        fields |= settlement.change._asdict()
    else:
        fields |= RegistryChange(executed_runs=1)._asdict()
    return ChannelLogEntry(
        timestamp_unix_ms=_ended_unix_ms(settlement, execution),
        direction="system",
        event_key=case.key,
        source=SOURCE,
        payload=ChannelPayload(
            outcome=result.outcome,
            operation=case.operation.lower(),
            case_id=case.case_id,
            command_name=case.command_name,
            status_code=result.status_code,
            **fields,
        ),
    )


def _audit(execution: Execution) -> RunAudit:
    ended = execution.ended
    return RunAudit(
        executed=ended.started,
        command_line=ended.command_line,
        exit_code=ended.exit_code,
        stdout=ended.stdout.text,
        stderr=ended.stderr.text,
        timed_out=ended.timed_out,
        duration_ms=ended.duration_ms,
        failure_reason=execution.failure,
        signal=UNSET if ended.signal is None else ended.signal,
        left_behind=ended.left_behind or UNSET,
        working_directory=ended.working_directory or UNSET,
        output_is_lossy=ended.stdout.is_lossy or ended.stderr.is_lossy or UNSET,
    )


def context_entries(settlement: Settlement) -> Iterator[ContextEntry]:
    """Build the same as readable sentences."""
    for number, execution in enumerate(settlement.executions[:-1], 1):
        head = f"Case {settlement.case.case_id!r}: attempt {number} failed"
        text = f"{head}: {_short(execution.result)}{_because(execution.result, execution)}."
        yield ContextEntry(timestamp_unix_ms=execution.ended_unix_ms, role="system", text=text)
    last = settlement.executions[-1] if settlement.executions else None
    yield ContextEntry(
        timestamp_unix_ms=_ended_unix_ms(settlement, last),
        role="system",
        text=sentence(settlement),
    )


def _ended_unix_ms(settlement: Settlement, execution: Execution | None) -> int:
    return settlement.settled_unix_ms if execution is None else execution.ended_unix_ms


def sentence(settlement: Settlement) -> str:
    """Say what became of a case, for people, on one line."""
    head = f"Case {settlement.case.case_id!r}"
    if settlement.drifted:
        changed = "" if settlement.is_executed else "; nothing was changed"
        return f"{head} drifted from its contract: {account(settlement)}{changed}."
    if settlement.disposition is Disposition.APPLIED:
        return f"{head} {_achievement(settlement)} (status {settlement.result.status_code})."
    if settlement.disposition is Disposition.MALFORMED:
        return f"{head} was rejected as its fixture expects: {account(settlement)}."
    return f"{head} failed after {attempts(settlement)}: {account(settlement)}."


def account(settlement: Settlement) -> str:
    """Say what came of a case, and why; where it drifted, what should have, too."""
    case, result = settlement.case, settlement.result
    observed = _short(result)
    because = _because(result, *settlement.executions[-1:])
    if not settlement.drifted:
        return observed + because
    expected = _short(case.expected)
    differences = [
        each for execution in settlement.executions[-1:] for each in execution.differences
    ]
    if differences:
        told = "; ".join(
            f"{each.field}: expected {each.expected}, observed {each.observed}"
            for each in differences
        )
        return (
            printable(told) if expected == observed else f"{printable(told)}; {observed}{because}"
        )
    if expected == observed:
        observed += " with another response body"
    return f"expected {expected}, observed {observed}{because}"


def attempts(settlement: Settlement) -> str:
    """Say how often a case was tried, in words."""
    number = settlement.retry_attempts + 1
    return "1 attempt" if number == 1 else f"{number} attempts"


def memory(channel: str, registry: Registry) -> str:
    """The readable snapshot of a channel: its command, or the whole registry."""
    if channel == REGISTRY_CHANNEL:
        return _memory_of_registry(registry)
    record = registry.get(channel)
    if record is None:
        return f"# {channel}\n\nThe command is not registered.\n"
    last = f"{record.operation}, {record.last_outcome}, status {record.last_status_code}"
    execution = _last_execution(record) if record.last_command_line else ""
    return (
        f"# {channel}\n\n"
        f"- Template: {code(record.template)}\n"
        f"- Runs: {record.run_count}\n"
        f"- Last change: {last}\n"
        f"- By case: {code(record.case_id)}\n"
        f"- At: {utc(record.updated_unix_ms)}\n"
        f"- Its own execution policy: {_policy(record.execution_policy)}\n"
        f"{execution}"
    )


@lru_cache  # most commands have one of few policies
def _policy(policy: ExecutionPolicy) -> str:
    return code(json.encode(replace(policy, schema_version=UNSET)).decode())


def _last_execution(record: CommandRecord) -> str:
    how = "its time limit" if record.last_timed_out else f"exit code {record.last_exit_code}"
    return (
        f"- Last command line: {code(record.last_command_line)}\n"
        f"- It ended with {how} after {record.last_duration_ms} ms\n"
    )


def code(text: str) -> str:
    """Write `text` as Markdown code on one line, also where it holds backticks itself."""
    if "`" not in text:
        return f"`{printable(text)}`"
    longest = max(len(run) for run in re.findall(r"`+", text))
    fence = "`" * (longest + 1)
    padding = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{padding}{printable(text)}{padding}{fence}"


def _memory_of_registry(registry: Registry) -> str:
    count = "1 command" if len(registry) == 1 else f"{len(registry)} commands"
    rows = "".join(_memory_row(record) for record in registry.sorted_records())
    head = "\n| command | runs | last change | template |\n| --- | ---: | --- | --- |\n"
    return f"# The registry\n\n{count}.\n" + (head + rows if rows else "")


def _memory_row(record: CommandRecord) -> str:
    template = code(record.template).replace("|", "\\|")
    return (
        f"| {printable(record.command_name)} | {record.run_count} | {record.operation} "
        f"{utc(record.updated_unix_ms)} | {template} |\n"
    )


def _achievement(settlement: Settlement) -> str:
    operation = Operation(settlement.case.operation)
    if operation is Operation.LIST:
        return "listed the registered commands"
    if operation is Operation.DELETE and not settlement.change.deleted_commands:
        return f"had nothing to delete: {settlement.case.command_name} was not registered"
    if operation is Operation.RUN and not settlement.is_executed:
        return f"recorded a RUN of the command {settlement.case.command_name}, and started nothing"
    return f"{_PAST_TENSE[operation]} the command {settlement.case.command_name}"


def _side(result: Expectation | Result) -> ObservedResult:
    return ObservedResult(
        outcome=result.outcome,
        status_code=result.status_code,
        error_code=result.error_code,
        response_body=result.response_body,
    )


def _because(result: Result, *executions: Execution) -> str:
    """Why it came out so; of a command, the last line that it wrote to stderr too."""
    said = [result.explanation] if result.explanation else []
    for execution in executions if said else ():
        *_, last = ("", *filter(str.strip, execution.ended.stderr.text.splitlines()))
        said += [last.strip()[:_LONGEST_SAID]] if last else []
    return f" ({printable(': '.join(said))})" if said else ""


def _short(result: Expectation | Result) -> str:
    error = "" if result.error_code is None else f" {result.error_code}"
    return f"{result.outcome} {result.status_code}{error}"
