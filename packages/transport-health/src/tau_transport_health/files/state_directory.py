"""Reads a state directory: the state first, then the log up to its size at opening.

Nothing is ever written here. A reader may meet a writer between two of its writes; then it looks
again, and what is still odd after that is no write under way (runbooks/state-files.md, "Reading
while someone writes").
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from tau_transport_health.contract.event import LONGEST_LINE_BYTES
from tau_transport_health.contract.state import State, parse_state
from tau_transport_health.errors import TransportHealthError
from tau_transport_health.files.lines import WholeLines, open_regular
from tau_transport_health.health.reading import Reading
from tau_transport_health.health.targets import Target

STATE_FILE = "state.json"
EVENT_LOG = "runtime-events.jsonl"
LOOKS = 4
"""How often a directory is looked at before what is odd counts: once, and three times again."""

PAUSE_SECONDS = 0.05
LONGEST_STATE_BYTES = 256 * 1024 * 1024
"""What the runtime writes at most (runbooks/custom-command-ops.md, "Limits")."""

_TAIL_BLOCK_BYTES = 64 * 1024


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
    state, problem, is_present = _read_state(state_dir / STATE_FILE, target)
    lines, is_torn, is_log_present = _tail(state_dir / EVENT_LOG)
    if len(lines) < 2:  # noqa: PLR2004 - the state may belong to either of the last two
        older, _, _ = _tail(state_dir / f"{EVENT_LOG}.1")
        lines = (*older, *lines)[-2:]
    return Reading(
        state=state,
        state_problem=problem,
        is_state_present=is_present,
        is_log_present=is_log_present,
        last_lines=tuple(lines),
        is_log_torn=is_torn,
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


def _read_state(path: Path, target: Target) -> tuple[State | None, str | None, bool]:
    try:
        with open_regular(path) as file:
            if os.fstat(file.fileno()).st_size > LONGEST_STATE_BYTES:
                limit = LONGEST_STATE_BYTES // 1024 // 1024
                return None, f"{path}: is longer than {limit} MiB, which no runtime writes", True
            raw = file.read(LONGEST_STATE_BYTES)
    except FileNotFoundError:
        missing = path if path.parent.is_dir() else path.parent
        return (
            None,
            f"{missing}: there is no such {'file' if missing == path else 'directory'}",
            False,
        )
    except OSError as error:
        return None, f"{path}: cannot be read: {error.strerror or error}", True
    try:
        return parse_state(raw, chained=target.is_chained), None, True
    except TransportHealthError as error:
        return None, f"{path}: {error}", True


def _tail(path: Path) -> tuple[tuple[bytes, ...], bool, bool]:
    """A log's last two whole lines, whether what follows is torn, whether it is there."""
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
    except FileNotFoundError:
        return (), False, False
    except OSError:
        return (), False, True
    *lines, torn = tail.split(b"\n")
    return tuple(line + b"\n" for line in lines[-2:]), bool(torn), True
