"""What the clock alone says: windows hold promotion, a deadline holds or rolls back."""

import pytest

from tau_rollout_gate.contract.rollout import Rollout, RolloutStatus
from tau_rollout_gate.decision.answer import Answer, Verdict
from tau_rollout_gate.decision.decide import decide
from tau_rollout_gate.errors import PolicyRefusedError
from tau_rollout_gate.files.policy import built_in_policy_text
from tau_rollout_gate.policy.lint import lint
from tau_rollout_gate.policy.policy import Policy, parse_policy
from tests.rollout_gate.making import (
    ENTERED,
    HOUR,
    MINUTE,
    History,
    evidence_of,
    failed,
    rollout,
)

# The rollouts made here enter canary-1 on 2026-01-01, a Thursday, at 00:00 in UTC.
CLOSED = '[[windows]]\nname = "holiday"\ntimezone = "UTC"\ndates = ["2026-01-01"]\n'
OPEN = CLOSED.replace("2026-01-01", "2026-01-02")
DAY = 24 * HOUR


def policy_of(more: str = "", *, deadline: str = "") -> Policy:
    """Return the built-in policy with more at its end, and a deadline of canary-1."""
    text = built_in_policy_text().replace('soak = "30m"\n', f'soak = "30m"\n{deadline}') + more
    return parse_policy(text.encode(), source="it")


def answered(policy: Policy, history: History, *, at: Rollout | None = None) -> Answer:
    """Return the answer with the last cycle of a history."""
    now = history.last()["timestamp_unix_ms"]
    return decide(policy, at or rollout(), evidence_of(history), now_unix_ms=now)


SOAKED = History().every(MINUTE, 30)


def test_a_closed_window_holds_what_would_be_promoted() -> None:
    """With when it opens; the soak runs on meanwhile."""
    answer = answered(policy_of(CLOSED), SOAKED)
    assert answer.verdict is Verdict.HOLD
    (gate,) = answer.failing_gates
    assert (gate.name, gate.observed) == (
        "promotion_window",
        "closed by 'holiday' until 2026-01-02T00:00:00Z",
    )
    assert answer.soak.earliest_promotion_unix_ms == ENTERED + DAY
    assert answered(policy_of(OPEN), SOAKED).verdict is Verdict.PROMOTE
    names = {gate.name for gate in answered(policy_of(), SOAKED).gates}
    assert not names & {"promotion_window", "phase_deadline"}


def test_a_window_that_never_opens_is_nothing_to_wait_for() -> None:
    """No time is promised."""
    never = "".join(
        f'[[windows]]\nname = "{name}"\ntimezone = "UTC"\nhours = "{hours}"\n'
        for name, hours in (("first", "00:00-12:00"), ("second", "12:00-00:00"))
    )
    answer = answered(policy_of(never), SOAKED)
    assert answer.failing_gates[0].observed == "closed by 'first' for two years"
    assert answer.soak.earliest_promotion_unix_ms is None


def test_no_trigger_waits_for_a_window() -> None:
    """It rolls back at any time."""
    bad = History().every(MINUTE, 29).add(ENTERED + 30 * MINUTE, **failed(streak=1))
    assert answered(policy_of(CLOSED), bad).verdict is Verdict.ROLLBACK


@pytest.mark.parametrize(
    ("passed_ms", "verdict"), [(HOUR, Verdict.PROMOTE), (HOUR + 1, Verdict.HOLD)]
)
def test_past_its_deadline_a_phase_holds(passed_ms: int, verdict: Verdict) -> None:
    """For a reason of its own, which no cycle mends; entered anew it has that time once more."""
    policy = policy_of(deadline='deadline = "1h"\n')
    history = History().every(MINUTE, 59).add(ENTERED + passed_ms)
    answer = answered(policy, history)
    assert answer.verdict is verdict
    if verdict is Verdict.HOLD:
        (gate,) = answer.failing_gates
        assert (gate.name, gate.required) == ("phase_deadline", "the phase is left within 1 h")
        assert gate.command.startswith("reenter --reason")
        assert answer.soak.earliest_promotion_unix_ms is None
    anew = rollout(phase_entered_unix_ms=ENTERED + HOUR)
    held = {gate.name for gate in answered(policy, history, at=anew).failing_gates}
    assert "phase_deadline" not in held


def test_past_its_deadline_a_phase_rolls_back_where_the_policy_wants_that() -> None:
    """A trigger as any other: it beats every gate, and none waits for it."""
    policy = policy_of(deadline='deadline = "1h"\non_deadline = "rollback"\n')
    in_time = answered(policy, History().every(MINUTE, 60))
    assert in_time.verdict is Verdict.PROMOTE
    assert "phase_deadline" not in {gate.name for gate in in_time.gates}
    late = answered(policy, History().every(MINUTE, 61))
    assert late.verdict is Verdict.ROLLBACK
    (fired,) = late.fired_triggers
    assert (fired.name, fired.observed) == (
        "deadline_passed",
        "the phase was entered 1 h 1 min ago",
    )
    assert fired.threshold == "the phase is not left within 1 h"
    closed = rollout(status=RolloutStatus.CANCELLED)
    assert answered(policy, History().every(MINUTE, 61), at=closed).triggers == ()


def test_a_deadline_that_cannot_be_kept_is_told() -> None:
    """By the linter; what happens past none is refused."""
    short = policy_of(deadline='deadline = "29m"\n')
    assert [(one.place, one.problem) for one in lint(short)] == [
        ("phases[1].deadline", "is shorter than the soak: canary-1 cannot be left in time")
    ]
    with pytest.raises(PolicyRefusedError, match=r"phases\[1\].on_deadline: is nothing without"):
        policy_of(deadline='on_deadline = "rollback"\n')
