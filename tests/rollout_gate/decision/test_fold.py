"""A fold that takes many cycles together stands where one stands that takes each by itself."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tau_rollout_gate.contract.event import parse_event
from tau_rollout_gate.contract.pin import SurfacePin
from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.decision.fold import SurfaceFold
from tau_rollout_gate.evidence.values import Cycle, SurfaceEvidence
from tau_rollout_gate.files.policy import load_policy
from tau_rollout_gate.policy.policy import Policy
from tau_rollout_gate.policy.triggers.interface import CycleTrigger
from tau_rollout_gate.rollout.simulation.rollout import in_phase
from tests.rollout_gate.making import ENTERED, MINUTE, SURFACE, History, failed

BUILT_IN = load_policy(None)
PAUSES = [*[MINUTE] * 6, 0, -2 * MINUTE, 14 * MINUTE, 15 * MINUTE, 16 * MINUTE, 90 * MINUTE]
TELLS: list[dict[str, Any]] = [
    *[{}] * 8,
    {"reason_codes": ["healthy_cycle"], "executed_runs": 0},
    {"reason_codes": ["command_run_timeout_observed"], "run_timeout_failures": 2},
    {"reason_codes": ["command_registry_mutated"], "upserted_commands": 1},
    failed(streak=1),
    failed(streak=2),
    failed(streak=3),
    {"run_mode": "execute"},
]
RELEASES = [{"release": "1.0.0"}, {"release": "0.9.0"}, {"release": "0.8.0"}]


def cycles_of(steps: list[tuple[int, dict[str, Any]]]) -> tuple[Cycle, ...]:
    """Return the cycles of a log: after which pause each ended, and what its line tells."""
    history, now = History(), ENTERED
    for pause, told in steps:
        now += pause
        history.add(now, cycle_duration_ms=20_000, **told)
    return tuple(
        Cycle("log", number, str(number), parse_event(line))
        for number, line in enumerate(history.lines, start=1)
    )


def rollout_in(phase: str) -> Rollout:
    """Return a rollout that entered a phase when canary-1 was entered."""
    return in_phase(
        BUILT_IN,
        SURFACE,
        phase,
        entered_unix_ms=ENTERED,
        canary_entered_unix_ms=ENTERED,
        registry_changes_expected=True,
    )


def standing(fold: SurfaceFold, policy: Policy, pin: SurfacePin, now_unix_ms: int) -> object:
    """Return all that a fold can be asked."""
    evidence = SurfaceEvidence(surface=SURFACE, is_chained=True, snapshot=None)
    triggers = [one for one in policy.triggers if isinstance(one, CycleTrigger)]
    signs = [fold.sign(one) for one in triggers if one.applies_to(pin.name)]
    return fold.state, signs, fold.finish(evidence, now_unix_ms), [*fold.restarts]


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(st.tuples(st.sampled_from(PAUSES), st.sampled_from(TELLS)), max_size=40),
    releases=st.lists(st.tuples(st.integers(0, 40), st.sampled_from(RELEASES)), max_size=6),
    phase=st.sampled_from([one.name for one in BUILT_IN.phases if one.canary_percent]),
    cut=st.integers(0, 40),
)
def test_cycles_that_are_taken_together(
    steps: list[tuple[int, dict[str, Any]]],
    releases: list[tuple[int, dict[str, Any]]],
    phase: str,
    cut: int,
) -> None:
    """Gates, triggers, soak and what restarted it, wherever they are cut in two."""
    for at, told in releases:
        steps[at : at + 3] = [(pause, tells | told) for pause, tells in steps[at : at + 3]]
    cycles, rollout = cycles_of(steps), rollout_in(phase)
    (pin,) = rollout.surfaces
    together, apart = (SurfaceFold(BUILT_IN, rollout, pin) for _ in range(2))
    together.take(cycles[:cut])
    together.take(cycles[cut:])
    for cycle in cycles:
        apart.step(cycle)
    now = ENTERED + sum(max(pause, 0) for pause, _ in steps)
    found, expected = (standing(one, BUILT_IN, pin, now) for one in (together, apart))
    assert found == expected


@pytest.mark.parametrize("tell", [{}, RELEASES[0]])
def test_no_cycle_is_looked_at_that_tells_as_others_do(
    tell: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a thousand, the few are stepped through with which something begins."""
    cycles, rollout = cycles_of([(MINUTE, tell)] * 1000), rollout_in("canary-1")
    fold, stepped = SurfaceFold(BUILT_IN, rollout, rollout.surfaces[0]), 0
    step = SurfaceFold.step

    def counted(self: SurfaceFold, cycle: Cycle) -> None:
        nonlocal stepped
        stepped += 1
        step(self, cycle)

    monkeypatch.setattr(SurfaceFold, "step", counted)
    fold.take(cycles)
    assert stepped <= 3
