"""From the judgement of one host to its state: the worst that there is, why, and where to look."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tau_rollout_gate.contract.pin import SurfacePin, Tie
from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.decision.answer import Answer, GateResult, TriggerResult
from tau_rollout_gate.decision.fleet import HostState
from tau_rollout_gate.decision.fold import SurfaceFold
from tau_rollout_gate.decision.integrity import FLAW_GATES, FLAW_NAMES
from tau_rollout_gate.evidence.values import UNHEALABLE, Evidence
from tau_rollout_gate.fleet.plan import Part, Plan
from tau_rollout_gate.fleet.silence import CLOCK, Silence, SilenceKind, silence_of
from tau_rollout_gate.policy.findings import (
    EVIDENCE_NOT_IN_FUTURE,
    EVIDENCE_OF_RELEASE,
    FILES_PRESENT,
    LOG_END_KNOWN,
    SOAK_GATE,
    EvidenceRef,
)

_DAMAGE = frozenset(FLAW_GATES[flaw].name for flaw in UNHEALABLE)
_OF_FILES = FLAW_NAMES | {LOG_END_KNOWN}
"""The gates that fail where files do not tell all."""

_AT_ONCE = frozenset({HostState.FAILED, HostState.DAMAGED, HostState.SILENT})
"""What counts against the release also of a host that is new."""


class Judged(NamedTuple):
    """A host as a rollout of it alone has it: its answer, and what that was made from."""

    rollout: Rollout
    evidence: Evidence
    surfaces: Mapping[str, SurfaceFold]
    answer: Answer

    @property
    def of_host(self) -> list[GateResult]:
        """The gates in the way that are of the host itself, not of the rollout as a whole."""
        gates = self.answer.failing_gates
        return [gate for gate in gates if gate.surface is not None or gate.name == SOAK_GATE]

    @property
    def is_unread(self) -> bool:
        """Whether the files do not tell all."""
        return any(gate.name in _OF_FILES for gate in self.of_host)

    @property
    def ties(self) -> dict[str, Tie]:
        """How the cycles of each surface are tied to the release."""
        return {name: fold.release.tie for name, fold in self.surfaces.items()}

    @property
    def newest(self) -> tuple[str | None, ...]:
        """The release of the newest cycle of each surface.

        None where none tells one, or a newer cycle was seen that is not there any more.
        """
        return tuple(map(self._newest_of, self.rollout.surfaces))

    def _newest_of(self, pin: SurfacePin) -> str | None:
        cycles = self.evidence.surfaces[pin.name].cycles
        seen_unix_ms = None if pin.seen is None else pin.seen.position.timestamp_unix_ms
        if not cycles or cycles[-1].event.timestamp_unix_ms < (seen_unix_ms or 0):
            return None
        return cycles[-1].event.release


class Standing(NamedTuple):
    """A host's state, why in a word and in a sentence, and where to look.

    `counts` tells whether it counts at all: what only foretells how it will stand does not.
    """

    state: HostState
    reason: str = ""
    why: str = ""
    where: EvidenceRef | None = None
    age_ms: int | None = None
    counts_as_failed: bool = False
    counts: bool = True


def with_release(plan: Plan, judged: Judged) -> Standing:
    """How a host stands that is to have the release: the worst that there is."""
    found = _of_evidence(plan, judged)
    if found is not None:
        return found
    gates = judged.of_host
    awaited = next((one for one in gates if _awaits_release(one, judged)), None)
    if awaited is not None:
        return _of_gate(HostState.NOT_UPGRADED, awaited)
    holding = [one for one in gates if one.name != SOAK_GATE and not one.cycles_help]
    ahead = next((one for one in holding if one.name == EVIDENCE_NOT_IN_FUTURE), None)
    if ahead is not None:
        return _of_gate(HostState.HOLDING, ahead)._replace(reason=CLOCK)
    if holding:
        return _of_gate(HostState.HOLDING, holding[0])
    return _of_gate(HostState.SOAKING, gates[-1]) if gates else Standing(HostState.CLEAN)


def without_release(judged: Judged) -> Standing:
    """How a host stands that is not to have the release: triggers, and whether it can be read."""
    return _of_evidence(None, judged) or Standing(HostState.CLEAN)


def _of_evidence(plan: Plan | None, judged: Judged) -> Standing | None:
    """What triggers and files say alone; None where nothing is wrong with these."""
    fired = [one for one in judged.answer.fired_triggers if one.surface is not None]
    if fired:
        return _of_trigger(fired[0])
    flaws = [one for one in judged.of_host if one.name in _OF_FILES]
    damage = next((one for one in flaws if one.name in _DAMAGE), None)
    if damage is not None:
        return _of_gate(HostState.DAMAGED, damage)
    missing = [str(one.surface) for one in flaws if one.name == FILES_PRESENT]
    # Before anybody has the release no cycle is waited for: it is told, and holds nothing yet.
    is_awaited = bool(judged.surfaces or missing)
    silence = _silence(judged, missing, has_release=plan is not None)
    if silence is not None and (is_awaited or not flaws):
        return _silent(plan, silence, flaws)._replace(counts=is_awaited)
    return _of_gate(HostState.HOLDING, flaws[0]) if flaws else None


def _silence(judged: Judged, missing: Sequence[str], *, has_release: bool) -> Silence | None:
    return silence_of(
        judged.rollout,
        judged.evidence.surfaces,
        judged.ties,
        missing,
        has_release=has_release and bool(judged.surfaces),
        now_unix_ms=judged.answer.evaluated_unix_ms,
    )


def _silent(plan: Plan | None, silence: Silence, flaws: Sequence[GateResult]) -> Standing:
    rules = None if plan is None else plan.policy.fleet
    limit = None if rules is None else rules.fail_silent_after_ms
    is_bricked = limit is not None and silence.kind is SilenceKind.AFTER and silence.age_ms >= limit
    where = next((one.evidence for one in flaws if one.evidence is not None), None)
    return Standing(
        HostState.HOLDING if silence.kind is SilenceKind.CLOCK else HostState.SILENT,
        reason=silence.kind,
        why=silence.why,
        where=where,
        age_ms=silence.age_ms,
        counts_as_failed=is_bricked,
    )


def _awaits_release(gate: GateResult, judged: Judged) -> bool:
    tie = judged.ties.get(gate.surface or "")
    return gate.name == EVIDENCE_OF_RELEASE and tie is Tie.AWAITED


def _of_gate(state: HostState, gate: GateResult) -> Standing:
    why = f"{gate.observed or 'nothing seen'}; required: {gate.required}"
    age_ms = None if gate.evidence is None else gate.evidence.age_ms
    return Standing(state, gate.name, why, gate.evidence, age_ms)


def _of_trigger(fired: TriggerResult) -> Standing:
    why = f"{fired.observed}; fires at {fired.threshold}"
    age_ms = None if fired.evidence is None else fired.evidence.age_ms
    state = HostState.FAILED
    return Standing(state, fired.name, why, fired.evidence, age_ms, counts_as_failed=True)


def of_new(standing: Standing, part: Part, *, is_unread: bool) -> Standing:
    """How a new host stands: what is bad counts at once, and clean it has to be later.

    Whether one is silent whose clock is not ours, nobody can tell.
    """
    is_bad = standing.state in _AT_ONCE or standing.reason == CLOCK or is_unread
    if part is Part.JOINED and is_bad:
        return standing
    return Standing(HostState.JOINED, "joined", "it is new since the phase was entered")


LEFT = Standing(HostState.LEFT, "left", "it is not on the roster any more")
"""A host that is pinned, and not on the roster."""
