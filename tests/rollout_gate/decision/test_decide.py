"""The decision: what promotes, what holds and why, what rolls back."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tau_rollout_gate.contract.pin import Carried, Tie
from tau_rollout_gate.contract.rollout import FiredTrigger, Frozen, Rollout, RolloutStatus
from tau_rollout_gate.contract.snapshot import parse_snapshot
from tau_rollout_gate.decision.answer import Answer, Verdict
from tau_rollout_gate.decision.decide import decide
from tau_rollout_gate.evidence.values import (
    UNHEALABLE,
    Evidence,
    Flaw,
    FlawFound,
    ReportEvidence,
    ReportStatus,
)
from tau_rollout_gate.files.policy import load_policy
from tau_rollout_gate.policy.findings import RESERVED_NAMES, GateStatus
from tau_rollout_gate.policy.policy import Policy
from tests.rollout_gate.making import (
    ENTERED,
    HOUR,
    MINUTE,
    SECOND,
    SHA,
    SURFACE,
    History,
    Json,
    evidence_of,
    failed,
    malformed,
    pin,
    rollout,
    surface_evidence,
)
from tests.rollout_gate.worlds import altered, world_of

POLICY = load_policy(None)


def soaked(minutes: int = 30) -> History:
    """Return a history of a clean cycle a minute."""
    return History().every(MINUTE, minutes)


def decided(
    history: History,
    *,
    now: int | None = None,
    at: Rollout | None = None,
    policy: Policy = POLICY,
    **changes: Any,  # noqa: ANN401 - any field
) -> Answer:
    """Return the answer about one surface's history, a second after its last cycle."""
    if now is None:
        now = (history.last()["timestamp_unix_ms"] if history.lines else ENTERED) + SECOND
    return decide(policy, at or rollout(), evidence_of(history, **changes), now_unix_ms=now)


def in_the_way(answer: Answer) -> list[str]:
    """Return the names of the gates that do not let pass."""
    return [gate.name for gate in answer.failing_gates]


def test_a_clean_soak_promotes_to_the_next_phase() -> None:
    """Every gate held for the soak: promote, with the next phase and its percentage."""
    answer = decided(soaked())
    assert answer.verdict is Verdict.PROMOTE
    assert (answer.next_phase, answer.next_canary_percent) == ("canary-2", 25)
    assert answer.failing_gates == ()
    assert answer.soak.held_ms == 30 * MINUTE
    assert answer.soak.earliest_promotion_unix_ms == ENTERED + 30 * MINUTE


@pytest.mark.parametrize(
    ("held_ms", "verdict"),
    [(30 * MINUTE - 1, Verdict.HOLD), (30 * MINUTE, Verdict.PROMOTE)],
)
def test_a_soak_a_millisecond_short_holds_and_an_exact_one_is_enough(
    held_ms: int, verdict: Verdict
) -> None:
    """The soak is measured to the last cycle, in milliseconds, and equal is enough."""
    history = History().every(MINUTE, 29).add(ENTERED + held_ms)
    answer = decided(history)
    assert answer.verdict is verdict
    assert answer.soak.held_ms == held_ms


def test_text_from_a_line_is_cut() -> None:
    """What is observed, and the names of cycle and fixture: they fill no page and no record."""
    long = "x" * 9_000
    history = soaked().add(
        ENTERED + 31 * MINUTE,
        cycle_id=long,
        fixture_name=long,
        **failed(streak=1) | {"reason_codes": ["case_processing_failed", long]},
    )
    answer = decided(history)
    assert answer.verdict is Verdict.ROLLBACK
    (evidence,) = {one.evidence for one in answer.fired_triggers}
    assert evidence is not None
    assert evidence.cycle_id == evidence.fixture_name == "x" * 499 + "…"
    assert len(repr(answer)) < 50_000


