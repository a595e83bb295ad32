"""What is valid in a policy but probably a mistake: lines without effect, gaps between phases.

What no cycle can break is looked for in `vacuous`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tau_rollout_gate.contract.cycle import KNOWN_REASON_CODES
from tau_rollout_gate.contract.pin import CHAINED_SURFACE
from tau_rollout_gate.policy.fleet import SALT_OF_RELEASE, FleetRules
from tau_rollout_gate.policy.gates.interface import CycleGate, Gate, RolloutGate
from tau_rollout_gate.policy.gates.no_new_reason_code import NoNewReasonCodeGate
from tau_rollout_gate.policy.gates.reason_code_advances import ReasonCodeAdvancesGate
from tau_rollout_gate.policy.gates.reason_code_present import ReasonCodePresentGate
from tau_rollout_gate.policy.gates.report_passes import ReportPassesGate
from tau_rollout_gate.policy.gates.signal import SignalGate
from tau_rollout_gate.policy.gates.work_advances import WorkAdvancesGate
from tau_rollout_gate.policy.policy import Phase, Policy, share_a_surface
from tau_rollout_gate.policy.probes import BAD, FAILED_ROW, GOOD
from tau_rollout_gate.policy.signals import Comparison
from tau_rollout_gate.policy.triggers.interface import Trigger
from tau_rollout_gate.policy.triggers.new_reason_code import NewReasonCodeTrigger
from tau_rollout_gate.policy.triggers.signal import SignalTrigger
from tau_rollout_gate.policy.vacuous import vacuous

KNOWN_SURFACES = frozenset({"custom-command", "voice", "dashboard", "memory", "browser-automation"})
"""The surfaces that have gates of their own in the built-in policy, and custom-command."""

_OF_COMMANDS = frozenset(code for code in KNOWN_REASON_CODES if code.startswith("command_"))
_OF_EVERY_SURFACE = KNOWN_REASON_CODES - _OF_COMMANDS
# Memory is not among them: nothing says which codes of its own it has.
_OWN_CODES = {
    "custom-command": _OF_COMMANDS,
    "voice": frozenset({"wake_word_detected", "turns_handled"}),
    "dashboard": frozenset({"widget_views_updated", "control_actions_applied"}),
    "browser-automation": frozenset(
        {
            "unsafe_actions_denied",
            "action_limit_guardrail_denied",
            "timeout_failures_observed",
        }
    ),
}
_ALL_CODES = _OF_EVERY_SURFACE.union(*_OWN_CODES.values())
_NUMBERED = re.compile(r"(.*?)(\d{1,9})")


@dataclass(frozen=True, slots=True, kw_only=True)
class LintFinding:
    """Something that is probably a mistake: where (`phases[1].soak`), and what."""

    place: str
    problem: str


def lint(
    policy: Policy, *, surfaces: Iterable[str] = (), cycle_interval_ms: int | None = None
) -> tuple[LintFinding, ...]:
    """What is probably a mistake, in the order of the file.

    Args:
        policy: The policy.
        surfaces: Names of the surfaces that a rollout has; `KNOWN_SURFACES` may be named beside
            them. Of none the custom command is taken for the one.
        cycle_interval_ms: How often a cycle is to be expected; None for the policy's.
    """
    of_rollout = tuple(surfaces) or (CHAINED_SURFACE,)
    known = KNOWN_SURFACES.union(of_rollout)
    interval_ms = cycle_interval_ms or policy.cycle_interval_ms
    findings = [*_of_order(policy), *_of_deadlines(policy), *_of_fleet(policy)]
    findings += (
        LintFinding(place=place, problem=problem)
        for place, problem in vacuous(policy, of_rollout, interval_ms)
    )
    for index, phase in enumerate(policy.phases):
        for at, gate in enumerate(phase.gates):
            place = f"phases[{index}].gates[{at}]"
            findings += _of_reach(gate, place, known)
            findings += _of_codes(gate, place)
            findings += _of_gate(policy, phase, gate, place)
    for at, trigger in enumerate(policy.triggers):
        findings += _of_reach(trigger, f"triggers[{at}]", known)
        findings += _of_codes(trigger, f"triggers[{at}]")
    if not policy.triggers:
        findings.append(LintFinding(place="triggers", problem="none: nothing rolls back"))
    return tuple(findings)


def _of_order(policy: Policy) -> Iterator[LintFinding]:
    for index, (before, phase) in enumerate(pairwise(policy.phases), start=1):
        place = f"phases[{index}]"
        if 0 < phase.canary_percent == before.canary_percent:
            yield LintFinding(
                place=f"{place}.canary_percent",
                problem=f"is that of {before.name}: nobody more gets the release",
            )
        if (number := _number_after(before.name, phase.name)) is not None and number <= 0:
            yield LintFinding(
                place=f"{place}.name",
                problem=f"{phase.name} stands after {before.name}: is the order meant?",
            )
        if before.canary_percent > 0 and (dropped := _dropped(policy, before, phase)):
            yield LintFinding(
                place=f"{place}.gates_of",
                problem=f"{', '.join(dropped)} of {before.name} need not hold any more",
            )
    last = policy.phases[-1]
    if last.canary_percent < 100:  # noqa: PLR2004 - it is a percentage
        yield LintFinding(
            place=f"phases[{len(policy.phases) - 1}].canary_percent",
            problem=f"the rollout is complete at {last.canary_percent} %: 100 is never reached",
        )


def _of_deadlines(policy: Policy) -> Iterator[LintFinding]:
    for index, phase in enumerate(policy.phases):
        if phase.deadline_ms is not None and phase.deadline_ms < phase.soak_ms:
            yield LintFinding(
                place=f"phases[{index}].deadline",
                problem=f"is shorter than the soak: {phase.name} cannot be left in time",
            )


def _of_fleet(policy: Policy) -> Iterator[LintFinding]:
    rules = policy.fleet
    if rules is not None and rules.compare is not None and rules.salt != SALT_OF_RELEASE:
        yield LintFinding(
            place="fleet.salt",
            problem="is the same for every release: the same hosts are compared each time, and "
            "what is wrong with one of them counts against each release",
        )
    if rules is not None and rules.tolerated.within(rules.min_hosts) >= rules.min_hosts:
        yield LintFinding(place="fleet.tolerate", problem=_all_unclean(rules))


def _all_unclean(rules: FleetRules) -> str:
    """What lets a phase pass in which no canary was clean, or had the release at all."""
    share = rules.tolerated
    if share.number is None:
        return "is all of a cohort: it passes where no canary was clean: tolerate less than 100 %"
    return (
        f"is as large as a cohort of {share.number}, which passes where no canary was clean: let "
        f"no cohort have fewer than {share.number + 1} hosts (min_hosts), or tolerate fewer"
    )


def _number_after(before: str, after: str) -> int | None:
    """By how much the number at the end of a name grows; None for names of two kinds."""
    one, two = _NUMBERED.fullmatch(before), _NUMBERED.fullmatch(after)
    if one is None or two is None or one[1] != two[1]:
        return None
    return int(two[2]) - int(one[2])


def _dropped(policy: Policy, before: Phase, phase: Phase) -> list[str]:
    kept = {gate.name for gate in policy.gates_in_force(phase.name)}
    return [gate.name for gate in policy.gates_in_force(before.name) if gate.name not in kept]


def _of_gate(policy: Policy, phase: Phase, gate: Gate, place: str) -> Iterator[LintFinding]:
    if phase.canary_percent == 0 and _needs_cycles(gate):
        yield LintFinding(
            place=place,
            problem=f"{gate.name} is never judged here: cycles count from "
            f"{policy.first_canary.name} on",
        )
    if phase.canary_percent > 0 and isinstance(gate, ReportPassesGate):
        yield LintFinding(
            place=place,
            problem=f"{gate.name} stops nobody here: only before {policy.first_canary.name} does "
            "a report have to be given",
        )
    duels = [*_of_duel(gate, policy.triggers, place)] if isinstance(gate, SignalGate) else []
    yield from duels
    if isinstance(gate, CycleGate) and not duels and _wants_bad(gate):
        problem = f"{gate.name} holds only in a cycle that is bad"
        yield LintFinding(place=place, problem=problem)


def _wants_bad(gate: CycleGate) -> bool:
    is_held_by_bad = any(gate.holds(cycle) for cycle in (*BAD.values(), *FAILED_ROW))
    return is_held_by_bad and gate.holds(GOOD) is False


def _of_duel(gate: SignalGate, triggers: Iterable[Trigger], place: str) -> Iterator[LintFinding]:
    """Yield where a gate lets pass what a trigger rolls back: the weaker of the two is a slip."""
    for trigger in triggers:
        if not isinstance(trigger, SignalTrigger) or not share_a_surface(gate, trigger):
            continue
        value = _passes_and_fires(gate.comparison, trigger.comparison)
        if value is not None:
            yield LintFinding(
                place=place,
                problem=f"{gate.name} lets {gate.signal} = {value} pass, at which the trigger "
                f"{trigger.name} fires",
            )


def _passes_and_fires(gate: Comparison, trigger: Comparison) -> str | int | None:
    """A value on the gate's edge that it lets pass and the trigger fires at.

    A lower bound is not looked at further up: `at_least = 1` beside a trigger at 100 makes sense.
    """
    if gate.signal.key != trigger.signal.key:
        return None
    values: tuple[str | int, ...] = gate.one_of or ()
    if gate.at_most is not None:
        values = (gate.at_most, *(trigger.one_of or ()))
    if gate.at_least is not None:
        values = (gate.at_least,)
    both = (value for value in values if gate.holds_for(value) and trigger.holds_for(value))
    return next(both, None)


def _of_reach(one: Gate | Trigger, place: str, known: frozenset[str]) -> Iterator[LintFinding]:
    for surface in one.named_surfaces:
        if surface not in known:
            yield LintFinding(
                place=f"{place}.surfaces",
                problem=f"{surface!r} is no surface that is known ({', '.join(sorted(known))}); "
                "if it is meant, name it with --surface",
            )


def _of_codes(one: Gate | Trigger, place: str) -> Iterator[LintFinding]:
    for code, surfaces in _codes_of(one):
        if surfaces is None:
            silent = [] if code in _ALL_CODES else ["any surface that is known"]
        else:
            silent = [surface for surface in surfaces if not _may_have(surface, code)]
        if silent:
            yield LintFinding(
                place=place, problem=f"{code!r} is no reason code of {', '.join(silent)}"
            )


def _may_have(surface: str, code: str) -> bool:
    own = _OWN_CODES.get(surface)
    return own is None or code in own or code in _OF_EVERY_SURFACE


def _codes_of(one: Gate | Trigger) -> Iterator[tuple[str, Sequence[str] | None]]:
    """Yield each reason code that is looked for, and of which surfaces; None for all."""
    if isinstance(one, NoNewReasonCodeGate | NewReasonCodeTrigger):
        yield from ((code, one.surfaces) for code in one.codes)
    if isinstance(one, ReasonCodeAdvancesGate | ReasonCodePresentGate):
        yield one.code, one.surfaces
    if isinstance(one, WorkAdvancesGate):
        yield from ((code, (work.surface,)) for work in one.work for code in work.codes)


def _needs_cycles(gate: Gate) -> bool:
    return not isinstance(gate, RolloutGate)
