"""Makes the evidence of a surface from the bytes of its state and of the end of its event log.

Nothing is judged here but the files themselves: whether they are whole, belong together, and reach
back to where the evidence starts (runbooks/rollout-gate-ops.md, "Reasons to hold").
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import chain
from typing import NamedTuple

from tau_rollout_gate.contract.event import KNOWN_REASON_CODES, Event
from tau_rollout_gate.contract.rollout import (
    CHAINED_SURFACE,
    LogPosition,
    RecordedInput,
    SurfacePin,
)
from tau_rollout_gate.contract.snapshot import Snapshot, parse_snapshot
from tau_rollout_gate.errors import RolloutGateError
from tau_rollout_gate.evidence.consistency import disagreement
from tau_rollout_gate.evidence.log import Line, Link, LogPart, judge, lines_of
from tau_rollout_gate.evidence.values import (
    CLOCK_TOLERANCE_MS,
    Cycle,
    Flaw,
    FlawFound,
    SurfaceEvidence,
)

_UNKNOWN = Link()
_MOST_CODES_SHOWN = 10
_LONGEST_CODE_SHOWN = 60


class RawState(NamedTuple):
    """A `state.json` as it was read; both `raw` and `problem` are None where there is none."""

    path: str
    raw: bytes | None
    problem: str | None = None


class RawLog(NamedTuple):
    """The end of an event log as it was read, over its rotated files.

    `parts` are oldest first, none without a log; `problem` says why older lines were not read.
    """

    path: str
    parts: tuple[LogPart, ...]
    problem: str | None = None


class _Window(NamedTuple):
    """Where in the lines that were read the evidence starts, and the line before it."""

    start: int
    before: Link = _UNKNOWN
    flaw: FlawFound | None = None


def assemble(pin: SurfacePin, state: RawState, log: RawLog) -> SurfaceEvidence:
    """What the files of a surface say since `pin.evidence_from`.

    Before canary-1, where that is None, there is no evidence yet: no cycle is given, but the end of
    the log, and what is wrong with the files.
    """
    lines = tuple(lines_of(log.parts))
    whole = [line for line in lines if line.sha256 is not None]
    snapshot, state_flaw = _read_state(state)
    is_chained = _is_chained(pin, lines, snapshot)
    if snapshot is not None and snapshot.last_cycle is None and is_chained:
        detail = "last_cycle: is missing, though the writer chains its events"
        state_flaw = FlawFound(flaw=Flaw.INVALID_STATE, detail=detail, file=state.path)
        snapshot = None
    window = _window(pin.evidence_from, lines, log, is_chained=is_chained)
    judged = tuple(judge(lines[window.start :], before=window.before, is_chained=is_chained))
    cycles = tuple(one for one in judged if isinstance(one, Cycle))
    phase_start = _phase_start(pin, lines[window.start :]) if log.parts else 0
    phase_flaw = _rewritten("the phase", log) if phase_start is None else None
    place_flaw = window.flaw or phase_flaw
    end = whole[-1] if whole else None
    return SurfaceEvidence(
        surface=pin.name,
        is_chained=is_chained,
        snapshot=snapshot,
        cycles=cycles,
        phase_start=phase_start or 0,
        end_sha256=None if end is None else end.sha256,
        end_cycle_number=None if end is None or end.event is None else end.event.cycle_number,
        end_timestamp_unix_ms=_last_time(pin, whole),
        end_problem=_end_problem(state, snapshot, whole, log),
        flaws=(
            *(flaw for flaw in (state_flaw, place_flaw) if flaw is not None),
            *(one for one in judged if isinstance(one, FlawFound)),
            *_end_flaws(snapshot, whole, state, log),
        ),
        warnings=tuple(_warnings(pin.name, lines, cycles, is_chained=is_chained)),
        inputs=tuple(_inputs(pin, state, log, window.start)),
    )


def _read_state(state: RawState) -> tuple[Snapshot | None, FlawFound | None]:
    problem = state.problem
    if state.raw is None:
        flaw = Flaw.NO_FILES if problem is None else Flaw.INVALID_STATE
        detail = problem or f"{state.path} does not exist"
        return None, FlawFound(flaw=flaw, detail=detail, file=state.path)
    try:
        return parse_snapshot(state.raw), None
    except RolloutGateError as error:
        detail = str(error)
        return None, FlawFound(flaw=Flaw.INVALID_STATE, detail=detail, file=state.path)


def _is_chained(pin: SurfacePin, lines: Sequence[Line], snapshot: Snapshot | None) -> bool:
    """Tell whether the writer chains its events, or once did; then it must for good."""
    return (
        pin.is_chained
        or pin.name == CHAINED_SURFACE
        or (snapshot is not None and snapshot.last_cycle is not None)
        or any(line.event is not None and line.event.is_chained for line in lines)
    )


def _end_problem(
    state: RawState, snapshot: Snapshot | None, whole: Sequence[Line], log: RawLog
) -> str | None:
    """Why it is not known how the log ends; None where it is, or nothing was written yet."""
    if whole:
        return None if snapshot is None else disagreement(snapshot, whole[-2:])
    if log.problem is None and state.raw is not None:
        return f"there is a state.json, but no line in {log.path}"
    return log.problem


def _window(
    position: LogPosition | None, lines: Sequence[Line], log: RawLog, *, is_chained: bool
) -> _Window:
    if position is None or not log.parts:
        return _Window(start=len(lines))
    wanted = position.event_sha256
    if wanted is None:
        return _whole_log(position, lines, log, is_chained=is_chained)
    at = next((i for i in reversed(range(len(lines))) if lines[i].sha256 == wanted), None)
    if at is not None:
        return _Window(start=at + 1, before=_link(position, lines[at].event))
    first = lines[0].event if lines else None
    if first is not None and first.previous_sha256 == wanted:
        # The file that ended with the position is gone, and with it nothing of the evidence.
        return _Window(start=0, before=_link(position, None))
    return _position_lost(position, lines, log)


def _link(position: LogPosition, event: Event | None) -> Link:
    """What the first line of the evidence continues; `event` is what the position's says."""
    time = position.timestamp_unix_ms if event is None else event.timestamp_unix_ms
    return Link(
        sha256=position.event_sha256, cycle_number=position.cycle_number, timestamp_unix_ms=time
    )


