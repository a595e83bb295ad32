"""Walking over cycles, for triggers and the soak: over all of them, or over what is new.

A decision looks at every cycle. A replay makes one decision a cycle, and would look at the first
of a day a thousand times; it goes on from where the decision before had come.
"""

from __future__ import annotations

from collections.abc import Sequence

from tau_rollout_gate.decision.soak import SurfaceSoak, soak_of
from tau_rollout_gate.evidence.values import Cycle
from tau_rollout_gate.policy.gates.interface import CycleGate
from tau_rollout_gate.policy.triggers.interface import CycleTrigger, Sign


class CycleWalk:
    """Looks at all cycles that it is given."""

    def sign(
        self, trigger: CycleTrigger, cycles: tuple[Cycle, ...], *, is_before_unhealthy: bool
    ) -> Sign:
        """Return what a trigger sees in a surface's cycles since canary-1 was entered."""
        return trigger.look(cycles, is_before_unhealthy=is_before_unhealthy)

    def soak(
        self,
        cycles: tuple[Cycle, ...],
        gates: Sequence[CycleGate],
        *,
        entered_unix_ms: int,
        cycle_interval_ms: int,
    ) -> SurfaceSoak:
        """Return the soak of a surface's cycles since the phase was entered."""
        return soak_of(
            cycles, gates, entered_unix_ms=entered_unix_ms, cycle_interval_ms=cycle_interval_ms
        )


class OnwardWalk(CycleWalk):
    """Looks at what is new of the one surface of a phase, whose cycles grow from call to call.

    It is for decisions that end as soon as a trigger fires: none fired in the cycles before.
    """

    def __init__(self) -> None:
        self._seen = 0
        self._so_far: SurfaceSoak | None = None

    def sign(
        self, trigger: CycleTrigger, cycles: tuple[Cycle, ...], *, is_before_unhealthy: bool
    ) -> Sign:
        """Return what a trigger sees in the last cycles, as many as it takes to fire it."""
        reach = trigger.reach
        return trigger.look(
            cycles[-reach:], is_before_unhealthy=is_before_unhealthy and len(cycles) <= reach
        )

    def soak(
        self,
        cycles: tuple[Cycle, ...],
        gates: Sequence[CycleGate],
        *,
        entered_unix_ms: int,
        cycle_interval_ms: int,
    ) -> SurfaceSoak:
        """Return the soak so far, carried on over the new cycles."""
        self._so_far = soak_of(
            cycles[self._seen :],
            gates,
            entered_unix_ms=entered_unix_ms,
            cycle_interval_ms=cycle_interval_ms,
            so_far=self._so_far,
        )
        self._seen = len(cycles)
        return self._so_far


EVERY_CYCLE = CycleWalk()
"""What a decision looks at cycles with, unless it is one of many on the same history."""
