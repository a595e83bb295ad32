"""Cycles of which it is plain what they are, to try a policy on: good, bad, and idle ones."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tau_rollout_gate.contract.cycle import Event, Told, classify
from tau_rollout_gate.evidence.values import Cycle
from tau_rollout_gate.policy.signals import Signal

_NOTHING = {signal.key: 0 for signal in Signal if not signal.words}


def _cycle(*codes: str, **counters: int) -> Cycle:
    counts = MappingProxyType(_NOTHING | counters)
    health = classify(failure_streak=counts["failure_streak"], failed_cases=counts["failed_cases"])
    told = Told(health_state=health, reason_codes=codes, counters=counts)
    return Cycle(file="", line=None, sha256="", event=Event(told, timestamp_unix_ms=0))


def _failed(streak: int) -> Cycle:
    return _cycle("case_processing_failed", failed_cases=1, failure_streak=streak)


GOOD: Final = _cycle(
    "command_registry_mutated", "command_runs_recorded", applied_cases=2, executed_runs=1
)
"""A cycle that worked, and in which all is well."""

FAILED_ROW: Final = (_failed(1), _failed(2), _failed(3))
"""Three cycles in a row with a failed case: from the third on the health is failing."""

BAD: Final[Mapping[str, Cycle]] = {
    "a failed case": FAILED_ROW[0],
    "malformed input": _cycle(
        "malformed_inputs_observed", malformed_cases=1, unexpected_malformed_cases=1
    ),
}
"""What no release may go on with, by what is bad about it."""

IDLE: Final[Mapping[str, Cycle]] = {
    "do nothing": _cycle("healthy_cycle"),
    "only skip what was done before": _cycle(
        "duplicate_cases_skipped", discovered_cases=1, queued_cases=1, duplicate_skips=1
    ),
    "only leave cases over": _cycle(
        "queue_backpressure_applied", discovered_cases=1, backlog_cases=1
    ),
}
"""What proves nothing of a release, by what it does instead of work."""
