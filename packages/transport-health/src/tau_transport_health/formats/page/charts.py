"""What a page shows of a timeline: charts with a bar for each stretch of time, and their words.

The page's template draws them. What a chart shows is also in its words, and in the page's tables.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tau_transport_health.contract.event import Event
from tau_transport_health.contract.state import HealthState
from tau_transport_health.formats.page.figures import LARGEST_WRITTEN, figure, share, span, utc
from tau_transport_health.log.timeline import Bin, Timeline

FEWEST_SLOTS = 24
"""A shorter history is drawn with room around it, so that one cycle is no bar as wide as a page."""

_TIMES_SHOWN = 6
_HEIGHTS = {HealthState.HEALTHY: 1, HealthState.DEGRADED: 2, HealthState.FAILING: 3}

Slots = Sequence[tuple[int, Bin | None]]
"""Each stretch of time in order: when it starts, and what happened in it, if anything did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar: its value, what it says when it is pointed at, and its class in the style sheet."""

    value: int
    says: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart, its name within the page, and its words; without bars there is nothing to draw.

    `bars` are one for each stretch of time, None a gap. `times` are the labels of some of them, by
    their index. `axis` are the labelled values, the least first; the axis ends with the last.
    """

    name: str
    title: str
    summary: str
    explained: str = ""
    bars: Sequence[Bar | None] = ()
    times: Sequence[tuple[int, str]] = ()
    axis: Sequence[tuple[int, str]] = ()

    @property
    def top(self) -> int:
        """The value at which a bar is as high as the chart."""
        values = (bar.value for bar in self.bars if bar is not None)
        return self.axis[-1][0] if self.axis else max(values, default=0) or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measure:
    """A figure of a bin that has a chart; with `last`, that of one cycle, the most of the bin's."""

    name: str
    title: str
    explained: str
    none: str
    of: Callable[[Bin], int]
    last: Callable[[Event], int] | None = None
    last_says: str = ""
    unit: str = ""

    def bar(self, start_unix_ms: int, held: Bin) -> Bar:
        value = self.of(held)
        return Bar(
            value=min(value, LARGEST_WRITTEN),
            says=f"{utc(start_unix_ms)}: {figure(value)}{self.unit} in {_cycles(held.cycles)}",
            kind=self.name if value else "zero",
        )


_MEASURES = (
    _Measure(
        name="queue",
        title="Queue depth",
        explained="Cases that the queue limit left over; a bar shows the deepest queue.",
        none="No case was ever left over.",
        of=lambda held: held.max_queue_depth,
        last=lambda event: event.backlog_cases,
        last_says="after the last cycle",
    ),
    _Measure(
        name="failed",
        title="Failed cases",
        explained="Cases out of attempts, or with another result than their fixture expects.",
        none="No case failed.",
        of=lambda held: held.failed_cases,
    ),
    _Measure(
        name="retries",
        title="Retries",
        explained="Further attempts at a case, after one that failed in a retryable way.",
        none="Nothing was tried again.",
        of=lambda held: held.retry_attempts,
    ),
    _Measure(
        name="runs",
        title="Runs",
        explained="Recorded; in cycles that execute commands, processes that were started.",
        none="No command was run.",
        of=lambda held: held.runs,
    ),
    _Measure(
        name="duration",
        title="Duration of a cycle",
        explained="How long cycles processed cases, in milliseconds; a bar shows the longest.",
        none="No cycle took a millisecond.",
        of=lambda held: held.longest_cycle_ms,
        last=lambda event: event.cycle_duration_ms,
        last_says="in the last cycle",
        unit=" ms",
    ),
)


def charts_of(timeline: Timeline) -> Iterator[Chart]:
    """The charts of a timeline; none where it is empty."""
    slots = _padded(timeline)
    if not slots:
        return
    times = _times(slots, timeline.bin_length_ms)
    yield Chart(
        name="health",
        title="Health",
        summary=f"{_healths(timeline.total)}.",
        explained="A bar shows the worst health that a cycle had: the higher, the worse.",
        bars=_bars(slots, _health_bar),
        times=times,
        axis=[(height, state) for state, height in _HEIGHTS.items()],
    )
    for measure in _MEASURES:
        peak = max(measure.of(held) for _, held in slots if held is not None)
        yield Chart(
            name=measure.name,
            title=measure.title,
            summary=_summary(measure, timeline, slots),
            explained=measure.explained,
            bars=_bars(slots, measure.bar) if peak else (),
            times=times,
            axis=value_axis(peak),
        )


