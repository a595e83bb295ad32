"""A simulated rollout of one surface: its cycles are given, and its clock shows their times.

A replay and the tests of policies simulate one; it is decided on by the code that decides for
real (runbooks/rollout-gate-ops.md, "Trying a policy").
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tau_rollout_gate.contract.pin import LogPosition, SurfacePin
from tau_rollout_gate.contract.rollout import Channel, RollbackTarget, Rollout, RolloutStatus
from tau_rollout_gate.decision.answer import Answer, Found
from tau_rollout_gate.decision.decide import conclude, judged_surfaces
from tau_rollout_gate.decision.fold import SurfaceFold
from tau_rollout_gate.evidence.values import (
    Cycle,
    Evidence,
    FlawFound,
    ReportEvidence,
    SignoffEvidence,
    SurfaceEvidence,
)
from tau_rollout_gate.policy.policy import Policy, policy_digest
from tau_rollout_gate.rollout.transitions import advanced

_BEGINNING = LogPosition(cycle_number=None, event_sha256=None)


def in_phase(
    policy: Policy,
    surface: str,
    phase: str,
    *,
    entered_unix_ms: int,
    canary_entered_unix_ms: int,
    **values: Any,  # noqa: ANN401 - any field of a rollout
) -> Rollout:
    """An open rollout in a phase of a policy, whose log was empty at canary-1's entry.

    Args:
        policy: The policy.
        surface: The one surface.
        phase: The phase.
        entered_unix_ms: When that was entered.
        canary_entered_unix_ms: When canary-1 was entered; before it, when the rollout was opened.
        values: What else is to be so.
    """
    is_canary = policy.phase(phase).canary_percent > 0
    position = _BEGINNING if is_canary else None
    pin = SurfacePin(
        name=surface,
        state_dir="simulated",
        is_chained=False,
        evidence_from=position,
        phase_from=position,
    )
    known: dict[str, Any] = {
        "status": RolloutStatus.OPEN,
        "release": "1.0.0",  # two versions that differ: nothing tells the real ones
        "channel": Channel.STABLE,
        "started_unix_ms": canary_entered_unix_ms,
        "phases": tuple(each.name for each in policy.phases),
        "phase": phase,
        "phase_entered_unix_ms": entered_unix_ms,
        "canary_entered_unix_ms": canary_entered_unix_ms if is_canary else None,
        "cycle_interval_ms": policy.cycle_interval_ms,
        "registry_changes_expected": False,
        "policy_sha256": policy_digest(policy),
        "policy_file": None,
        "surfaces": (pin,),
        "rollback": RollbackTarget(rollback_channel=Channel.STABLE, rollback_version="0.9.0"),
    }
    return Rollout(**(known | values))


class SimulatedRollout:
    """A rollout under way, to be given its cycles.

    Args:
        policy: Its policy.
        rollout: Where it stands, with one surface.
        earlier: The cycles from canary-1's entry to that of its phase.
        is_chained: Whether the writer of the cycles chains its events.
        reports: The validation reports, by name.
        signoff: The sign-off.
    """

    def __init__(  # noqa: PLR0913 - what evidence has
        self,
        policy: Policy,
        rollout: Rollout,
        *,
        earlier: Sequence[Cycle] = (),
        is_chained: bool,
        reports: Mapping[str, ReportEvidence] | None = None,
        signoff: SignoffEvidence | None,
    ) -> None:
        self._policy = policy
        self._rollout = rollout
        self._reports = reports or {}
        self._signoff = signoff
        self._last: Cycle | None = None
        (self._pin,) = rollout.surfaces
        self._evidence = SurfaceEvidence(
            surface=self._pin.name, is_chained=is_chained, snapshot=None
        )
        self._folds = {
            pin.name: SurfaceFold(policy, rollout, pin, earlier)
            for pin in judged_surfaces(policy, rollout)
        }

    def step(self, cycle: Cycle, flaws: Iterable[FlawFound] = ()) -> None:
        """Take the next cycle, and what was found wrong then."""
        fold = self._folds[self._pin.name]
        fold.step(cycle)
        for flaw in flaws:
            fold.note(flaw)
        self._last = cycle

    @property
    def state(self) -> object:
        """What decides of verdict, causes and soak at the last cycle's time.

        As long as it is equal, so are they; None where only the whole answer tells.
        """
        return self._folds[self._pin.name].state

    def answer(self, now_unix_ms: int) -> Answer:
        """What may be done now."""
        return conclude(
            self._policy, self._rollout, self._known, self._folds, now_unix_ms=now_unix_ms
        )

    def advance(self, answer: Answer) -> None:
        """Follow a verdict to promote."""
        found = Found(answer=answer, evidence=self._known)
        self._rollout = advanced(self._rollout, found)
        self._folds[self._pin.name].enter(self._rollout)

    @property
    def _known(self) -> Evidence:
        found = self._evidence
        if self._last is not None:
            end = LogPosition(
                cycle_number=self._last.event.cycle_number,
                event_sha256=self._last.sha256,
                timestamp_unix_ms=self._last.event.timestamp_unix_ms,
            )
            found = found._replace(end=end)
        return Evidence(
            surfaces={self._pin.name: found}, reports=self._reports, signoff=self._signoff
        )
