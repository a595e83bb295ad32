"""`replay`: reads a recorded event log and steps it through one policy or two."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from tau_rollout_gate.contract.event import LONGEST_LINE_BYTES
from tau_rollout_gate.errors import NamedFileError
from tau_rollout_gate.evidence.history import RecordedHistory
from tau_rollout_gate.evidence.log import LogPart
from tau_rollout_gate.files.named import read_named_lines
from tau_rollout_gate.files.policy import named_policy
from tau_rollout_gate.policy.policy import Policy, policy_digest
from tau_rollout_gate.rollout.simulation.replay import Replay, Step, steps

LARGEST_LOG_BYTES = 256 * 1024 * 1024
"""Half a year of a cycle a minute; a larger file was named by mistake."""

MOST_LINES = 500_000
"""Twice as many as that."""

_QUIET_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What is replayed, and what its log does not tell. `cycle_interval_ms` None: the policy's."""

    files: Sequence[Path]
    surface: str
    cycle_interval_ms: int | None
    registry_changes_expected: bool


def replays(recording: Recording, policies: Sequence[str]) -> list[Replay]:
    """Return what a recorded log comes to under each policy.

    Args:
        recording: The log, and what else is to be known.
        policies: Files of policies, or `built-in`.

    Raises:
        RolloutGateError: if a file cannot be read, or holds no policy or no valid cycle.
    """
    loaded = [(name, named_policy(name)) for name in policies]
    history = _history(recording)
    return [_replay(name, policy, history, recording) for name, policy in loaded]


def _replay(name: str, policy: Policy, history: RecordedHistory, recording: Recording) -> Replay:
    taken = steps(
        policy,
        history,
        cycle_interval_ms=recording.cycle_interval_ms,
        registry_changes_expected=recording.registry_changes_expected,
    )
    return Replay(
        policy=name,
        policy_sha256=policy_digest(policy),
        steps=tuple(watched(taken, len(history))),
    )


def _history(recording: Recording) -> RecordedHistory:
    history = RecordedHistory(recording.surface, [_part(path) for path in recording.files])
    if not len(history):
        first = next(iter(history.evidence_at(0).flaws), None)
        why = "it is empty" if first is None else f"line {first.line}: {first.detail}"
        raise NamedFileError(f"{recording.files[0]}: holds no valid cycle: {why}")
    return history


def _part(path: Path) -> LogPart:
    lines, torn = read_named_lines(
        path,
        largest_bytes=LARGEST_LOG_BYTES,
        longest_line_bytes=LONGEST_LINE_BYTES,
        most_lines=MOST_LINES,
    )
    return LogPart(path=str(path), offset=0, lines=tuple(lines), torn=torn)


def watched(
    taken: Iterator[Step],
    total: int,
    *,
    stream: TextIO | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Step]:
    """Yield the steps; somebody who waits at a terminal is told how far it is."""
    stream = stream or sys.stderr
    if not stream.isatty():
        yield from taken
        return
    told = started = clock()
    for step in taken:
        yield step
        now = clock()
        if now - told >= _QUIET_S:
            stream.write(f"\r{step.number} of {total} cycles")
            stream.flush()
            told = now
    if told != started:
        stream.write("\r\x1b[K")
