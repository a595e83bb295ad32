"""The gates of a rollout as a whole: of its standing, its reports and sign-off, and the soak."""

from collections.abc import Iterator, Sequence

from tau_rollout_gate.contract.pin import SurfacePin
from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.decision.answer import GateResult, TriggerResult
from tau_rollout_gate.decision.clock_gates import clock_gates
from tau_rollout_gate.decision.integrity import (
    ASK_AGAIN,
    FLAW_GATES,
    flaw_gates,
    gate_result,
    reference,
)
from tau_rollout_gate.decision.soak import JointSoak
from tau_rollout_gate.durations import in_words, utc
from tau_rollout_gate.evidence.values import Evidence, Flaw, FlawFound, SurfaceEvidence
from tau_rollout_gate.policy.findings import (
    LOG_END_KNOWN,
    NO_ROLLBACK_TRIGGER,
    PROMOTION_NOT_FROZEN,
    SOAK_GATE,
    GateStatus,
)
from tau_rollout_gate.policy.gates.interface import RolloutGate
from tau_rollout_gate.policy.policy import Policy


def rollout_gates(
    policy: Policy,
    rollout: Rollout,
    evidence: Evidence,
    triggers: Sequence[TriggerResult],
    now_unix_ms: int,
) -> Iterator[GateResult]:
    """Yield the gates of the rollout itself, then the policy's of reports, sign-off and target."""
    yield from _standing_gates(rollout, triggers, now_unix_ms)
    yield from clock_gates(policy, rollout, now_unix_ms)
    for gate in policy.gates_in_force(rollout.phase):
        if isinstance(gate, RolloutGate):
            yield gate_result(gate, None, gate.judge(rollout, evidence), now_unix_ms)


def preflight_gates(
    policy: Policy, rollout: Rollout, evidence: Evidence, now_unix_ms: int
) -> Iterator[GateResult]:
    """Yield those of each surface while nobody has the release: it is there, and can be read."""
    if policy.phase(rollout.phase).canary_percent == 0:
        for pin in rollout.surfaces:
            yield from _preflight_gates(pin, evidence.surfaces[pin.name], now_unix_ms)


def _preflight_gates(
    pin: SurfacePin, evidence: SurfaceEvidence, now_unix_ms: int
) -> Iterator[GateResult]:
    """Yield the gates of a surface while nobody has the release: it is there, and readable.

    One that was started as never run may have no files, until there is any.
    """
    found: dict[Flaw, list[FlawFound]] = {}
    for one in evidence.flaws:
        found.setdefault(one.flaw, []).append(one)
    if pin.is_first_run and evidence.has_no_files:
        del found[Flaw.NO_FILES]
    for flaw, gate in zip(FLAW_GATES, flaw_gates(pin, evidence, found, now_unix_ms), strict=True):
        if flaw in {Flaw.NO_FILES, Flaw.INVALID_STATE}:
            yield gate
    yield _entry_gate(evidence)


def _entry_gate(evidence: SurfaceEvidence) -> GateResult:
    """The gate before the first canary phase: it is known after which line that starts.

    A log that cannot be read would look like one without a line, and all that it holds like
    evidence of the release.
    """
    number = None if evidence.end is None else evidence.end.cycle_number
    return GateResult(
        name=LOG_END_KNOWN,
        surface=evidence.surface,
        status=GateStatus.PASS if evidence.end_problem is None else GateStatus.UNKNOWN,
        observed=evidence.end_problem
        or ("no cycle yet" if number is None else f"the log ends with cycle {number}"),
        required="it is known how the event log ends, since the evidence starts there",
        remedy=""
        if evidence.end_problem is None
        else evidence.denied
        or "put the log back, or let the runtime run a cycle; tau-transport-health diagnose "
        "tells more",
        command=ASK_AGAIN if evidence.denied else "diagnose",
    )


