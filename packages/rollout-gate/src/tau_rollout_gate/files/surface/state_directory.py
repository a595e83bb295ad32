"""Reads a surface's state directory: the state first, then its event log backwards from the end.

Nothing is ever written here. What a reading costs depends on the evidence, not on the log's length.
A reader may meet a writer between two of its writes, or a rotation between two renames; then it
looks again, and what is still odd after that is neither (runbooks/state-files.md, "Reading while
someone writes").
"""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import BinaryIO

from tau_rollout_gate.contract.event import LONGEST_LINE_BYTES
from tau_rollout_gate.contract.json_text import AT_ONCE
from tau_rollout_gate.contract.pin import LogPosition, SurfacePin
from tau_rollout_gate.evidence.lines import LogPart, ReadLog, ReadPart, event_of, is_up_to
from tau_rollout_gate.evidence.reading import read_part
from tau_rollout_gate.evidence.surface import ReadState, assemble, read_state
from tau_rollout_gate.evidence.values import SurfaceEvidence
from tau_rollout_gate.files.storage import opened_file
from tau_rollout_gate.files.surface.lines import (
    BLOCK_BYTES,
    counted,
    line_at,
    read_at,
    whole_blocks,
)
from tau_rollout_gate.files.surface.segments import Look, look_at_files, to_read, unreadable

STATE_FILE = "state.json"
EVENT_LOG = "runtime-events.jsonl"
LOOKS = 4
"""How often a directory is looked at before what is odd counts: once, and three times again."""

PAUSE_SECONDS = 0.05
LONGEST_STATE_BYTES = 256 * 1024**2
"""What the runtime writes at most (runbooks/custom-command-ops.md, "Limits")."""

LONGEST_EVIDENCE_BYTES = 256 * 1024**2
"""The most that is read of a log: a month at a cycle every ten seconds. It bounds the memory."""

_LINE_COSTS_BYTES = 512
"""What a line takes in memory beside its bytes, so that many empty ones are bounded too."""

LINES_FOR_AGREEMENT = 2
"""How many lines are read in any case: the state may belong to either of the last two."""

_LINES_BETWEEN_LOOKS_AT_THE_NUMBER = 64


def which_folder(path: str) -> tuple[int, int] | str:
    """What two paths of one folder have in common, be it by links or by mounts."""
    try:
        status = Path(path).stat()
    except OSError:
        return os.path.realpath(path)
    return status.st_dev, status.st_ino


def read_surface(
    pin: SurfacePin, state_dir: Path, *, sleep: Callable[[float], None]
) -> SurfaceEvidence:
    """Read what a surface's files say since `pin.evidence_from`, read again where that is odd.

    Before canary-1 no more is read than the end of the log: where it stands, and whether its writer
    chains its events. Files that are missing, damaged or no files at all are flaws in the answer.
    """
    seen = _signatures(state_dir)
    evidence = _look(pin, state_dir)
    for _ in range(LOOKS - 1):
        if not evidence.flaws:
            break
        sleep(PAUSE_SECONDS)
        if seen != (seen := _signatures(state_dir)):
            evidence = _look(pin, state_dir)
    return evidence


def _look(pin: SurfacePin, state_dir: Path) -> SurfaceEvidence:
    """Read the files once."""
    state = read_state_file(state_dir / STATE_FILE)
    log = read_log(state_dir / EVENT_LOG, pin.evidence_from, pinned_lines(pin))
    return assemble(pin, state, log)


def pinned_lines(pin: SurfacePin) -> list[LogPosition]:
    """The lines that are looked for beside that after which the evidence starts."""
    seen = None if pin.seen is None else pin.seen.position
    return [one for one in (pin.sound_from, pin.phase_from, seen) if one is not None]


