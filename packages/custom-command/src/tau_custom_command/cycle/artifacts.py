"""Artifacts: the output of a run where it is longer than its record holds, until it expires.

The forms and rules are those of runbooks/state-files.md, "Artifacts".
"""

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

from msgspec import DecodeError, Struct, json

from tau_custom_command.contract.channel import ArtifactEntry
from tau_custom_command.contract.paths import ARTIFACT_INDEX, CHANNEL_STORE
from tau_custom_command.contract.writes import AppendLines, ReplaceFile, Write
from tau_custom_command.cycle.execution import MOST_TEXT_BYTES, Ended, Stream
from tau_custom_command.errors import FormRefusedError

_MS_PER_DAY = 24 * 60 * 60 * 1000
# Nothing else is ever removed: neither the index itself, nor what is in another folder.
_REMOVABLE = re.compile(r"artifacts/[A-Za-z0-9_-]+\.txt")


class Retained(NamedTuple):
    """What is left of an index, and the files that go, from the channel's folder."""

    rest: bytes
    expired: tuple[str, ...]


def artifact_writes(
    channel: str, run_id: str, ended: Ended, *, now_unix_ms: int, days: int | None
) -> Iterator[Write]:
    """Yield the writes that keep what a run wrote, where its record cuts it.

    `run_id` is unique in the channel; after `days` the artifact expires, None for never.
    """
    folder = f"{CHANNEL_STORE}/{channel}"
    lines: list[bytes] = []
    for kind, stream in (("stdout", ended.stdout), ("stderr", ended.stderr)):
        if len(stream.kept) > MOST_TEXT_BYTES:
            entry = _entry(kind, stream, run_id, now_unix_ms, days)
            yield ReplaceFile(path=f"{folder}/{entry.relative_path}", content=stream.kept)
            lines.append(entry.as_line())
    if lines:
        yield AppendLines(path=f"{folder}/{ARTIFACT_INDEX}", lines=tuple(lines))


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


def _entry(
    kind: str, stream: Stream, run_id: str, now_unix_ms: int, days: int | None
) -> ArtifactEntry:
    # A run's id may hold anything, and a file's name may not.
    name = f"{now_unix_ms}-{sha256(run_id.encode()).hexdigest()[:16]}-{kind}"
    return ArtifactEntry(
        id=name,
        run_id=run_id,
        artifact_type=kind,
        relative_path=f"artifacts/{name}.txt",
        bytes=len(stream.kept),
        checksum_sha256=sha256(stream.kept).hexdigest(),
        created_unix_ms=now_unix_ms,
        expires_unix_ms=None if days is None else now_unix_ms + days * _MS_PER_DAY,
    )


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
    return path if _REMOVABLE.fullmatch(path) else None