def _last_time(pin: SurfacePin, whole: Sequence[Line]) -> int | None:
    """The time of the last valid line; the one before the evidence where none is in it."""
    times = (one.event.timestamp_unix_ms for one in reversed(whole) if one.event is not None)
    before = None if pin.evidence_from is None else pin.evidence_from.timestamp_unix_ms
    return next(times, before)


def _whole_log(
    position: LogPosition, lines: Sequence[Line], log: RawLog, *, is_chained: bool
) -> _Window:
    """The window where the log was empty when the evidence started: all that there is."""
    first = _first_number(lines)
    if log.problem is not None:
        return _Window(start=0, flaw=_missing(log.problem, log))
    if is_chained and first is not None and first > 1:
        detail = f"the log begins with cycle {first}, but the evidence with cycle 1"
        return _Window(start=0, flaw=_missing(detail, log))
    if _is_from_before(position, lines):
        detail = "the log had no line when the evidence started, but has cycles from before that"
        flaw = FlawFound(flaw=Flaw.LOG_REWRITTEN, detail=detail, file=log.path)
        return _Window(start=0, flaw=flaw)
    return _Window(start=0, before=Link(cycle_number=0))


def _is_from_before(position: LogPosition, lines: Sequence[Line]) -> bool:
    """Tell whether lines are older than the moment when the log had none."""
    noted = position.timestamp_unix_ms
    return noted is not None and any(
        line.event is not None and line.event.timestamp_unix_ms < noted - CLOCK_TOLERANCE_MS
        for line in lines
    )


