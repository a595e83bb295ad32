"""A recorded history stepped through a policy with a virtual clock: what the gate would have said.

At every cycle the decision is made as of its time, by the code that decides for real, and a verdict
to promote is followed at once (runbooks/rollout-gate-ops.md, "Trying a policy").
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from tau_rollout_gate.decision.answer import Answer, Verdict
from tau_rollout_gate.evidence.history import RecordedHistory
from tau_rollout_gate.evidence.values import Cycle, SignoffEvidence
from tau_rollout_gate.policy.policy import Policy, policy_digest
from tau_rollout_gate.rollout.simulation.rollout import SimulatedRollout, in_phase

ASSUMED = (
    "preflight passed, and the first canary phase was entered when the first cycle began",
    "every cycle was of the release",
    "the sign-off checklist is complete",
    "every verdict to promote was followed at once",
)
"""What an event log does not tell, and a replay therefore takes for granted."""

_SIGNED_OFF = SignoffEvidence(path="assumed", problems=(), items=(), inputs=())


class Step(NamedTuple):
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
        """The time of the decision, which is the cycle's."""
        return self.cycle.event.timestamp_unix_ms

    @property
    def gist(self) -> "Gist":
        """What it says; a step with another says more."""
        return Gist(self.verdict, self.phase, self.held_by, self.soak_since_unix_ms)

    def told(self) -> "Step":
        """The step itself."""
        return self


class Gist(NamedTuple):
    """What a step says, in short: verdict, phase, causes, and since when the soak counts."""

    verdict: Verdict
    phase: str
    held_by: tuple[str, ...]
    soak_since_unix_ms: int | None


class Stance:
    """A step of which only the gist is known: reasons are many, and few of them are told.

    Args:
        number: Which valid cycle of the history it is, from 1.
        cycle: The cycle.
        gist: What the step says, in short.
        simulated: The rollout after the cycle.
    """

    __slots__ = ("_simulated", "cycle", "gist", "number")

    def __init__(self, number: int, cycle: Cycle, gist: Gist, simulated: SimulatedRollout) -> None:
        self.number = number
        self.cycle = cycle
        self.gist = gist
        self._simulated = simulated

    def told(self) -> Step:
        """The whole step, which has to be asked for before the next cycle is taken."""
        answer = self._simulated.answer(self.cycle.event.timestamp_unix_ms)
        return _step(self.number, self.cycle, answer)


class Replay(NamedTuple):
    """What a history that was stepped through a policy comes to.

    Of a step that says no more than the one before, nothing is kept but that it was the last.

    Args:
        policy: The policy's name.
        policy_sha256: Its digest.
        news: The steps that say more than the one before them, the first one among them.
        last: The last step; its verdict is what the history comes to.
    """

    policy: str
    policy_sha256: str
    news: tuple[Step, ...]
    last: Step


class Parting(NamedTuple):
    """The first cycle at which two policies differ in verdict or phase, and what each says."""

    ours: Step
    theirs: Step


class Replays(NamedTuple):
    """What a history comes to under one policy or two; `parting` is None where two agree."""

    replays: tuple[Replay, ...]
    parting: Parting | None


def steps(
    policy: Policy,
    history: RecordedHistory,
    *,
    cycle_interval_ms: int | None = None,
    registry_changes_expected: bool = False,
) -> Iterator[Step]:
    """Yield what is decided at each cycle, as `stances` does, with all reasons."""
    for stance in stances(
        policy,
        history,
        cycle_interval_ms=cycle_interval_ms,
        registry_changes_expected=registry_changes_expected,
    ):
        yield stance.told()


def stances(
    policy: Policy,
    history: RecordedHistory,
    *,
    cycle_interval_ms: int | None = None,
    registry_changes_expected: bool = False,
) -> Iterator[Stance]:
    """Yield what is decided at each cycle, until the rollout is complete or has to go back.

    Where nothing changed that a gist depends on, it is that of the cycle before.

    Args:
        policy: The policy.
        history: The history, of one surface.
        cycle_interval_ms: How often a cycle is to be expected; None for the policy's.
        registry_changes_expected: Whether the release changes the command registry.
    """
    simulated: SimulatedRollout | None = None
    state: object = None
    gist: Gist | None = None
    for number, (cycle, flaws) in enumerate(history.moments(), start=1):
        now = cycle.event.timestamp_unix_ms
        if simulated is None:
            entered = max(now - cycle.event.cycle_duration_ms, 0)
            rollout = in_phase(
                policy,
                history.surface,
                policy.first_canary.name,
                entered_unix_ms=entered,
                canary_entered_unix_ms=entered,
                cycle_interval_ms=cycle_interval_ms or policy.cycle_interval_ms,
                registry_changes_expected=registry_changes_expected,
            )
            simulated = SimulatedRollout(
                policy, rollout, is_chained=history.is_chained, signoff=_SIGNED_OFF
            )
        if cycle.event.release is not None:  # nothing tells which release it is about
            cycle = _untied(cycle)  # noqa: PLW2901
        simulated.step(cycle, flaws)
        before, state = state, simulated.state
        if gist is None or state is None or state != before:
            gist = _step(number, cycle, simulated.answer(now)).gist
        yield Stance(number, cycle, gist, simulated)
        if gist.verdict is Verdict.PROMOTE:
            simulated.advance(simulated.answer(now))
            gist = None
        elif gist.verdict is not Verdict.HOLD:
            return


def _untied(cycle: Cycle) -> Cycle:
    """The cycle, telling no release."""
    event = cycle.event
    return cycle._replace(event=event._replace(told=event.told._replace(release=None)))


def side_by_side(
    policies: Sequence[tuple[str, Policy]], moments: Iterable[Sequence[Step | Stance | None]]
) -> Replays:
    """What the steps under each policy come to, and where those of two part.

    Args:
        policies: The policies by their names, one or two.
        moments: For each cycle the step under each policy; None where its rollout was over.
    """
    kept: list[list[Step]] = [[] for _ in policies]
    last: list[Step | Stance] = []
    parting: Parting | None = None
    for moment in moments:
        last = last or [step for step in moment if step is not None]
        for index, step in enumerate(moment):
            if step is None:
                continue
            if not kept[index] or step.gist != last[index].gist:
                last[index] = told = step.told()
                kept[index].append(told)
            else:
                last[index] = step
        if parting is None and _differ(moment):
            ours, theirs = (step.told() for step in last)
            parting = Parting(ours=ours, theirs=theirs)
    replays = tuple(
        Replay(policy=name, policy_sha256=policy_digest(policy), news=tuple(news), last=end.told())
        for (name, policy), news, end in zip(policies, kept, last, strict=True)
    )
    return Replays(replays=replays, parting=parting)


def _differ(moment: Sequence[Step | Stance | None]) -> bool:
    return len(moment) > 1 and len({one.gist[:2] for one in moment if one is not None}) > 1


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
