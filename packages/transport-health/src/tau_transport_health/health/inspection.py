"""One look at one target: what was read, and what follows from it."""

from __future__ import annotations

from typing import NamedTuple

from tau_transport_health.health.assessment import Assessment, Reading
from tau_transport_health.health.targets import Target


class Inspection(NamedTuple):
    """A target, where its files are, what they held, and the judgement.

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
        """Tell whether the chain keys are required of this target's lines."""
        state = self.reading.state
        return self.target.is_chained or (state is not None and state.last_cycle is not None)