def _position_lost(position: LogPosition, lines: Sequence[Line], log: RawLog) -> _Window:
    """The window where the line that the evidence follows is not in the log.

    Lines up to that line's number and time are older than the evidence: in a log that was begun
    anew the number alone would tell the wrong thing. Where no number tells, any line that was read
    may belong to the evidence.
    """
    number = position.cycle_number
    first = _first_number(lines)
    older = (
        index for index in reversed(range(len(lines))) if is_up_to(lines[index].event, position)
    )
    start = next(older, -1) + 1
    if log.problem is not None:
        return _Window(start=start, flaw=_missing(log.problem, log))
    if number is not None and first is not None and first > number:
        detail = f"the log begins with cycle {first}, but the evidence with cycle {number + 1}"
        return _Window(start=start, flaw=_missing(detail, log))
    return _Window(start=start, flaw=_rewritten("the evidence", log))


def _first_number(lines: Sequence[Line]) -> int | None:
    event = lines[0].event if lines else None
    return None if event is None else event.cycle_number


def is_up_to(event: Event | None, position: LogPosition) -> bool:
    """Tell whether a line is known to be none after a position, by its number and its time."""
    number, time = position.cycle_number, position.timestamp_unix_ms
    if event is None or event.cycle_number is None or number is None:
        return False
    return event.cycle_number <= number and (time is None or event.timestamp_unix_ms <= time)


def _missing(detail: str, log: RawLog) -> FlawFound:
    return FlawFound(flaw=Flaw.SEGMENT_MISSING, detail=detail, file=log.path)


def _rewritten(what: str, log: RawLog) -> FlawFound:
    detail = f"the line that {what} follows is not there any more"
    return FlawFound(flaw=Flaw.LOG_REWRITTEN, detail=detail, file=log.path)


def _phase_start(pin: SurfacePin, window: Sequence[Line]) -> int | None:
    """How many cycles of the window lie before the phase; None if its line is not there."""
    position = pin.phase_from
    if position is None or position.event_sha256 is None or position == pin.evidence_from:
        return 0
    cycles = 0
    for line in window:
        cycles += line.event is not None
        if line.sha256 == position.event_sha256:
            return cycles
    return None


def _end_flaws(
    snapshot: Snapshot | None, whole: Sequence[Line], state: RawState, log: RawLog
) -> Iterator[FlawFound]:
    """Yield what is wrong with the log as a whole, and between its end and the state."""
    if not log.parts:
        detail = log.problem or f"{log.path} does not exist"
        yield FlawFound(flaw=Flaw.NO_FILES, detail=detail, file=log.path)
    elif snapshot is not None and (apart := disagreement(snapshot, whole[-2:])):
        yield FlawFound(flaw=Flaw.DISAGREES, detail=apart, file=state.path)


def _warnings(
    surface: str, lines: Sequence[Line], cycles: Sequence[Cycle], *, is_chained: bool
) -> Iterator[str]:
    if lines and not is_chained:
        yield (
            f"{surface}: its writer does not chain its events, so that a line which was altered or "
            f"removed does not show, and of state and log only the health is compared"
        )
    if surface == CHAINED_SURFACE:
        told = {code for cycle in cycles for code in cycle.event.reason_codes}
        unknown = sorted(told - KNOWN_REASON_CODES)
        if unknown:
            shown = ", ".join(code[:_LONGEST_CODE_SHOWN] for code in unknown[:_MOST_CODES_SHOWN])
            yield f"{surface}: reason codes that are not known: {shown}"


def _inputs(pin: SurfacePin, state: RawState, log: RawLog, start: int) -> Iterator[RecordedInput]:
    """Yield the files that the evidence rests on; of the log, what lies in the window."""
    if state.raw is not None:
        yield RecordedInput(path=state.path, sha256=sha256(state.raw).hexdigest())
    if pin.evidence_from is None:
        return
    for part in log.parts:
        skipped = min(start, part.line_count)
        start -= skipped
        if skipped == part.line_count and part is not log.parts[-1]:
            continue  # all of it is older than the evidence
        digest, length = sha256(), 0
        for piece in chain((line + b"\n" for line in part.lines[skipped:]), (part.torn,)):
            digest.update(piece)
            length += len(piece)
        yield RecordedInput(
            path=part.path,
            sha256=digest.hexdigest(),
            offset=part.offset + sum(len(line) + 1 for line in part.lines[:skipped]),
            length=length,
        )
