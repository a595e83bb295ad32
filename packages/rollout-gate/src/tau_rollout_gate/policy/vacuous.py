"""What no cycle can break, or hardly any: policies under which every release would pass.

Some of it is seen by trying a policy on cycles that are plainly bad or idle (`probes`).
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from tau_rollout_gate.durations import in_words
from tau_rollout_gate.evidence.values import Cycle
from tau_rollout_gate.policy.gates.artifacts_grow import ArtifactsGrowGate
from tau_rollout_gate.policy.gates.interface import CycleGate, Gate, RolloutGate
from tau_rollout_gate.policy.gates.pressure_does_not_rise import PressureDoesNotRiseGate
from tau_rollout_gate.policy.gates.reason_code_advances import ReasonCodeAdvancesGate
from tau_rollout_gate.policy.gates.report_passes import ReportPassesGate
from tau_rollout_gate.policy.gates.signal import SignalGate
from tau_rollout_gate.policy.gates.work_advances import WorkAdvancesGate
from tau_rollout_gate.policy.policy import Phase, Policy
from tau_rollout_gate.policy.probes import BAD, FAILED_ROW, IDLE
from tau_rollout_gate.policy.signals import Signal
from tau_rollout_gate.policy.triggers.interface import CycleTrigger, Trigger, Watch
from tau_rollout_gate.policy.triggers.signal import SignalTrigger

_NEEDS_SEVERAL_CYCLES = (
    ArtifactsGrowGate,
    PressureDoesNotRiseGate,
    ReasonCodeAdvancesGate,
    WorkAdvancesGate,
)
_CYCLES_NEEDED = 4
_DAY_MS = 24 * 60 * 60 * 1000
_SECOND_MS = 1000
_MOST_CASES = 100_000

Found = tuple[str, str]
"""Where in the policy, and what."""


def vacuous(policy: Policy, surfaces: Sequence[str], interval_ms: int) -> Iterator[Found]:
    """Yield what would let every release pass, in a rollout of these surfaces.

    Args:
        policy: The policy.
        surfaces: The rollout's surfaces.
        interval_ms: How often a cycle is to be expected.
    """
    yield from _of_interval(interval_ms)
    yield from _of_reports(policy)
    for index, phase in enumerate(policy.phases):
        yield from _of_soak(policy, phase, f"phases[{index}].soak", interval_ms)
        yield from _of_cycles(policy, phase, f"phases[{index}].gates", surfaces)
        for at, gate in enumerate(phase.gates):
            yield from _of_bound(policy, gate, f"phases[{index}].gates[{at}]", interval_ms)
    yield from _of_triggers(policy, surfaces)
    for at, trigger in enumerate(policy.triggers):
        yield from _of_bound(policy, trigger, f"triggers[{at}]", interval_ms)


def _of_interval(interval_ms: int) -> Iterator[Found]:
    if interval_ms >= _DAY_MS:
        yield (
            "cycle_interval",
            (f"is {in_words(interval_ms)}: that a runtime stopped would not show for days"),
        )
    elif interval_ms < _SECOND_MS:
        yield (
            "cycle_interval",
            f"is {in_words(interval_ms)}: no runtime runs so often, and gaps restart each soak",
        )


def _of_soak(policy: Policy, phase: Phase, place: str, interval_ms: int) -> Iterator[Found]:
    judged = [
        gate for gate in policy.gates_in_force(phase.name) if not isinstance(gate, RolloutGate)
    ]
    if phase.canary_percent == 0 or not judged:
        return
    interval, first = in_words(interval_ms), judged[0].name
    if phase.soak_ms == 0:
        yield place, f"is 0: {first} and what else needs cycles is judged by as few as one"
    elif phase.soak_ms < interval_ms:
        yield place, f"is shorter than the cycle interval, {interval}: one cycle serves it"
    elif phase.soak_ms < _CYCLES_NEEDED * interval_ms:
        slow = [gate.name for gate in judged if isinstance(gate, _NEEDS_SEVERAL_CYCLES)]
        untold = f": too few to tell {', '.join(slow)}" if slow else ""
        yield place, f"holds under {_CYCLES_NEEDED} cycle intervals of {interval}{untold}"


def _of_cycles(
    policy: Policy, phase: Phase, place: str, surfaces: Iterable[str]
) -> Iterator[Found]:
    """Yield the surfaces of which a canary phase lets pass what is bad, or nothing at all."""
    gates = policy.gates_in_force(phase.name)
    for surface in surfaces if phase.canary_percent else ():
        of_it = [one for one in gates if one.applies_to(surface)]
        if not any(isinstance(one, CycleGate) for one in of_it):
            yield place, f"none judges single cycles of {surface}: a bad one breaks nothing"
            continue
        for what, cycle in BAD.items():
            if not any(map(partial(_breaks, cycle), of_it)) and not _fired(policy, surface, cycle):
                yield place, f"none is broken by a cycle of {surface} with {what}; no trigger fires"
        for what, cycle in IDLE.items():
            if not any(_breaks(cycle, one) or _wants_more(cycle, one, surface) for one in of_it):
                yield place, f"none asks {surface} for work: cycles that {what} serve the soak"


def _of_triggers(policy: Policy, surfaces: Iterable[str]) -> Iterator[Found]:
    for surface in surfaces if policy.triggers else ():
        if not _fired(policy, surface, *FAILED_ROW):
            yield "triggers", f"none fires at three cycles of {surface} in a row with a failed case"


def _of_reports(policy: Policy) -> Iterator[Found]:
    """Yield that a release goes to its canary whether it was validated or not."""
    before = [phase for phase in policy.phases if phase.canary_percent == 0]
    gates = [gate for phase in before for gate in policy.gates_in_force(phase.name)]
    if not any(isinstance(gate, ReportPassesGate) for gate in gates):
        yield (
            f"phases[{len(before) - 1}].gates",
            f"none wants a validation report before {policy.first_canary.name}",
        )


def _breaks(cycle: Cycle, gate: Gate) -> bool:
    return isinstance(gate, CycleGate) and gate.holds(cycle) is False


def _wants_more(cycle: Cycle, gate: Gate, surface: str) -> bool:
    """Tell whether a gate asks for work, and this was none."""
    if not isinstance(gate, WorkAdvancesGate | ReasonCodeAdvancesGate | ArtifactsGrowGate):
        return False
    return not gate.tally(surface).series[0].measure(cycle)


def _fired(policy: Policy, surface: str, *cycles: Cycle) -> bool:
    for trigger in policy.triggers:
        if isinstance(trigger, CycleTrigger) and trigger.applies_to(surface):
            watch = Watch(trigger)
            for cycle in cycles:
                watch.add(cycle, is_bad=trigger.is_bad(cycle))
            if watch.sign.fired:
                return True
    return False


def _of_bound(policy: Policy, one: Gate | Trigger, place: str, interval_ms: int) -> Iterator[Found]:
    """Yield a bound that no cycle reaches: more cases than one has, or longer than the soaks."""
    if not isinstance(one, SignalGate | SignalTrigger):
        return
    cycles = sum(phase.soak_ms for phase in policy.phases) // interval_ms + len(policy.phases)
    most = cycles if one.signal is Signal.FAILURE_STREAK else _MOST_CASES
    bound = one.comparison.at_most if isinstance(one, SignalGate) else one.at_least
    row = one.consecutive if isinstance(one, SignalTrigger) else 1
    if (bound or 0) >= most or row > cycles:
        never = "break" if isinstance(one, Gate) else "fire"
        yield place, f"{one.name} has a bound at which nothing can {never} it in this rollout"