def test_waiting_alone_never_promotes() -> None:
    """What counts is the last cycle, not the clock of whoever asks."""
    history = History().every(MINUTE, 29)
    answer = decided(history, now=ENTERED + 40 * MINUTE)
    assert answer.verdict is Verdict.HOLD
    assert in_the_way(answer) == ["soak"]
    assert answer.soak.earliest_promotion_unix_ms == ENTERED + 30 * MINUTE


def test_work_that_begins_late_is_waited_for() -> None:
    """The earliest promotion is when the first half has it, where that is after the soak."""
    idle = {"applied_cases": 0, "executed_runs": 0, "duplicate_skips": 5}
    history = History().every(MINUTE, 19, **idle).every(MINUTE, 11, after=ENTERED + 19 * MINUTE)
    answer = decided(history)
    assert in_the_way(answer) == ["work_advances"]
    assert answer.soak.held_ms == 30 * MINUTE
    assert answer.soak.earliest_promotion_unix_ms == ENTERED + 40 * MINUTE
    later = decided(history.every(MINUTE, 10, after=ENTERED + 30 * MINUTE))
    assert later.verdict is Verdict.PROMOTE


def test_the_same_input_gives_the_same_answer() -> None:
    """Asked five times, the answer is one."""
    history = soaked()
    assert len({repr(decided(history)) for _ in range(5)}) == 1


@pytest.mark.parametrize("flaw", list(Flaw))
def test_each_flaw_of_the_evidence_holds_by_its_own_name(flaw: Flaw) -> None:
    """One flaw is enough to hold, and it alone is named, with its words and its place."""
    found = FlawFound(flaw=flaw, detail="the words", file="runtime-events.jsonl", line=3)
    answer = decided(soaked(), flaws=(found,))
    assert answer.verdict is Verdict.HOLD
    (gate,) = answer.failing_gates
    assert gate.surface == SURFACE
    assert gate.observed == "the words"
    assert gate.remedy
    assert gate.evidence is not None
    assert gate.evidence.line == 3
    assert (gate.status is GateStatus.FAIL) == (flaw in UNHEALABLE)
    assert len(answer.reasons) == 1
    assert answer.soak.earliest_promotion_unix_ms is None


def test_more_flaws_of_a_kind_are_counted() -> None:
    """The first is told, and how many more there are."""
    flaws = tuple(
        FlawFound(flaw=Flaw.INVALID_LINE, detail=f"line {number}", timestamp_unix_ms=ENTERED)
        for number in (3, 4, 9)
    )
    (gate,) = decided(soaked(), flaws=flaws).failing_gates
    assert gate.observed == "line 3 (and 2 more)"


def test_no_cycle_in_the_window_holds() -> None:
    """Cycles before the phase's entry are no evidence for the phase."""
    answer = decided(
        soaked(),
        phase_start=30,
        now=ENTERED + 31 * MINUTE,
        at=rollout(phase_entered_unix_ms=ENTERED + 30 * MINUTE),
    )
    assert answer.verdict is Verdict.HOLD
    assert "cycle_in_window" in in_the_way(answer)
    assert answer.soak.earliest_promotion_unix_ms == ENTERED + 60 * MINUTE


@pytest.mark.parametrize(("late_ms", "verdict"), [(0, Verdict.PROMOTE), (1, Verdict.HOLD)])
def test_evidence_is_stale_past_three_intervals_and_a_duration(
    late_ms: int, verdict: Verdict
) -> None:
    """An age of 3 cycle intervals plus the last cycle's duration is the longest there may be."""
    history = soaked()
    now = history.last()["timestamp_unix_ms"] + 15 * MINUTE + 12 + late_ms
    answer = decided(history, now=now)
    assert answer.verdict is verdict
    assert in_the_way(answer) == (["evidence_fresh"] if late_ms else [])


