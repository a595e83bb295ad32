"""What is kept of one surface's cycles, so that a decision after any of them looks at none again.

Evaluation, replay and the tests of policies step through the same fold: `SurfaceFold` starts where
canary-1 was entered, takes each cycle once, and says after any of them how the surface stands.
"""

from collections import deque
from collections.abc import Sequence
from operator import sub
from typing import NamedTuple

from tau_rollout_gate.contract.pin import SurfacePin, Tie
from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.decision.answer import GateResult
from tau_rollout_gate.decision.integrity import flaw_gates, gate_result
from tau_rollout_gate.decision.release_gates import ReleaseWatch, pinned_gates
from tau_rollout_gate.decision.soak import Restart, SurfaceSoak, longest_pause_ms
from tau_rollout_gate.decision.time_gates import time_gates
from tau_rollout_gate.decision.trigger_watch import TriggerWatch
from tau_rollout_gate.evidence.values import Cycle, Flaw, FlawFound, SurfaceEvidence
from tau_rollout_gate.policy.alike import Alike
from tau_rollout_gate.policy.findings import GateStatus
from tau_rollout_gate.policy.gates.interface import CycleGate, Finding, Gate, Window, WindowGate
from tau_rollout_gate.policy.policy import Policy
from tau_rollout_gate.policy.triggers.interface import CycleTrigger, Sign

