"""Reads a surface's state directory: the state first, then its event log backwards from the end.

Nothing is ever written here. What a reading costs depends on the evidence, not on the log's length.
A reader may meet a writer between two of its writes, or a rotation between two renames; then it
looks again, and what is still odd after that is neither (runbooks/state-files.md, "Reading while
someone writes").
"""

import os
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import BinaryIO

from tau_rollout_gate.contract.json_text import AT_ONCE
from tau_rollout_gate.contract.pin import LogPosition, SurfacePin
from tau_rollout_gate.evidence.lines import ReadLog, ReadPart
from tau_rollout_gate.evidence.reading import read_part
from tau_rollout_gate.evidence.surface import ReadState, assemble, read_state
from tau_rollout_gate.evidence.values import SurfaceEvidence
from tau_rollout_gate.files.storage import opened_file
from tau_rollout_gate.files.surface.lines import BLOCK_BYTES
from tau_rollout_gate.files.surface.search import Search, found_part
from tau_rollout_gate.files.surface.segments import Look, look_at_files, to_read, unreadable

STATE_FILE = "state.json"
EVENT_LOG = "runtime-events.jsonl"
LOOKS = 4
"""How often a directory is looked at before what is odd counts: once, and three times again."""

PAUSE_SECONDS = 0.05
LONGEST_STATE_BYTES = 256 * 1024**2
"""What the runtime writes at most (runbooks/custom-command-ops.md, "Limits")."""


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
    search = Search(evidence_from, origin)
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
                part = found_part(file, look, search, block_bytes)
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
