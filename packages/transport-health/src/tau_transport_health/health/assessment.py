"""The one judgement that every command shows: the health, whether a rollout may pass, and why.

It follows from the snapshot and the end of the event log alone, so that `check`, which reads no
more, says the same as `status`, which reads all (runbooks/transport-health-ops.md, "The gate").
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from tau_transport_health.contract.event import Event, line_digest, parse_event
from tau_transport_health.contract.state import HealthSnapshot, HealthState, State
from tau_transport_health.durations import age
from tau_transport_health.errors import ExitCode, PluginCode, TransportHealthError
from tau_transport_health.health.targets import Target

DEFAULT_MAX_AGE_MS = 15 * 60 * 1000
"""How old a snapshot may be, unless the operator says otherwise."""

FUTURE_TOLERANCE_MS = 60 * 1000
"""How far a snapshot may lie ahead of the clock: clocks differ a little."""


class Gate(StrEnum):
    """Whether a rollout may go on, as far as this transport's health says."""

    PASS = "pass"  # noqa: S105 - the word of the contract, no secret
    HOLD = "hold"


class Hold(StrEnum):
    """Why the gate holds; each has its own remedy."""

    NO_STATE = "no_state"
    INVALID_STATE = "invalid_state"
    UNHEALTHY = "unhealthy"
    STALE = "stale"
    FUTURE = "future"
    LOG_INVALID = "log_invalid"
    LOG_TORN = "log_torn"
    LOG_DISAGREES = "log_disagrees"


REMEDIES = {
    Hold.NO_STATE: "run the transport once, or pass --state-dir if its files lie elsewhere",
    Hold.INVALID_STATE: "put state.json back from a copy, or see tau-custom-command recover",
    Hold.UNHEALTHY: "see which cases failed: diagnose, then the channel's log.jsonl",
    Hold.STALE: "see whether the runtime still runs, and when it last did",
    Hold.FUTURE: "set the clock of the machine that wrote the state, or of this one",
    Hold.LOG_INVALID: "see diagnose for the line; the next cycle does not mend it",
    Hold.LOG_TORN: "a writer was cut off: run the transport again, which moves the rest aside",
    Hold.LOG_DISAGREES: "see whether one of the two files was put back or edited: diagnose",
}


class Reading(NamedTuple):
    """What was read of a state directory, once, in the order that the contract asks for.

    `state` is None where there is no valid one; `state_problem` then says why, and
    `is_state_present` whether a file was there. `last_lines` are the last whole lines of the log,
    newest last, at most two; they may reach into the rotated log.
    """

    state: State | None
    state_problem: str | None
    is_state_present: bool
    is_log_present: bool
    last_lines: tuple[bytes, ...]
    is_log_torn: bool


class Assessment(NamedTuple):
    """The judgement of one target at one time."""

    health_state: HealthState
    health_reason: str
    gate: Gate
    holds: tuple[tuple[Hold, str], ...]
    warnings: tuple[str, ...]
    recommendation: str
    age_ms: int | None
    is_stale: bool
    snapshot: HealthSnapshot | None
    last_event: Event | None

    @property
    def exit_code(self) -> ExitCode:
        """Return what `inspect`, `status` and `report` exit with."""
        if self.snapshot is None:
            return ExitCode.CANNOT_ANSWER
        return ExitCode.YES if self.gate is Gate.PASS else ExitCode.NO

    @property
    def plugin_code(self) -> PluginCode:
        """Return what `check` exits with: the health, unless something makes it unknown."""
        if any(hold is not Hold.UNHEALTHY for hold, _ in self.holds):
            return PluginCode.UNKNOWN
        return {
            HealthState.HEALTHY: PluginCode.OK,
            HealthState.DEGRADED: PluginCode.WARNING,
            HealthState.FAILING: PluginCode.CRITICAL,
            HealthState.UNKNOWN: PluginCode.UNKNOWN,
        }[self.health_state]


def disagreement(reading: Reading) -> str | None:
    """Return how state and log disagree, or None; None too where agreement does not apply.

    The state belongs to one of the last two lines, since a writer appends the line first. Where it
    is the last one, its numbers are that line's.
    """
    if reading.state is None:
        return None
    if reading.state.last_cycle is None:
        return _forgotten_chain(reading)
    wanted = reading.state.last_cycle.event_sha256
    line = next((line for line in reading.last_lines if line_digest(line) == wanted), None)
    if line is None:
        return "the last cycle that the state names is not at the end of the event log"
    try:
        event = parse_event(line, chained=True)
    except TransportHealthError:
        return None  # named as an invalid line
    pairs: list[tuple[str, object, object]] = [
        ("cycle_id", reading.state.last_cycle.cycle_id, event.cycle_id),
        ("cycle_number", reading.state.last_cycle.cycle_number, event.cycle_number),
    ]
    if line == reading.last_lines[-1]:
        health = reading.state.health
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


