"""The one judgement that every command shows: the health, whether a rollout may pass, and why.

It follows from the snapshot and the end of the event log alone, so that `check`, which reads no
more, says the same as `status`, which reads all (runbooks/transport-health-ops.md, "The gate").
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from tau_transport_health.contract.event import Event
from tau_transport_health.contract.state import HealthSnapshot, HealthState
from tau_transport_health.durations import age
from tau_transport_health.errors import ExitCode, PluginCode
from tau_transport_health.health.reading import Reading
from tau_transport_health.health.remedies import REMEDIES, Hold, symptom_of
from tau_transport_health.health.targets import Target

DEFAULT_MAX_AGE_MS = 15 * 60 * 1000
"""How old a snapshot may be, unless the operator says otherwise."""

FUTURE_TOLERANCE_MS = 60 * 1000
"""How far a snapshot may lie ahead of the clock: clocks differ a little."""


class Gate(StrEnum):
    """Whether a rollout may go on, as far as this transport's health says."""

    PASS = "pass"  # noqa: S105 - the word of the contract, no secret
    HOLD = "hold"


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
        """What `inspect`, `status` and `report` exit with."""
        if self.snapshot is None:
            return ExitCode.CANNOT_ANSWER
        return ExitCode.YES if self.gate is Gate.PASS else ExitCode.NO

    @property
    def plugin_code(self) -> PluginCode:
        """What `check` exits with: the health, unless something makes it unknown."""
        if any(hold is not Hold.UNHEALTHY for hold, _ in self.holds):
            return PluginCode.UNKNOWN
        return {
            HealthState.HEALTHY: PluginCode.OK,
            HealthState.DEGRADED: PluginCode.WARNING,
            HealthState.FAILING: PluginCode.CRITICAL,
            HealthState.UNKNOWN: PluginCode.UNKNOWN,
        }[self.health_state]


class Inspection(NamedTuple):
    """One look at a target: where its files are, what they held, and the judgement.

    Every format is made from this one value, so that all say the same.
    """

    target: Target
    state_path: str
    events_log_path: str
    reading: Reading
    assessment: Assessment
    judged_unix_ms: int

    @property
    def is_chained(self) -> bool:
        """Whether the chain keys are required of this target's lines."""
        return self.target.is_chained or self.reading.is_chained


def assess(reading: Reading, *, now_unix_ms: int, max_age_ms: int | None) -> Assessment:
    """Judge a reading. `max_age_ms` is None where any age will do."""
    if reading.state is None:
        return _without_state(reading)
    health = reading.state.health
    last_event = reading.last_event if isinstance(reading.last_event, Event) else None
    age_ms = now_unix_ms - health.updated_unix_ms
    is_stale = max_age_ms is not None and age_ms > max_age_ms
    holds = tuple(_holds(reading, health, age_ms, is_stale=is_stale))
    reason = last_event.health_reason if last_event is not None else None
    return Assessment(
        health_state=health.state,
        health_reason=reason or _classified(health),
        gate=Gate.HOLD if holds else Gate.PASS,
        holds=holds,
        warnings=_warnings(reading, max_age_ms),
        recommendation=REMEDIES[symptom_of(holds[0][0])] if holds else "nothing to do",
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
        recommendation=REMEDIES[symptom_of(hold)],
        age_ms=None,
        is_stale=False,
        snapshot=None,
        last_event=None,
    )


def _classified(health: HealthSnapshot) -> str:
    if health.last_cycle_failed == 0 and health.failure_streak == 0:
        return "the last cycle ended without a failed case"
    return (
        f"{health.last_cycle_failed} failed in the last cycle, "
        f"cycles in a row with failures: {health.failure_streak}"
    )


def _holds(
    reading: Reading, health: HealthSnapshot, age_ms: int, *, is_stale: bool
) -> Iterator[tuple[Hold, str]]:
    if health.state is not HealthState.HEALTHY:
        yield Hold.UNHEALTHY, f"the health is {health.state}: {_classified(health)}"
    if is_stale:
        yield Hold.STALE, f"the state is stale: written {age(age_ms)}"
    if -age_ms > FUTURE_TOLERANCE_MS:
        yield Hold.FUTURE, f"the state is dated {age(age_ms)}"
    if reading.is_log_torn:
        yield Hold.LOG_TORN, "the last line of the event log is torn"
    if isinstance(reading.last_event, str):
        yield Hold.LOG_INVALID, f"the last line of the event log is invalid: {reading.last_event}"
    if reading.disagreement is not None:
        yield Hold.LOG_DISAGREES, reading.disagreement


def _warnings(reading: Reading, max_age_ms: int | None) -> tuple[str, ...]:
    found = []
    if max_age_ms is None:
        found.append("no limit on the state's age was asked for, so that a dead runtime passes")
    if reading.state is not None and reading.state.last_cycle is None:
        found.append("the writer does not chain its events: state and log are not compared")
        if not reading.is_log_present:
            found.append("there is no event log")
    return tuple(found)