def test_a_cycle_without_a_duration_has_the_intervals_alone() -> None:
    """Where the line has no duration it counts as 0."""
    history = History().every(MINUTE, 30, cycle_duration_ms=None)
    now = history.last()["timestamp_unix_ms"] + 15 * MINUTE
    assert decided(history, now=now).verdict is Verdict.PROMOTE
    assert decided(history, now=now + 1).verdict is Verdict.HOLD


@pytest.mark.parametrize(
    ("ahead_ms", "verdict"), [(60_000, Verdict.PROMOTE), (60_001, Verdict.HOLD)]
)
def test_a_cycle_dated_in_the_future_holds(ahead_ms: int, verdict: Verdict) -> None:
    """A minute of difference between clocks is borne, no more."""
    history = soaked()
    answer = decided(history, now=history.last()["timestamp_unix_ms"] - ahead_ms)
    assert answer.verdict is verdict
    assert in_the_way(answer) == ([] if verdict is Verdict.PROMOTE else ["evidence_not_in_future"])


def test_a_clock_before_the_phases_entry_holds() -> None:
    """Who asks with a clock that went backwards gets no promotion."""
    later = rollout(phase_entered_unix_ms=ENTERED + HOUR)
    history = History().every(MINUTE, 91)
    answer = decided(history, at=later, now=ENTERED + HOUR - 1)
    assert "entry_not_in_future" in in_the_way(answer)
    assert answer.verdict is Verdict.HOLD


def test_a_policy_can_require_a_run_mode() -> None:
    """Evidence of recorded runs is none where the policy wants executed ones."""
    strict = POLICY.replaced(required_run_mode="execute")
    answer = decided(soaked(), policy=strict)
    assert answer.verdict is Verdict.HOLD
    assert in_the_way(answer) == ["run_mode", "soak"]
    executed = History().every(MINUTE, 30, run_mode="execute")
    assert decided(executed, policy=strict).verdict is Verdict.PROMOTE
    untold = History().every(MINUTE, 30, run_mode=None)
    assert decided(untold, policy=strict).verdict is Verdict.HOLD


def test_evidence_of_another_release_holds_and_restarts_the_soak() -> None:
    """What was expected at the start is required of every cycle of the soak."""
    other = History().every(MINUTE, 30, runtime_version="1.3.2")
    answer = decided(other)
    assert "evidence_of_release:runtime_version" in in_the_way(answer)
    mixed = (
        History()
        .every(MINUTE, 10, runtime_version="1.3.2")
        .every(MINUTE, 30, after=ENTERED + 10 * MINUTE)
    )
    answer = decided(mixed)
    assert in_the_way(answer) == ["soak"]
    assert answer.soak.since_unix_ms == ENTERED + 11 * MINUTE


def test_evidence_that_is_not_tied_to_the_release_is_warned_of() -> None:
    """Where no event tells it every answer says so, and what makes the runtime tell it."""
    answer = decided(soaked())
    assert answer.verdict is Verdict.PROMOTE
    (warning,) = answer.warnings
    assert "not tied to the release" in warning
    assert "run --release 1.4.0" in warning
    assert "runtime_version" not in warning
    assert decided(History().every(MINUTE, 31, release="v1.4.0")).warnings == ()
    voice = pin(name="voice")
    other = Evidence(surfaces={"voice": surface_evidence(soaked(), surface="voice")})
    answer = decide(POLICY, rollout(surfaces=(voice,)), other, now_unix_ms=ENTERED)
    assert "the key 'release' in every line" in answer.warnings[0]
    before = evidence_of(History(), tells_release=True)
    told = decide(POLICY, rollout("preflight"), before, now_unix_ms=ENTERED)
    assert told.warnings == ()
    untold = decide(POLICY, rollout("preflight"), evidence_of(History()), now_unix_ms=ENTERED)
    assert "not tied" in untold.warnings[0]