def _forgotten_chain(reading: Reading) -> str | None:
    """Return what is wrong where the last line is chained, and the state names no last cycle."""
    try:
        chained = parse_event(reading.last_lines[-1], chained=False).cycle_number is not None
    except (TransportHealthError, IndexError):
        return None
    return "the event log chains its lines, but the state names no last cycle" if chained else None


def is_settled(reading: Reading) -> bool:
    """Tell whether a reading needs no second look: nothing in it may be a write under way."""
    return not reading.is_log_torn and disagreement(reading) is None


def assess(
    target: Target, reading: Reading, *, now_unix_ms: int, max_age_ms: int | None
) -> Assessment:
    """Return the judgement of a reading. `max_age_ms` is None where any age will do."""
    if reading.state is None:
        return _without_state(reading)
    health = reading.state.health
    last_event, line_problem = _last_event(target, reading)
    age_ms = now_unix_ms - health.updated_unix_ms
    is_stale = max_age_ms is not None and age_ms > max_age_ms
    holds = tuple(
        (hold, reason)
        for hold, reason in (
            (Hold.UNHEALTHY, _unhealthy(health)),
            (Hold.STALE, _stale(age_ms) if is_stale else None),
            (Hold.FUTURE, _future(age_ms)),
            (Hold.LOG_TORN, _torn(reading)),
            (Hold.LOG_INVALID, line_problem),
            (Hold.LOG_DISAGREES, disagreement(reading)),
        )
        if reason is not None
    )
    reason = last_event.health_reason if last_event is not None else None
    return Assessment(
        health_state=health.state,
        health_reason=reason or _classified(health),
        gate=Gate.HOLD if holds else Gate.PASS,
        holds=holds,
        warnings=_warnings(reading, max_age_ms),
        recommendation=REMEDIES[holds[0][0]] if holds else "nothing to do",
        age_ms=age_ms,
        is_stale=is_stale,
        snapshot=health,
        last_event=last_event,
    )


def _without_state(reading: Reading) -> Assessment:
    hold = Hold.INVALID_STATE if reading.is_state_present else Hold.NO_STATE
    reason = reading.state_problem or "there is no state.json"
    return Assessment(
        health_state=HealthState.UNKNOWN,
        health_reason=reason,
        gate=Gate.HOLD,
        holds=((hold, reason),),
        warnings=(),
        recommendation=REMEDIES[hold],
        age_ms=None,
        is_stale=False,
        snapshot=None,
        last_event=None,
    )


def _last_event(target: Target, reading: Reading) -> tuple[Event | None, str | None]:
    if not reading.last_lines:
        return None, None
    chained = target.is_chained or (
        reading.state is not None and reading.state.last_cycle is not None
    )
    try:
        return parse_event(reading.last_lines[-1], chained=chained), None
    except TransportHealthError as error:
        return None, f"the last line of the event log is invalid: {error}"


def _classified(health: HealthSnapshot) -> str:
    if health.last_cycle_failed == 0 and health.failure_streak == 0:
        return "the last cycle ended without a failed case"
    return (
        f"{health.last_cycle_failed} failed in the last cycle, "
        f"cycles in a row with failures: {health.failure_streak}"
    )


def _unhealthy(health: HealthSnapshot) -> str | None:
    if health.state is HealthState.HEALTHY:
        return None
    return f"the health is {health.state}: {_classified(health)}"


def _stale(age_ms: int) -> str:
    return f"the state is stale: written {age(age_ms)}"


def _future(age_ms: int) -> str | None:
    if -age_ms <= FUTURE_TOLERANCE_MS:
        return None
    return f"the state is dated {age(age_ms)}"


def _torn(reading: Reading) -> str | None:
    return "the last line of the event log is torn" if reading.is_log_torn else None


def _warnings(reading: Reading, max_age_ms: int | None) -> tuple[str, ...]:
    found = []
    if max_age_ms is None:
        found.append("no limit on the state's age was asked for, so that a dead runtime passes")
    if reading.state is not None and reading.state.last_cycle is None:
        found.append("the writer does not chain its events: state and log are not compared")
        if not reading.is_log_present:
            found.append("there is no event log")
    return tuple(found)