MOST_RESTARTS = 20


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
        accepted: How many of these had ended where damage was accepted last.

    Attributes:
        restarts: What moved the start of the phase's soak while it ran, the newest last; of many
            the last ones.
    """

    def __init__(
        self,
        policy: Policy,
        rollout: Rollout,
        pin: SurfacePin,
        earlier: Sequence[Cycle] = (),
        *,
        accepted: int = 0,
    ) -> None:
        self._policy = policy
        self._pin = pin
        self._flaws: dict[Flaw, list[FlawFound]] = {}
        self._noted = 0
        self._triggers = TriggerWatch(policy, pin.name)
        self._pinned = pinned_gates(pin, policy.required_run_mode)
        self.release = ReleaseWatch(rollout, pin)
        self.enter(rollout)
        self._canary = self._since_canary(rollout.canary_entered_unix_ms or 0)
        before, after = earlier[:accepted], earlier[accepted:]
        for cycle in before:
            self._step_since_canary(cycle)
        self._triggers.carry(pin.carried.unhealthy_row)
        self.release.carry(pin.carried.tie)
        for cycle in after:
            self._step_since_canary(cycle)

    def enter(self, rollout: Rollout) -> None:
        """Begin a phase of the rollout: its gates are judged over the cycles from here on."""
        in_force = self._policy.gates_in_force(rollout.phase)
        gates = [gate for gate in in_force if gate.applies_to(self._pin.name)]
        self._rollout = rollout
        self._cycle_gates = (*self._pinned, *(one for one in gates if isinstance(one, CycleGate)))
        self._holds = Alike(
            lambda cycle: _held(self._cycle_gates, cycle),
            {name for gate in self._cycle_gates for name in gate.looks_at},
        )
        self._quiet = Alike(
            self._tie_if_quiet,
            {"release", *self._triggers.bad.looks_at, *self._holds.looks_at},
        )
        self._window_gates = [gate for gate in gates if isinstance(gate, WindowGate)]
        self._begin(rollout.phase_entered_unix_ms)

    def step(self, cycle: Cycle) -> None:
        """Take the next cycle."""
        if self._step_since_canary(cycle):
            self._begin(cycle.event.timestamp_unix_ms)
        if self.release.tie is Tie.AWAITED:
            return
        self._phase.add(cycle)
        broken = self._holds(cycle)[0]
        if broken is None and self.release.tie is Tie.SEEN and not self.release.gate.holds(cycle):
            broken = self.release.gate.name
        before = self._soak
        self._soak: SurfaceSoak = before.after(
            cycle,
            broken,
            entered_unix_ms=self._phase.entered_unix_ms,
            cycle_interval_ms=self._rollout.cycle_interval_ms,
        )
        restart = self._soak.restart
        # Of cycles in a row that break a gate, the first one restarts it.
        if restart is not None and restart is not before.restart and before.since_unix_ms:
            self.restarts.append(restart)

    def take(self, cycles: Sequence[Cycle]) -> None:
        """Take the next cycles, as `step` takes each: those in which nothing happens together."""
        tie, start = self.release.tie, 0
        quiet = self._quiet.all(cycles)
        for at in [at for at, under in enumerate(quiet) if under is not tie]:
            self._pass_quiet(cycles[start:at])
            self.step(cycles[at])
            start = at + 1
            if self.release.tie is not tie:  # and others are quiet now
                self.take(cycles[start:])
                return
        self._pass_quiet(cycles[start:])

    def note(self, flaw: FlawFound) -> None:
        """Take what is wrong with the files, in their order."""
        self._flaws.setdefault(flaw.flaw, []).append(flaw)
        self._noted += 1

    @property
    def state(self) -> object:
        """What decides how the surface stands when its last cycle ends; None where more does.

        As long as it is equal, so are every gate's status, what fired, and the soak.
        """
        phase, canary = self._phase, self._canary
        last = phase.last
        if last is None or phase.latest is not last or self.release.is_told:
            return None
        if last.event.timestamp_unix_ms < phase.entered_unix_ms:
            return None
        since = self._soak.since_unix_ms
        return (
            self._holds(last),
            [
                (canary if gate.is_since_canary else phase).status(gate)
                for gate in self._window_gates
            ],
            since,
            since is not None and last.event.timestamp_unix_ms - since >= phase.soak_ms,
            self._triggers.fired,
            self._noted,
        )

    def sign(self, trigger: CycleTrigger) -> Sign:
        """What a trigger of the policy, which applies to the surface, has seen."""
        return self._triggers.sign(trigger)

    def finish(self, evidence: SurfaceEvidence, now_unix_ms: int) -> JudgedSurface:
        """Say how the surface stands in its phase now; of `evidence`, all but cycles and flaws."""
        surface, interval = self._pin.name, self._rollout.cycle_interval_ms
        tied = self.release.finding or _as_in_last(self.release.gate, self._phase.last)
        found: list[tuple[Gate, Finding]] = [(self.release.gate, tied)]
        found += [(gate, _as_in_last(gate, self._phase.last)) for gate in self._cycle_gates]
        found += [
            (
                gate,
                (self._canary if gate.is_since_canary else self._phase).finding(gate, now_unix_ms),
            )
            for gate in self._window_gates
        ]
        gates = (
            *flaw_gates(self._pin, evidence, self._flaws, now_unix_ms),
            *time_gates(
                surface,
                self._phase,
                self._soak.restart,
                cycle_interval_ms=interval,
                now_unix_ms=now_unix_ms,
            ),
            *(gate_result(gate, surface, one, now_unix_ms) for gate, one in found),
        )
        return JudgedSurface(gates=gates, soak=self._soak)

    def _tie_if_quiet(self, cycle: Cycle) -> Tie | None:
        """With the release tied how nothing happens in such a cycle; None where it always does."""
        if self._triggers.bad(cycle) is not None or self._holds(cycle)[0] is not None:
            return None
        if cycle.event.release is None:
            return Tie.UNTOLD
        return Tie.SEEN if self.release.gate.holds(cycle) else None

    def _pass_quiet(self, cycles: Sequence[Cycle]) -> None:
        """Take cycles in which nothing happens but, maybe, that they come late."""
        if not cycles:
            return
        self.step(cycles[0])
        times = [cycle.event.timestamp_unix_ms for cycle in cycles]
        rest, latest = cycles[1:], times[-1]
        if max(map(sub, times[1:], times), default=0) > longest_pause_ms(
            self._rollout.cycle_interval_ms, 0
        ):
            for cycle in rest:
                self.step(cycle)
        elif rest:
            self._step_of_release(rest[-1])
            self._canary.extend(rest)
            self._phase.extend(rest)
            self._soak = self._soak._replace(last_unix_ms=latest)

    def _begin(self, unix_ms: int) -> None:
        """Begin to judge the phase at its entry, or at the cycle that gates and soak wait for."""
        self._phase = self._window(unix_ms, self._window_gates, is_since_canary=False)
        self._soak = SurfaceSoak(since_unix_ms=unix_ms, last_unix_ms=None)
        self.restarts: deque[Restart] = deque(maxlen=MOST_RESTARTS)

    def _since_canary(self, unix_ms: int) -> Window:
        # Of every phase: what happened in an earlier one counts in the later ones.
        gates = [gate for phase in self._policy.phases for gate in phase.gates]
        return self._window(unix_ms, gates, is_since_canary=True)

    def _window(self, unix_ms: int, gates: Sequence[Gate], *, is_since_canary: bool) -> Window:
        return Window(
            self._rollout,
            self._pin,
            unix_ms,
            gates,
            soak_ms=self._policy.phase(self._rollout.phase).soak_ms,
            is_since_canary=is_since_canary,
        )

    def _step_since_canary(self, cycle: Cycle) -> bool:
        """Take a cycle; tell whether nothing before it counts, by the release that it tells."""
        is_begun_anew = self._step_of_release(cycle)
        if is_begun_anew:
            self._canary = self._since_canary(cycle.event.timestamp_unix_ms)
        if self.release.tie is not Tie.AWAITED:
            self._canary.add(cycle)
        return is_begun_anew

    def _step_of_release(self, cycle: Cycle) -> bool:
        """Have release and triggers look at a cycle; tell whether the release is tied otherwise."""
        before = self.release.tie
        if self.release.add(cycle):
            self._triggers.add(cycle)
        return self.release.tie is not before


def folded(
    policy: Policy, rollout: Rollout, pin: SurfacePin, evidence: SurfaceEvidence
) -> SurfaceFold:
    """Take all that was read of a surface."""
    earlier = evidence.cycles[: evidence.phase_start]
    fold = SurfaceFold(policy, rollout, pin, earlier, accepted=evidence.sound_start)
    fold.take(evidence.phase_cycles)
    for flaw in evidence.flaws:
        fold.note(flaw)
    return fold


def _held(gates: Sequence[CycleGate], cycle: Cycle) -> tuple[str | None, tuple[bool | None, ...]]:
    """The name of the first gate that a cycle breaks, or does not tell; and how each stands."""
    holds = tuple(gate.holds(cycle) for gate in gates)
    broken = (gate.name for gate, one in zip(gates, holds, strict=True) if one is not True)
    return next(broken, None), holds


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
    holds = gate.holds(last)
    status = {True: GateStatus.PASS, False: GateStatus.FAIL, None: GateStatus.UNKNOWN}[holds]
    remedy = {True: "", False: gate.remedy, None: gate.remedy_untold}[holds]
    return Finding(
        status=status,
        observed=gate.seen_in(last),
        cycle=last,
        remedy=remedy,
        command=gate.command,
    )
