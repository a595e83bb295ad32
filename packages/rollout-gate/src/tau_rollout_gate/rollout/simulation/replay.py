"""A recorded history stepped through a policy with a virtual clock: what the gate would have said.

At every cycle the decision is made as of its time, by the code that decides for real, and a verdict
to promote is followed at once (runbooks/rollout-gate-ops.md, "Trying a policy").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from tau_rollout_gate.contract.rollout import (
    Channel,
    LogPosition,
    RollbackTarget,
    Rollout,
    RolloutStatus,
    SurfacePin,
)
from tau_rollout_gate.decision.answer import Answer, Verdict
from tau_rollout_gate.decision.decide import decide
from tau_rollout_gate.decision.fold import OnwardWalk
from tau_rollout_gate.evidence.history import RecordedHistory
from tau_rollout_gate.evidence.values import Cycle, Evidence, SignoffEvidence
from tau_rollout_gate.policy.policy import Policy, policy_digest
from tau_rollout_gate.rollout.transitions import Found, advanced

ASSUMED = (
    "preflight passed, and the first canary phase was entered when the first cycle began",
    "the sign-off checklist is complete",
    "every verdict to promote was followed at once",
)
"""What an event log does not tell, and a replay therefore takes for granted."""

_SIGNED_OFF = SignoffEvidence(path="assumed", problems=(), items=(), inputs=())
_BEGINNING = LogPosition(cycle_number=None, event_sha256=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What was decided at a cycle.

    Args:
        number: Which valid cycle of the history it is, from 1.
        cycle: The cycle.
        phase: The phase that the decision is about.
        verdict: The verdict.
        next_phase: The phase that was entered then, on promote; None otherwise.
        held_by: The gates in the way, and the triggers that fired.
        soak_since_unix_ms: Since when the soak counts; None while it does not.
        reasons: Why, in sentences.
    """

    number: int
    cycle: Cycle
    phase: str
    verdict: Verdict
    next_phase: str | None
    held_by: tuple[str, ...]
    soak_since_unix_ms: int | None
    reasons: tuple[str, ...]

    @property
    def unix_ms(self) -> int:
        """Return the time of the decision, which is the cycle's."""
        return self.cycle.event.timestamp_unix_ms

    def says_more_than(self, before: Step) -> bool:
        """Tell whether verdict, phase or cause changed, or the soak started anew."""
        return self._gist() != before._gist()

    def _gist(self) -> tuple[object, ...]:
        return self.verdict, self.phase, self.held_by, self.soak_since_unix_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A history that was stepped through a policy: one step for each cycle, at least one."""

    policy: str
    policy_sha256: str
    steps: tuple[Step, ...]

    @property
    def last(self) -> Step:
        """Return the last step; its verdict is what the history comes to."""
        return self.steps[-1]

    def news(self) -> Iterator[Step]:
        """Yield the steps that say more than the one before them, the first one among them."""
        yield self.steps[0]
        for before, step in pairwise(self.steps):
            if step.says_more_than(before):
                yield step


@dataclass(frozen=True, slots=True, kw_only=True)
class Parting:
    """The first cycle at which two policies differ in verdict or phase, and what each says."""

    ours: Step
    theirs: Step


def steps(
    policy: Policy,
    history: RecordedHistory,
    *,
    cycle_interval_ms: int | None = None,
    registry_changes_expected: bool = False,
) -> Iterator[Step]:
    """Yield what is decided at each cycle, until the rollout is complete or has to go back.

    Args:
        policy: The policy.
        history: The history, of one surface.
        cycle_interval_ms: How often a cycle is to be expected; None for the policy's.
        registry_changes_expected: Whether the release changes the command registry.
    """
    phase_start, walk = 0, OnwardWalk()
    rollout: Rollout | None = None
    for number in range(1, len(history) + 1):
        surface = history.evidence_at(number, phase_start=phase_start)
        cycle = surface.cycles[-1]
        now = cycle.event.timestamp_unix_ms
        if rollout is None:
            rollout = _canary(
                policy,
                history.surface,
                entered_unix_ms=max(now - cycle.event.cycle_duration_ms, 0),
                cycle_interval_ms=cycle_interval_ms or policy.cycle_interval_ms,
                registry_changes_expected=registry_changes_expected,
            )
        evidence = Evidence(surfaces={history.surface: surface}, signoff=_SIGNED_OFF)
        answer = decide(policy, rollout, evidence, now_unix_ms=now, walk=walk)
        yield _step(number, cycle, answer)
        if answer.verdict is Verdict.PROMOTE:
            found = Found(answer=answer, evidence=evidence)
            rollout = advanced(rollout, found, now_unix_ms=now)
            phase_start, walk = number, OnwardWalk()
        elif answer.verdict is not Verdict.HOLD:
            return


def parting(ours: Replay, theirs: Replay) -> Parting | None:
    """Return where two replays of one history part; None if they never do."""
    # As long as they agree, both go on, or both end at the same cycle.
    for one, other in zip(ours.steps, theirs.steps, strict=False):
        if (one.verdict, one.phase) != (other.verdict, other.phase):
            return Parting(ours=one, theirs=other)
    return None


def _canary(
    policy: Policy,
    surface: str,
    *,
    entered_unix_ms: int,
    cycle_interval_ms: int,
    registry_changes_expected: bool,
) -> Rollout:
    """Return a rollout as it is when canary-1 was entered, before the first cycle of a log."""
    return Rollout(
        status=RolloutStatus.OPEN,
        release="1.0.0",  # two versions that differ: no event log tells the real ones
        channel=Channel.STABLE,
        started_unix_ms=entered_unix_ms,
        phase=policy.first_canary.name,
        phase_entered_unix_ms=entered_unix_ms,
        canary_entered_unix_ms=entered_unix_ms,
        cycle_interval_ms=cycle_interval_ms,
        registry_changes_expected=registry_changes_expected,
        policy_sha256=policy_digest(policy),
        policy_file=None,
        surfaces=(
            SurfacePin(
                name=surface,
                state_dir="recorded",
                is_chained=False,
                evidence_from=_BEGINNING,
                phase_from=_BEGINNING,
            ),
        ),
        rollback=RollbackTarget(rollback_channel=Channel.STABLE, rollback_version="0.9.0"),
    )


def _step(number: int, cycle: Cycle, answer: Answer) -> Step:
    is_promoted = answer.verdict is Verdict.PROMOTE
    return Step(
        number=number,
        cycle=cycle,
        phase=answer.phase,
        verdict=answer.verdict,
        next_phase=answer.next_phase if is_promoted else None,
        held_by=answer.held_by,
        soak_since_unix_ms=answer.soak.since_unix_ms,
        reasons=answer.reasons,
    )
