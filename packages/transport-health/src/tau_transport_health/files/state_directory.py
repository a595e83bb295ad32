"""Reads a state directory: the state first, then the log up to its size at opening.

Nothing is ever written here. A reader may meet a writer between two of its writes; then it looks
again, and what is still odd after that is no write under way (runbooks/state-files.md, "Reading
while someone writes").
"""

import os
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple

from tau_transport_health.contract.event import LONGEST_LINE_BYTES, TOO_LONG
from tau_transport_health.contract.json_text import AT_ONCE
from tau_transport_health.contract.pause import Pause, parse_pause
from tau_transport_health.contract.state import State, parse_state
from tau_transport_health.errors import TransportHealthError
from tau_transport_health.files.lines import WholeLines, open_regular
from tau_transport_health.files.owner import denied, whose
from tau_transport_health.health.reading import LastLine, Problem, Reading, last_line
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
_LONGEST_PAUSE_BYTES = 1024 * 1024
_LAST_LINES = 2  # the state may belong to either of them
PAUSED_FILE = "paused.json"
_JOURNAL = ".journal"
_CHANNEL_LOGS = "channel-store/*/*/log.jsonl*"


def observe(
    state_dir: Path,
    target: Target,
    *,
    sleep: Callable[[float], None],
    counts_commands: bool = False,
) -> Reading:
    """What a state directory holds, read again where a write may be under way.

    `counts_commands` says whether the commands of the state are asked for.
    """
    reading = read_once(state_dir, target, counts_commands=counts_commands)
    for _ in range(LOOKS - 1):
        if reading.is_settled:
            break
        sleep(PAUSE_SECONDS)
        reading = read_once(state_dir, target, counts_commands=counts_commands)
    return reading


def read_once(state_dir: Path, target: Target, *, counts_commands: bool = False) -> Reading:
    """What a state directory holds now; what cannot be read is told in the answer."""
    state = _read_state(state_dir / STATE_FILE, target, counts_commands=counts_commands)
    is_chained = isinstance(state, State) and state.last_cycle is not None
    log = _tail(state_dir / EVENT_LOG, chained=is_chained)
    lines, problem = log.lines, log.problem
    if len(lines) < 2:  # noqa: PLR2004 - the state may belong to either of the last two
        older = _tail(state_dir / f"{EVENT_LOG}.1", chained=is_chained)
        lines = (*older.lines, *lines)[-2:]
        problem = problem or (None if lines else older.problem)
    if (
        isinstance(state, Problem)
        and state.hold is Hold.NO_STATE
        and (lines or log.is_torn or problem or any(state_dir.glob(_CHANNEL_LOGS)))
    ):
        words = "though cycles were written here"
        state = Problem(Hold.LOST_STATE, f"{state.reason}, {words}")
    # What another transport keeps under these names is its own; and of a folder that may not be
    # looked into nothing is known.
    is_of_runtime = target.is_chained or is_chained
    is_of_runtime &= not (isinstance(state, Problem) and state.hold is Hold.PERMISSION_DENIED)
    return Reading(
        state=state if isinstance(state, State) else None,
        state_problem=state if isinstance(state, Problem) else None,
        log_problem=problem,
        is_log_present=log.is_present,
        last_lines=lines,
        is_log_torn=log.is_torn,
        journal_unix_ms=_journal_unix_ms(state_dir) if is_of_runtime else None,
        pause=_read_pause(state_dir / PAUSED_FILE) if is_of_runtime else None,
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


def _read_state(path: Path, target: Target, *, counts_commands: bool) -> State | Problem:
    try:
        with open_regular(path) as file:
            if os.fstat(file.fileno()).st_size > LONGEST_STATE_BYTES:
                limit = LONGEST_STATE_BYTES // 1024 // 1024
                reason = f"{path}: is longer than {limit} MiB, which no runtime writes"
                return Problem(Hold.INVALID_STATE, reason)
            pieces = iter(lambda: file.read(AT_ONCE), b"")
            return parse_state(pieces, chained=target.is_chained, counts_commands=counts_commands)
    except (FileNotFoundError, NotADirectoryError):
        return Problem(Hold.NO_STATE, _missing(path))
    except OSError as error:
        return _unreadable(path, error, Hold.INVALID_STATE)
    except TransportHealthError as error:
        return Problem(Hold.INVALID_STATE, f"{path}: {error}")


def _journal_unix_ms(state_dir: Path) -> int | None:
    """When the journal of a cycle at work was renewed last; what it holds is the runtime's alone.

    Read last: a cycle that ended while the state was read has taken its journal away by now.
    """
    try:
        return (state_dir / _JOURNAL).lstat().st_mtime_ns // 1_000_000
    except OSError:
        return None


def _read_pause(path: Path) -> Pause | str | None:
    try:
        with open_regular(path) as file:
            if os.fstat(file.fileno()).st_size > _LONGEST_PAUSE_BYTES:
                return "is longer than 1 MiB"
            return parse_pause(file.read())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    except TransportHealthError as error:
        return str(error)


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

    lines: tuple[LastLine, ...] = ()
    is_torn: bool = False
    is_present: bool = True
    problem: Problem | None = None


def _tail(path: Path, *, chained: bool) -> _Tail:
    lines: list[LastLine] = []
    try:
        with open_regular(path) as log:
            descriptor = log.fileno()
            size = os.fstat(descriptor).st_size
            breaks = list(islice(_breaks(descriptor, size), _LAST_LINES + 1))
            for end, start in pairwise(breaks):
                if start is None or end is None:
                    lines.insert(0, LastLine("", TOO_LONG))
                    continue
                line = os.pread(descriptor, end - start - 1, start + 1)
                lines.insert(0, last_line(line, chained=chained))
    except (FileNotFoundError, NotADirectoryError):
        return _Tail(is_present=False)
    except OSError as error:
        return _Tail(problem=_unreadable(path, error, Hold.UNREADABLE_LOG))
    return _Tail(lines=tuple(lines), is_torn=breaks[0] != size - 1)


def _breaks(descriptor: int, size: int) -> Iterator[int | None]:
    """Yield where the line breaks are, newest first, and -1 at the beginning of the file.

    None, and nothing more, where a line is longer than any may be.
    """
    start = last = size
    while start > 0:
        start, stop = max(start - _TAIL_BLOCK_BYTES, 0), start
        block = os.pread(descriptor, stop - start, start)
        found = len(block)
        while (found := block.rfind(b"\n", 0, found)) >= 0:
            last = start + found
            yield last
        if last - start > LONGEST_LINE_BYTES:
            yield None
            return
    yield -1
