"""Variants of a policy: for fixtures in which malformed input is expected, and without its gates.

`malformed_inputs_observed` stands for expected and unexpected malformed cases alike; the counter
`unexpected_malformed_cases` is of the unexpected ones alone (state-files.md,
"runtime-events.jsonl").
"""

from functools import lru_cache

from tau_rollout_gate.policy.gates.interface import Gate
from tau_rollout_gate.policy.gates.no_new_reason_code import NoNewReasonCodeGate
from tau_rollout_gate.policy.gates.signal import SignalGate
from tau_rollout_gate.policy.policy import Policy
from tau_rollout_gate.policy.signals import Signal
from tau_rollout_gate.policy.triggers.interface import Trigger
from tau_rollout_gate.policy.triggers.new_reason_code import NewReasonCodeTrigger

_CODE = "malformed_inputs_observed"


def ignore_expected_malformed(policy: Policy) -> Policy:
    """The policy with the counter of unexpected malformed cases in the place of the code.

    A surface whose lines do not tell the counter is held by it: nothing else tells there whether
    malformed input was expected.
    """
    phases = tuple(
        phase.replaced(gates=tuple(new for gate in phase.gates for new in _gates_for(gate)))
        for phase in policy.phases
    )
    triggers = tuple(_trigger_for(trigger) for trigger in policy.triggers)
    return policy.replaced(phases=phases, triggers=triggers)


@lru_cache(maxsize=4)
def without_gates(policy: Policy) -> Policy:
    """The policy with its triggers alone, for hosts that are not to have the release."""
    phases = tuple(phase.replaced(gates=()) for phase in policy.phases)
    return policy.replaced(phases=phases)


def _gates_for(gate: Gate) -> tuple[Gate, ...]:
    if not isinstance(gate, NoNewReasonCodeGate) or _CODE not in gate.codes:
        return (gate,)
    counted = SignalGate(
        name="no_unexpected_malformed_input",
        surfaces=gate.surfaces,
        signal=Signal.UNEXPECTED_MALFORMED_CASES,
        equals=0,
    )
    codes = _without(gate.codes)
    return (gate.replaced(codes=codes), counted) if codes else (counted,)


def _trigger_for(trigger: Trigger) -> Trigger:
    if not isinstance(trigger, NewReasonCodeTrigger) or _CODE not in trigger.codes:
        return trigger
    counters = (*trigger.counters, Signal.UNEXPECTED_MALFORMED_CASES)
    return trigger.replaced(codes=_without(trigger.codes), counters=counters)


def _without(codes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(code for code in codes if code != _CODE)
