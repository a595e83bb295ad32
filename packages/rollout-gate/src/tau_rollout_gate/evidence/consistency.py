"""Whether a state and an event log belong together.

The rules are the contract's (runbooks/state-files.md, "Reading while someone writes").
"""

from collections.abc import Sequence

from tau_rollout_gate.contract.cycle import Event, classify
from tau_rollout_gate.contract.snapshot import Health, LastCycle, Snapshot
from tau_rollout_gate.evidence.lines import Line


def disagreement(snapshot: Snapshot, last_lines: Sequence[Line]) -> str | None:
    """How a state and the end of its log disagree, or None.

    The state may belong to either of the last two lines, since a writer appends the line first,
    which continues the one before.
    Where the writer does not chain its events, that cannot be told; then the healths are compared,
    and the state must not be newer than the log's last line, whose time it takes over.

    Args:
        snapshot: The state.
        last_lines: The last whole lines of the log, at most two, newest last.
    """
    last_cycle = snapshot.last_cycle
    if last_cycle is None:
        return _of_unchained(snapshot.health, last_lines[-1].event) if last_lines else None
    line = next((one for one in last_lines if one.sha256 == last_cycle.event_sha256), None)
    if line is None:
        number = last_cycle.cycle_number
        return f"last_cycle names cycle {number}, which is not at the end of the event log"
    if line.event is None:
        return None  # an invalid line, which is told as such
    differing = _differences(last_cycle, line.event)
    ahead = last_lines[-1].event
    if line is last_lines[-1]:
        differing += _differences_of_health(snapshot.health, line.event)
    elif ahead is not None and ahead.previous_sha256 != line.sha256:
        differing.append("the log's last line does not continue the one that last_cycle names")
    return differing[0] if differing else None


def _of_unchained(health: Health, event: Event | None) -> str | None:
    if event is None:
        return None
    if health.updated_unix_ms > event.timestamp_unix_ms:
        return (
            f"the state is of {health.updated_unix_ms}, and the log's last line of "
            f"{event.timestamp_unix_ms}: lines are missing at its end"
        )
    counters = event.counters
    of_line = classify(
        failure_streak=counters["failure_streak"], failed_cases=counters["failed_cases"]
    )
    if health.state is of_line:
        return None
    return f"the state's numbers give {health.state}, those of the log's last line {of_line}"


def _differences(last_cycle: LastCycle, event: Event) -> list[str]:
    return _told(
        ("last_cycle.cycle_number", last_cycle.cycle_number, event.cycle_number),
        ("last_cycle.cycle_id", last_cycle.cycle_id, event.cycle_id),
    )


def _differences_of_health(health: Health, event: Event) -> list[str]:
    """How the numbers differ; a line need not tell its duplicates."""
    counters = event.counters
    duplicates = counters.get("duplicate_skips", health.last_cycle_duplicates)
    return _told(
        ("health.failure_streak", health.failure_streak, counters["failure_streak"]),
        ("health.queue_depth", health.queue_depth, counters["backlog_cases"]),
        ("health.last_cycle_failed", health.last_cycle_failed, counters["failed_cases"]),
        ("health.last_cycle_duplicates", health.last_cycle_duplicates, duplicates),
        ("health.updated_unix_ms", health.updated_unix_ms, event.timestamp_unix_ms),
    )


def _told(*pairs: tuple[str, object, object]) -> list[str]:
    return [
        f"{name} is {of_state!r:.60}, but {of_line!r:.60} in the event log"
        for name, of_state, of_line in pairs
        if of_state != of_line
    ]
