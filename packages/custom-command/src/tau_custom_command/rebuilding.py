"""A state rebuilt from what was written beside it: the event log and the channel store.

The last event gives health and the end of the chain; the channels' logs give which cases are
settled, and which commands there are; a command's template and policy are read back from its
MEMORY.md. Only what is certain is taken: a command that its channel does not show just so is
listed as lost instead (runbooks/custom-command-ops.md, "When `state.json` is broken").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from tau_custom_command import strict_json
from tau_custom_command.channel_entries import memory
from tau_custom_command.channel_files import ChannelLogEntry
from tau_custom_command.closing import snapshot_of
from tau_custom_command.contract import REGISTRY_CHANNEL, Operation, Outcome
from tau_custom_command.errors import JsonRefusedError, StateUnusableError
from tau_custom_command.file_forms import line_digest
from tau_custom_command.policy import ExecutionPolicy
from tau_custom_command.registry import Registry
from tau_custom_command.state_files import CommandRecord, LastCycle, RuntimeEvent, StateFile


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
    lost = [f"{_count(unread, 'line')} at the end of the event log cannot be read"] * bool(unread)
    settled: dict[str, tuple[tuple[int, str], bool]] = {}
    records: list[CommandRecord] = []
    for channel in channels:
        entries, unreadable = _entries(channel)
        if unreadable:
            lost.append(
                f"{channel.name}: {_count(unreadable, 'line')} of its log cannot be read; their "
                "cases may be new again"
            )
        for entry in entries:
            order = (entry.timestamp_unix_ms, entry.payload.case_id)
            settled[entry.event_key] = (order, _is_settled(entry))
        change = _last_change(entries)
        if channel.name != REGISTRY_CHANNEL and change is not None:
            record = _record(channel, change)
            if record is None:
                lost.append(_lost_command(channel.name, "its MEMORY.md does not show it for sure"))
            else:
                records.append(record)
    shown = {channel.name: channel for channel in channels}
    for name in _names_in_registry(shown.get(REGISTRY_CHANNEL)):
        if name not in shown:
            lost.append(_lost_command(name, "its channel is missing"))
    keys = sorted(settled, key=lambda key: settled[key][0])
    state = StateFile(
        schema_version=1,
        processed_case_keys=tuple(key for key in keys if settled[key][1]),
        failed_case_keys=tuple(key for key in keys if not settled[key][1]),
        commands=Registry.of(records).sorted_records(),
        health=snapshot_of(event),
        last_cycle=LastCycle(
            cycle_id=event.cycle_id,
            cycle_number=event.cycle_number,
            event_sha256=line_digest(line),
        ),
    )
    return Rebuilt(state=state, lost=tuple(lost))


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


def _entries(channel: ChannelRemains) -> tuple[list[ChannelLogEntry], int]:
    entries: list[ChannelLogEntry] = []
    for line in channel.log_lines:
        try:
            entries.append(ChannelLogEntry.parse(line))
        except JsonRefusedError:
            continue
    return entries, len(channel.log_lines) - len(entries)


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


def _names_in_registry(registry: ChannelRemains | None) -> Iterable[str]:
    """Return the names in the registry's own snapshot, a table."""
    _, _, rows = ("" if registry is None else registry.memory).partition("| --- |")
    return re.findall(r"^\| ([A-Za-z][\w-]{0,63}) \|", rows, re.MULTILINE | re.ASCII)


def _lost_command(name: str, why: str) -> str:
    return f"{name}: the command is lost, since {why}; register it anew, with a new case id"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
