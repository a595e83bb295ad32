"""What the logs of a state directory say of a fixture's last cycle, read from their ends."""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

from msgspec import DecodeError, Struct, json

from tau_custom_command.contract.channel import ArtifactEntry, ChannelLogEntry
from tau_custom_command.contract.paths import ARTIFACT_INDEX, CHANNEL_LOGS, CHANNEL_STORE, EVENT_LOG
from tau_custom_command.cycle.artifacts import is_file_of_artifact
from tau_custom_command.cycle.execution import MOST_KEPT_BYTES
from tau_custom_command.errors import FormRefusedError
from tau_custom_command.storage import read


class PastCycle(Struct, frozen=True):
    """As much of an event as tells a cycle from others, and when it was."""

    cycle_id: str
    cycle_number: int
    timestamp_unix_ms: int
    cycle_duration_ms: int
    fixture_sha256: str

    @property
    def began_unix_ms(self) -> int:
        """When it began, as near as an event tells."""
        return self.timestamp_unix_ms - self.cycle_duration_ms - 1


class _Entry(Struct):
    """As much of a channel's entry as tells whether it has to be read."""

    timestamp_unix_ms: int
    event_key: str


def last_cycle_of(root: Path, fixture_sha256: str) -> PastCycle | None:
    """The last cycle that ran a fixture of this digest; None where none is in the event log.

    Raises:
        StorageError: if the log cannot be read.
    """
    for line in read.history_backwards(root / EVENT_LOG):
        try:
            cycle = json.decode(line, type=PastCycle)
        except DecodeError:
            continue  # a line of another writer, or a broken one: the runtime says so elsewhere
        if cycle.fixture_sha256 == fixture_sha256:
            return cycle
    return None


def entries_of(root: Path, channels: Iterable[str], cycle: PastCycle) -> Iterator[ChannelLogEntry]:
    """Yield the entries of a cycle in the logs of some channels, of each key the last one.

    Raises:
        StorageError: if a log cannot be read.
    """
    for channel in channels:
        seen: set[str] = set()
        for line in read.history_backwards(root / CHANNEL_STORE / channel / CHANNEL_LOGS[0]):
            try:
                entry = json.decode(line, type=_Entry)
                if entry.timestamp_unix_ms < cycle.began_unix_ms:
                    break
                if entry.timestamp_unix_ms > cycle.timestamp_unix_ms or entry.event_key in seen:
                    continue
                seen.add(entry.event_key)
                yield ChannelLogEntry.parse(line)
            except (DecodeError, FormRefusedError):
                continue


def artifact_of(root: Path, channel: str, *, run: str, kind: str) -> bytes | None:
    """What is kept of an output of a run's last attempt; None where that is not all of it.

    `run` is how the `run_id` of the artifact begins: the cycle's id and the case's key.

    Raises:
        StorageError: if the index or the artifact cannot be read.
    """
    folder = root / CHANNEL_STORE / channel
    for line in read.lines_backwards(folder / ARTIFACT_INDEX):
        try:
            entry = ArtifactEntry.parse(line)
        except FormRefusedError:
            continue
        if entry.run_id.startswith(f"{run} ") and entry.artifact_type == kind:
            is_whole = entry.bytes < MOST_KEPT_BYTES and is_file_of_artifact(entry.relative_path)
            content = read.read_state_file(folder / entry.relative_path) if is_whole else None
            is_it = content is not None and sha256(content).hexdigest() == entry.checksum_sha256
            return content if is_it else None
    return None
