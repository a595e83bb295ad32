"""The phases of a rollout as a track, as the page and the live view draw it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tau_rollout_gate.contract.rollout import Rollout, RolloutStatus
from tau_rollout_gate.policy.policy import Policy
from tau_rollout_gate.rollout.ledger import Entry

_WHERE = {RolloutStatus.OPEN: "here", RolloutStatus.COMPLETE: "passed"}


class Step(NamedTuple):
    """A phase on the track: its share, its soak, when it was entered, and how far it is.

    `state` is `passed`, `here`, `stopped` (the rollout ended there) or `ahead`.
    """

    name: str
    percent: int
    soak_ms: int
    entered_unix_ms: int | None
    state: str


def track_of(rollout: Rollout, policy: Policy, decisions: Sequence[Entry]) -> Iterator[Step]:
    """Yield the phases in order; `decisions` are those of the rollout, oldest first."""
    state = "passed"
    entered: dict[str, int] = {}
    for entry in decisions:
        entered.setdefault(entry.rollout_after.phase, entry.decided_unix_ms)
    for phase in policy.phases:
        is_here = phase.name == rollout.phase
        yield Step(
            name=phase.name,
            percent=phase.canary_percent,
            soak_ms=phase.soak_ms,
            entered_unix_ms=entered.get(phase.name),
            state=_WHERE.get(rollout.status, "stopped") if is_here else state,
        )
        if is_here:
            state = "ahead"
