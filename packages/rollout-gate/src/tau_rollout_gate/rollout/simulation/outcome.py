"""Decides a case of a policy's unit tests, and compares the answer with what was expected."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from tau_rollout_gate.contract.cycle import (
    COUNTERS_OF_CODES,
    Event,
    Told,
    classify,
    contradiction_of,
)
from tau_rollout_gate.contract.event import timeline_of
from tau_rollout_gate.contract.rollout import Channel, FiredTrigger, Frozen, RollbackTarget
from tau_rollout_gate.decision.answer import Answer
from tau_rollout_gate.durations import parse_duration, written
from tau_rollout_gate.errors import PolicyRefusedError
from tau_rollout_gate.evidence.values import Cycle, ReportEvidence, ReportStatus, SignoffEvidence
from tau_rollout_gate.policy.policy import Policy
from tau_rollout_gate.policy.signals import Signal
from tau_rollout_gate.rollout.simulation.cases import NEVER, Case, Run
from tau_rollout_gate.rollout.simulation.rollout import SimulatedRollout, in_phase

ENTERED_UNIX_MS = 1_767_225_600_000
"""When every case's phase was entered: 2026-01-01T00:00:00Z."""

_CLEAN = {signal.key: 0 for signal in Signal if not signal.words} | {"executed_runs": 1}
_SHA256 = sha256(b"").hexdigest()


class Mismatch(NamedTuple):
    """Something that was expected, and what was seen instead, in words."""

    what: str
    expected: str
    observed: str


class CaseOutcome(NamedTuple):
    """A case, the answer to it, and how that differs from what was expected."""

    case: Case
    answer: Answer
    mismatches: tuple[Mismatch, ...]

    @property
    def is_passed(self) -> bool:
        """Tell whether everything was as expected."""
        return not self.mismatches


def outcome_of(case: Case, policy: Policy) -> CaseOutcome:
    """What a policy says of a case that it has a place for.

    Raises:
        PolicyRefusedError: if a cycle of the case contradicts itself; the text says which.
    """
    phase = case.phase or policy.first_canary.name
    before = _cycles(case.before, "before", start=ENTERED_UNIX_MS - _length_ms(case.before))
    history = _cycles(case.history, "history", start=ENTERED_UNIX_MS, earlier=before)
    rollout = in_phase(
        policy,
        case.surface,
        phase,
        entered_unix_ms=ENTERED_UNIX_MS,
        canary_entered_unix_ms=ENTERED_UNIX_MS - _length_ms(case.before),
        **_of_rollout(case),
    )
    simulated = SimulatedRollout(
        policy,
        rollout,
        earlier=before,
        is_chained=True,
        reports={name: _report(name, status) for name, status in case.reports.items()},
        signoff=_signoff(case),
    )
    for cycle in history:
        simulated.step(cycle)
    at = _length_ms(case.history) if case.at is None else case.at
    answer = simulated.answer(ENTERED_UNIX_MS + at)
    return CaseOutcome(case=case, answer=answer, mismatches=tuple(_mismatches(case, answer)))


def _mismatches(case: Case, answer: Answer) -> Iterator[Mismatch]:
    expected = case.expect
    earliest = answer.soak.earliest_promotion_unix_ms
    pairs: list[tuple[str, str | None, str | None]] = [
        ("verdict", expected.verdict, answer.verdict),
        ("held_by", _names(expected.held_by), _names([one.name for one in answer.failing_gates])),
        ("fired", _names(expected.fired), _names([one.name for one in answer.fired_triggers])),
        ("next_phase", expected.next_phase, answer.next_phase or "none"),
        (
            "earliest",
            _normal(expected.earliest),
            NEVER if earliest is None else written(earliest - ENTERED_UNIX_MS),
        ),
    ]
    for what, wanted, observed in pairs:
        if wanted is not None and wanted != observed:
            yield Mismatch(what=what, expected=wanted, observed=observed or "")


def _names(names: Sequence[str] | None) -> str | None:
    return None if names is None else ", ".join(sorted(set(names))) or "none"


def _normal(earliest: str | None) -> str | None:
    if earliest is None or earliest == NEVER:
        return earliest
    return written(parse_duration(earliest))


def _length_ms(runs: Sequence[Run]) -> int:
    return sum(run.count * run.interval_ms for run in runs)


def _cycles(
    runs: Sequence[Run], part: str, *, start: int, earlier: Sequence[Cycle] = ()
) -> tuple[Cycle, ...]:
    """The cycles of a case's runs; `earlier` are those before them."""
    cycles = list(earlier)
    now = start
    for index, run in enumerate(runs):
        for _ in range(run.count):
            now += run.interval_ms
            streak = cycles[-1].event.counters["failure_streak"] if cycles else 0
            event = _event(run, now, streak, number=len(cycles) + 1)
            if reason := contradiction_of(event.told):
                raise PolicyRefusedError(f"{part}[{index}]: {reason}")
            cycles.append(Cycle(file="case", line=len(cycles) + 1, sha256=_SHA256, event=event))
    return tuple(cycles[len(earlier) :])


def _event(run: Run, unix_ms: int, streak_before: int, *, number: int) -> Event:
    counters = _CLEAN | run.counters
    failed = counters["failed_cases"]
    if "failure_streak" not in run.counters:
        counters["failure_streak"] = streak_before + 1 if failed else 0
    codes = [code for code, names in COUNTERS_OF_CODES.items() if any(map(counters.get, names))]
    health = classify(failure_streak=counters["failure_streak"], failed_cases=failed)
    told = Told(
        health_state=run.health_state or health,
        reason_codes=tuple(codes or ["healthy_cycle"])
        if run.reason_codes is None
        else run.reason_codes,
        counters=counters,
        run_mode=run.run_mode,
        runtime_version=run.runtime_version,
        release=run.release,
        timeline=None if run.timeline is None else timeline_of(list(run.timeline)),
    )
    return Event(
        told,
        timestamp_unix_ms=unix_ms,
        cycle_duration_ms=run.cycle_duration,
        cycle_id=f"cycle-{number}",
        cycle_number=number,
    )


def _report(name: str, status: ReportStatus) -> ReportEvidence:
    failed = int(status is ReportStatus.FAILED)
    return ReportEvidence(
        name=name,
        path=f"{name} report",
        sha256=_SHA256,
        status=status,
        detail=f"the case says {status}",
        total=1,
        passed=1 - failed,
        failed=failed,
    )


def _signoff(case: Case) -> SignoffEvidence | None:
    if case.signoff is None:
        return None
    problems = () if case.signoff == "complete" else ("the case says incomplete",)
    return SignoffEvidence(path="sign-off", problems=problems, items=(), inputs=())


def _of_rollout(case: Case) -> dict[str, Any]:
    """What a case says of the rollout itself."""
    said: dict[str, Any] = {
        "registry_changes_expected": case.registry_changes_expected,
        "rollback": RollbackTarget(
            rollback_channel=Channel.STABLE, rollback_version=case.rollback_to
        ),
        "fired_triggers": tuple(_recorded(name) for name in case.recorded_triggers),
    }
    if case.cycle_interval is not None:
        said["cycle_interval_ms"] = int(case.cycle_interval)
    if case.frozen:
        said["frozen"] = Frozen(
            reason="the case says so", by="the case", since_unix_ms=ENTERED_UNIX_MS
        )
    return said


def _recorded(name: str) -> FiredTrigger:
    return FiredTrigger(
        name=name,
        surface=None,
        observed="recorded earlier",
        threshold="whatever it was then",
        action="roll back",
        file=None,
        line=None,
        cycle_id=None,
        timestamp_unix_ms=None,
    )
