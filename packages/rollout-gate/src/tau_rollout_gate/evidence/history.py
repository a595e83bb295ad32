"""A recorded event log, stepped through cycle by cycle: for replays and the tests of policies."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from tau_rollout_gate.evidence.log import Judged, Link, LogPart, judge, lines_of
from tau_rollout_gate.evidence.values import SurfaceEvidence


class RecordedHistory:
    """A recorded log of one surface, read once; it may start at any cycle.

    Args:
        surface: The surface's name.
        parts: Its files, oldest first, each read whole.
    """

    def __init__(self, surface: str, parts: Sequence[LogPart]) -> None:
        self._surface = surface
        read = tuple(lines_of(parts))
        self._is_chained = any(line.event is not None and line.event.is_chained for line in read)
        self._judged: Judged = judge(read, before=Link(), is_chained=self._is_chained)

    @property
    def surface(self) -> str:
        """Return the surface's name."""
        return self._surface

    def __len__(self) -> int:
        """Return how many valid cycles there are."""
        return len(self._judged.cycles)

    def evidence_at(self, cycles: int, *, phase_start: int = 0) -> SurfaceEvidence:
        """Return the evidence as it was after the first `cycles` valid cycles.

        There is no state beside a recorded log, and nothing is said of that. Invalid lines belong
        to the cycle before them.

        Args:
            cycles: How many, from 0 to all.
            phase_start: How many of them lie before the current phase.
        """
        known = self._judged.cycles[:cycles]
        last = known[-1] if known else None
        return SurfaceEvidence(
            surface=self._surface,
            is_chained=self._is_chained,
            snapshot=None,
            cycles=known,
            phase_start=phase_start,
            end_sha256=None if last is None else last.sha256,
            end_cycle_number=None if last is None else last.event.cycle_number,
            end_timestamp_unix_ms=None if last is None else last.event.timestamp_unix_ms,
            flaws=self._judged.flaws[: bisect_right(self._judged.cycles_at_flaws, cycles)],
        )
