"""`channels repair`: moves lines that are no entries from a channel's logs to `.corrupt` files.

The index of its artifacts is one of them; a file that no line names any more stays where it is.

The event log is never repaired: a line that leaves it would be a break of the chain anyway, and the
one that stays says where.
"""

from collections.abc import Iterator
from pathlib import Path

from tau_custom_command.contract.channel import ArtifactEntry, ChannelLogEntry, ContextEntry
from tau_custom_command.contract.forms import FileForm
from tau_custom_command.contract.paths import ARTIFACT_INDEX, CHANNEL_LOGS, CHANNEL_STORE
from tau_custom_command.contract.writes import AppendLines, ReplaceFile
from tau_custom_command.errors import StorageError
from tau_custom_command.services.recover import journal_recovered
from tau_custom_command.storage import locate, read
from tau_custom_command.storage.lock import HeldLock, locked
from tau_custom_command.storage.signals import interruptions_held
from tau_custom_command.storage.state_directory import channel_names, write
from tau_custom_command.storage.sync import TO_DISK

_LINES_NAMED = 10
_FORMS: tuple[type[FileForm], ...] = (ChannelLogEntry, ContextEntry, ArtifactEntry)


def repair(
    root: Path, channel: str | None, *, carry_out: bool, wait_seconds: float
) -> tuple[str, ...]:
    """Say what repairs the logs of a channel, or of all, in `root`; do it if `carry_out`.

    Raises:
        StateDirectoryBusyError: if a runner is at work there, or the lock is lost.
        StorageError: if there is no such directory or channel, or a file cannot be read or written.
    """
    if not root.is_dir():
        raise StorageError(f"{root}: there is no such directory; pass --state-dir")
    with locked(root, wait_seconds=wait_seconds) as lock, interruptions_held():
        channels = channel_names(root)
        if channel is not None and channel not in channels:
            raise StorageError(f"{root / CHANNEL_STORE}: there is no channel {channel!r}")
        steps = journal_recovered(root, carry_out=carry_out)
        for name in channels if channel is None else (channel,):
            for log, form in zip((*CHANNEL_LOGS, ARTIFACT_INDEX), _FORMS, strict=True):
                path = f"{CHANNEL_STORE}/{name}/{log}"
                steps += tuple(_log_repaired(lock, path, form, carry_out=carry_out))
    return steps


def _log_repaired(
    lock: HeldLock, path: str, form: type[FileForm], *, carry_out: bool
) -> Iterator[str]:
    """Repair a log and its rotated files, the oldest first; yield what was done, or would be."""
    root, log = lock.root, lock.root / path
    for file in (*reversed(read.rotated(log)), log):
        name = str(file.relative_to(root))
        version = locate.version_of_file(file)
        kept, moved = _sorted_out(read.read_state_file(file) or b"", form)
        if locate.version_of_file(file) != version:
            raise StorageError(f"{file}: was rotated or written while it was read; try again")
        if moved:
            aside = AppendLines(path=f"{name}.corrupt", lines=tuple(moved.values()))
            rest = ReplaceFile(path=name, content=kept, instead_of=version)
            if carry_out:
                write(lock, [aside, rest], TO_DISK)
            yield f"move {_lines(tuple(moved))} of {name} to {name}.corrupt"


def _sorted_out(raw: bytes, form: type[FileForm]) -> tuple[bytes, dict[int, bytes]]:
    """Tell the lines that are entries from those that are none; these by their numbers."""
    kept: list[bytes] = []
    moved: dict[int, bytes] = {}
    *lines, torn = raw.split(b"\n")
    for number, line in enumerate(lines, start=1):
        if form.is_read(line):
            kept.append(line + b"\n")
        else:
            moved[number] = line + b"\n"
    if torn:
        moved[len(lines) + 1] = torn + b"\n"
    return b"".join(kept), moved


def _lines(numbers: tuple[int, ...]) -> str:
    named = ", ".join(map(str, numbers[:_LINES_NAMED]))
    more = len(numbers) - _LINES_NAMED
    if len(numbers) == 1:
        return f"line {named}"
    return f"lines {named}" + (f" and {more} more" if more > 0 else "")