def test_gates_and_soak_wait_for_the_first_cycle_of_the_release() -> None:
    """What was before it counts for neither, however good; triggers saw it all the same."""
    history = History().every(MINUTE, 20, release="1.3.2")
    waiting = decided(history)
    assert waiting.verdict is Verdict.HOLD
    gates = {gate.name: gate for gate in waiting.gates}
    assert gates["evidence_of_release"].status is GateStatus.UNKNOWN
    assert gates["evidence_of_release"].observed == "no cycle of 1.4.0 yet; the last one: 1.3.2"
    assert "--release 1.4.0" in gates["evidence_of_release"].remedy
    assert gates["cycle_in_window"].status is GateStatus.UNKNOWN
    history.every(MINUTE, 31, after=ENTERED + 20 * MINUTE, release="1.4.0")
    answer = decided(history)
    assert answer.verdict is Verdict.PROMOTE
    assert answer.soak.since_unix_ms == ENTERED + 21 * MINUTE
    assert "no trigger looks at 20 cycles of the rollback target, 1.3.2" in answer.warnings[0]
    for other in ("1.3.2", "1.4.1", None):
        history.add(history.last()["timestamp_unix_ms"] + MINUTE, release=other)
        assert in_the_way(decided(history)) == ["evidence_of_release", "soak"]


@pytest.mark.parametrize(
    ("first", "verdict"),
    [("1.3.2", Verdict.PROMOTE), ("1.3.1", Verdict.ROLLBACK), (None, Verdict.ROLLBACK)],
)
def test_triggers_pass_over_the_rollback_target_alone(first: str | None, verdict: Verdict) -> None:
    """Its failure before the release ran is not the release's; anybody else's may be."""
    history = History().add(ENTERED + MINUTE, release=first, **failed(streak=1))
    history.every(MINUTE, 31, after=ENTERED + MINUTE, release="1.4.0")
    assert decided(history).verdict is verdict
    later = History().every(MINUTE, 31, release="1.4.0")
    later.add(ENTERED + 32 * MINUTE, release="1.3.2", **failed(streak=1))
    assert decided(later).verdict is Verdict.ROLLBACK


def test_what_was_told_of_the_release_is_carried() -> None:
    """Evidence that was left behind loosens nothing: the next cycles still have to be of it."""
    seen = pin(carried=Carried(tie=Tie.SEEN))
    assert in_the_way(decided(soaked(), at=rollout(surfaces=(seen,)))) == [
        "evidence_of_release",
        "soak",
    ]
    awaited = pin(carried=Carried(tie=Tie.AWAITED))
    assert "evidence_of_release" in in_the_way(decided(soaked(), at=rollout(surfaces=(awaited,))))


def test_the_release_that_is_expected_is_compared_as_a_version() -> None:
    """`--expect SURFACE:release=V` wants it of every cycle; a leading v says nothing."""
    at = rollout(surfaces=(pin(expected={"release": "1.4.0"}),))
    assert decided(History().every(MINUTE, 31, release="v1.4.0"), at=at).verdict is Verdict.PROMOTE
    assert "evidence_of_release:release" in in_the_way(decided(soaked(), at=at))


def test_a_frozen_rollout_holds_and_the_soak_goes_on() -> None:
    """Freezing stops promotion alone: what was held before still counts after."""
    frozen = Frozen(reason="holiday", by="ops", since_unix_ms=ENTERED)
    answer = decided(soaked(), at=rollout(frozen=frozen))
    assert answer.verdict is Verdict.HOLD
    assert in_the_way(answer) == ["promotion_not_frozen"]
    assert answer.soak.held_ms == 30 * MINUTE
    assert answer.soak.earliest_promotion_unix_ms is None
    assert "holiday" in answer.reasons[0]


# Soak