def code_rows(timeline: Timeline) -> Iterator[tuple[int, str, Chart]]:
    """In how many cycles each reason code stood, their share, and when; most frequent first."""
    slots = _padded(timeline)
    for index, (code, cycles) in enumerate(timeline.total.reason_code_counts.most_common()):
        counts = [None if held is None else held.reason_code_counts[code] for _, held in slots]
        most = max(count for count in counts if count is not None)
        part = share(cycles, timeline.total.cycles)
        yield (
            cycles,
            part,
            Chart(
                name=f"code-{index}",
                title=code,
                summary=f"In {part} of the cycles; at most in {figure(most)} within one bar.",
                bars=[
                    None if count is None else Bar(value=count, kind="" if count else "zero")
                    for count in counts
                ],
            ),
        )


def value_axis(peak: int) -> tuple[tuple[int, str], ...]:
    """The labelled values of an axis from 0 to at least `peak`: round, at most five."""
    highest = max(1, min(peak, LARGEST_WRITTEN))
    size = 1
    while True:
        for step in (size, 2 * size, 5 * size):
            if 4 * step >= highest:
                steps = -(-highest // step)
                return tuple((step * index, _short(step * index)) for index in range(steps + 1))
        size *= 10


def _short(value: int) -> str:
    """A round number in at most five characters: `950`, `1.5k`, `20M`."""
    for size, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return str(value)


def _padded(timeline: Timeline) -> Slots:
    slots, length = timeline.slots(), timeline.bin_length_ms
    if not slots:
        return slots
    missing = max(0, FEWEST_SLOTS - len(slots))
    first, last = slots[0][0], slots[-1][0]
    return [
        *((first - number * length, None) for number in range(missing // 2, 0, -1)),
        *slots,
        *((last + number * length, None) for number in range(1, missing - missing // 2 + 1)),
    ]


def _times(slots: Slots, length_ms: int) -> list[tuple[int, str]]:
    shown = (int((number + 0.5) * len(slots) / _TIMES_SHOWN) for number in range(_TIMES_SHOWN))
    return [(index, _tick(slots[index][0], length_ms)) for index in shown]


def _tick(unix_ms: int, length_ms: int) -> str:
    if length_ms < 60_000:  # noqa: PLR2004 - a minute: bins of seconds cover two hours at most
        return utc(unix_ms, "%H:%M:%S")
    return utc(unix_ms, "%b %d %H:%M" if length_ms < 86_400_000 else "%Y-%m-%d")  # noqa: PLR2004 - a day


def _bars(slots: Slots, bar_of: Callable[[int, Bin], Bar]) -> list[Bar | None]:
    return [None if held is None else bar_of(start, held) for start, held in slots]


def _health_bar(start_unix_ms: int, held: Bin) -> Bar:
    worst, says = held.worst_health, f"{utc(start_unix_ms)}: {_healths(held)}"
    return Bar(value=_HEIGHTS[worst], says=says, kind=worst)


def _healths(held: Bin) -> str:
    """All of a bin's cycles: `12 cycles: 10 healthy (83.3 %), 2 failing (16.7 %)`."""
    parts = ", ".join(
        f"{figure(cycles)} {state} ({share(cycles, held.cycles)})"
        for state in _HEIGHTS
        if (cycles := held.cycles_by_health[state])
    )
    return f"{_cycles(held.cycles)}: {parts}"


def _cycles(number: int) -> str:
    return "1 cycle" if number == 1 else f"{figure(number)} cycles"


def _summary(measure: _Measure, timeline: Timeline, slots: Slots) -> str:
    total = measure.of(timeline.total)
    if total == 0:
        return measure.none
    start, held = max(
        ((start, held) for start, held in slots if held is not None),
        key=lambda slot: measure.of(slot[1]),
    )
    length, unit = span(timeline.bin_length_ms), measure.unit
    peak = f"{figure(measure.of(held))}{unit} within {length}, from {utc(start)} UTC on"
    if measure.last is None:
        return f"{figure(total)} in all; at most {peak}."
    last = f"{figure(measure.last(timeline.recent[-1]))}{unit} {measure.last_says}"
    return f"At most {peak}; {last}."
