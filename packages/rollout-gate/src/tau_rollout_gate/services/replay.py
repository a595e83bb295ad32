"""`replay`: reads a recorded event log and steps it through one policy or two."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple, TextIO, TypeVar

from tau_rollout_gate.contract.event import LONGEST_LINE_BYTES
from tau_rollout_gate.errors import NamedFileError
from tau_rollout_gate.evidence.history import RecordedHistory
from tau_rollout_gate.evidence.lines import LogPart
from tau_rollout_gate.evidence.values import FlawFound
from tau_rollout_gate.files.named import read_named_blocks
from tau_rollout_gate.files.policy import named_policy
from tau_rollout_gate.rollout.simulation.replay import Replays, side_by_side, stances

LARGEST_LOG_BYTES = 256 * 1024 * 1024
"""Half a year of a cycle a minute; a larger file was named by mistake."""

MOST_LINES = 500_000
"""Twice as many as that."""

_QUIET_S = 1.0

_T = TypeVar("_T")


class Recording(NamedTuple):
    """What is replayed, and what its log does not tell. `cycle_interval_ms` None: the policy's."""

    files: Sequence[Path]
    surface: str
    cycle_interval_ms: int | None
    registry_changes_expected: bool


def replays(recording: Recording, policies: Sequence[str]) -> Replays:
    """Step a recorded log through one policy, or through two side by side.

    Args:
        recording: The log, and what else is to be known.
        policies: Files of policies, or `built-in`.

    Raises:
        RolloutGateError: if a file cannot be read, or holds no policy or no valid cycle.
    """
    loaded = [(name, named_policy(name)) for name in policies]
    history = RecordedHistory(recording.surface, [_part(path) for path in recording.files])
    if next(history.moments(), None) is None:
        first = next((one for one in history if isinstance(one, FlawFound)), None)
        why = "it is empty" if first is None else f"line {first.line}: {first.detail}"
        raise NamedFileError(f"{recording.files[0]}: holds no valid cycle: {why}")
    taken = [
        stances(
            policy,
            history,
            cycle_interval_ms=recording.cycle_interval_ms,
            registry_changes_expected=recording.registry_changes_expected,
        )
        for _, policy in loaded
    ]
    return side_by_side(loaded, watched(zip_longest(*taken), len(history)))


def _part(path: Path) -> LogPart:
    blocks, torn = read_named_blocks(
        path,
        largest_bytes=LARGEST_LOG_BYTES,
        longest_line_bytes=LONGEST_LINE_BYTES,
        most_lines=MOST_LINES,
    )
    return LogPart(path=str(path), offset=0, blocks=blocks, torn=torn)


def watched(
    taken: Iterable[_T],
    total: int,
    *,
    stream: TextIO | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[_T]:
    """Yield the steps; somebody who waits at a terminal is told how far it is."""
    stream = stream or sys.stderr
    if not stream.isatty():
        yield from taken
        return
    told = started = clock()
    for number, step in enumerate(taken, start=1):
        yield step
        now = clock()
        if now - told >= _QUIET_S:
            stream.write(f"\r{number} of {total} lines")
            stream.flush()
            told = now
    if told != started:
        stream.write("\r\x1b[K")