def test_a_cycle_that_breaks_a_gate_restarts_the_soak_with_the_next_clean_one() -> None:
    """One broken cycle is no lasting failure, but what was held before it is lost."""
    history = History().every(MINUTE, 20).add(ENTERED + 21 * MINUTE, backlog_cases=2)
    broken = decided(history)
    assert in_the_way(broken) == ["queue_depth", "soak"]
    assert broken.soak.since_unix_ms is None
    assert broken.soak.earliest_promotion_unix_ms is None
    history.every(MINUTE, 30, after=ENTERED + 21 * MINUTE)
    mended = decided(history)
    assert in_the_way(mended) == ["soak"]
    assert mended.soak.since_unix_ms == ENTERED + 22 * MINUTE
    assert "queue_depth" in mended.reasons[0]
    history.add(ENTERED + 52 * MINUTE)
    assert decided(history).verdict is Verdict.PROMOTE


@pytest.mark.parametrize(("late_ms", "restarts"), [(0, False), (1, True)])
def test_a_gap_restarts_the_soak_and_holds_only_until_it_is_served(
    late_ms: int,
    restarts: bool,  # noqa: FBT001 - a case of the table
) -> None:
    """A gap is past 3 intervals and the duration of the cycle that ends it."""
    gap = 15 * MINUTE + 700 + late_ms
    history = History().every(MINUTE, 20)
    back = ENTERED + 20 * MINUTE + gap
    history.add(back, cycle_duration_ms=700)
    answer = decided(history)
    assert answer.soak.since_unix_ms == (back if restarts else ENTERED)
    assert (answer.verdict is Verdict.HOLD) == restarts
    if restarts:
        assert in_the_way(answer) == ["soak"]
        assert "a gap of 15 min" in answer.reasons[0]
        history.every(MINUTE, 30, after=back)
        assert decided(history).verdict is Verdict.PROMOTE


def test_the_entry_of_the_phase_is_a_point_for_gaps() -> None:
    """A canary that starts late did not soak from its entry on."""
    history = History().add(ENTERED + 16 * MINUTE)
    assert decided(history).soak.since_unix_ms == ENTERED + 16 * MINUTE


@pytest.mark.parametrize("changes", [{}, {"backlog_cases": 5}])
def test_no_soak_starts_before_the_entry_of_the_phase(changes: Json) -> None:
    """Neither after a gap nor after a broken cycle that are older than it."""
    history = History().add(ENTERED - 50 * MINUTE, **changes)
    history.every(MINUTE, 10, after=ENTERED - 20 * MINUTE).every(MINUTE, 2)
    answer = decided(history)
    assert answer.soak.since_unix_ms == ENTERED
    assert answer.soak.held_ms == 2 * MINUTE


def test_a_gap_ended_by_a_broken_cycle_waits_for_a_clean_one() -> None:
    """The soak starts with a clean cycle, whatever ended the gap."""
    history = History().add(ENTERED + 40 * MINUTE, backlog_cases=5)
    assert decided(history).soak.since_unix_ms is None
    history.add(ENTERED + 41 * MINUTE)
    assert decided(history).soak.since_unix_ms == ENTERED + 41 * MINUTE


def test_of_several_surfaces_the_worst_counts() -> None:
    """The soak runs since the latest of them and to the earliest; one that holds holds all."""
    good, late = soaked(40), History().every(MINUTE, 10, after=ENTERED + 20 * MINUTE)
    at = rollout(surfaces=(pin(), pin(name="voice", is_chained=True)))
    evidence = Evidence(
        surfaces={
            SURFACE: surface_evidence(good),
            "voice": surface_evidence(late, surface="voice"),
        }
    )
    answer = decide(POLICY, at, evidence, now_unix_ms=ENTERED + 40 * MINUTE)
    assert answer.verdict is Verdict.HOLD
    assert in_the_way(answer) == ["work_advances", "soak"]
    assert answer.soak.since_unix_ms == ENTERED + 21 * MINUTE
    assert answer.soak.held_ms == 9 * MINUTE


# Triggers


