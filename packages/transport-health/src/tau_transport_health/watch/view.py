"""What `watch` draws: one target in detail, several as a table.

Text from the files enters the view as `Text`, made harmless before: neither markup nor escape
sequences in it act.
"""

import time
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tau_transport_health.contract.event import Event
from tau_transport_health.contract.state import HealthState
from tau_transport_health.durations import age
from tau_transport_health.formats.text import facts
from tau_transport_health.health.assessment import Gate, Inspection
from tau_transport_health.printable import printable
from tau_transport_health.watch.snapshot import Sight

_LONGEST_TEXT = 400
_WIDEST_STATE = len(HealthState.DEGRADED)
_WIDEST_GATE = len("gate hold")
_COLOURS = {
    HealthState.HEALTHY: "bold green",
    HealthState.DEGRADED: "bold yellow",
    HealthState.FAILING: "bold red",
    HealthState.UNKNOWN: "bold magenta",
}
_FACT_COLOURS = {"holds": "red", "warning": "yellow"}


def view(sight: Sight, *, interval_seconds: float) -> RenderableType:
    """What the terminal shows: one target in detail, several as a table."""
    foot = Text(f"looks every {interval_seconds:g} s; Ctrl-C ends", style="dim")
    if sight.problem is not None:
        return Group(_safe(sight.problem, style="bold magenta"), Text(), foot)
    if len(sight.inspections) > 1:
        return Group(_overview(sight.inspections), Text(), foot)
    (inspection,) = sight.inspections
    parts: list[RenderableType] = [_head(inspection), _facts(inspection)]
    if sight.recent:
        parts += [Text(), _events(sight.recent, inspection.judged_unix_ms)]
    return Group(*parts, Text(), foot)


def _safe(text: str, *, style: str = "") -> Text:
    # Cut first: a line of the files may be of any length.
    cut = text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
    return Text(printable(cut), style=style)


def _state(state: HealthState) -> Text:
    return Text(state.upper(), style=_COLOURS[state])


def _gate(gate: Gate) -> Text:
    return Text(gate, style="green" if gate is Gate.PASS else "bold red")


def _head(inspection: Inspection) -> Table:
    head = Table.grid(padding=(0, 2), expand=True)
    head.add_column(no_wrap=True, min_width=_WIDEST_STATE)
    head.add_column(no_wrap=True, min_width=_WIDEST_GATE)
    head.add_column(overflow="ellipsis", no_wrap=True, ratio=1)
    head.add_column(justify="right", no_wrap=True)
    clock = time.strftime("%H:%M:%S", time.localtime(inspection.judged_unix_ms // 1000))
    head.add_row(
        _state(inspection.assessment.health_state),
        Text("gate ").append_text(_gate(inspection.assessment.gate)),
        _safe(f"{inspection.target.name} ({inspection.target.label})", style="bold"),
        Text(clock, style="dim"),
    )
    return head


def _facts(inspection: Inspection) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    # It wraps: a number that is cut would be another number.
    table.add_column(overflow="fold")
    for name, text in facts(inspection):
        table.add_row(Text(name), _safe(text, style=_FACT_COLOURS.get(name, "")))
    return table


def _events(recent: Sequence[Event | str], now_unix_ms: int) -> Table:
    table = _table()
    table.add_column("cycle ended", no_wrap=True)
    table.add_column("health", no_wrap=True, min_width=_WIDEST_STATE)
    table.add_column("failed", justify="right", overflow="ellipsis", no_wrap=True)
    table.add_column("left over", justify="right", overflow="ellipsis", no_wrap=True)
    table.add_column("reason codes", overflow="fold", ratio=1)
    for number, event in enumerate(recent):
        if isinstance(event, str):
            table.add_row(Text(), Text("INVALID", style="bold magenta"), "", "", _safe(event))
        else:
            table.add_row(
                _safe(age(now_unix_ms - event.timestamp_unix_ms)),
                _state(event.health_state),
                _safe(str(event.failed_cases)),
                _safe(str(event.backlog_cases)),
                _codes(event.reason_codes, is_newest=number == 0),
            )
    return table


def _codes(codes: Sequence[str], *, is_newest: bool) -> Text:
    text = _safe(", ".join(codes))
    if not is_newest:  # a line each, so that there is room for several
        text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _overview(inspections: Sequence[Inspection]) -> Table:
    table = _table()
    table.add_column("target", overflow="ellipsis", no_wrap=True)
    table.add_column("health", no_wrap=True, min_width=_WIDEST_STATE)
    table.add_column("gate", no_wrap=True, min_width=len(Gate.HOLD))
    table.add_column("written", no_wrap=True)
    table.add_column("failed", justify="right", overflow="ellipsis", no_wrap=True)
    table.add_column("left over", justify="right", overflow="ellipsis", no_wrap=True)
    table.add_column("why", overflow="fold", ratio=1)
    for inspection in inspections:
        assessment, health = inspection.assessment, inspection.assessment.snapshot
        table.add_row(
            _safe(inspection.target.name),
            _state(assessment.health_state),
            _gate(assessment.gate),
            _safe("-" if assessment.age_ms is None else age(assessment.age_ms)),
            Text("-") if health is None else _safe(str(health.last_cycle_failed)),
            Text("-") if health is None else _safe(str(health.queue_depth)),
            _safe(assessment.holds[0][1] if assessment.holds else assessment.health_reason),
        )
    return table


def _table() -> Table:
    return Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=False)