def _signatures(state_dir: Path) -> dict[str, object]:
    """What tells whether a file of a directory was written since."""
    found: dict[str, object] = {}
    for path in (state_dir / STATE_FILE, *state_dir.glob(f"{EVENT_LOG}*")):
        try:
            status = path.stat()
        except OSError as error:
            found[path.name] = error.errno
        else:
            where, times = (status.st_dev, status.st_ino), (status.st_mtime_ns, status.st_ctime_ns)
            found[path.name] = where, status.st_size, times
    return found


def read_state_file(path: Path) -> ReadState:
    """Read a `state.json`, or say why it cannot be."""
    problem, denied = None, ""
    try:
        with suppress(FileNotFoundError), opened_file(path) as file:
            if os.fstat(file.fileno()).st_size <= LONGEST_STATE_BYTES:
                return read_state(str(path), iter(lambda: file.read(AT_ONCE), b""))
            problem = f"is longer than {LONGEST_STATE_BYTES // 1024**2} MiB"
    except OSError as error:
        problem, denied = unreadable(error, path), to_read(error, path)
    return ReadState(path=str(path), problem=problem, denied=denied)


def read_log(
    path: Path,
    evidence_from: LogPosition | None,
    pinned: Collection[LogPosition] = (),
    *,
    block_bytes: int = BLOCK_BYTES,
) -> ReadLog:
    """Read the end of an event log and of its rotated files `.1`, `.2` and so on.

    It is read backwards until two lines were seen, which the state may belong to, and the line of
    `evidence_from`, or an older one where lines are numbered. A line that is longer than any may be
    ends it there. Of the files that are older still, and may have any numbers, each is looked at.
    What lies behind that place is then read forwards, and what decides of it is kept.
    """
    looks, compressed = look_at_files(path, evidence_from)
    found = read_files(path, looks, evidence_from, pinned, opened=_opened, block_bytes=block_bytes)
    return found._replace(compressed=compressed)


def _opened(look: Look) -> AbstractContextManager[BinaryIO]:
    return opened_file(Path(look.path))


def read_files(  # noqa: PLR0913 - what to look for, and two seams
    path: Path | str,
    looks: Sequence[Look],
    evidence_from: LogPosition | None,
    pinned: Collection[LogPosition] = (),
    *,
    opened: Callable[[Look], AbstractContextManager[BinaryIO]],
    block_bytes: int = BLOCK_BYTES,
) -> ReadLog:
    """Read the end of an event log, as `read_log` does, of files that were looked at.

    Args:
        path: The newest file, or what the log is called.
        looks: The files, newest first.
        evidence_from: The line after which the evidence starts.
        pinned: Other lines that are looked for.
        opened: Opens one of them.
        block_bytes: How much is read at once.
    """
    origin = next((look for look in reversed(looks) if look.origin is not None), None)
    search = _Search(evidence_from, origin)
    parts: list[ReadPart] = []
    for look in looks:
        if search.is_over:
            break
        name, segment = Path(look.path).name, look.segment
        if segment.problem is not None:
            search.problem = f"{name} {segment.problem}"
            break
        try:
            with opened(look) as file:
                part = _found_part(file, look, search, block_bytes)
                read = read_part(
                    part,
                    is_newest=not parts,
                    is_oldest=search.is_over,
                    evidence_from=evidence_from,
                    pinned=pinned,
                )
                parts.insert(0, read)
        except FileNotFoundError:  # it was rotated just now: what is missing shows
            continue
        except OSError as error:
            search.problem = f"{name} {unreadable(error, Path(look.path))}"
    return ReadLog(
        path=str(path),
        parts=tuple(parts),
        segments=tuple(look.segment for look in reversed(looks) if look.has_line),
        problem=search.problem,
    )