def test_a_trigger_beats_every_gate() -> None:
    """A streak of three rolls back, though it breaks gates too."""
    history = soaked(29)
    for streak in (1, 2, 3):
        history.add(ENTERED + (29 + streak) * MINUTE, **failed(streak=streak))
    answer = decided(history)
    assert answer.verdict is Verdict.ROLLBACK
    assert {trigger.name for trigger in answer.fired_triggers} == {
        "health_regression",
        "failure_streak_breach",
        "hard_runtime_errors",
    }
    assert answer.next_phase is None
    assert answer.soak.earliest_promotion_unix_ms is None
    assert all(trigger.evidence is not None for trigger in answer.fired_triggers)


def test_a_trigger_is_judged_over_every_cycle_since_canary_1() -> None:
    """A hard error of an earlier phase still rolls back, however clean the phase is."""
    history = History().add(ENTERED - HOUR, **failed(streak=1)).every(MINUTE, 30)
    answer = decided(history, phase_start=1)
    assert answer.verdict is Verdict.ROLLBACK
    assert [trigger.name for trigger in answer.fired_triggers] == ["hard_runtime_errors"]


def test_a_pair_across_what_was_left_behind_is_a_pair() -> None:
    """The neighbour before the judged cycles counts where it is known to be unhealthy."""
    only_health = POLICY.replaced(
        triggers=tuple(t for t in POLICY.triggers if t.name == "health_regression")
    )
    history = History().add(ENTERED + MINUTE, **failed(streak=1))
    assert decided(history, policy=only_health).verdict is Verdict.HOLD
    carried = Carried(unhealthy_row=1)
    answer = decided(history, policy=only_health, at=rollout(surfaces=(pin(carried=carried),)))
    assert answer.verdict is Verdict.ROLLBACK


def test_malformed_input_is_a_hard_error() -> None:
    """Also where it was expected: canary fixtures are all-success."""
    history = soaked(29).add(ENTERED + 30 * MINUTE, **malformed())
    answer = decided(history)
    assert [trigger.name for trigger in answer.fired_triggers] == ["hard_runtime_errors"]


FIRED = FiredTrigger(
    name="failure_streak_breach",
    surface=SURFACE,
    observed="failure_streak = 3",
    threshold="failure_streak >= 3",
    action="roll back at once",
    file="runtime-events.jsonl",
    line=7,
    cycle_id="c7",
    timestamp_unix_ms=ENTERED,
)


@pytest.mark.parametrize("frozen", [None, Frozen(reason="r", by="b", since_unix_ms=ENTERED)])
def test_a_trigger_that_fired_stays_fired(frozen: Frozen | None) -> None:
    """Once recorded, it rolls back whatever its evidence is now."""
    answer = decided(soaked(), at=rollout(fired_triggers=(FIRED,), frozen=frozen))
    assert answer.verdict is Verdict.ROLLBACK
    (trigger,) = answer.fired_triggers
    assert trigger.is_latched
    assert trigger.evidence is not None
    assert trigger.evidence.line == 7


def test_a_recorded_trigger_outlives_its_policy() -> None:
    """A policy without the trigger does not unfire it; without a file it points nowhere."""
    gone = FIRED.replaced(name="gone", file=None, timestamp_unix_ms=None)
    answer = decided(soaked(), at=rollout(fired_triggers=(gone,)))
    assert [(t.name, t.evidence) for t in answer.fired_triggers] == [("gone", None)]


def test_a_trigger_that_fires_again_is_told_from_its_evidence() -> None:
    """What is seen now is told rather than what was recorded."""
    history = soaked(27)
    for streak in (1, 2, 3):
        history.add(ENTERED + (27 + streak) * MINUTE, **failed(streak=streak))
    answer = decided(history, at=rollout(fired_triggers=(FIRED,)))
    breach = next(t for t in answer.fired_triggers if t.name == "failure_streak_breach")
    assert not breach.is_latched


# Preflight and the end


