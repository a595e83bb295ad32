"""What was read of a state directory, and whether state and log say the same."""

from functools import cached_property
from typing import NamedTuple

from tau_transport_health.contract.event import Event, line_digest, parse_event
from tau_transport_health.contract.state import State
from tau_transport_health.errors import TransportHealthError


class _Files(NamedTuple):
    state: State | None
    state_problem: str | None
    is_state_present: bool
    is_log_present: bool
    last_lines: tuple[bytes, ...]
    is_log_torn: bool


class Reading(_Files):
    """What was read, once, in the order that the contract asks for.

    `state` is None where there is no valid one; `state_problem` then says why, and
    `is_state_present` whether a file was there. `last_lines` are the last whole lines of the log,
    newest last, at most two; they may reach into the rotated log.
    """

    @property
    def is_chained(self) -> bool:
        """Whether the state names the line of the log that it belongs to."""
        return self.state is not None and self.state.last_cycle is not None

    @property
    def is_settled(self) -> bool:
        """Whether it needs no second look: nothing in it may be a write under way."""
        return not self.is_log_torn and self.disagreement is None

    @cached_property
    def last_event(self) -> Event | str | None:
        """The event of the last line, or why that is none; None where there is no line."""
        return _event_or_reason(self.last_lines[-1], self) if self.last_lines else None

    @cached_property
    def disagreement(self) -> str | None:
        """How state and log disagree, or None; None too where agreement does not apply.

        The state belongs to one of the last two lines, since a writer appends the line first.
        Where it is the last one, its numbers are that line's.
        """
        if self.state is None:
            return None
        last_cycle, event = self.state.last_cycle, self.last_event
        if last_cycle is None:
            if isinstance(event, Event) and event.cycle_number is not None:
                return "the event log chains its lines, but the state names no last cycle"
            return None
        digests = [line_digest(line) for line in self.last_lines]
        if last_cycle.event_sha256 not in digests:
            return "the last cycle that the state names is not at the end of the event log"
        is_last = digests[-1] == last_cycle.event_sha256
        if not is_last:
            event = _event_or_reason(self.last_lines[0], self)
        if not isinstance(event, Event):
            return None  # named as an invalid line
        pairs: list[tuple[str, object, object]] = [
            ("cycle_id", last_cycle.cycle_id, event.cycle_id),
            ("cycle_number", last_cycle.cycle_number, event.cycle_number),
        ]
        if is_last:
            health = self.state.health
            pairs += [
                ("failure_streak", health.failure_streak, event.failure_streak),
                ("queue_depth", health.queue_depth, event.backlog_cases),
                ("last_cycle_failed", health.last_cycle_failed, event.failed_cases),
                ("last_cycle_duplicates", health.last_cycle_duplicates, event.duplicate_skips),
                ("updated_unix_ms", health.updated_unix_ms, event.timestamp_unix_ms),
            ]
        differing = (
            f"{name} is {of_state!r:.40} in the state, {of_event!r:.40} in its event"
            for name, of_state, of_event in pairs
            if of_state != of_event
        )
        return next(differing, None)


def _event_or_reason(line: bytes, reading: Reading) -> Event | str:
    try:
        return parse_event(line, chained=reading.is_chained)
    except TransportHealthError as error:
        return str(error)