class _Search:
    """Decides, line by line from the end, how far back a log is read."""

    def __init__(self, position: LogPosition | None, origin: Look | None) -> None:
        self._position = position
        self._origin = origin
        self._is_reached = position is None
        self._lines = 0
        self._left_bytes = LONGEST_EVIDENCE_BYTES
        self.problem: str | None = None

    @property
    def is_over(self) -> bool:
        """Tell whether nothing older is needed, or nothing more may be read."""
        is_done = self._is_reached and self._lines >= LINES_FOR_AGREEMENT
        return is_done or self.problem is not None

    def jump(self, descriptor: int, look: Look, size: int) -> tuple[int, int] | None:
        """Take at once what is wanted of a file where it is known where the evidence starts.

        Gives its offset, and that behind the last line break; None where line by line has to be
        seen how far back may be read.
        """
        if self._is_reached or self._origin is None:
            return None
        start = look.origin if look is self._origin and look.origin is not None else 0
        lines, longest, behind = counted(descriptor, start, size)
        left = self._left_bytes - (size - start) - lines * _LINE_COSTS_BYTES
        if lines < LINES_FOR_AGREEMENT or longest > LONGEST_LINE_BYTES or left < 0:
            return None
        self._is_reached = look is self._origin
        self._lines += lines
        self._left_bytes = left
        return start, behind

    def spend(self, size: int) -> None:
        """Count the bytes that were read; past the longest evidence the search is over."""
        self._left_bytes -= size
        if self._left_bytes < 0:
            self.problem = (
                f"the evidence starts before the last {LONGEST_EVIDENCE_BYTES // 1024**2} MiB of "
                "the event log"
            )

    def weigh(self, size: int) -> None:
        """Weigh what was seen of one line; past the longest that may be, the search is over."""
        if size > LONGEST_LINE_BYTES:
            self.problem = (
                f"a line of the event log is longer than {LONGEST_LINE_BYTES // 1024**2} MiB, and "
                "what is older was not read"
            )

    def take(self, descriptor: int, look: Look, offset: int) -> None:
        """Take the next older line, which starts at an offset of the file."""
        self._lines += 1
        self.spend(_LINE_COSTS_BYTES)
        if not self._is_reached:
            at_origin = look is self._origin and offset == look.origin
            self._is_reached = at_origin or self._is_too_old(descriptor, offset)

    def _is_too_old(self, descriptor: int, offset: int) -> bool:
        """Tell, every so many lines, whether a line is older than one that is not there."""
        if self._position is None or self._origin is not None:
            return False
        if self._lines % _LINES_BETWEEN_LOOKS_AT_THE_NUMBER:
            return False
        line = line_at(descriptor, offset, longest=LONGEST_LINE_BYTES)
        return line is not None and is_up_to(event_of(line), self._position)


def _found_part(file: BinaryIO, look: Look, search: _Search, block_bytes: int) -> LogPart:
    """The part of a file that the search wants, from its end on; its lines are still to be read."""
    descriptor = file.fileno()
    status = os.fstat(descriptor)
    if status.st_ino != look.inode:
        raise OSError("it was rotated while it was read")
    start, behind = search.jump(descriptor, look, status.st_size) or (None, status.st_size)
    if start is None:
        starts = _line_starts(descriptor, status.st_size, search, block_bytes)
        behind = start = next(starts, status.st_size)
        for start in starts:
            search.take(descriptor, look, start)
            if search.is_over:
                break
    return LogPart(
        path=look.path,
        offset=start,
        blocks=whole_blocks(descriptor, start, behind),
        torn=read_at(descriptor, behind, status.st_size),
        segment=look.segment,
    )


def _line_starts(descriptor: int, size: int, search: _Search, block_bytes: int) -> Iterator[int]:
    """Yield the offset behind the last line break, then those of the lines, newest first."""
    start = end = size
    while start > 0:
        start, stop = max(0, start - block_bytes), start
        block = read_at(descriptor, start, stop)
        search.spend(len(block))
        found = len(block)
        while (found := block.rfind(b"\n", 0, found)) >= 0:
            search.weigh(end - start - found - 1)
            if search.problem is not None:
                return
            yield start + found + 1
            end = start + found
        search.weigh(end - start)
        if search.problem is not None:
            return
    yield 0
