"""`state.json` as this program reads it: the health block of any transport, and the runtime's rest.

The rules are the contract's (runbooks/state-files.md). Types are held to strictly, keys that are
not known are ignored, and a required key that is missing is never read as 0.
"""

from enum import StrEnum
from typing import Annotated, NamedTuple

from tau_transport_health.contract import fields

FAILING_STREAK = 3
"""Consecutive cycles with a failed case from which on the health is failing."""

_LISTS = {"processed_case_keys": fields.TEXTS, "commands": fields.ARRAY}
_OPERATION = fields.one_of("CREATE", "UPDATE", "RUN")
_OUTCOME = fields.one_of("success", "malformed_input", "retryable_failure")


class HealthState(StrEnum):
    """How a transport is, best first; `UNKNOWN` where no valid snapshot says it."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    FAILING = "failing"
    UNKNOWN = "unknown"


class HealthSnapshot(NamedTuple):
    """The health block, the same for every transport; about the last cycle.

    Times and durations are in milliseconds, the rest are counts.
    """

    updated_unix_ms: fields.Count
    cycle_duration_ms: fields.Count
    queue_depth: fields.Count
    active_runs: fields.Count
    failure_streak: fields.Count
    last_cycle_discovered: fields.Count
    last_cycle_processed: fields.Count
    last_cycle_completed: fields.Count
    last_cycle_failed: fields.Count
    last_cycle_duplicates: fields.Count

    @property
    def state(self) -> HealthState:
        """The health that the snapshot's numbers give."""
        return classify(failure_streak=self.failure_streak, failed_cases=self.last_cycle_failed)

    def as_json(self) -> dict[str, int]:
        """The block as it stands in the file."""
        return self._asdict()


class LastCycle(NamedTuple):
    """Which line of the event log the state belongs to."""

    cycle_id: fields.Name
    cycle_number: fields.Number
    event_sha256: fields.Digest


class CommandSummary(NamedTuple):
    """What the status report counts of a registered command."""

    command_name: fields.Text
    operation: Annotated[str, _OPERATION]
    last_outcome: Annotated[str, _OUTCOME]
    last_status_code: fields.Number
    run_count: fields.Count


class State(NamedTuple):
    """A valid state file; `last_cycle` is None where the writer does not chain its events."""

    health: HealthSnapshot
    last_cycle: LastCycle | None
    processed_case_count: int
    commands: tuple[CommandSummary, ...]


def classify(*, failure_streak: int, failed_cases: int) -> HealthState:
    """The health that two numbers of the last cycle give."""
    if failure_streak >= FAILING_STREAK:
        return HealthState.FAILING
    if failure_streak > 0 or failed_cases > 0:
        return HealthState.DEGRADED
    return HealthState.HEALTHY


def parse_state(raw: bytes, *, chained: bool) -> State:
    """The state that the bytes of a `state.json` hold.

    Args:
        raw: The file's bytes.
        chained: Whether the writer chains its events, so that `last_cycle` is required.

    Raises:
        FormRefusedError: if it is not of the contract's form; the text names the field.
    """
    value = fields.object_of(fields.json_of(raw), "the file")
    lists = fields.held(
        {key: [] for key in _LISTS} | value, {"schema_version": fields.VERSION_1} | _LISTS
    )
    last_cycle = None
    if chained or "last_cycle" in value:
        last_cycle = fields.made(LastCycle, value.get("last_cycle"), "last_cycle")
    return State(
        health=fields.made(HealthSnapshot, value.get("health"), "health"),
        last_cycle=last_cycle,
        processed_case_count=len(lists["processed_case_keys"]),
        commands=tuple(
            fields.made(CommandSummary, item, f"commands[{index}]")
            for index, item in enumerate(lists["commands"])
        ),
    )
