"""What is kept of one surface's cycles, so that a decision after any of them looks at none again.

Evaluation, replay and the tests of policies step through the same fold: `SurfaceFold` starts where
canary-1 was entered, takes each cycle once, and says after any of them how the surface stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tau_rollout_gate.contract.rollout import Rollout, SurfacePin
from tau_rollout_gate.decision.answer import GateResult
from tau_rollout_gate.decision.integrity import flaw_gates, gate_result, time_gates
from tau_rollout_gate.decision.release_gates import pinned_gates
from tau_rollout_gate.decision.soak import SurfaceSoak
from tau_rollout_gate.evidence.values import Cycle, Flaw, FlawFound, SurfaceEvidence
from tau_rollout_gate.policy.findings import GateStatus
from tau_rollout_gate.policy.gates.interface import (
    CycleGate,
    Finding,
    PhaseWindow,
    Tally,
    WindowGate,
)
from tau_rollout_gate.policy.policy import Policy
from tau_rollout_gate.policy.triggers.interface import CycleTrigger, Sign, Watch


class JudgedSurface(NamedTuple):
    """The gates of a surface, the built-in ones first, and how long they held."""

    gates: tuple[GateResult, ...]
    soak: SurfaceSoak


class SurfaceFold:
    """A surface since canary-1 was entered, as far as its cycles were taken.

    Args:
        policy: The policy.
        rollout: The rollout, in a canary phase.
        pin: The surface.
        earlier: Its cycles from canary-1's entry to that of the rollout's phase.
    """

    def __init__(
        self, policy: Policy, rollout: Rollout, pin: SurfacePin, earlier: Iterable[Cycle] = ()
    ) -> None:
        self._policy = policy
        self._pin = pin
        self._flaws: dict[Flaw, list[FlawFound]] = {}
        self._watches = {
            trigger.name: Watch(trigger, is_before_unhealthy=pin.carried.is_last_unhealthy)
            for trigger in policy.triggers
            if isinstance(trigger, CycleTrigger) and trigger.applies_to(pin.name)
        }
        # Of every phase: what happened in an earlier one counts in the later ones.
        self._since_canary: dict[WindowGate, Tally] = {
            gate: gate.tally(rollout, pin)
            for phase in policy.phases
            for gate in phase.gates
            if isinstance(gate, WindowGate)
            if gate.is_since_canary and gate.applies_to(pin.name)
        }
        for cycle in earlier:
            self._step_since_canary(cycle)
        self.enter(rollout)

    def enter(self, rollout: Rollout) -> None:
        """Begin a phase of the rollout: its gates are judged over the cycles from here on."""
        self._phase = _PhaseFold(self._policy, rollout, self._pin, self._since_canary)

    def step(self, cycle: Cycle) -> None:
        """Take the next cycle."""
        self._step_since_canary(cycle)
        self._phase.step(cycle)

    def _step_since_canary(self, cycle: Cycle) -> None:
        for watch in self._watches.values():
            watch.add(cycle)
        for tally in self._since_canary.values():
            tally.add(cycle)

    def note(self, flaw: FlawFound) -> None:
        """Take what is wrong with the files, in their order."""
        self._flaws.setdefault(flaw.flaw, []).append(flaw)

    def sign(self, trigger: CycleTrigger) -> Sign:
        """What a trigger of the policy, which applies to the surface, has seen."""
        return self._watches[trigger.name].sign

    def finish(self, evidence: SurfaceEvidence, now_unix_ms: int) -> JudgedSurface:
        """Say how the surface stands in its phase now; of `evidence`, all but cycles and flaws."""
        return JudgedSurface(
            gates=(
                *flaw_gates(evidence, self._flaws, now_unix_ms),
                *self._phase.gates(now_unix_ms),
            ),
            soak=self._phase.soak,
        )


class _PhaseFold:
    """A surface since the phase was entered."""

    def __init__(
        self,
        policy: Policy,
        rollout: Rollout,
        pin: SurfacePin,
        since_canary: dict[WindowGate, Tally],
    ) -> None:
        self._rollout = rollout
        self._surface = pin.name
        in_force = [
            gate for gate in policy.gates_in_force(rollout.phase) if gate.applies_to(pin.name)
        ]
        self._cycle_gates: tuple[CycleGate, ...] = (
            *pinned_gates(pin, policy.required_run_mode),
            *(gate for gate in in_force if isinstance(gate, CycleGate)),
        )
        window_gates = [gate for gate in in_force if isinstance(gate, WindowGate)]
        of_phase: dict[WindowGate, Tally] = {
            gate: gate.tally(rollout, pin) for gate in window_gates if not gate.is_since_canary
        }
        known = since_canary | of_phase
        self._tallies = [(gate, known[gate]) for gate in window_gates]
        self._window = PhaseWindow(rollout.phase_entered_unix_ms, tuple(of_phase.values()))
        self.soak = SurfaceSoak(since_unix_ms=rollout.phase_entered_unix_ms, last_unix_ms=None)

    def step(self, cycle: Cycle) -> None:
        self._window.add(cycle)
        self.soak = self.soak.after(
            cycle,
            self._cycle_gates,
            entered_unix_ms=self._rollout.phase_entered_unix_ms,
            cycle_interval_ms=self._rollout.cycle_interval_ms,
        )

    def gates(self, now_unix_ms: int) -> list[GateResult]:
        window, surface = self._window, self._surface
        return [
            *time_gates(
                surface,
                window,
                cycle_interval_ms=self._rollout.cycle_interval_ms,
                now_unix_ms=now_unix_ms,
            ),
            *(
                gate_result(gate, surface, _as_in_last(gate, window.last), now_unix_ms)
                for gate in self._cycle_gates
            ),
            *(
                gate_result(gate, surface, tally.finding(window), now_unix_ms)
                for gate, tally in self._tallies
            ),
        ]


def folded(
    policy: Policy, rollout: Rollout, pin: SurfacePin, evidence: SurfaceEvidence
) -> SurfaceFold:
    """Take all that was read of a surface."""
    earlier = evidence.cycles[: evidence.phase_start]
    fold = SurfaceFold(policy, rollout, pin, earlier)
    for cycle in evidence.phase_cycles:
        fold.step(cycle)
    for flaw in evidence.flaws:
        fold.note(flaw)
    return fold


def _as_in_last(gate: CycleGate, last: Cycle | None) -> Finding:
    """Say how a gate of single cycles stands: as in the last one.

    An earlier one that broke it shows in the soak, which starts anew after it.
    """
    if last is None:
        return Finding(
            status=GateStatus.UNKNOWN,
            observed=None,
            remedy="wait for the next cycle",
            cycles_help=True,
        )
    seen = gate.observe(last)
    status = {True: GateStatus.PASS, False: GateStatus.FAIL, None: GateStatus.UNKNOWN}[seen.holds]
    remedy = {True: "", False: gate.remedy, None: gate.remedy_untold}[seen.holds]
    return Finding(status=status, observed=seen.observed, cycle=last, remedy=remedy)
