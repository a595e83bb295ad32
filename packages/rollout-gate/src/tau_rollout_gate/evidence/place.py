"""Where in an event log the evidence starts, and whether it is the log that was pinned.

A pinned line is that line alone: in the file, and at the place, where it stood. Each file continues
the next older one, over all that there are (runbooks/rollout-gate-ops.md, "Damaged evidence").
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from tau_rollout_gate.contract.pin import Break, LogPosition, SurfacePin
from tau_rollout_gate.evidence.lines import Line, ReadLog, is_at, is_up_to
from tau_rollout_gate.evidence.log import Link
from tau_rollout_gate.evidence.values import CLOCK_TOLERANCE_MS, Flaw, FlawFound

_UNKNOWN = Link()


class Window(NamedTuple):
    """The evidence among the lines that were read.

    Args:
        start: The first line of it.
        sound: The first line that has to be whole.
        phase: The first line of the phase.
        before: What the first line of it continues.
        flaw: Why one of these places is not known.
        is_same_log: Whether the pinned line stands where it stood.
    """

    start: int
    sound: int
    phase: int
    before: Link = _UNKNOWN
    flaw: FlawFound | None = None
    is_same_log: bool = False


def window(pin: SurfacePin, log: ReadLog, lines: Sequence[Line], *, is_chained: bool) -> Window:
    """Find the evidence; before canary-1, and without a log, there is none."""
    origin = pin.evidence_from
    if origin is None or not log.parts:
        return Window(start=len(lines), sound=len(lines), phase=len(lines))
    start, before, flaw = _start(origin, pin, log, lines, is_chained=is_chained)
    sound_from = pin.sound_from or origin
    sound: int | None = start
    if sound_from != origin:  # what was wrong before it was accepted
        sound = _after(sound_from, lines)
        flaw = None if sound is not None else _lost("the evidence", sound_from, pin, log, lines)
    phase = start if pin.phase_from in {None, origin} else _after(pin.phase_from, lines)
    if phase is None and flaw is None:
        flaw = _lost("the phase", sound_from, pin, log, lines)
    if flaw is None and pin.seen is not None and _after(pin.seen.position, lines) is None:
        flaw = _cycle_gone(pin.seen.position, log, lines)
    pinned = [sound_from, *([pin.seen.position] if pin.seen else [])]
    known = next((one for one in pinned if one.event_sha256 is not None), None)
    return Window(
        start=start,
        sound=max(start, sound or 0),
        phase=max(start, phase or 0),
        before=before,
        flaw=flaw,
        is_same_log=known is not None and any(is_at(line, known) for line in lines),
    )


def seams(
    log: ReadLog, evidence: Sequence[Line], *, is_chained: bool
) -> Iterator[tuple[Break, FlawFound]]:
    """Yield where a file does not continue the next older one, or that one cannot be read.

    Those between lines of the evidence are left out: there, each line is held to the one before.
    """
    judged = {line.file for line in evidence if line.offset == 0}
    for newer, older in pairwise(reversed(log.segments)):
        if newer.problem is not None or newer.path in judged:
            continue
        if older.problem is not None:
            flaw = _missing(f"{older.path} {older.problem}", log, lost=1)
        elif is_chained and newer.continues_sha256 != older.last_sha256:
            detail = (
                f"{newer.path} does not continue {older.path}: a copy was put back, or a file is "
                "missing or out of its place"
            )
            flaw = FlawFound(flaw=Flaw.LOG_REWRITTEN, detail=detail, file=newer.path)
        else:
            continue
        yield (
            Break(after_sha256=older.last_sha256, continues_sha256=newer.continues_sha256),
            flaw,
        )


def _after(position: LogPosition, lines: Sequence[Line]) -> int | None:
    """The index of the first line after a position; None where its line does not stand there.

    Where the file that ended with it is gone, the first line of all continues it.
    """
    if position.event_sha256 is None:
        return 0
    at = next((index for index, line in enumerate(lines) if is_at(line, position)), None)
    if at is not None:
        return at + 1
    first = lines[0].event if lines else None
    continues = first is not None and first.previous_sha256 == position.event_sha256
    return 0 if continues else None


def _start(
    origin: LogPosition, pin: SurfacePin, log: ReadLog, lines: Sequence[Line], *, is_chained: bool
) -> tuple[int, Link, FlawFound | None]:
    """The first line of the evidence, what it continues, and what is wrong with that.

    Where the line before it is gone, all is evidence that is not known to be older.
    """
    start = _after(origin, lines)
    if start is None:
        older = (at for at in reversed(range(len(lines))) if is_up_to(lines[at].event, origin))
        return next(older, -1) + 1, _UNKNOWN, _lost("the evidence", origin, pin, log, lines)
    if origin.event_sha256 is None:
        flaw = _of_whole_log(origin, log, lines, is_chained=is_chained)
        return 0, Link(cycle_number=0) if flaw is None else _UNKNOWN, flaw
    event = lines[start - 1].event if start else None
    time = origin.timestamp_unix_ms if event is None else event.timestamp_unix_ms
    link = Link(
        sha256=origin.event_sha256, cycle_number=origin.cycle_number, timestamp_unix_ms=time
    )
    return start, link, None


def _of_whole_log(
    origin: LogPosition, log: ReadLog, lines: Sequence[Line], *, is_chained: bool
) -> FlawFound | None:
    """What is wrong where the log was empty when the evidence started: that is all there is."""
    first = _first_number(lines)
    if log.problem is not None:
        return _missing(log.problem, log, lost=1)
    if is_chained and first is not None and first > 1:
        detail = f"the log begins with cycle {first}, but the evidence with cycle 1"
        return _missing(detail, log, lost=first - 1)
    noted = origin.timestamp_unix_ms
    if noted is not None and any(
        line.event is not None and line.event.timestamp_unix_ms < noted - CLOCK_TOLERANCE_MS
        for line in lines
    ):
        detail = "the log had no line when the evidence started, but has cycles from before that"
        return FlawFound(flaw=Flaw.LOG_REWRITTEN, detail=detail, file=log.path)
    return None


def _lost(
    what: str, position: LogPosition, pin: SurfacePin, log: ReadLog, lines: Sequence[Line]
) -> FlawFound:
    """That the line which the evidence, or the phase, follows does not stand where it stood."""
    number, first = position.cycle_number, _first_number(lines)
    if log.problem is not None:
        return _missing(log.problem, log, lost=1)
    if number is not None and first is not None and first > number:
        detail = f"the log begins with cycle {first}, but the evidence with cycle {number + 1}"
        return _missing(detail, log, lost=max(first - number - 1, 1))
    seen = None if pin.seen is None else pin.seen.position.cycle_number
    return FlawFound(
        flaw=Flaw.LOG_REWRITTEN,
        detail=f"the line that {what} follows does not stand where it stood",
        file=log.path,
        lost=1 if number is None or seen is None else max(seen - number, 1),
    )


def _cycle_gone(seen: LogPosition, log: ReadLog, lines: Sequence[Line]) -> FlawFound:
    """That the log lacks a cycle which was seen."""
    numbers = [line.event.cycle_number or 0 for line in lines if line.event is not None]
    which = "a cycle" if seen.cycle_number is None else f"cycle {seen.cycle_number}"
    return FlawFound(
        flaw=Flaw.CYCLE_GONE,
        detail=f"{which}, which was seen before, is not there any more: a copy was put back",
        file=log.path,
        lost=max((seen.cycle_number or 0) - max(numbers, default=0), 1),
    )


def _first_number(lines: Sequence[Line]) -> int | None:
    event = lines[0].event if lines else None
    return None if event is None else event.cycle_number


def _missing(detail: str, log: ReadLog, *, lost: int) -> FlawFound:
    return FlawFound(
        flaw=Flaw.SEGMENT_MISSING,
        detail=detail,
        file=log.path,
        lost=lost,
    )
