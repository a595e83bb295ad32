"""How one surface stands in a canary phase: its gates, and its soak."""

from __future__ import annotations

from typing import NamedTuple

from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.decision.answer import GateResult
from tau_rollout_gate.decision.fold import CycleWalk
from tau_rollout_gate.decision.integrity import flaw_gates, reference, time_gates
from tau_rollout_gate.decision.release_gates import pinned_gates
from tau_rollout_gate.decision.soak import SurfaceSoak
from tau_rollout_gate.evidence.values import SurfaceEvidence
from tau_rollout_gate.policy.findings import GateStatus
from tau_rollout_gate.policy.gates.interface import (
    CycleGate,
    Finding,
    Gate,
    PhaseWindow,
    WindowGate,
)
from tau_rollout_gate.policy.policy import Policy


class JudgedSurface(NamedTuple):
    """The gates of a surface, the built-in ones first, and how long they held."""

    gates: tuple[GateResult, ...]
    soak: SurfaceSoak


def judge_surface(
    policy: Policy,
    rollout: Rollout,
    evidence: SurfaceEvidence,
    *,
    now_unix_ms: int,
    walk: CycleWalk,
) -> JudgedSurface:
    """Return how a surface of the rollout stands in the phase that the rollout is in."""
    pin = next(pin for pin in rollout.surfaces if pin.name == evidence.surface)
    entered = rollout.phase_entered_unix_ms
    in_force = [gate for gate in policy.gates_in_force(rollout.phase) if gate.applies_to(pin.name)]
    cycle_gates = (
        *pinned_gates(pin, policy.required_run_mode),
        *(gate for gate in in_force if isinstance(gate, CycleGate)),
    )
    window = PhaseWindow(
        surface=pin.name,
        entered_unix_ms=entered,
        cycles=evidence.phase_cycles,
        canary_cycles=evidence.cycles,
        carried_reason_codes=pin.carried.reason_codes,
        registry_changes_expected=rollout.registry_changes_expected,
    )
    found: list[tuple[Gate, Finding]] = [(gate, _last_cycle(gate, window)) for gate in cycle_gates]
    found += [(gate, gate.judge(window)) for gate in in_force if isinstance(gate, WindowGate)]
    interval = rollout.cycle_interval_ms
    return JudgedSurface(
        gates=(
            *flaw_gates(evidence, now_unix_ms),
            *time_gates(
                evidence,
                entered_unix_ms=entered,
                cycle_interval_ms=interval,
                now_unix_ms=now_unix_ms,
            ),
            *(gate_result(gate, pin.name, one, now_unix_ms) for gate, one in found),
        ),
        soak=walk.soak(
            window.cycles, cycle_gates, entered_unix_ms=entered, cycle_interval_ms=interval
        ),
    )


def gate_result(gate: Gate, surface: str | None, finding: Finding, now_unix_ms: int) -> GateResult:
    """Return a gate's finding as it stands in the answer."""
    cycle = finding.cycle
    return GateResult(
        name=gate.name,
        surface=surface,
        status=finding.status,
        observed=finding.observed,
        required=gate.required,
        evidence=finding.evidence if cycle is None else reference(cycle, now_unix_ms),
        remedy=finding.remedy,
        cycles_help=finding.cycles_help,
        command=finding.command,
    )


def _last_cycle(gate: CycleGate, window: PhaseWindow) -> Finding:
    """Return how a gate of single cycles stands: as in the last one.

    An earlier one that broke it shows in the soak, which starts anew after it.
    """
    if not window.cycles:
        return Finding(
            status=GateStatus.UNKNOWN,
            observed=None,
            remedy="wait for the next cycle",
            cycles_help=True,
        )
    last = window.cycles[-1]
    seen = gate.observe(last)
    status = {True: GateStatus.PASS, False: GateStatus.FAIL, None: GateStatus.UNKNOWN}[seen.holds]
    remedy = {True: "", False: gate.remedy, None: gate.remedy_untold}[seen.holds]
    return Finding(status=status, observed=seen.observed, cycle=last, remedy=remedy)
