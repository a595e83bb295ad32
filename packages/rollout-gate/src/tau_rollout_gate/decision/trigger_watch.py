"""What the triggers of a policy have seen of one surface's cycles since canary-1 was entered."""

from tau_rollout_gate.evidence.values import Cycle
from tau_rollout_gate.policy.alike import Alike
from tau_rollout_gate.policy.policy import Policy
from tau_rollout_gate.policy.triggers.interface import CycleTrigger, Sign, Watch


class TriggerWatch:
    """Has triggers look at cycles; of many in a row that are bad for none the last one will do.

    Args:
        policy: The policy; those of its triggers are asked that are over the surface's cycles.
        surface: The surface.

    Attributes:
        bad: For which triggers a cycle is bad; None where it is for none.
        fired: Which ones fired.
    """

    def __init__(self, policy: Policy, surface: str) -> None:
        triggers = [
            trigger
            for trigger in policy.triggers
            if isinstance(trigger, CycleTrigger) and trigger.applies_to(surface)
        ]
        self._triggers = triggers
        self._watches = {trigger.name: Watch(trigger) for trigger in triggers}
        self._passed_by: Cycle | None = None
        self.fired = [False for _ in triggers]
        self.bad = Alike(self._bad, {name for trigger in triggers for name in trigger.looks_at})

    def add(self, cycle: Cycle) -> None:
        """Take the next cycle."""
        bad = self.bad(cycle)
        if bad is None:
            self._passed_by = cycle
            return
        self._pass_by()
        for watch, is_bad in zip(self._watches.values(), bad, strict=True):
            watch.add(cycle, is_bad=is_bad)
        self.fired = [watch.fired for watch in self._watches.values()]

    def carry(self, unhealthy_row: int) -> None:
        """Take that at least so many cycles in a row, up to here, were degraded or failing."""
        self._pass_by()
        for watch in self._watches.values():
            watch.carry(unhealthy_row)

    def sign(self, trigger: CycleTrigger) -> Sign:
        """What one of the triggers has seen."""
        self._pass_by()
        return self._watches[trigger.name].sign

    def _bad(self, cycle: Cycle) -> tuple[bool, ...] | None:
        bad = tuple(trigger.is_bad(cycle) for trigger in self._triggers)
        return bad if any(bad) else None

    def _pass_by(self) -> None:
        cycle, self._passed_by = self._passed_by, None
        if cycle is not None:
            for watch in self._watches.values():
                watch.add(cycle, is_bad=False)
