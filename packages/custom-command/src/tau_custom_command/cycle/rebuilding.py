"""A state rebuilt from what was written beside it: the event log and the channel store.

The last event gives health and the end of the chain; the channels' logs give which cases are
settled, and which commands there are; a command's template and policy are read back from its
MEMORY.md. Only what is certain is taken: a command that its channel does not show just so is
listed as lost instead (runbooks/custom-command-ops.md, "When `state.json` is broken").
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from tau_custom_command.contract import strict_json
from tau_custom_command.contract.channel import ChannelLogEntry
from tau_custom_command.contract.forms import line_digest
from tau_custom_command.contract.state import CommandRecord, LastCycle, RuntimeEvent, StateFile
from tau_custom_command.contract.vocabulary import REGISTRY_CHANNEL, Operation, Outcome
from tau_custom_command.cycle.accounting import snapshot_of
from tau_custom_command.cycle.channel_records import memory
from tau_custom_command.cycle.registry import Registry
from tau_custom_command.errors import JsonRefusedError, StateUnusableError
from tau_custom_command.policy.model import ExecutionPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRemains:
    """What a channel's folder holds: the whole lines of its log, and its MEMORY.md."""

    name: str
    log_lines: tuple[bytes, ...]
    memory: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """A state, and what of the earlier one could not be rebuilt, a sentence each."""

    state: StateFile
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What there is to do, or was done, a sentence each; and what could not be rebuilt."""

    steps: tuple[str, ...]
    lost: tuple[str, ...] = ()


def rebuild(events_backwards: Iterable[bytes], channels: Sequence[ChannelRemains]) -> Rebuilt:
    """Return the state that these remains show; the events are whole lines, the newest first.

    Raises:
        StateUnusableError: if no event can be read: then nothing says where the chain ends.
    """
    event, line, unread = _newest_event(events_backwards)
    entries = {channel.name: _entries(channel) for channel in channels}
    processed, failed = _case_keys(entry for of_one in entries.values() for entry in of_one)
    records, lost_commands = _commands(channels, entries)
    lost = (
        [f"{_count(unread, 'line')} at the end of the event log cannot be read"] if unread else []
    )
    late = sum(
        entry.timestamp_unix_ms > event.timestamp_unix_ms
        for of_one in entries.values()
        for entry in of_one
    )
    if late:
        number = event.cycle_number
        lost.append(
            f"{_count(late, 'line')} of the channels, dated after the last event that can be read, "
            f"of cycle {number}: health and the end of the chain are those of cycle {number}"
        )
    for channel in channels:
        bad = len(channel.log_lines) - len(entries[channel.name])
        if bad:
            lines = f"{_count(bad, 'line')} of its log cannot be read"
            lost.append(f"{channel.name}: {lines}; their cases may be new again")
    state = StateFile(
        schema_version=1,
        processed_case_keys=processed,
        failed_case_keys=failed,
        commands=Registry.of(records).sorted_records(),
        health=snapshot_of(event),
        last_cycle=LastCycle(
            cycle_id=event.cycle_id,
            cycle_number=event.cycle_number,
            event_sha256=line_digest(line),
        ),
    )
    return Rebuilt(state=state, lost=(*lost, *lost_commands))


def _case_keys(entries: Iterable[ChannelLogEntry]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the processed and the failed keys in their order; a key's last entry counts."""
    # When each key was last tried, when before that (new cases come first), and its id.
    order: dict[str, tuple[int, int, str]] = {}
    is_settled: dict[str, bool] = {}
    for entry in entries:
        key, (before, *_) = entry.event_key, order.get(entry.event_key, (-1,))
        order[key] = (entry.timestamp_unix_ms, before, entry.payload.case_id)
        is_settled[key] = _is_settled(entry)
    keys = sorted(order, key=lambda key: order[key])
    processed = tuple(key for key in keys if is_settled[key])
    return processed, tuple(key for key in keys if not is_settled[key])


