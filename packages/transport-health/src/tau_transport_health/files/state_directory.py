"""Reads a state directory: the state first, then the log up to its size at opening.

Nothing is ever written here. A reader may meet a writer between two of its writes; then it looks
again, and what is still odd after that is no write under way (runbooks/state-files.md, "Reading
while someone writes").
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tau_transport_health.contract.event import LONGEST_LINE_BYTES
from tau_transport_health.contract.state import State, parse_state
from tau_transport_health.errors import TransportHealthError
from tau_transport_health.files.lines import WholeLines, open_regular
from tau_transport_health.files.owner import denied, whose
from tau_transport_health.health.reading import Problem, Reading
from tau_transport_health.health.remedies import Hold
from tau_transport_health.health.targets import Target

STATE_FILE = "state.json"
EVENT_LOG = "runtime-events.jsonl"
LOOKS = 4
"""How often a directory is looked at before what is odd counts: once, and three times again."""

PAUSE_SECONDS = 0.05
LONGEST_STATE_BYTES = 256 * 1024 * 1024
"""What the runtime writes at most (runbooks/custom-command-ops.md, "Limits")."""

_TAIL_BLOCK_BYTES = 64 * 1024
_CHANNEL_LOGS = "channel-store/*/*/log.jsonl*"


def observe(state_dir: Path, target: Target, *, sleep: Callable[[float], None]) -> Reading:
    """What a state directory holds, read again where a write may be under way."""
    reading = read_once(state_dir, target)
    for _ in range(LOOKS - 1):
        if reading.is_settled:
            break
        sleep(PAUSE_SECONDS)
        reading = read_once(state_dir, target)
    return reading


def read_once(state_dir: Path, target: Target) -> Reading:
    """What a state directory holds now; what cannot be read is told in the answer."""
    state = _read_state(state_dir / STATE_FILE, target)
    log = _tail(state_dir / EVENT_LOG)
    lines, problem = log.lines, log.problem
    if len(lines) < 2:  # noqa: PLR2004 - the state may belong to either of the last two
        older = _tail(state_dir / f"{EVENT_LOG}.1")
        lines = (*older.lines, *lines)[-2:]
        problem = problem or (None if lines else older.problem)
    if (
        isinstance(state, Problem)
        and state.hold is Hold.NO_STATE
        and (lines or log.is_torn or problem or any(state_dir.glob(_CHANNEL_LOGS)))
    ):
        words = "though cycles were written here"
        state = Problem(Hold.LOST_STATE, f"{state.reason}, {words}")
    return Reading(
        state=state if isinstance(state, State) else None,
        state_problem=state if isinstance(state, Problem) else None,
        log_problem=problem,
        is_log_present=log.is_present,
        last_lines=lines,
        is_log_torn=log.is_torn,
    )


def blocks_of(path: Path) -> Iterator[bytes]:
    """The whole lines of a log up to its size at opening, some together.

    A torn last line is left out, a line beyond the longest is cut one byte later: memory is
    bounded. There are none where there is no file that can be read.
    """
    try:
        return WholeLines(open_regular(path), name=path.name).blocks()
    except OSError:
        return iter(())


def _read_state(path: Path, target: Target) -> State | Problem:
    try:
        with open_regular(path) as file:
            if os.fstat(file.fileno()).st_size > LONGEST_STATE_BYTES:
                limit = LONGEST_STATE_BYTES // 1024 // 1024
                reason = f"{path}: is longer than {limit} MiB, which no runtime writes"
                return Problem(Hold.INVALID_STATE, reason)
            raw = file.read(LONGEST_STATE_BYTES)
        return parse_state(raw, chained=target.is_chained)
    except (FileNotFoundError, NotADirectoryError):
        return Problem(Hold.NO_STATE, _missing(path))
    except OSError as error:
        return _unreadable(path, error, Hold.INVALID_STATE)
    except TransportHealthError as error:
        return Problem(Hold.INVALID_STATE, f"{path}: {error}")


def _missing(path: Path) -> str:
    folder = path.parent
    if folder.is_dir():
        return f"{path}: there is no such file"
    if folder.is_symlink():
        return f"{folder}: is a link to {folder.readlink()}, which is not there"
    return f"{folder}: {'is not a' if folder.exists() else 'there is no such'} directory"


def _unreadable(path: Path, error: OSError, otherwise: Hold) -> Problem:
    reason = f"{path}: cannot be read: {error.strerror or error}"
    if not isinstance(error, PermissionError):
        return Problem(otherwise, reason)
    owner, me = whose(path)
    words = f"{reason}{denied(error, path)}"
    return Problem(Hold.PERMISSION_DENIED, words, None if owner == me else owner)


class _Tail(NamedTuple):
    """The end of a log: its last two whole lines, and whether what follows is torn."""

    lines: tuple[bytes, ...] = ()
    is_torn: bool = False
    is_present: bool = True
    problem: Problem | None = None


def _tail(path: Path) -> _Tail:
    try:
        with open_regular(path) as log:
            descriptor = log.fileno()
            start = os.fstat(descriptor).st_size
            tail = b""
            # Three line breaks enclose two lines; a line beyond the limit is not read whole.
            while start > 0 and tail.count(b"\n") < 3 and len(tail) < 2 * LONGEST_LINE_BYTES:  # noqa: PLR2004
                step = min(max(_TAIL_BLOCK_BYTES, len(tail)), start)
                start -= step
                tail = os.pread(descriptor, step, start) + tail
    except (FileNotFoundError, NotADirectoryError):
        return _Tail(is_present=False)
    except OSError as error:
        return _Tail(problem=_unreadable(path, error, Hold.UNREADABLE_LOG))
    *lines, torn = tail.split(b"\n")
    return _Tail(lines=tuple(line + b"\n" for line in lines[-2:]), is_torn=bool(torn))