def _standing_gates(
    rollout: Rollout, triggers: Sequence[TriggerResult], now_unix_ms: int
) -> Iterator[GateResult]:
    """Yield the gates of the rollout itself: not frozen, entered before now, no trigger fired."""
    frozen = rollout.frozen
    yield _standing(
        PROMOTION_NOT_FROZEN,
        holds=frozen is None,
        observed="not frozen" if frozen is None else f"frozen by {frozen.by}: {frozen.reason}",
        required="promotion is not frozen",
        remedy="when the reason is gone: 'resume --reason'",
        command="resume --reason 'WHY IT MAY GO ON'",
    )
    ahead_ms = rollout.phase_entered_unix_ms - now_unix_ms
    yield _standing(
        "entry_not_in_future",
        holds=ahead_ms <= 0,
        observed=f"entered {in_words(-ahead_ms)} ago"
        if ahead_ms <= 0
        else f"entered {in_words(ahead_ms)} ahead of the clock",
        required="the phase was entered before now",
        remedy="set the clock; if it was wrong at the entry, 'reenter' dates that anew",
        passes_from_unix_ms=rollout.phase_entered_unix_ms,
        command="reenter --reason 'THE CLOCK WAS WRONG'",
    )
    fired = dict.fromkeys(trigger.name for trigger in triggers if trigger.fired)
    yield _standing(
        NO_ROLLBACK_TRIGGER,
        holds=not fired,
        observed=", ".join(fired) or "none fired",
        required="no rollback trigger fired",
        remedy="roll back: 'rollback --reason'",
        command="rollback --reason 'WHAT HAPPENED'",
    )


def _standing(  # noqa: PLR0913 - the parts of a gate
    name: str,
    *,
    holds: bool,
    observed: str,
    required: str,
    remedy: str,
    passes_from_unix_ms: int | None = None,
    command: str = "",
) -> GateResult:
    return GateResult(
        name=name,
        surface=None,
        status=GateStatus.PASS if holds else GateStatus.FAIL,
        observed=observed,
        required=required,
        remedy="" if holds else remedy,
        passes_from_unix_ms=passes_from_unix_ms,
        command="" if holds else command,
    )


def soak_gate(
    required_ms: int, soak: JointSoak, others: Sequence[GateResult], now_unix_ms: int
) -> Iterator[GateResult]:
    """Yield the gate of the soak, last of all: it follows from the surfaces' `others`."""
    if not others or not required_ms:
        return
    restart = soak.restart
    adopt = restart.adopt if restart else ""
    is_served = soak.held_ms >= required_ms
    yield GateResult(
        name=SOAK_GATE,
        surface=None,
        status=GateStatus.PASS if is_served else GateStatus.FAIL,
        observed=_soak_in_words(soak),
        required=f"at least {in_words(required_ms)} of clean cycles without a gap",
        evidence=reference(restart.cycle, now_unix_ms) if restart else None,
        remedy="" if is_served else _soak_remedy(soak, required_ms, others, now_unix_ms),
        cycles_help=soak.since_unix_ms is not None and not adopt,
        command="" if is_served else adopt,
    )


def _soak_in_words(soak: JointSoak) -> str:
    held, restart = in_words(soak.held_ms), soak.restart
    if restart is None:
        return held
    if soak.since_unix_ms is None:
        return f"{held}, to begin anew with a clean cycle: {restart.cause}"
    return f"{held}, begun anew at {utc(soak.since_unix_ms)}: {restart.cause}"


def _soak_remedy(
    soak: JointSoak, required_ms: int, others: Sequence[GateResult], now_unix_ms: int
) -> str:
    if not all(gate.status.lets_pass or gate.cycles_help for gate in others):
        return "see to the other gates first: the soak follows from them"
    adopt = "" if soak.restart is None else soak.restart.adopt
    if adopt:
        return f"let the runner run as often as the interval says, or correct that: '{adopt}'"
    since = soak.since_unix_ms
    if since is not None and since + required_ms <= now_unix_ms:
        return "run a clean cycle: the time has passed, but none has run since"
    return f"go on running clean cycles for {in_words(required_ms - soak.held_ms)} more"
