"""What was read of a state directory, and whether state and log say the same."""

from functools import cached_property
from typing import NamedTuple

from tau_transport_health.contract.event import Event, line_digest, parse_event
from tau_transport_health.contract.pause import Pause
from tau_transport_health.contract.state import HealthSnapshot, HealthState, LastCycle, State
from tau_transport_health.durations import age
from tau_transport_health.errors import TransportHealthError
from tau_transport_health.health.remedies import Hold


class Problem(NamedTuple):
    """Why a file cannot be used, in words; of one that may not be read also whose it is.

    `owner` is None where that is who asks.
    """

    hold: Hold
    reason: str
    owner: str | None = None


class LastLine(NamedTuple):
    """A line at the end of a log: its digest, and its event or why it is none."""

    sha256: str
    event: Event | str


def last_line(line: bytes, *, chained: bool) -> LastLine:
    """What decides of a line; `chained` says whether the chain keys are required."""
    try:
        return LastLine(line_digest(line), parse_event(line, chained=chained))
    except TransportHealthError as error:
        return LastLine(line_digest(line), str(error))


class _Files(NamedTuple):
    state: State | None
    state_problem: Problem | None
    log_problem: Problem | None
    is_log_present: bool
    last_lines: tuple[LastLine, ...]
    is_log_torn: bool
    journal_unix_ms: int | None = None
    pause: Pause | str | None = None


class Reading(_Files):
    """What was read, once, in the order that the contract asks for.

    `state` is None where there is no valid one; `state_problem` then says why. `log_problem` says
    why the log cannot be read. `last_lines` are the last whole lines of the log, newest last, at
    most two; they may reach into the rotated log. `journal_unix_ms` is the time of the journal of
    a cycle that has not ended; None where there is none. `pause` has no cycle begin: of one that
    cannot be read, which counts too, why it cannot.
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
        return self.last_lines[-1].event if self.last_lines else None

    @cached_property
    def judged_event(self) -> Event | None:
        """The event of the last line, if it is not older than the state.

        A writer appends the line first: cut off after that, it leaves the log one line ahead. Who
        judges takes the worse of both (runbooks/state-files.md, "Reading while someone writes").
        """
        event = self.last_event
        if not isinstance(event, Event) or self.state is None:
            return None
        is_newer = event.timestamp_unix_ms >= self.state.health.updated_unix_ms
        return event if is_newer or self._is_named(self.last_lines[0]) else None

    @property
    def health_state(self) -> HealthState:
        """The worse of what the state and the line that is not older than it say."""
        if self.state is None:
            return HealthState.UNKNOWN
        said = [self.state.health.state]
        if self.judged_event is not None:
            said.append(self.judged_event.health_state)
        return max(said, key=list(HealthState).index)

    def pause_told(self, now_unix_ms: int) -> str | None:
        """That no cycle begins, since when, by whom and why; None where one may."""
        pause = self.pause
        if pause is None:
            return None
        if isinstance(pause, str):
            return f"no cycle begins: paused.json {pause}, so it counts as paused"
        since = age(now_unix_ms - pause.paused_unix_ms)
        return f"no cycle begins: paused {since} by {pause.by}: {pause.reason}"

    @cached_property
    def disagreement(self) -> str | None:
        """How state and log disagree, or None; None too where agreement does not apply.

        The state belongs to one of the last two lines, since a writer appends the line first.
        Where it is the last one, its numbers are that line's; where it is the other, the last one
        continues that.
        """
        if self.state is None or self.log_problem is not None:
            return None
        last_cycle, event = self.state.last_cycle, self.last_event
        if last_cycle is None:
            if isinstance(event, Event) and event.cycle_number is not None:
                return "the event log chains its lines, but the state names no last cycle"
            return None
        if not any(map(self._is_named, self.last_lines)):
            return "the last cycle that the state names is not at the end of the event log"
        if len(self.last_lines) > 1 and self._is_named(self.last_lines[0]):
            return self._disagreement_behind(last_cycle, event)
        return _first_difference(last_cycle, event, self.state.health)

    def _disagreement_behind(self, last_cycle: LastCycle, ahead: Event | str | None) -> str | None:
        """How a state disagrees with the last line but one, which it names, and the one ahead."""
        named = self.last_lines[0]
        if isinstance(ahead, Event) and ahead.previous_sha256 != named.sha256:
            return "the log's last line does not continue the one that the state names"
        return _first_difference(last_cycle, named.event, None)

    def _is_named(self, line: LastLine) -> bool:
        """Whether the state names this line as that of its last cycle."""
        last_cycle = None if self.state is None else self.state.last_cycle
        return last_cycle is not None and last_cycle.event_sha256 == line.sha256


def _first_difference(
    last_cycle: LastCycle, event: Event | str | None, health: HealthSnapshot | None
) -> str | None:
    """In what a state is not as the line that it names; `health` is None where that is not last."""
    if not isinstance(event, Event):
        return None  # named as an invalid line
    pairs: list[tuple[str, object, object]] = [
        ("cycle_id", last_cycle.cycle_id, event.cycle_id),
        ("cycle_number", last_cycle.cycle_number, event.cycle_number),
    ]
    if health is not None:
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
