"""A live view in the terminal: looks again and again, and redraws in place, until interrupted.

Only the command `watch` imports this module, since rich costs start-up time. Text from the files
enters the view as `Text`, made harmless before: neither markup nor escape sequences in it act.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tau_transport_health.assessment import Gate, assess
from tau_transport_health.errors import ExitCode, NoTargetError, TransportHealthError
from tau_transport_health.event import Event, parse_event
from tau_transport_health.formats.harmless import harmless
from tau_transport_health.formats.text import age
from tau_transport_health.inspection import Inspection
from tau_transport_health.looking import Question, look
from tau_transport_health.snapshot import HealthSnapshot, HealthState

RECENT_EVENTS = 8
"""How many events of one target are shown, newest first."""

LONGEST_REDRAW_SECONDS = 1.0
"""The ages tick at least this often, however seldom the files are looked at."""

_TAIL_BYTES = 64 * 1024
_LONGEST_TEXT = 400
_WIDEST_STATE = len(HealthState.DEGRADED)
_WIDEST_GATE = len("gate hold")
_COLOURS = {
    HealthState.HEALTHY: "bold green",
    HealthState.DEGRADED: "bold yellow",
    HealthState.FAILING: "bold red",
    HealthState.UNKNOWN: "bold magenta",
}


class NoTerminalError(TransportHealthError):
    """The view needs a terminal that can be redrawn."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One look: the targets, or why there is none; and of a single target its last events."""

    inspections: tuple[Inspection, ...]
    problem: str | None
    recent: tuple[Event | str, ...]


def watch_targets(question: Question, *, interval_seconds: float) -> None:
    """Show the targets that `question` asks for until the process is interrupted.

    Raises:
        NoTerminalError: if the output is no terminal.
        TargetError: if there is no such target.
        KeyboardInterrupt: on Ctrl-C, with the terminal as it was before.
    """
    gc.enable()  # unlike other commands this one may run for days
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal or console.is_dumb_terminal:
        raise NoTerminalError("watch needs a terminal to draw in; for one look use inspect")
    sight = first_sight(question)
    with (
        _quiet_keyboard(),
        _wake_on_resize() as resized,
        Live(console=console, screen=True, auto_refresh=False) as live,
    ):
        looked = time.monotonic()
        try:
            while True:
                live.update(view(sight, interval_seconds=interval_seconds), refresh=True)
                _wait(resized, min(interval_seconds, LONGEST_REDRAW_SECONDS))
                if time.monotonic() - looked >= interval_seconds:
                    sight = next_sight(question)
                    looked = time.monotonic()
                else:
                    sight = aged(sight, question)
        except KeyboardInterrupt:
            # A second Ctrl-C must not keep the terminal from being put back.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            raise


def first_sight(question: Question) -> Sight:
    """Look once before the view opens: what is asked wrongly is said outside of it.

    Raises:
        TargetError: if there is no such target.
    """
    try:
        return _sight(question)
    except NoTargetError as error:
        return _nothing(error)


def next_sight(question: Question) -> Sight:
    """Look again; whatever cannot be answered now is shown, and may be answered later."""
    try:
        return _sight(question)
    except TransportHealthError as error:
        return _nothing(error)


def aged(sight: Sight, question: Question) -> Sight:
    """Judge what was read before at the time that it is now."""
    now_unix_ms = question.now()
    return replace(
        sight,
        inspections=tuple(
            inspection._replace(
                judged_unix_ms=now_unix_ms,
                assessment=assess(
                    inspection.target,
                    inspection.reading,
                    now_unix_ms=now_unix_ms,
                    max_age_ms=question.max_age_ms,
                ),
            )
            for inspection in sight.inspections
        ),
    )


def view(sight: Sight, *, interval_seconds: float) -> RenderableType:
    """Return what the terminal shows: one target in detail, several as a table."""
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


def recent_events(inspection: Inspection) -> tuple[Event | str, ...]:
    """Return the last events of a log, newest first; of an invalid line, why it is none.

    Reads the last 64 KiB alone; what cannot be read is no event.
    """
    try:
        with Path(inspection.events_log_path).open("rb") as log:
            start = max(os.fstat(log.fileno()).st_size - _TAIL_BYTES, 0)
            log.seek(start)
            lines = log.read(_TAIL_BYTES).split(b"\n")[1 if start else 0 : -1]
    except OSError:
        return ()
    return tuple(_event(line, inspection) for line in reversed(lines[-RECENT_EVENTS:]))


def _sight(question: Question) -> Sight:
    inspections = look(question)
    recent = recent_events(inspections[0]) if len(inspections) == 1 else ()
    return Sight(inspections=inspections, problem=None, recent=recent)


def _nothing(error: TransportHealthError) -> Sight:
    return Sight(inspections=(), problem=str(error), recent=())


def _event(line: bytes, inspection: Inspection) -> Event | str:
    try:
        return parse_event(line, chained=inspection.is_chained)
    except TransportHealthError as error:
        return str(error)


def _safe(text: str, *, style: str = "") -> Text:
    # Cut first: a line of the files may be of any length.
    cut = text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
    return Text(harmless(cut), style=style)


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
    assessment = inspection.assessment
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row(Text("reason"), _safe(assessment.health_reason))
    for hold, reason in assessment.holds:
        facts.add_row(Text("holds"), _safe(f"{reason} [{hold}]", style="red"))
    for warning in assessment.warnings:
        facts.add_row(Text("warning"), _safe(warning, style="yellow"))
    facts.add_row(Text("do"), _safe(assessment.recommendation))
    if assessment.snapshot is not None and assessment.age_ms is not None:
        facts.add_row(Text("written"), _safe(age(assessment.age_ms)))
        facts.add_row(Text("last cycle"), _numbers(assessment.snapshot))
    facts.add_row(Text("state"), _safe(inspection.state_path))
    return facts


def _numbers(health: HealthSnapshot) -> Text:
    # A sentence, which wraps: a number that is cut would be another number.
    return _safe(
        f"{health.last_cycle_discovered} discovered, {health.last_cycle_completed} completed, "
        f"{health.last_cycle_failed} failed, {health.last_cycle_duplicates} duplicates, "
        f"{health.queue_depth} left over, failing in a row: {health.failure_streak}, "
        f"{health.cycle_duration_ms} ms"
    )


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


@contextmanager
def _quiet_keyboard() -> Iterator[None]:
    """Show nothing of what is typed, and forget it at the end rather than leave it to the shell."""
    if not sys.stdin.isatty():
        yield
        return
    import termios  # noqa: PLC0415 - only where there is a terminal

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    quiet = termios.tcgetattr(descriptor)
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(descriptor, termios.TCSADRAIN, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)


@contextmanager
def _wake_on_resize() -> Iterator[int]:
    """Give a descriptor that becomes readable when the terminal's size changes.

    A request to terminate ends the process as Ctrl-C does: with the terminal put back.
    """
    readable, writable = os.pipe()
    os.set_blocking(readable, False)
    os.set_blocking(writable, False)

    def resized(_signal: int, _frame: FrameType | None) -> None:
        with suppress(BlockingIOError):  # where nobody read since, it is readable already
            os.write(writable, b".")

    def ended(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGWINCH, resized)
    signal.signal(signal.SIGTERM, ended)
    try:
        yield readable
    finally:
        signal.signal(signal.SIGWINCH, signal.SIG_DFL)
        os.close(readable)
        os.close(writable)


def _wait(resized: int, seconds: float) -> None:
    woken, _, _ = select.select([resized], [], [], seconds)
    if woken:
        os.read(resized, 4096)
