"""The event log over time: any number of events, in at most `MOST_BINS` bins of equal length.

One pass, constant memory: bins start fine, and are merged into longer ones when the log turns out
to cover more time than they reach. Only valid lines count (runbooks/state-files.md,
"runtime-events.jsonl"); a time without a cycle has no bin, so that gaps stay gaps.
"""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, compress, groupby
from operator import attrgetter, gt, itemgetter
from typing import Any, Self

from tau_transport_health.contract.event import Event
from tau_transport_health.contract.state import HealthState
from tau_transport_health.log.codes import CodeNames
from tau_transport_health.log.decode import InvalidLines, ReadBlock, event_of
from tau_transport_health.log.layouts import Line

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

    def add(self, lines: Sequence[Line], names: CodeNames) -> None:
        """Add valid lines, their codes by these names."""

        def values(key: str) -> Iterator[Any]:
            return map(attrgetter(key), lines)

        self.cycles_by_health.update(values("health_state"))
        self.max_queue_depth = max(self.max_queue_depth, *values("backlog_cases"))
        self.failed_cases += sum(values("failed_cases"))
        self.retry_attempts += sum(values("retry_attempts"))
        self.duplicate_skips += sum(values("duplicate_skips"))
        self.malformed_cases += sum(values("malformed_cases"))
        self.malformed_cases += sum(values("unexpected_malformed_cases"))
        self.runs += sum(values("executed_runs"))
        self.longest_cycle_ms = max(self.longest_cycle_ms, *values("cycle_duration_ms"))
        for codes, times in Counter(values("reason_codes")).items():
            for name in names.of(codes):
                self.reason_code_counts[name] += times

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
    """What a log adds up to over time: given all its lines with `add`, then closed.

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
    recent: list[Event] = field(default_factory=list)
    _last_lines: deque[Line] = field(default_factory=lambda: deque(maxlen=RECENT_CYCLES))
    _latest_unix_ms: int = 0
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

    def add(self, read: ReadBlock) -> None:
        """Count lines, the next ones of the log."""
        self.invalid.add(read.refusals)
        if not read.valid:
            return
        times = read.values("timestamp_unix_ms")
        self._put_in_time(times, read.numbers)
        bins = [time // self.bin_length_ms for time in times]
        for index, found in groupby(zip(bins, read.valid, strict=True), itemgetter(0)):
            held = self._bins.setdefault(index, Bin())
            held.add([line for _, line in found], self._names)
        # Of the last lines of all events are made in the end. One that was not recognised may be
        # long: of that only what is counted is kept.
        self._last_lines.extend(
            self._counted(line) if isinstance(line, Event) else line
            for line in read.valid[-RECENT_CYCLES:]
        )

    def _put_in_time(self, times: Sequence[int], numbers: Sequence[int]) -> None:
        """Have room for times, and count those that are before the one in the line above."""
        if not self._last_lines:
            self.first_unix_ms = self.last_unix_ms = self._latest_unix_ms = times[0]
        back = list(compress(numbers, map(gt, (self._latest_unix_ms, *times), times)))
        self.steps_back += len(back)
        if self.first_step_back is None and back:
            self.first_step_back = back[0]
        self._latest_unix_ms = times[-1]
        self.first_unix_ms = min(self.first_unix_ms, *times)
        self.last_unix_ms = max(self.last_unix_ms, *times)
        self._lengthen_bins()

    def close(self) -> None:
        """Add up the bins, once all lines are counted."""
        for held in self._bins.values():
            self.total.absorb(held)
        self.recent = [self._counted(event_of(line)) for line in self._last_lines]

    def _counted(self, event: Event) -> Event:
        """An event, of its codes only those that are counted: a hostile line may have very many."""
        names = self._names.of(event.reason_codes)
        return event if names == event.reason_codes else event._replace(reason_codes=names)

    def _lengthen_bins(self) -> None:
        """Have no more bins from the first event to the last than there may be."""
        shorter, length = self.bin_length_ms, self.bin_length_ms
        while self.last_unix_ms // length - self.first_unix_ms // length >= MOST_BINS:
            length = _next_length(length)
        if length != shorter:
            merged: dict[int, Bin] = {}
            for index, held in self._bins.items():
                merged.setdefault(index * shorter // length, Bin()).absorb(held)
            self._bins, self.bin_length_ms = merged, length


def _next_length(length_ms: int) -> int:
    longer = chain(_BIN_LENGTHS_MS, (2 * length_ms,))
    return next(candidate for candidate in longer if candidate > length_ms)
