"""Looks at the files of an event log, each at its ends: which they are, and how they hang together.

A look costs a few blocks a file, however long that is, and one file is open at a time.
"""

import os
import re
import shlex
from pathlib import Path
from typing import NamedTuple

from tau_rollout_gate.contract.event import LONGEST_LINE_BYTES, line_digest
from tau_rollout_gate.contract.pin import LogPosition
from tau_rollout_gate.evidence.lines import Segment, event_of
from tau_rollout_gate.evidence.values import UNPACKERS
from tau_rollout_gate.files.owner import denied, whose
from tau_rollout_gate.files.storage import opened_file
from tau_rollout_gate.files.surface.lines import last_line_digest, line_at


class Look(NamedTuple):
    """A file as it was looked at.

    Args:
        path: Its path.
        segment: What its ends tell.
        inode: Which file it was: another may have its name by the time it is read.
        origin: Where the line stands in it after which evidence starts; None if that is elsewhere.
    """

    path: str
    segment: Segment
    inode: int = 0
    origin: int | None = None

    @property
    def has_line(self) -> bool:
        """Tell whether it has a whole line, or nobody knows."""
        return self.segment.problem is not None or self.segment.first_sha256 is not None


def look_at_files(
    path: Path, evidence_from: LogPosition | None
) -> tuple[list[Look], tuple[str, ...]]:
    """Look at an event log and its rotated files, newest first; and name those compressed.

    A number may be missing among them: what belongs together, their lines tell. A file that cannot
    be read is among them with the reason, one that is not there (any more) is not.
    """
    try:
        names = [one.name for one in path.parent.iterdir()]
    except OSError:  # what is wrong with the folder, opening the log tells
        names = []
    numbers = (name.removeprefix(f"{path.name}.") for name in names if name.startswith(path.name))
    rotated = sorted({int(one) for one in numbers if one.isascii() and one.isdigit()})
    files = [path, *(path.with_name(f"{path.name}.{number}") for number in rotated)]
    looks = [look for file in files if (look := _look_at(file, evidence_from)) is not None]
    packed = re.compile(rf"{re.escape(path.name)}(\.[0-9]+)?\.({'|'.join(UNPACKERS)})")
    compressed = sorted(str(path.with_name(name)) for name in names if packed.fullmatch(name))
    return looks, tuple(compressed)


def unreadable(error: OSError, path: Path) -> str:
    """Say why a file is not read; where this user may not, whose it is."""
    return f"cannot be read: {error.strerror or error}{denied(error, path)}"


def to_read(error: OSError, path: Path) -> str:
    """What gives this user the right to read a file; empty where that is not what is lacking."""
    if not isinstance(error, PermissionError):
        return ""
    owner, me = whose(path)
    if owner == me:
        return f"give yourself the right: {shlex.join(['chmod', '-R', 'u+rwX', str(path.parent)])}"
    return f"run this as {owner}, whose files these are"


def _look_at(path: Path, evidence_from: LogPosition | None) -> Look | None:
    try:
        with opened_file(path) as file:
            return look_at(file.fileno(), str(path), evidence_from)
    except FileNotFoundError:
        return None
    except OSError as error:
        segment = Segment(
            path=str(path), problem=unreadable(error, path), denied=to_read(error, path)
        )
        return Look(path=str(path), segment=segment)


def look_at(descriptor: int, path: str, evidence_from: LogPosition | None) -> Look:
    """Look at the ends of an open file.

    Raises:
        OSError: if it cannot be read, or is cut meanwhile.
    """
    status = os.fstat(descriptor)
    first = line_at(descriptor, 0, longest=LONGEST_LINE_BYTES)
    if first is None:
        return Look(path=path, segment=Segment(path=path), inode=status.st_ino)
    event = event_of(first)
    segment = Segment(
        path=path,
        first_sha256=line_digest(first),
        first_number=None if event is None else event.cycle_number,
        continues_sha256=None if event is None else event.previous_sha256,
        last_sha256=last_line_digest(descriptor, status.st_size, longest=LONGEST_LINE_BYTES),
    )
    origin = None
    if evidence_from is not None and evidence_from.segment_sha256 == segment.first_sha256:
        line = line_at(descriptor, evidence_from.offset or 0, longest=LONGEST_LINE_BYTES)
        if line is not None and line_digest(line) == evidence_from.event_sha256:
            origin = evidence_from.offset
    return Look(path=path, segment=segment, inode=status.st_ino, origin=origin)
