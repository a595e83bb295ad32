"""What the clock alone says of a rollout: whether promotion is closed, and a phase's deadline.

Source of the rules: runbooks/rollout-gate-ops.md, "Windows and deadlines".
"""

from collections.abc import Iterator

from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.decision.answer import GateResult, TriggerResult
from tau_rollout_gate.durations import in_words, utc
from tau_rollout_gate.policy.findings import (
    DEADLINE_PASSED,
    PHASE_DEADLINE,
    PROMOTION_WINDOW,
    GateStatus,
)
from tau_rollout_gate.policy.policy import Policy
from tau_rollout_gate.policy.windows import closed_now

ROLLBACK = "rollback"
"""What a policy has for `on_deadline` where a phase that takes too long goes back."""


def clock_gates(policy: Policy, rollout: Rollout, now_unix_ms: int) -> Iterator[GateResult]:
    """Yield the gates of windows and of the phase's deadline, where the policy has them."""
    if policy.windows is not None:
        closed = closed_now(policy.windows, now_unix_ms)
        opens = None if closed is None else closed.opens_unix_ms
        until = "for two years" if opens is None else f"until {utc(opens)}"
        yield GateResult(
            name=PROMOTION_WINDOW,
            surface=None,
            status=GateStatus.PASS if closed is None else GateStatus.FAIL,
            observed="open" if closed is None else f"closed by {closed.window!r} {until}",
            required="no window of the policy in which nothing is promoted",
            remedy=""
            if closed is None
            else "wait until it opens; if this has to go on before, 'policy adopt' a policy "
            "without that window",
            cycles_help=opens is not None,
            from_unix_ms=opens,
        )
    phase = policy.phase(rollout.phase)
    if phase.deadline_ms is not None and phase.on_deadline != ROLLBACK:
        is_past = _passed_ms(rollout, now_unix_ms) > phase.deadline_ms
        yield GateResult(
            name=PHASE_DEADLINE,
            surface=None,
            status=GateStatus.FAIL if is_past else GateStatus.PASS,
            observed=_entered(rollout, now_unix_ms),
            required=f"the phase is left within {in_words(phase.deadline_ms)}",
            remedy="find out what held it; then 'reenter --reason' gives it that time once more, "
            "or 'rollback --reason' ends it"
            if is_past
            else "",
            command="reenter --reason 'WHY IT TOOK SO LONG'" if is_past else "",
        )


def clock_triggers(policy: Policy, rollout: Rollout, now_unix_ms: int) -> Iterator[TriggerResult]:
    """Yield the trigger of a phase that goes back where it takes too long."""
    phase = policy.phase(rollout.phase)
    if phase.deadline_ms is not None and phase.on_deadline == ROLLBACK:
        yield TriggerResult(
            name=DEADLINE_PASSED,
            surface=None,
            fired=_passed_ms(rollout, now_unix_ms) > phase.deadline_ms,
            observed=_entered(rollout, now_unix_ms),
            threshold=f"the phase is not left within {in_words(phase.deadline_ms)}",
            evidence=None,
            action="roll back: the phase took longer than it may",
        )


def _passed_ms(rollout: Rollout, now_unix_ms: int) -> int:
    return now_unix_ms - rollout.phase_entered_unix_ms


def _entered(rollout: Rollout, now_unix_ms: int) -> str:
    return f"the phase was entered {in_words(max(_passed_ms(rollout, now_unix_ms), 0))} ago"
