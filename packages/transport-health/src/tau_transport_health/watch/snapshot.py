"""What `watch` looks at again and again: targets, or why there are none, and the last events."""

import os
from dataclasses import dataclass, replace

from tau_transport_health.contract.event import Event, parse_event
from tau_transport_health.errors import TransportHealthError
from tau_transport_health.files.lines import open_regular
from tau_transport_health.health.assessment import Inspection
from tau_transport_health.services.inspect import Question, look

RECENT_EVENTS = 8
"""How many events of one target are shown, newest first."""

_TAIL_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One look: the targets, or why there is none; and of a single target its last events."""

    inspections: tuple[Inspection, ...]
    problem: str | None
    recent: tuple[Event | str, ...]


def sight_of(question: Question, *, shows: type[TransportHealthError]) -> Sight:
    """Look once; an error of the kind that it `shows` is a sight too, and may be gone later.

    Raises:
        TransportHealthError: for any other: what is asked wrongly is said outside of the view.
    """
    try:
        inspections = look(question)
    except shows as error:
        return Sight(inspections=(), problem=str(error), recent=())
    recent = recent_events(inspections[0]) if len(inspections) == 1 else ()
    return Sight(inspections=inspections, problem=None, recent=recent)


def aged(sight: Sight, question: Question) -> Sight:
    """Judge what was read before at the time that it is now."""
    now_unix_ms = question.now()
    return replace(
        sight,
        inspections=tuple(
            inspection._replace(
                judged_unix_ms=now_unix_ms,
                assessment=question.judge(inspection.reading, now_unix_ms),
            )
            for inspection in sight.inspections
        ),
    )


def recent_events(inspection: Inspection) -> tuple[Event | str, ...]:
    """The last events of a log, newest first; of an invalid line, why it is none.

    Reads the last 64 KiB alone; what cannot be read is no event.
    """
    try:
        with open_regular(inspection.events_log_path) as log:
            start = max(os.fstat(log.fileno()).st_size - _TAIL_BYTES, 0)
            log.seek(start)
            lines = log.read(_TAIL_BYTES).split(b"\n")[1 if start else 0 : -1]
    except OSError:
        return ()
    return tuple(_event(line, inspection) for line in reversed(lines[-RECENT_EVENTS:]))


def _event(line: bytes, inspection: Inspection) -> Event | str:
    try:
        return parse_event(line, chained=inspection.is_chained)
    except TransportHealthError as error:
        return str(error)
