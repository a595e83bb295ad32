"""The answer: the verdict, and everything that led to it. All formats print this one value."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from tau_rollout_gate.contract.rollout import RecordedInput
from tau_rollout_gate.decision.fleet import FleetStanding
from tau_rollout_gate.errors import ExitCode
from tau_rollout_gate.evidence.values import Evidence
from tau_rollout_gate.policy.findings import EvidenceRef, GateStatus


class Verdict(StrEnum):
    """What may be done now, best first."""

    PROMOTE = "promote"
    COMPLETE = "complete"
    HOLD = "hold"
    ROLLBACK = "rollback"

    @property
    def exit_code(self) -> ExitCode:
        """What a command that asked exits with."""
        return {
            Verdict.PROMOTE: ExitCode.YES,
            Verdict.COMPLETE: ExitCode.YES,
            Verdict.HOLD: ExitCode.HOLD,
            Verdict.ROLLBACK: ExitCode.ROLLBACK,
        }[self]


class GateResult(NamedTuple):
    """How one gate stands.

    Args:
        name: The gate's name, unique in a phase together with the surface.
        surface: Whose evidence it judges; None for the rollout as a whole.
        status: How it stands.
        observed: What was seen, in words; None where nothing was.
        required: What has to be seen, in words.
        evidence: Where it was seen.
        remedy: What to do where it does not pass, in one sentence; empty where it does.
        cycles_help: Whether time and clean cycles alone can make it pass.
        passes_from_unix_ms: When the clock alone makes it pass; None where it does not.
        command: What to type to mend it, behind the program's name (of the runtime, that is `run`
            or `recover`, of the inspector `diagnose`); empty where no command does.
        from_unix_ms: When clean cycles can make it pass at the earliest; None where the next can.
    """

    name: str
    surface: str | None
    status: GateStatus
    observed: str | None
    required: str
    evidence: EvidenceRef | None = None
    remedy: str = ""
    cycles_help: bool = False
    passes_from_unix_ms: int | None = None
    command: str = ""
    from_unix_ms: int | None = None


class TriggerResult(NamedTuple):
    """Whether one rollback trigger fired; `is_latched` where that was recorded earlier."""

    name: str
    surface: str | None
    fired: bool
    observed: str
    threshold: str
    evidence: EvidenceRef | None
    action: str
    is_latched: bool = False


class Soak(NamedTuple):
    """How long the phase's gates have to hold, and how long they did."""

    required_ms: int
    held_ms: int
    since_unix_ms: int | None
    earliest_promotion_unix_ms: int | None


class Answer(NamedTuple):
    """A verdict with its reasons; the same inputs give the same answer, byte for byte.

    `advanced` tells that `advance` followed it: the rollout moved on, or was completed; `changed`
    that it is news: the last recorded decision did not say the same. `fleet` is how many hosts
    stand; None where there is one.
    """

    verdict: Verdict
    release: str
    phase: str
    canary_percent: int
    next_phase: str | None
    next_canary_percent: int | None
    evaluated_unix_ms: int
    soak: Soak
    gates: tuple[GateResult, ...]
    triggers: tuple[TriggerResult, ...]
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    policy_sha256: str
    inputs: tuple[RecordedInput, ...]
    advanced: bool = False
    changed: bool = True
    fleet: FleetStanding | None = None

    @property
    def phase_now(self) -> str:
        """The phase that the rollout is in after the answer."""
        return (self.next_phase if self.advanced else None) or self.phase

    @property
    def canary_percent_now(self) -> int:
        """The share that the release is to have after the answer, in per cent."""
        following = self.next_canary_percent if self.advanced else None
        return self.canary_percent if following is None else following

    @property
    def failing_gates(self) -> tuple[GateResult, ...]:
        """The gates that stand in the way."""
        return tuple(gate for gate in self.gates if not gate.status.lets_pass)

    @property
    def held_by(self) -> tuple[str, ...]:
        """The names of the gates in the way and of the triggers that fired."""
        return (*_names(self.failing_gates), *self.causes_of_rollback)

    @property
    def causes_of_rollback(self) -> tuple[str, ...]:
        """The names of the triggers that fired."""
        return _names(self.fired_triggers)

    @property
    def fired_triggers(self) -> tuple[TriggerResult, ...]:
        """The triggers that fired."""
        return tuple(trigger for trigger in self.triggers if trigger.fired)


def _names(results: Sequence[GateResult | TriggerResult]) -> tuple[str, ...]:
    return tuple(
        one.name if one.surface is None else f"{one.surface}:{one.name}" for one in results
    )


class Found(NamedTuple):
    """What the files said of a rollout, and the evidence that it was said on.

    What follows from it happens at the time of the answer.
    """

    answer: Answer
    evidence: Evidence
