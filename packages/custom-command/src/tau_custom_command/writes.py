"""What a cycle writes, as data: decided here, carried out by `storage`.

Paths are relative to the state directory. Having them as values keeps the decisions pure, and is
what a journal records.
"""

from __future__ import annotations

from dataclasses import dataclass

STATE_FILE = "state.json"
EVENT_LOG = "runtime-events.jsonl"
CHANNEL_STORE = "channel-store/custom-command"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendLines:
    """Add whole lines to a JSON Lines file, which is made if it is not there."""

    path: str
    lines: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceFile:
    """Put a whole file in the place of what is there, if anything."""

    path: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateFile:
    """Put a whole file where there is none; one that is there stays as it is."""

    path: str
    content: bytes


Write = AppendLines | ReplaceFile | CreateFile
