"""What a page shows of a timeline: charts with a bar for each stretch of time, and their words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from tau_transport_health.contract.state import HealthState
from tau_transport_health.formats.page.charts import (
    NARROW,
    WIDE,
    Bar,
    Words,
    bar_chart,
    sparkline,
    value_axis,
)
from tau_transport_health.formats.page.figures import figure, share, span, utc
from tau_transport_health.log.timeline import Bin, Timeline
from tau_transport_health.printable import harmless

FEWEST_SLOTS = 24
"""A shorter history is drawn with room around it, so that one cycle is no bar as wide as a page."""

_TIMES_SHOWN = {WIDE: 6, NARROW: 2}
_HEIGHTS = {HealthState.HEALTHY: 1, HealthState.DEGRADED: 2, HealthState.FAILING: 3}
_HEALTH_AXIS = tuple((height, state.value) for state, height in _HEIGHTS.items())

Slots = Sequence[tuple[int, Bin | None]]
"""Each stretch of time in order: when it starts, and what happened in it, if anything did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart with its words; without drawings where there is nothing to draw."""

    name: str
    title: str
    explained: str
    summary: str
    drawings: tuple[Markup, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRow:
    """A reason code: in how many cycles it stood, their share, and when."""

    code: str
    cycles: int
    share: str
    drawing: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measure:
    """A figure of a bin that has a chart."""

    name: str
    title: str
    explained: str
    none: str
    of: Callable[[Bin], int]
    is_sum: bool = True


_MEASURES = (
    _Measure(
        name="queue",
        title="Queue depth",
        explained="Cases that the queue limit left over; a bar shows the deepest queue.",
        none="No case was ever left over.",
        of=lambda held: held.max_queue_depth,
        is_sum=False,
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
)


def charts_of(timeline: Timeline) -> list[Chart]:
    """Return the charts of a timeline; none where it is empty."""
    slots = _padded(timeline)
    if not slots:
        return []
    health = Chart(
        name="health",
        title="Health",
        explained="A bar shows the worst health that a cycle had: the higher, the worse.",
        summary=f"{_healths(timeline.total)}.",
    )
    charts = [_drawn(health, _health_bar, _HEALTH_AXIS, slots, timeline.bin_length_ms)]
    for measure in _MEASURES:
        chart = Chart(
            name=measure.name,
            title=measure.title,
            explained=measure.explained,
            summary=_summary(measure, timeline, slots),
        )
        peak = max(measure.of(held) for _, held in slots if held is not None)
        if peak > 0:
            bar = _bar_of(measure)
            chart = _drawn(chart, bar, value_axis(peak), slots, timeline.bin_length_ms)
        charts.append(chart)
    return charts


def code_rows(timeline: Timeline) -> Iterator[CodeRow]:
    """Yield the reason codes of a timeline, the most frequent first."""
    slots = _padded(timeline)
    for index, (code, cycles) in enumerate(timeline.total.reason_code_counts.most_common()):
        counts = [None if held is None else held.reason_code_counts[code] for _, held in slots]
        most = max(count for count in counts if count is not None)
        part = share(cycles, timeline.total.cycles)
        yield CodeRow(
            code=code,
            cycles=cycles,
            share=part,
            drawing=sparkline(
                [
                    None if count is None else Bar(value=count, kind="" if count else "zero")
                    for count in counts
                ],
                words=Words(
                    name=f"code-{index}",
                    title=f"{harmless(code)} over time",
                    summary=f"In {part} of the cycles; at most in {figure(most)} within one bar.",
                ),
            ),
        )


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


def _drawn(
    chart: Chart,
    bar_of: Callable[[Bin], Bar],
    values: tuple[tuple[int, str], ...],
    slots: Slots,
    length_ms: int,
) -> Chart:
    drawings = []
    for size, times in _TIMES_SHOWN.items():
        shown = {int((index + 0.5) * len(slots) / times) for index in range(times)}
        drawings.append(
            bar_chart(
                [None if held is None else _saying(start, bar_of(held)) for start, held in slots],
                times=[
                    _tick(start, length_ms) if index in shown else ""
                    for index, (start, _) in enumerate(slots)
                ],
                values=values,
                words=Words(
                    name=chart.name,
                    title=f"{chart.title} over time",
                    summary=f"{chart.summary} Each bar is {span(length_ms)}.",
                ),
                size=size,
            )
        )
    return replace(chart, drawings=tuple(drawings))


def _saying(start_unix_ms: int, bar: Bar) -> Bar:
    return Bar(value=bar.value, kind=bar.kind, says=f"{utc(start_unix_ms)}: {bar.says}")


def _health_bar(held: Bin) -> Bar:
    worst = held.worst_health
    return Bar(value=_HEIGHTS[worst], says=_healths(held), kind=worst)


def _bar_of(measure: _Measure) -> Callable[[Bin], Bar]:
    def bar_of(held: Bin) -> Bar:
        value = measure.of(held)
        return Bar(
            value=value,
            says=f"{figure(value)} in {_cycles(held.cycles)}",
            kind=measure.name if value else "zero",
        )

    return bar_of


def _tick(unix_ms: int, length_ms: int) -> str:
    if length_ms < 60_000:  # noqa: PLR2004 - a minute: bins of seconds cover two hours at most
        return utc(unix_ms, "%H:%M:%S")
    return utc(unix_ms, "%b %d %H:%M" if length_ms < 86_400_000 else "%Y-%m-%d")  # noqa: PLR2004 - a day


def _healths(held: Bin) -> str:
    """Return `12 cycles: 10 healthy (83.3 %), 2 failing (16.7 %)`."""
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
    length = span(timeline.bin_length_ms)
    peak = f"{figure(measure.of(held))} within {length}, from {utc(start)} UTC on"
    if measure.is_sum:
        return f"{figure(total)} in all; at most {peak}."
    last = timeline.recent[-1].queue_depth
    return f"At most {peak}; {figure(last)} after the last cycle."
