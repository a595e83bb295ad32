"""Artifacts: the output of a run where it is longer than its record holds, until it expires.

The forms and rules are those of runbooks/state-files.md, "Artifacts".
"""

import re
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import NamedTuple

from msgspec import DecodeError, Struct, json

from tau_custom_command.contract.channel import ArtifactEntry
from tau_custom_command.contract.paths import ARTIFACT_INDEX, CHANNEL_STORE
from tau_custom_command.contract.writes import AppendLines, Write
from tau_custom_command.cycle.execution import MOST_TEXT_BYTES, Ended
from tau_custom_command.errors import FormRefusedError

_MS_PER_DAY = 24 * 60 * 60 * 1000
_FILE = re.compile(r"artifacts/[A-Za-z0-9_-]+\.txt")


class Attempt(NamedTuple):
    """An attempt of a cycle: at the case at a place of its queue; its number is from 1 on."""

    cycle_id: str
    place: int
    case_key: str
    number: int

    def artifact(self, kind: str) -> str:
        """What names the artifact of a stream, also its file: no other attempt has that name."""
        return f"{self.cycle_id}-{self.place}-{self.number}-{kind}"

    def files(self, channel: str) -> tuple[str, ...]:
        """Every file that storing its artifacts can leave, also where it is cut off."""
        names = (f"artifacts/{self.artifact(kind)}.txt" for kind in ("stdout", "stderr"))
        paths = [f"{CHANNEL_STORE}/{channel}/{name}" for name in names if is_file_of_artifact(name)]
        return (*paths, *(f"{path}.new" for path in paths))


def is_file_of_artifact(path: str) -> bool:
    """Tell whether a path of an index, from the channel's folder, can be that of an artifact.

    No other is read or removed: neither the index itself, nor what is in another folder.
    """
    return _FILE.fullmatch(path) is not None


class Retained(NamedTuple):
    """What is left of an index, and the files that go, from the channel's folder."""

    rest: bytes
    expired: tuple[str, ...]


def artifacts_of(
    attempt: Attempt, ended: Ended, *, now_unix_ms: int, days: int | None
) -> Iterator[tuple[ArtifactEntry, bytes]]:
    """Yield what is to be kept of an attempt beside its record: each its line, and its content.

    After `days` it expires; None for never.
    """
    for kind, stream in (("stdout", ended.stdout), ("stderr", ended.stderr)):
        if len(stream.kept) > MOST_TEXT_BYTES:
            name = attempt.artifact(kind)
            entry = ArtifactEntry(
                id=name,
                run_id=f"{attempt.cycle_id} {attempt.case_key} {attempt.number}",
                artifact_type=kind,
                relative_path=f"artifacts/{name}.txt",
                bytes=len(stream.kept),
                checksum_sha256=sha256(stream.kept).hexdigest(),
                created_unix_ms=now_unix_ms,
                expires_unix_ms=None if days is None else now_unix_ms + days * _MS_PER_DAY,
            )
            yield entry, stream.kept


def shortened(ended: Ended, artifacts: Iterable[ArtifactEntry]) -> Ended:
    """The same with no more output than a record shows, and the artifacts that have the rest."""
    return ended._replace(
        stdout=ended.stdout.shortened(),
        stderr=ended.stderr.shortened(),
        artifacts=tuple(artifacts),
    )


def index_writes(channel: str, attempts: Iterable[Ended]) -> Iterator[Write]:
    """Yield the write that names the artifacts of attempts in their channel's index, if any."""
    lines = tuple(entry.as_line() for ended in attempts for entry in ended.artifacts)
    if lines:
        yield AppendLines(path=f"{CHANNEL_STORE}/{channel}/{ARTIFACT_INDEX}", lines=lines)


def retained(index: bytes, *, now_unix_ms: int) -> Retained:
    """Leave out of an index the artifacts that have expired; a file that another line names stays.

    What is no line of an index, or names a file that no artifact has, stays as it is.
    """
    *lines, torn = index.split(b"\n")
    kept: list[bytes] = []
    expired: list[str] = []
    for line in lines:
        path = _expired_path(line, now_unix_ms)
        if path is None:
            kept.append(line + b"\n")
        else:
            expired.append(path)
    rest = b"".join(kept) + torn
    gone = (path for path in dict.fromkeys(expired) if path.encode() not in rest)
    return Retained(rest=rest, expired=tuple(gone))


class _Expiry(Struct):
    """As much of a line as tells whether it has to be read: few have expired."""

    expires_unix_ms: int | None


def _expired_path(line: bytes, now_unix_ms: int) -> str | None:
    """The file of an artifact that has expired; None where the line is to stay."""
    try:
        expires = json.decode(line, type=_Expiry).expires_unix_ms
        if expires is None or expires > now_unix_ms:
            return None
        path = ArtifactEntry.parse(line).relative_path
    except (DecodeError, FormRefusedError):
        return None
    return path if is_file_of_artifact(path) else None
