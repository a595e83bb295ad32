"""Logs of chained lines, as short as the runtime may write them, to be shipped."""

import json
from hashlib import sha256

from tau_custom_command.contract.shipped import ShippedState, StateEnd
from tau_custom_command.contract.state import HealthSnapshot, LastCycle

HEALTH = HealthSnapshot(
    updated_unix_ms=1_767_225_600_000,
    cycle_duration_ms=1,
    queue_depth=0,
    active_runs=0,
    failure_streak=0,
    last_cycle_discovered=1,
    last_cycle_processed=1,
    last_cycle_completed=1,
    last_cycle_failed=0,
    last_cycle_duplicates=0,
)


def digest(line: bytes) -> str:
    """Return the digest of a line."""
    return sha256(line.removesuffix(b"\n")).hexdigest()


def chain(
    count: int, *, after: tuple[bytes, ...] = (), pad: int = 0, mark: str = ""
) -> list[bytes]:
    """Return so many lines more than there are, each at least `pad` bytes long."""
    lines = list(after)
    for number in range(len(lines) + 1, len(lines) + count + 1):
        previous = digest(lines[-1]) if lines else None
        event = {"cycle_number": number, "previous_sha256": previous, "pad": "x" * pad + mark}
        lines.append(json.dumps(event).encode() + b"\n")
    return lines


def end_of(lines: list[bytes]) -> StateEnd:
    """Return what the state says whose last cycle is the last line."""
    last = LastCycle(
        cycle_id=f"id-{len(lines)}", cycle_number=len(lines), event_sha256=digest(lines[-1])
    )
    return StateEnd(schema_version=1, health=HEALTH, last_cycle=last)


class There:
    """What a store has: objects by key, each written as a whole."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    @property
    def state(self) -> ShippedState | None:
        """The state that is there."""
        raw = self.objects.get("state.json")
        return None if raw is None else ShippedState.parse(raw)

    @property
    def log(self) -> bytes:
        """What a reader takes: of each segment what the state names."""
        state = self.state
        assert state is not None
        return b"".join(self.objects[one.key][: one.bytes] for one in state.segments)
