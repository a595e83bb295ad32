"""What a cycle's line tells as one value, and how gates and triggers compare it."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, NamedTuple

from msgspec import Meta

from tau_rollout_gate.contract.cycle import Event, HealthState
from tau_rollout_gate.contract.forms import Count, MisfitError


class Signal(StrEnum):
    """A value of a line, by its name in the contract (state-files.md, "runtime-events.jsonl").

    `last_cycle_failed` and `queue_depth` are the health block's names of `failed_cases` and
    `backlog_cases`, as the runbooks have them. `rollout_gate` is the health alone: `pass` where it
    is healthy, `hold` otherwise.
    """

    ROLLOUT_GATE = "rollout_gate"
    HEALTH_STATE = "health_state"
    LAST_CYCLE_FAILED = "last_cycle_failed"
    QUEUE_DEPTH = "queue_depth"
    FAILURE_STREAK = "failure_streak"
    FAILED_CASES = "failed_cases"
    BACKLOG_CASES = "backlog_cases"
    MALFORMED_CASES = "malformed_cases"
    UNEXPECTED_MALFORMED_CASES = "unexpected_malformed_cases"
    DISCOVERED_CASES = "discovered_cases"
    QUEUED_CASES = "queued_cases"
    APPLIED_CASES = "applied_cases"
    DUPLICATE_SKIPS = "duplicate_skips"
    RETRYABLE_FAILURES = "retryable_failures"
    RETRY_ATTEMPTS = "retry_attempts"
    UPSERTED_COMMANDS = "upserted_commands"
    DELETED_COMMANDS = "deleted_commands"
    EXECUTED_RUNS = "executed_runs"
    RUN_TIMEOUT_FAILURES = "run_timeout_failures"
    RUN_NON_ZERO_EXIT_FAILURES = "run_non_zero_exit_failures"
    RUN_SPAWN_FAILURES = "run_spawn_failures"
    RUN_MISSING_COMMAND_FAILURES = "run_missing_command_failures"
    EXECUTED_CASES = "executed_cases"
    ARTIFACT_RECORDS = "artifact_records"

    @property
    def key(self) -> str:
        """The line's own name of it."""
        return _KEYS.get(self, self.value)

    @property
    def words(self) -> tuple[str, ...]:
        """The words it can be; none for a number."""
        return _WORDS.get(self, ())


_KEYS = {Signal.LAST_CYCLE_FAILED: "failed_cases", Signal.QUEUE_DEPTH: "backlog_cases"}
_WORDS = {
    Signal.ROLLOUT_GATE: ("pass", "hold"),
    Signal.HEALTH_STATE: tuple(state.value for state in HealthState),
}


def reading(event: Event, signal: Signal) -> str | int | None:
    """What a line tells of a signal; None where its writer left it out."""
    if signal is Signal.HEALTH_STATE:
        return event.health_state.value
    if signal is Signal.ROLLOUT_GATE:
        return "pass" if event.health_state is HealthState.HEALTHY else "hold"
    return event.counters.get(_KEYS.get(signal, signal))


Counters = Annotated[tuple[Signal, ...], Meta(max_length=32)]
"""Signals that are counters: `refuse_words` holds them to that."""

ReasonCode = Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_]{0,63}\Z")]
ReasonCodes = Annotated[tuple[ReasonCode, ...], Meta(max_length=32)]
Value = Count | str


def refuse_words(counters: Sequence[Signal]) -> None:
    """Pass where each signal is a counter.

    Raises:
        MisfitError: where one is a word; the place is that of a field `counters`.
    """
    for index, signal in enumerate(counters):
        if signal.words:
            raise MisfitError(f"{signal} is a word, not a counter", "counters", index)


class Comparison(NamedTuple):
    """A signal and what it is compared with: exactly one of the three."""

    signal: Signal
    one_of: tuple[str | int, ...] | None = None
    at_most: int | None = None
    at_least: int | None = None

    def problem(self) -> str | None:
        """Why no line could ever be compared so, or None."""
        words = self.signal.words
        if words and self.one_of is None:
            return f"{self.signal} is a word, {_alternatives(words)}, and has no order"
        for value in self.one_of or ():
            if words and value not in words:
                return f"{self.signal} is {_alternatives(words)}, never {value!r:.70}"
            if not words and isinstance(value, str):
                return f"{self.signal} is a number, never {value!r:.70}"
        return None

    def holds_for(self, value: str | int) -> bool:
        """Tell whether a value of the signal is one that is looked for."""
        if self.one_of is not None:
            return value in self.one_of
        # `problem` keeps words away from the two orders.
        number = int(value)
        if self.at_most is not None:
            return number <= self.at_most
        return self.at_least is not None and number >= self.at_least

    @property
    def looks_at(self) -> tuple[str, ...]:
        """The field of an event, or the counter, that it depends on."""
        return ("health_state",) if self.signal.words else (self.signal.key,)

    def holds_in(self, event: Event) -> bool | None:
        """Tell whether it holds in a line; None where the line does not tell the signal."""
        value = reading(event, self.signal)
        return None if value is None else self.holds_for(value)

    def seen_in(self, event: Event) -> str:
        """What a line shows, by its own names: `backlog_cases = 2 (queue_depth)`."""
        value, name = reading(event, self.signal), self.signal
        seen = f"{name.key} is not told" if value is None else f"{name.key} = {value}"
        return seen if name.key == name else f"{seen} ({name})"

    def in_words(self) -> str:
        """What is looked for: `queue_depth <= 1`, `health_state = degraded or failing`."""
        if self.one_of is not None:
            return f"{self.signal} = {_alternatives(self.one_of)}"
        if self.at_most is not None:
            return f"{self.signal} <= {self.at_most}"
        return f"{self.signal} >= {self.at_least}"


def _alternatives(values: tuple[str | int, ...]) -> str:
    return " or ".join(map(str, values))
