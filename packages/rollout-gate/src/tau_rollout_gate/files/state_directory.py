"""Reads a surface's state directory: the state first, then its event log backwards from the end.

Nothing is ever written here. What a reading costs depends on the evidence, not on the log's length.
A reader may meet a writer between two of its writes, or a rotation between two renames; then it
looks again, and what is still odd after that is neither (runbooks/state-files.md, "Reading while
someone writes").
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from tau_rollout_gate.contract.event import LONGEST_LINE_BYTES
from tau_rollout_gate.contract.pin import LogPosition, SurfacePin
from tau_rollout_gate.evidence.log import LogPart, RawLog, event_of
from tau_rollout_gate.evidence.place import is_up_to
from tau_rollout_gate.evidence.surface import RawState, assemble
from tau_rollout_gate.evidence.values import SurfaceEvidence
from tau_rollout_gate.files.segments import Look, look_at_files, to_read, unreadable
from tau_rollout_gate.files.storage import opened_file

STATE_FILE = "state.json"
EVENT_LOG = "runtime-events.jsonl"
LOOKS = 4
"""How often a directory is looked at before what is odd counts: once, and three times again."""

PAUSE_SECONDS = 0.05
BLOCK_BYTES = 64 * 1024
_MIB = 1024 * 1024
LONGEST_STATE_BYTES = 256 * _MIB
"""What the runtime writes at most (runbooks/custom-command-ops.md, "Limits")."""

LONGEST_EVIDENCE_BYTES = 256 * _MIB
"""The most that is read of a log: a month at a cycle every ten seconds. It bounds the memory."""

_LINE_COSTS_BYTES = 512
"""What a line takes in memory beside its bytes, so that many empty ones are bounded too."""

_LINES_FOR_AGREEMENT = 2
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
    evidence, seen = _look(pin, state_dir)
    for _ in range(LOOKS - 1):
        if not evidence.flaws:
            break
        sleep(PAUSE_SECONDS)
        evidence, seen = _look(pin, state_dir, unless=(evidence, seen))
    return evidence


def _look(
    pin: SurfacePin, state_dir: Path, *, unless: tuple[SurfaceEvidence, int] | None = None
) -> tuple[SurfaceEvidence, int]:
    """Read the files once, and hash them; `unless` is what a look before gave.

    The files of two looks are never kept at once, and what is the same is not judged again.
    """
    state = read_state(state_dir / STATE_FILE)
    log = read_log(state_dir / EVENT_LOG, pin.evidence_from)
    seen = hash((state, log))
    if unless is not None and unless[1] == seen:
        return unless
    return assemble(pin, state, log), seen


def read_state(path: Path) -> RawState:
    """Read a `state.json`, or say why it cannot be."""
    raw = problem = None
    denied = ""
    try:
        with suppress(FileNotFoundError), opened_file(path) as file:
            if os.fstat(file.fileno()).st_size > LONGEST_STATE_BYTES:
                problem = f"is longer than {LONGEST_STATE_BYTES // _MIB} MiB"
            else:
                raw = file.read(LONGEST_STATE_BYTES)
    except OSError as error:
        problem, denied = unreadable(error, path), to_read(error, path)
    return RawState(path=str(path), raw=raw, problem=problem, denied=denied)


def read_log(
    path: Path, evidence_from: LogPosition | None, *, block_bytes: int = BLOCK_BYTES
) -> RawLog:
    """Read the end of an event log and of its rotated files `.1`, `.2` and so on.

    It is read backwards until two lines were seen, which the state may belong to, and the line of
    `evidence_from`, or an older one where lines are numbered. A line that is longer than any may be
    ends it there. Of the files that are older still, and may have any numbers, each is looked at.
    """
    looks, compressed = look_at_files(path, evidence_from)
    origin = next((look for look in reversed(looks) if look.origin is not None), None)
    search = _Search(evidence_from, origin)
    parts: list[LogPart] = []
    for look in looks:
        if search.is_over:
            break
        name, segment = Path(look.path).name, look.segment
        if segment.problem is not None:
            search.problem = f"{name} {segment.problem}"
            break
        try:
            with opened_file(Path(look.path)) as file:
                parts.insert(0, _read_file(file, look, search, block_bytes))
        except FileNotFoundError:  # it was rotated just now: what is missing shows
            continue
        except OSError as error:
            search.problem = f"{name} {unreadable(error, Path(look.path))}"
    return RawLog(
        path=str(path),
        parts=tuple(parts),
        segments=tuple(look.segment for look in reversed(looks) if look.has_line),
        problem=search.problem,
        compressed=compressed,
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
        is_done = self._is_reached and self._lines >= _LINES_FOR_AGREEMENT
        return is_done or self.problem is not None

    def spend(self, size: int) -> None:
        """Count the bytes that were read; past the longest evidence the search is over."""
        self._left_bytes -= size
        if self._left_bytes < 0:
            self.problem = (
                f"the evidence starts before the last {LONGEST_EVIDENCE_BYTES // _MIB} MiB of the "
                "event log"
            )

    def hold(self, pieces: list[bytes]) -> None:
        """Weigh what was read of one line; past the longest that may be, the search is over."""
        if sum(map(len, pieces)) > LONGEST_LINE_BYTES:
            self.problem = (
                f"a line of the event log is longer than {LONGEST_LINE_BYTES // _MIB} MiB, and "
                "what is older was not read"
            )

    def take(self, line: bytes, look: Look, offset: int) -> None:
        """Take the next older line, and where it stands."""
        self._lines += 1
        self.spend(_LINE_COSTS_BYTES)
        if not self._is_reached:
            at_origin = look is self._origin and offset == look.origin
            self._is_reached = at_origin or self._is_too_old(line)

    def _is_too_old(self, line: bytes) -> bool:
        """Tell, every so many lines, whether a line is older than one that is not there."""
        if self._position is None or self._origin is not None:
            return False
        if self._lines % _LINES_BETWEEN_LOOKS_AT_THE_NUMBER:
            return False
        return is_up_to(event_of(line), self._position)


def _read_file(file: BinaryIO, look: Look, search: _Search, block_bytes: int) -> LogPart:
    """The part of a file that the search wants, from its end on."""
    descriptor = file.fileno()
    status = os.fstat(descriptor)
    if status.st_ino != look.inode:
        raise OSError("it was rotated while it was read")
    backwards = _backwards(descriptor, status.st_size, search, block_bytes)
    torn = next(backwards)
    offset = status.st_size - len(torn)
    lines: list[bytes] = []
    for line in backwards:
        lines.append(line)
        offset -= len(line) + 1
        search.take(line, look, offset)
        if search.is_over:
            break
    return LogPart(
        path=look.path,
        offset=offset,
        lines=tuple(reversed(lines)),
        torn=torn,
        segment=look.segment,
    )


def _backwards(descriptor: int, size: int, search: _Search, block_bytes: int) -> Iterator[bytes]:
    """Yield what follows the last line break, then the lines without theirs, newest first."""
    end = size
    is_torn = True
    later: list[bytes] = []  # what was read of the line that goes on after `end`, newest first
    while end > 0 and search.problem is None:
        start = max(0, end - block_bytes)
        block = os.pread(descriptor, end - start, start)
        if len(block) < end - start:
            raise OSError("it was cut while it was read")
        search.spend(len(block))
        first, *lines = block.split(b"\n")
        if lines:
            later.append(lines.pop())
            search.hold(later)
            if search.problem is not None:
                break
            yield b"".join(reversed(later))
            yield from reversed(lines)
            later, is_torn = [], False
        later.append(first)
        search.hold(later)
        end = start
    if search.problem is None:
        yield b"".join(reversed(later))
    elif is_torn:
        yield b""
