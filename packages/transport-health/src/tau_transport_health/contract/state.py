"""`state.json` as this program reads it: the health block of any transport, and the runtime's rest.

The rules are the contract's (runbooks/state-files.md). Types are held to strictly, keys that are
not known are ignored, and a required key that is missing is never read as 0.
"""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, NamedTuple

from tau_transport_health.contract import fields
from tau_transport_health.contract.long_json import Fold, Items
from tau_transport_health.errors import FormRefusedError

FAILING_STREAK = 3
"""Consecutive cycles with a failed case from which on the health is failing."""

_KEYS = ("schema_version", "health", "last_cycle")
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


class CommandCounts:
    """What the registered commands add up to: of very many less is kept so than each."""

    def __init__(self) -> None:
        self.total = self.runs = 0
        self.by_name: Counter[str] = Counter()
        self.by_operation: Counter[str] = Counter()
        self.by_outcome: Counter[str] = Counter()
        self.by_status_code: Counter[int] = Counter()

    def add(self, command: CommandSummary) -> None:
        """Count a command."""
        self.total += 1
        self.runs += command.run_count
        self.by_name[command.command_name] += 1
        self.by_operation[command.operation] += 1
        self.by_outcome[command.last_outcome] += 1
        self.by_status_code[command.last_status_code] += 1


class State(NamedTuple):
    """A valid state file; `last_cycle` is None where the writer does not chain its events.

    `commands` are counted where they were asked for.
    """

    health: HealthSnapshot
    last_cycle: LastCycle | None
    processed_case_count: int
    commands: CommandCounts


def classify(*, failure_streak: int, failed_cases: int) -> HealthState:
    """The health that two numbers of the last cycle give."""
    if failure_streak >= FAILING_STREAK:
        return HealthState.FAILING
    if failure_streak > 0 or failed_cases > 0:
        return HealthState.DEGRADED
    return HealthState.HEALTHY


def parse_state(pieces: Iterable[bytes], *, chained: bool, counts_commands: bool = False) -> State:
    """The state that a `state.json` holds.

    Args:
        pieces: The file's bytes, in the pieces that `long_json.read_object` takes.
        chained: Whether the writer chains its events, so that `last_cycle` is required.
        counts_commands: Whether the commands are asked for. They are held to the form in any case.

    Raises:
        FormRefusedError: if it is not of the contract's form; the text names the field.
    """
    lists = _Lists(counts_commands=counts_commands)
    folds = {
        "processed_case_keys": Fold(lists.take_keys),
        "commands": Fold(lists.take_commands, fields.rules_of(CommandSummary).keys()),
    }
    value = fields.object_of(fields.read_object(pieces, _KEYS, folds), "the file")
    fields.held(value, {"schema_version": fields.VERSION_1})
    for key in folds.keys() & value.keys():
        if not isinstance(value[key], Items):
            fields.held(value, {key: fields.ARRAY})
    last_cycle = None
    if chained or "last_cycle" in value:
        last_cycle = fields.made(LastCycle, value.get("last_cycle"), "last_cycle")
    return State(
        health=fields.made(HealthSnapshot, value.get("health"), "health"),
        last_cycle=last_cycle,
        processed_case_count=lists.keys,
        commands=lists.counts,
    )


class _Lists:
    """Takes the items of the arrays of a state, some together, and holds them to their form."""

    def __init__(self, *, counts_commands: bool) -> None:
        self.keys = 0
        self.counts = CommandCounts()
        self._counts_commands = counts_commands
        self._commands = 0

    def take_keys(self, items: Iterable[object]) -> None:
        for item in items:
            if not isinstance(item, str):
                raise FormRefusedError(f"processed_case_keys: found an array; {fields.TEXTS.words}")
            self.keys += 1

    def take_commands(self, items: Iterable[object]) -> None:
        for item in items:
            command = fields.made(CommandSummary, item, f"commands[{self._commands}]")
            self._commands += 1
            if self._counts_commands:
                self.counts.add(command)
