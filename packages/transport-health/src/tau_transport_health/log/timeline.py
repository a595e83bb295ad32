"""The event log over time: any number of events, in at most `MOST_BINS` bins of equal length.

One pass, constant memory: bins start fine, and are merged into longer ones when the log turns out
to cover more time than they reach. Only valid lines count (runbooks/state-files.md,
"runtime-events.jsonl"); a time without a cycle has no bin, so that gaps stay gaps.
"""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Self

from tau_transport_health.contract.event import Event
from tau_transport_health.contract.state import HealthState
from tau_transport_health.log.codes import CodeNames
from tau_transport_health.log.decode import InvalidLines, read_lines

MOST_BINS = 120
"""How many bins there are at most: as many bars as a page can show apart."""

RECENT_CYCLES = 20
"""How many of the last cycles are kept one by one."""

_SECOND, _MINUTE, _HOUR, _DAY = 1000, 60_000, 3_600_000, 86_400_000
# Each length divides the next, so that whole bins become whole bins.
_BIN_LENGTHS_MS = (
    *(_SECOND, 5 * _SECOND, 10 * _SECOND, 30 * _SECOND),
    *(_MINUTE, 5 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE),
    *(_HOUR, 2 * _HOUR, 4 * _HOUR, 12 * _HOUR, _DAY),
)


@dataclass(slots=True, kw_only=True)
class Bin:
    """What the cycles that ended in one stretch of time add up to; there is at least one."""

    cycles_by_health: Counter[HealthState] = field(default_factory=Counter)
    max_queue_depth: int = 0
    failed_cases: int = 0
    retry_attempts: int = 0
    duplicate_skips: int = 0
    malformed_cases: int = 0
    runs: int = 0
    longest_cycle_ms: int = 0
    reason_code_counts: Counter[str] = field(default_factory=Counter)

    @property
    def cycles(self) -> int:
        """How many cycles ended in it."""
        return self.cycles_by_health.total()

    @property
    def worst_health(self) -> HealthState:
        """The worst health that one of its cycles had."""
        return max(self.cycles_by_health, key=list(HealthState).index)

    def absorb(self, other: Self) -> None:
        """Add what another one adds up to."""
        self.cycles_by_health.update(other.cycles_by_health)
        self.max_queue_depth = max(self.max_queue_depth, other.max_queue_depth)
        self.failed_cases += other.failed_cases
        self.retry_attempts += other.retry_attempts
        self.duplicate_skips += other.duplicate_skips
        self.malformed_cases += other.malformed_cases
        self.runs += other.runs
        self.longest_cycle_ms = max(self.longest_cycle_ms, other.longest_cycle_ms)
        self.reason_code_counts.update(other.reason_code_counts)


@dataclass(slots=True, kw_only=True)
class Timeline:
    """What a log adds up to over time; `read_timeline` makes one.

    `steps_back` counts the events that are dated before the one in the line above;
    `first_step_back` is the first such line.
    """

    bin_length_ms: int = _BIN_LENGTHS_MS[0]
    first_unix_ms: int = 0
    last_unix_ms: int = 0
    total: Bin = field(default_factory=Bin)
    invalid: InvalidLines = field(default_factory=InvalidLines)
    steps_back: int = 0
    first_step_back: int | None = None
    recent: deque[Event] = field(default_factory=lambda: deque(maxlen=RECENT_CYCLES))
    _bins: dict[int, Bin] = field(default_factory=dict)
    _names: CodeNames = field(default_factory=CodeNames)

    def slots(self) -> list[tuple[int, Bin | None]]:
        """Each stretch from the first event to the last: its start, and its bin if any."""
        if not self._bins:
            return []
        return [
            (index * self.bin_length_ms, self._bins.get(index))
            for index in range(min(self._bins), max(self._bins) + 1)
        ]

    def add(self, number: int, event: Event) -> None:
        """Count a valid line; `number` is the line's, from 1."""
        time = event.timestamp_unix_ms
        if not self.recent:
            self.first_unix_ms = self.last_unix_ms = time
        elif time < self.recent[-1].timestamp_unix_ms:
            self.steps_back += 1
            if self.first_step_back is None:
                self.first_step_back = number
        self.first_unix_ms = min(self.first_unix_ms, time)
        self.last_unix_ms = max(self.last_unix_ms, time)
        held = self._bins.get(time // self.bin_length_ms) or self._bin_at(time)
        names = self._names.of(event.reason_codes)
        held.cycles_by_health[event.health_state] += 1
        held.max_queue_depth = max(held.max_queue_depth, event.backlog_cases)
        held.failed_cases += event.failed_cases
        held.retry_attempts += event.retry_attempts
        held.duplicate_skips += event.duplicate_skips
        held.malformed_cases += event.malformed_cases + event.unexpected_malformed_cases
        held.runs += event.executed_runs
        held.longest_cycle_ms = max(held.longest_cycle_ms, event.cycle_duration_ms)
        for name in names:
            held.reason_code_counts[name] += 1
        # A hostile line may have very many codes: of those only the ones that are counted are kept.
        self.recent.append(
            event if names == event.reason_codes else event._replace(reason_codes=names)
        )

    def close(self) -> None:
        """Add up the bins, once all lines are counted."""
        for held in self._bins.values():
            self.total.absorb(held)

    def _bin_at(self, time: int) -> Bin:
        """A new bin for a time that has none, where need be of longer bins."""
        shorter, length = self.bin_length_ms, self.bin_length_ms
        while self.last_unix_ms // length - self.first_unix_ms // length >= MOST_BINS:
            length = _next_length(length)
        if length != shorter:
            merged: dict[int, Bin] = {}
            for index, held in self._bins.items():
                merged.setdefault(index * shorter // length, Bin()).absorb(held)
            self._bins, self.bin_length_ms = merged, length
        return self._bins.setdefault(time // length, Bin())


def read_timeline(blocks: Iterable[bytes], *, chained: bool) -> Timeline:
    """What a log's whole lines add up to over time.

    Args:
        blocks: The lines, oldest first, some together, each ended by its line break.
        chained: Whether the writer chains its events, so that the chain keys are required.
    """
    timeline = Timeline()
    for number, line, event in read_lines(blocks, chained=chained):
        if isinstance(event, str):
            timeline.invalid.add(number, event)
        else:
            timeline.add(number, event)
        del line  # it may be long: not held while the next one is read
    timeline.close()
    return timeline


def _next_length(length_ms: int) -> int:
    longer = chain(_BIN_LENGTHS_MS, (2 * length_ms,))
    return next(candidate for candidate in longer if candidate > length_ms)