def report(status: ReportStatus, *, failed: int = 0) -> ReportEvidence:
    """Return a validation report."""
    return ReportEvidence(
        name="validation",
        path="report.json",
        sha256=SHA,
        status=status,
        detail="as it is",
        total=9,
        passed=9 - failed,
        failed=failed,
    )


def preflight(given: ReportEvidence | None) -> Answer:
    """Return the answer at preflight, without any cycle."""
    reports = {} if given is None else {"validation": given}
    evidence = evidence_of(History())._replace(reports=reports)
    return decide(POLICY, rollout("preflight"), evidence, now_unix_ms=ENTERED + SECOND)


def test_preflight_needs_a_passing_report_and_no_cycle() -> None:
    """The report is of one full run; evidence is judged from canary-1 on."""
    answer = preflight(report(ReportStatus.PASSED))
    assert answer.verdict is Verdict.PROMOTE
    assert (answer.next_phase, answer.next_canary_percent) == ("canary-1", 5)
    assert [one.path for one in answer.inputs] == ["report.json"]
    assert preflight(None).verdict is Verdict.HOLD
    assert preflight(report(ReportStatus.FAILED, failed=1)).verdict is Verdict.ROLLBACK


@pytest.mark.parametrize(
    "status", sorted(set(ReportStatus) - {ReportStatus.PASSED, ReportStatus.FAILED})
)
def test_a_report_that_says_nothing_sound_holds(status: ReportStatus) -> None:
    """Only failed tests fire the trigger; what is inconsistent is no evidence."""
    answer = preflight(report(status))
    assert answer.verdict is Verdict.HOLD
    assert len(answer.failing_gates) == 1


def test_a_failed_report_rolls_back_in_a_canary_phase_too() -> None:
    """The validation trigger is judged in every phase, where a report is given."""
    evidence = evidence_of(soaked())._replace(
        reports={"validation": report(ReportStatus.FAILED, failed=2)}
    )
    answer = decide(POLICY, rollout(), evidence, now_unix_ms=ENTERED + 31 * MINUTE)
    assert answer.verdict is Verdict.ROLLBACK
    assert [trigger.name for trigger in answer.fired_triggers] == ["validation_gate_failure"]


def test_a_complete_rollout_is_judged_no_longer() -> None:
    """What its surfaces do later is the next rollout's matter."""
    closed = rollout("general-availability", status=RolloutStatus.COMPLETE)
    answer = decide(POLICY, closed, Evidence(), now_unix_ms=ENTERED)
    assert answer.verdict is Verdict.COMPLETE
    assert answer.gates == ()
    assert answer.soak.earliest_promotion_unix_ms is None


def test_a_rolled_back_rollout_stays_so() -> None:
    """Nothing but a new rollout goes on from there; the answer says why it was rolled back."""
    target = rollout().rollback.replaced(rollback_reason="queue on fire")
    closed = rollout(status=RolloutStatus.ROLLED_BACK, rollback=target, fired_triggers=(FIRED,))
    answer = decide(POLICY, closed, Evidence(), now_unix_ms=ENTERED)
    assert answer.verdict is Verdict.ROLLBACK
    assert answer.reasons == ("the rollout was rolled back: queue on fire",)
    assert [trigger.name for trigger in answer.fired_triggers] == [FIRED.name]


def test_the_soak_is_told_last_and_its_remedy_is_true() -> None:
    """It follows from the others; where its time has passed, what is missing is a cycle."""
    broken = History().every(MINUTE, 3).add(ENTERED + 4 * MINUTE, backlog_cases=2)
    last = decided(broken).gates[-1]
    assert last.name == "soak"
    assert last.remedy == "see to the other gates first: the soak follows from them"
    assert last.observed == "0 s, to begin anew with a clean cycle: queue_depth broke in one cycle"
    late = decided(History().every(MINUTE, 29), now=ENTERED + 40 * MINUTE)
    assert late.gates[-1].remedy.startswith("run a clean cycle: the time has passed")
    running = decided(History().every(MINUTE, 29))
    assert running.gates[-1].remedy == "go on running clean cycles for 1 min more"


