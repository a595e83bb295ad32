"""`state.json` of a surface, as far as a decision needs it: the health block and the last cycle.

The rules are the contract's (runbooks/state-files.md, "state.json").
"""

from collections.abc import Iterable

from tau_rollout_gate.contract.cycle import HealthState, classify
from tau_rollout_gate.contract.forms import Count, Number, Read, Sha256, Text, Version, object_of
from tau_rollout_gate.errors import FormRefusedError


class Health(Read, frozen=True, kw_only=True):
    """The health block, the same for every surface. Times in milliseconds, the rest counts."""

    updated_unix_ms: Count
    cycle_duration_ms: Count
    queue_depth: Count
    active_runs: Count
    failure_streak: Count
    last_cycle_discovered: Count
    last_cycle_processed: Count
    last_cycle_completed: Count
    last_cycle_failed: Count
    last_cycle_duplicates: Count

    @property
    def state(self) -> HealthState:
        """The health that the numbers give."""
        return classify(failure_streak=self.failure_streak, failed_cases=self.last_cycle_failed)


class LastCycle(Read, frozen=True, kw_only=True):
    """Which line of the event log the state belongs to."""

    cycle_id: Text
    cycle_number: Number
    event_sha256: Sha256


class Snapshot(Read, frozen=True, kw_only=True):
    """A valid state; `last_cycle` is None where the writer does not chain its events."""

    schema_version: Version
    health: Health
    last_cycle: LastCycle | None = None


def parse_snapshot(pieces: Iterable[bytes]) -> Snapshot:
    """Read a `state.json`, given in the pieces that `read_object` takes.

    Whether there has to be a `last_cycle`, the lines of the writer's log tell.

    Raises:
        FormRefusedError: if it is not of the contract's form; the text names the field.
    """
    value = object_of(pieces, "the file", Snapshot.__struct_fields__)
    if value.get("last_cycle", ...) is None:
        raise FormRefusedError("last_cycle: must not be null")
    return Snapshot.of(value)
