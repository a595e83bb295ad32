"""A state directory: what is read from it, and how a closed cycle is written to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tau_custom_command import storage
from tau_custom_command.chain import ChainEnd, chain_end
from tau_custom_command.closing import ClosedCycle
from tau_custom_command.errors import JsonRefusedError, StateUnusableError
from tau_custom_command.state_files import StateFile
from tau_custom_command.writes import EVENT_LOG, STATE_FILE, AppendLines, ReplaceFile, Write


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedState:
    """What a cycle starts from; `state` is None before the first."""

    state: StateFile | None
    chain_end: ChainEnd
    warnings: tuple[str, ...]


def read_state(root: Path) -> StateFile | None:
    """Return the state in the directory `root`; None if no cycle has been written there.

    Raises:
        StateUnusableError: if `state.json` does not hold a state that this version reads.
        StorageError: if it cannot be read.
    """
    path = root / STATE_FILE
    raw = storage.read_state_file(path)
    if raw is None:
        return None
    try:
        return StateFile.parse(raw)
    except JsonRefusedError as error:
        raise StateUnusableError(
            f"{path}: {error}; the file is left as it is: put it back from a copy, or move the "
            "directory away to begin anew"
        ) from None


def open_state(root: Path) -> OpenedState:
    """Return the state and the end of the event chain; to be called under the lock.

    Raises:
        StateUnusableError: if either cannot be continued.
        StorageError: if a file cannot be read.
    """
    state = read_state(root)
    log = root / EVENT_LOG
    try:
        end = chain_end(None if state is None else state.last_cycle, storage.lines_backwards(log))
    except StateUnusableError as error:
        raise StateUnusableError(f"{root}: {error}") from None
    torn = f"{log}: its last line is torn; it is moved to {log.name}.corrupt"
    warnings = (end.warning, torn if storage.is_torn(log) else None)
    return OpenedState(state=state, chain_end=end, warnings=tuple(filter(None, warnings)))


def write_cycle(root: Path, closed: ClosedCycle, channel_writes: Iterable[Write]) -> None:
    """Write a closed cycle: its channels, then the event, then the state.

    Raises:
        StorageError: if the operating system refuses one; `state.json` is then as it was.
    """
    storage.write_all(root, channel_writes)
    event = AppendLines(path=EVENT_LOG, lines=(closed.event_line,))
    state = ReplaceFile(path=STATE_FILE, content=closed.state.as_document())
    storage.append_and_replace(root, event, state)