def test_a_closed_rollout_is_not_warned_about() -> None:
    """What the next start should say is of no use once it is over."""
    over = rollout(status=RolloutStatus.COMPLETE)
    assert decided(soaked(), at=over).warnings == ()


def remedies(*found: Flaw, file: str = "state.json", **changes: Any) -> dict[str, str]:  # noqa: ANN401 - any field
    """Return what to do about flaws of a log of 30 cycles, by the gates' names."""
    flaws = tuple(FlawFound(flaw=flaw, detail="it", file=file) for flaw in found)
    failing = decided(soaked(), flaws=flaws, **changes).failing_gates
    return {gate.name: gate.remedy for gate in failing}


def test_a_missing_file_is_put_back_where_the_other_is_there() -> None:
    """Both missing is another thing: nothing runs there."""
    state = remedies(Flaw.NO_FILES)["files_present"]
    assert state.startswith("the event log is there: put state.json back from a copy, or rebuild")
    log = remedies(Flaw.NO_FILES, file="runtime-events.jsonl")["files_present"]
    assert log == "put the event log back from a copy: state.json is there"
    both = remedies(Flaw.NO_FILES, Flaw.NO_FILES)["files_present"]
    assert "--surface NAME=WHERE_IT_IS_NOW" in both


def test_a_torn_line_that_the_state_names_is_not_mended_by_a_cycle() -> None:
    """The next one would leave a break; and a state that disagrees then only follows."""
    state = parse_snapshot([json.dumps(soaked().state()).encode()])
    found = remedies(
        Flaw.TORN_TAIL,
        Flaw.DISAGREES,
        snapshot=state,
        end=History(lines=soaked().lines[:29]).position(),
    )
    assert found["last_line_whole"].startswith(
        "cycle 30 is in state.json, but its line is cut off: put the line back"
    )
    assert "damage to the log: see to that first" in found["log_matches_state"]
    for plain in (remedies(Flaw.TORN_TAIL), remedies(Flaw.TORN_TAIL, snapshot=state)):
        assert "moves the torn bytes aside" in plain["last_line_whole"]
    damaged = remedies(Flaw.INVALID_LINE, Flaw.DISAGREES)["log_matches_state"]
    assert "damage to the log" in damaged
    alone = remedies(Flaw.DISAGREES)["log_matches_state"]
    assert "the next cycle of an untouched runtime mends it" in alone


def test_the_limit_of_an_age_says_where_it_comes_from() -> None:
    """The cycle interval that was set at the start, three times; and a long cycle's own time."""
    stale = decided(soaked(), now=ENTERED + 3 * HOUR)
    (fresh,) = (gate for gate in stale.failing_gates if gate.name == "evidence_fresh")
    assert fresh.required == ("a cycle at least every 15 min (3 x the cycle interval of 5 min)")
    slow = History().add(ENTERED + MINUTE, cycle_duration_ms=2000)
    required = {gate.name: gate.required for gate in decided(slow).gates}
    assert required["evidence_fresh"].endswith("of 5 min, plus what the last one took)")


def test_the_reserved_names_are_those_of_the_gates_that_are_always_there() -> None:
    """No policy may define a gate of a name that the gate's own have, and no other is taken."""
    policy = altered(("schema_version = 1", 'schema_version = 1\nrequired_run_mode = "record"'))
    entry = replace(world_of([(0, {})]), policy=policy)
    preflight = replace(entry, rollout=rollout("preflight"))
    of_policy = {gate.name for phase in policy.phases for gate in phase.gates}
    always = {
        gate.name
        for world in (entry, preflight)
        for gate in world.answer().gates
        if not gate.name.startswith("evidence_of_release:")
    }
    assert always - of_policy == RESERVED_NAMES