def _commands(
    channels: Sequence[ChannelRemains], entries: Mapping[str, Sequence[ChannelLogEntry]]
) -> tuple[list[CommandRecord], list[str]]:
    """Return the records that the channels show, and what to say of those that are lost."""
    records: list[CommandRecord] = []
    lost: list[str] = []
    for channel in channels:
        change = _last_change(entries[channel.name])
        if channel.name == REGISTRY_CHANNEL or change is None:
            continue
        record = _record(channel, change)
        if record is None:
            lost.append(_lost_command(channel.name, "its MEMORY.md does not show it for sure"))
        else:
            records.append(record)
    registry = [c.memory for c in channels if c.name == REGISTRY_CHANNEL]
    missing = [name for name in _names_in_registry("".join(registry)) if name not in entries]
    lost += [_lost_command(name, "its channel is missing") for name in missing]
    return records, lost


def _newest_event(events_backwards: Iterable[bytes]) -> tuple[RuntimeEvent, bytes, int]:
    for unread, line in enumerate(events_backwards):
        try:
            return RuntimeEvent.parse(line), line, unread
        except JsonRefusedError:
            continue
    raise StateUnusableError(
        "the event log has no line that can be read, so nothing says what the last cycle was: put "
        "state.json back from a copy, or move the directory away to begin anew"
    )


def _entries(channel: ChannelRemains) -> list[ChannelLogEntry]:
    """Return the entries of a channel's log, less the lines that are none."""
    entries: list[ChannelLogEntry] = []
    for line in channel.log_lines:
        with contextlib.suppress(JsonRefusedError):
            entries.append(ChannelLogEntry.parse(line))
    return entries


def _is_settled(entry: ChannelLogEntry) -> bool:
    """Tell whether a case counts as processed: as expected, or a process was started for it."""
    payload = entry.payload
    if payload.run_audit is not None and payload.run_audit.executed:
        return True
    return payload.drift is None and payload.outcome is not Outcome.RETRYABLE_FAILURE


def _last_change(entries: Sequence[ChannelLogEntry]) -> ChannelLogEntry | None:
    """Return the entry that left the command as it is; None if it is not registered."""
    for entry in reversed(entries):
        if entry.payload.outcome is Outcome.SUCCESS and entry.payload.drift is None:
            return None if entry.payload.operation == Operation.DELETE.lower() else entry
    return None


def _record(channel: ChannelRemains, change: ChannelLogEntry) -> CommandRecord | None:
    """Return the record that a channel shows; None unless it shows just that record.

    What MEMORY.md escapes, or fences otherwise, could have been more than one text.
    """
    template = re.search(r"^- Template: `([^`\\]+)`$", channel.memory, re.MULTILINE)
    policy = re.search(r"^- Its own execution policy: `([^`]+)`$", channel.memory, re.MULTILINE)
    runs = re.search(r"^- Runs: (\d{1,18})$", channel.memory, re.MULTILINE)
    if template is None or policy is None or runs is None:
        return None
    try:
        record = CommandRecord.model_validate(
            {
                "case_key": change.event_key,
                "case_id": change.payload.case_id,
                "command_name": channel.name,
                "template": template[1],
                "operation": change.payload.operation.upper(),
                "last_status_code": change.payload.status_code,
                "last_outcome": change.payload.outcome,
                "run_count": int(runs[1]),
                "updated_unix_ms": change.timestamp_unix_ms,
                "execution_policy": ExecutionPolicy.model_validate(
                    {"schema_version": 1} | strict_json.decode(policy[1].encode())
                ),
                "last_error_code": "",
                "last_command_line": "",
                "last_exit_code": None,
                "last_stdout": "",
                "last_stderr": "",
                "last_timed_out": False,
                "last_duration_ms": 0,
            }
        )
    except (JsonRefusedError, ValidationError, TypeError):
        return None
    return record if memory(channel.name, Registry.of([record])) == channel.memory else None


def _names_in_registry(memory_of_registry: str) -> list[str]:
    """Return the names in the registry's own snapshot, a table."""
    _, _, rows = memory_of_registry.partition("| --- |")
    return re.findall(r"^\| ([A-Za-z][\w-]{0,63}) \|", rows, re.MULTILINE | re.ASCII)


def _lost_command(name: str, why: str) -> str:
    return f"{name}: the command is lost, since {why}; register it anew, with a new case id"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
