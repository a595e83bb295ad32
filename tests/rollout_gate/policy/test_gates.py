"""Each kind of gate, at its boundary."""

from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tau_rollout_gate.contract.rollout import Channel, RollbackTarget
from tau_rollout_gate.evidence.values import (
    Cycle,
    Evidence,
    ReportEvidence,
    ReportStatus,
    SignoffEvidence,
    SignoffItem,
)
from tau_rollout_gate.policy.findings import GateStatus
from tau_rollout_gate.policy.gates.artifacts_grow import ArtifactsGrowGate
from tau_rollout_gate.policy.gates.checklist_complete import ChecklistCompleteGate
from tau_rollout_gate.policy.gates.interface import (
    REENTER,
    CycleGate,
    Finding,
    Window,
    WindowGate,
)
from tau_rollout_gate.policy.gates.no_new_reason_code import NoNewReasonCodeGate
from tau_rollout_gate.policy.gates.pressure_does_not_rise import PressureDoesNotRiseGate
from tau_rollout_gate.policy.gates.reason_code_advances import ReasonCodeAdvancesGate
from tau_rollout_gate.policy.gates.reason_code_present import ReasonCodePresentGate
from tau_rollout_gate.policy.gates.report_passes import ReportPassesGate
from tau_rollout_gate.policy.gates.signal import SignalGate
from tau_rollout_gate.policy.gates.target_recorded import TargetRecordedGate
from tau_rollout_gate.policy.gates.timeline_ok import TimelineOkGate
from tau_rollout_gate.policy.gates.work_advances import Work, WorkAdvancesGate
from tau_rollout_gate.policy.signals import Signal
from tests.rollout_gate.making import ENTERED, MINUTE, SHA, SURFACE, History, failed, pin, rollout

PASS, FAIL = GateStatus.PASS, GateStatus.FAIL
UNKNOWN, NOT_APPLICABLE = GateStatus.UNKNOWN, GateStatus.NOT_APPLICABLE


def one_cycle(**changes: Any) -> Cycle:  # noqa: ANN401 - any JSON
    """Return a healthy cycle, but for `changes`."""
    return History().add(ENTERED + MINUTE, **changes).cycles()[0]


def judged(
    gate: WindowGate,
    *cycles: tuple[int, dict[str, Any]],
    earlier: tuple[Cycle, ...] = (),
    is_change_expected: bool = False,
    surface: str = SURFACE,
    now: int | None = None,
) -> Finding:
    """Return how a gate stands with a cycle at each number of minutes after the entry.

    `now` is in minutes too, that of the last cycle where it is left out.
    """
    history = History()
    for minutes, differs in cycles:
        history.add(ENTERED + minutes * MINUTE, **differs)
    window = Window(
        rollout(registry_changes_expected=is_change_expected),
        pin(name=surface),
        ENTERED,
        [gate],
        soak_ms=30 * MINUTE,
        is_since_canary=gate.is_since_canary,
    )
    for cycle in (*earlier, *history.cycles()):
        window.add(cycle)
    minutes = max([0, *(at for at, _ in cycles)]) if now is None else now
    finding = window.finding(gate, ENTERED + minutes * MINUTE)
    assert window.status(gate) is finding.status
    return finding


def says_what_to_do(finding: Finding) -> bool:
    """Tell whether a finding has a remedy exactly where one is needed."""
    return bool(finding.remedy) != finding.status.lets_pass


@pytest.mark.parametrize(
    ("gate", "changes", "holds", "observed"),
    [
        (
            {"signal": "queue_depth", "at_most": 1},
            {"backlog_cases": 1},
            True,
            "backlog_cases = 1 (queue_depth)",
        ),
        (
            {"signal": "queue_depth", "at_most": 1},
            {"backlog_cases": 2},
            False,
            "backlog_cases = 2 (queue_depth)",
        ),
        ({"signal": "failure_streak", "equals": 0}, {}, True, "failure_streak = 0"),
        (
            {"signal": "failure_streak", "equals": 0},
            failed(streak=1),
            False,
            "failure_streak = 1",
        ),
        ({"signal": "failure_streak", "at_most": 2}, failed(streak=2), True, None),
        ({"signal": "failure_streak", "at_most": 2}, failed(streak=3), False, None),
        ({"signal": "last_cycle_failed", "equals": 0}, {}, True, None),
        ({"signal": "last_cycle_failed", "equals": 0}, failed(streak=1), False, None),
        ({"signal": "rollout_gate", "equals": "pass"}, {}, True, "rollout_gate = pass"),
        (
            {"signal": "rollout_gate", "equals": "pass"},
            failed(streak=1),
            False,
            "rollout_gate = hold",
        ),
        ({"signal": "health_state", "equals": "healthy"}, {}, True, None),
        (
            {"signal": "health_state", "equals": "healthy"},
            failed(streak=3),
            False,
            "health_state = failing",
        ),
        ({"signal": "applied_cases", "at_least": 5}, {}, True, None),
        ({"signal": "applied_cases", "at_least": 6}, {}, False, None),
        (
            {"signal": "unexpected_malformed_cases", "equals": 0},
            {"unexpected_malformed_cases": None},
            None,
            "unexpected_malformed_cases is not told",
        ),
    ],
)
def test_a_signal_is_compared_at_its_boundary(
    gate: dict[str, Any], changes: dict[str, Any], observed: str | None, *, holds: bool | None
) -> None:
    """Equal to a bound is within it; what a line does not tell is neither true nor false."""
    judged = SignalGate(**(gate | {"name": "it", "signal": Signal(gate["signal"])}))
    cycle = one_cycle(**changes)
    assert judged.holds(cycle) is holds
    assert observed in {None, judged.seen_in(cycle)}
    assert judged.remedy


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        ({"equals": 0}, "queue_depth = 0"),
        ({"at_most": 1}, "queue_depth <= 1"),
        ({"at_least": 2}, "queue_depth >= 2"),
    ],
)
def test_a_signal_gate_says_what_it_requires(gate: dict[str, Any], words: str) -> None:
    """An operator reads the comparison, not the configuration."""
    assert SignalGate(name="it", signal=Signal.QUEUE_DEPTH, **gate).required == words


@pytest.mark.parametrize(
    ("codes", "holds", "observed"),
    [
        (["command_runs_recorded"], True, "none"),
        (["case_processing_failed"], False, "case_processing_failed"),
    ],
)
def test_a_new_reason_code_breaks_its_gate(codes: list[str], observed: str, *, holds: bool) -> None:
    """One such cycle is enough, and others' codes are none of its business."""
    gate = NoNewReasonCodeGate(name="it", codes=("case_processing_failed", "retry_attempted"))
    differs = failed(streak=1) if "case_processing_failed" in codes else {}
    cycle = one_cycle(**(differs | {"reason_codes": codes}))
    assert (gate.holds(cycle), gate.seen_in(cycle)) == (holds, observed)
    assert gate.required == "no new case_processing_failed or retry_attempted"
    assert gate.remedy


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, None),
        ({"timeline": [{"status": "ok"}, {"status": "ok"}]}, True),
        ({"timeline": [{"status": "ok"}, {"status": "timeout"}]}, False),
        ({"timeline": [{"status": "ok", "error_code": "dom"}]}, False),
        ({"timeline": [{"status": "ok", "error_code": ""}]}, False),
        ({"timeline": [], "executed_cases": 0}, True),
        ({"timeline": [], "executed_cases": 1}, None),
        ({"timeline": []}, None),
    ],
)
def test_every_timeline_item_must_be_ok(changes: dict[str, Any], *, holds: bool | None) -> None:
    """A step that failed breaks the gate; a missing or unexplained empty timeline is unknown."""
    gate: CycleGate = TimelineOkGate(name="it")
    assert gate.holds(one_cycle(**changes)) is holds
    assert gate.required
    assert gate.remedy


OK = [{"status": "ok"}]


def test_a_failed_timeline_item_is_shown_by_its_number() -> None:
    """The operator is told which step to look at."""
    cycle = one_cycle(timeline=[{"status": "ok"}, {"status": "bad", "error_code": "E1"}])
    seen = TimelineOkGate(name="it").seen_in(cycle)
    assert seen == "timeline item 2: status bad, error_code E1"
    words = [TimelineOkGate(name="it").seen_in(one_cycle(timeline=one)) for one in (None, [], OK)]
    assert words == ["no timeline is told", "an empty timeline", "every item ok"]
    assert "timeline" in TimelineOkGate(name="it").remedy_untold


RUN = {"reason_codes": ["command_runs_recorded"]}
IDLE = {"reason_codes": ["healthy_cycle"]}


@pytest.mark.parametrize(
    ("cycles", "status"),
    [
        ([(5, RUN), (10, RUN)], PASS),
        ([(5, RUN), (10, IDLE)], FAIL),
        ([(4, IDLE), (10, RUN)], FAIL),
        # The cycle at the middle belongs to the first half, a minute later to the second.
        ([(1, IDLE), (5, RUN), (10, IDLE)], FAIL),
        ([(1, RUN), (5, RUN), (10, IDLE)], FAIL),
        ([(1, RUN), (6, RUN), (10, IDLE)], PASS),
        ([(1, IDLE), (5, RUN), (9, IDLE), (10, RUN)], PASS),
        ([(1, IDLE), (6, RUN), (9, IDLE), (10, RUN)], FAIL),
        ([(10, RUN)], UNKNOWN),
        ([(0, RUN)], UNKNOWN),
        ([], UNKNOWN),
    ],
)
def test_a_reason_code_advances_in_both_halves(
    cycles: list[tuple[int, dict[str, Any]]], status: GateStatus
) -> None:
    """At least one cycle of each half has it; a half without cycles tells nothing."""
    gate = ReasonCodeAdvancesGate(name="it", code="command_runs_recorded")
    finding = judged(gate, *cycles)
    assert finding.status is status
    assert finding.cycles_help == (status is not PASS)
    assert says_what_to_do(finding)
    assert "each half" in gate.required


def test_an_advance_shows_the_last_cycle_that_has_it() -> None:
    """The evidence of a pass is a cycle with the code, not merely the last one."""
    gate = ReasonCodeAdvancesGate(name="it", code="command_runs_recorded")
    finding = judged(gate, (1, RUN), (8, RUN), (10, IDLE))
    assert finding.observed == "1 of 1 and 1 of 2 cycles of the two halves"
    assert finding.cycle is not None
    assert finding.cycle.line == 2


DONE = {"applied_cases": 1, "executed_runs": 0}
DUPLICATES = {"applied_cases": 0, "executed_runs": 0, "duplicate_skips": 5}
UNTOLD = {"applied_cases": None, "executed_runs": None}


@pytest.mark.parametrize(
    ("cycles", "status", "cycles_help"),
    [
        ([(5, DONE), (10, DONE)], PASS, False),
        ([(5, DONE), (10, DUPLICATES | {"executed_runs": 1})], PASS, False),
        ([(5, DUPLICATES), (6, DUPLICATES), (10, DUPLICATES)], FAIL, False),
        ([(5, DONE), (10, DUPLICATES)], FAIL, False),
        ([(5, DUPLICATES), (10, DONE)], FAIL, True),
        ([(10, DONE)], UNKNOWN, True),
        ([(10, DUPLICATES)], UNKNOWN, False),
        ([], UNKNOWN, True),
        # What tells nothing is no work; of what tells, both halves need some.
        ([(5, DONE), (10, UNTOLD)], UNKNOWN, False),
        ([(5, DONE), (6, UNTOLD), (10, UNTOLD | DONE)], PASS, False),
    ],
)
def test_work_goes_on_in_both_halves(
    cycles: list[tuple[int, dict[str, Any]]], status: GateStatus, *, cycles_help: bool
) -> None:
    """A case applied or a run carried out, early and late; a duplicate is no work.

    Cycles that are no duplicates are asked for where the last one was, not where work goes on.
    """
    finding = judged(WorkAdvancesGate(name="it"), *cycles)
    assert (finding.status, finding.cycles_help) == (status, cycles_help)
    assert says_what_to_do(finding)
    if status is FAIL:
        assert ("--fresh" in finding.remedy) == (not cycles_help)
        assert ("--fresh" in finding.command) == (not cycles_help)


RUNS = ReasonCodeAdvancesGate(name="it", code="command_runs_recorded")
LATE = [*((at, DUPLICATES | IDLE) for at in (5, 10, 15)), (20, DONE | RUN)]


@pytest.mark.parametrize(
    "gate", [WorkAdvancesGate(name="it"), RUNS], ids=lambda gate: type(gate).__name__
)
def test_the_first_half_has_what_began_late_from_a_certain_time_on(gate: WindowGate) -> None:
    """Entered at E, with the first work at W it is 2 W - E: then it passes, and not sooner."""
    finding = judged(gate, *LATE)
    assert finding.status is FAIL
    assert finding.from_unix_ms == ENTERED + 40 * MINUTE
    assert "began at 2026-01-01T00:20:00Z is in the first half from 2026-01-01T00:40:00Z on" in (
        finding.remedy
    )
    assert "reenter" not in finding.remedy + finding.command
    for minutes, status in ((39, FAIL), (40, PASS), (41, PASS)):
        assert judged(gate, *LATE, (minutes, DONE | RUN)).status is status


@pytest.mark.parametrize(
    "gate", [WorkAdvancesGate(name="it"), RUNS], ids=lambda gate: type(gate).__name__
)
def test_a_first_half_without_anything_has_it_from_as_late_as_the_next_cycle(
    gate: WindowGate,
) -> None:
    """What nobody did yet begins now at the earliest; no cycle at all is the same."""
    for cycles in (LATE[:3], LATE[:1], []):
        finding = judged(gate, *cycles, now=16)
        assert finding.from_unix_ms == ENTERED + 32 * MINUTE
        assert "begins now is in the first half from 2026-01-01T00:32:00Z on" in finding.remedy
    assert judged(gate, now=-5).from_unix_ms == ENTERED  # by a clock that is behind the entry


@pytest.mark.parametrize(
    "gate", [WorkAdvancesGate(name="it"), RUNS], ids=lambda gate: type(gate).__name__
)
def test_where_a_soak_is_shorter_the_phase_is_to_be_entered_anew(gate: WindowGate) -> None:
    """Work since 00:40 is in the first half from 01:20 on; the soak is 30 min."""
    late = [*((at, DUPLICATES | IDLE) for at in range(5, 40, 5)), (40, DONE | RUN)]
    assert "reenter" not in judged(gate, *late, now=50).remedy
    assert judged(gate, *late, now=50).command == ""
    sooner = judged(gate, *late, now=49)
    assert sooner.remedy.endswith("; sooner is 'reenter --reason': 30 min from then")
    assert (sooner.command, sooner.cycles_help) == (REENTER, True)
    # Where nothing goes on yet that comes first.
    idle = judged(gate, *((at, DUPLICATES | IDLE) for at in range(5, 45, 5)), now=45)
    assert "'reenter --reason'" in idle.remedy
    assert idle.command == "run FIXTURE --fresh"


WORK = WorkAdvancesGate(
    name="it",
    work=(
        Work(surface="voice", codes=("turns_handled",)),
        Work(surface="browser", counters=(Signal.EXECUTED_CASES,)),
    ),
)
TURNS = UNTOLD | {"reason_codes": ["turns_handled"]}
NOTHING = UNTOLD | {"reason_codes": ["healthy_cycle"]}


@pytest.mark.parametrize(
    ("surface", "cycles", "status"),
    [
        ("voice", [(5, TURNS), (10, TURNS)], PASS),
        ("voice", [(5, TURNS), (10, DONE)], PASS),
        ("voice", [(5, TURNS), (10, NOTHING)], FAIL),
        ("browser", [(5, UNTOLD | {"executed_cases": 1})] * 2 + [(10, DONE)], PASS),
        ("browser", [(5, UNTOLD | {"executed_cases": 1}), (10, UNTOLD)], UNKNOWN),
        ("browser", [(5, UNTOLD | {"executed_cases": 0}), (10, DONE)], FAIL),
        ("memory", [(5, TURNS), (10, TURNS)], UNKNOWN),
        ("memory", [(5, DONE), (10, DONE)], PASS),
    ],
)
def test_the_policy_knows_what_work_is_of_other_surfaces(
    surface: str, cycles: list[tuple[int, dict[str, Any]]], status: GateStatus
) -> None:
    """Its codes and counters, beside the two; where nothing is known, the line to add is told."""
    finding = judged(WORK, *cycles, surface=surface)
    assert finding.status is status
    if status is UNKNOWN:
        assert f'work = [{{ surface = "{surface}", codes = [' in finding.remedy
    elif status is FAIL and not finding.cycles_help:
        assert f"see that {surface} is used" in finding.remedy
    elif status is FAIL:
        assert "go on running cycles that work" in finding.remedy


def retries(number: int | None) -> dict[str, Any]:
    """Return what differs in a cycle with so many retries; None where it does not tell."""
    return {"retry_attempts": number}


@pytest.mark.parametrize(
    ("cycles", "status", "cycles_help"),
    [
        ([(5, retries(0)), (10, retries(0))], PASS, False),
        ([(5, retries(1)), (10, retries(1))], PASS, False),
        ([(5, retries(1)), (10, retries(2))], FAIL, True),
        ([(5, retries(2)), (10, retries(1))], PASS, False),
        # sum2 * n1 == sum1 * n2: 3 in 2 cycles, then 3 in 2; and 2 in 1, then 4 in 2.
        ([(1, retries(1)), (2, retries(2)), (9, retries(3)), (10, retries(0))], PASS, False),
        ([(2, retries(2)), (9, retries(1)), (10, retries(3))], PASS, False),
        ([(2, retries(2)), (9, retries(2)), (10, retries(3))], FAIL, True),
        # More in all, but fewer a cycle.
        ([(1, retries(3)), (8, retries(2)), (9, retries(2)), (10, retries(2))], PASS, False),
        # The middle cycle counts with the first half.
        ([(5, retries(2)), (10, retries(2))], PASS, False),
        ([(1, retries(0)), (5, retries(4)), (10, retries(2))], PASS, False),
        ([(1, retries(0)), (6, retries(4)), (10, retries(2))], FAIL, True),
        ([(10, retries(0))], UNKNOWN, True),
        # A cycle of the very time of the entry is all of the first half.
        ([(0, retries(0))], UNKNOWN, True),
        ([], UNKNOWN, True),
        ([(5, retries(0)), (10, retries(None))], UNKNOWN, False),
        ([(10, retries(None))], UNKNOWN, False),
    ],
)
def test_pressure_does_not_rise(
    cycles: list[tuple[int, dict[str, Any]]], status: GateStatus, *, cycles_help: bool
) -> None:
    """The later half's mean is at most the earlier one's; what is not told is not a zero."""
    gate = PressureDoesNotRiseGate(name="it", counters=(Signal.RETRY_ATTEMPTS,))
    finding = judged(gate, *cycles)
    assert (finding.status, finding.cycles_help) == (status, cycles_help)
    assert says_what_to_do(finding)
    assert gate.required.startswith("retry_attempts a cycle")


def test_each_counter_is_judged_by_itself() -> None:
    """Fewer of one do not make up for more of another, which is named with its worst cycle."""
    gate = PressureDoesNotRiseGate(
        name="it", counters=(Signal.RETRY_ATTEMPTS, Signal.RETRYABLE_FAILURES)
    )
    finding = judged(
        gate,
        (5, {"retry_attempts": 9, "retryable_failures": 0}),
        (8, {"retry_attempts": 0, "retryable_failures": 1}),
        (10, {"retry_attempts": 0, "retryable_failures": 0}),
    )
    assert finding.status is FAIL
    assert finding.cycle is not None
    assert finding.cycle.line == 2
    assert "retryable_failures" in finding.remedy
    assert "retry_attempts" not in finding.remedy


@pytest.mark.parametrize(
    ("cycles", "changes", "status", "observed"),
    [
        (
            [RUN, RUN],
            {"is_change_expected": False},
            NOT_APPLICABLE,
            "no registry changes are expected",
        ),
        ([RUN, RUN], {}, FAIL, "in none of 2 cycles"),
        ([RUN, {}], {}, PASS, "present"),
        ([], {}, UNKNOWN, "in none of 0 cycles"),
    ],
)
def test_a_reason_code_is_present_when_it_is_expected(
    cycles: list[dict[str, Any]], changes: dict[str, Any], status: GateStatus, observed: str | None
) -> None:
    """Only an announced change is asked for, and waiting alone does not make it."""
    gate = ReasonCodePresentGate(
        name="it", code="command_registry_mutated", when="registry_changes_expected"
    )
    finding = judged(gate, *enumerate(cycles, start=5), **({"is_change_expected": True} | changes))
    assert finding.status is status
    assert observed in {None, finding.observed}
    assert not finding.cycles_help
    assert says_what_to_do(finding)
    assert "command_registry_mutated" in gate.required


def test_a_reason_code_of_an_earlier_phase_is_present() -> None:
    """Present is: in any cycle since canary-1 was entered, not only in this phase's."""
    gate = ReasonCodePresentGate(
        name="it", code="command_registry_mutated", when="registry_changes_expected"
    )
    assert gate.is_since_canary
    earlier = History().add(ENTERED - MINUTE).cycles()
    finding = judged(gate, (5, RUN), earlier=earlier, is_change_expected=True)
    assert (finding.status, finding.cycle) == (PASS, earlier[0])


@settings(deadline=None)
@given(
    pauses=st.lists(st.integers(0, 9), max_size=12),
    values=st.lists(st.integers(0, 3), min_size=12, max_size=12),
    first=st.integers(-5, 9),
)
def test_halves_that_run_along_are_those_by_definition(
    pauses: list[int], values: list[int], first: int
) -> None:
    """After every cycle: by time from the entry to the last one, the middle with the first."""
    code = ReasonCodeAdvancesGate(name="it", code="command_runs_recorded")
    sums = PressureDoesNotRiseGate(name="it", counters=(Signal.RETRY_ATTEMPTS,))
    minutes = list(accumulate(pauses, initial=first))
    cycles = [
        (at, (RUN if value else IDLE) | {"retry_attempts": value})
        for at, value in zip(minutes, values, strict=False)
    ]
    for count in range(1, len(cycles) + 1):
        end = cycles[count - 1][0]
        halves: tuple[list[int], list[int]] = ([], [])
        for (at, _), value in zip(cycles[:count], values, strict=False):
            halves[2 * at > end].append(value)
        advance, pressure = judged(code, *cycles[:count]), judged(sums, *cycles[:count])
        early, late = (f"{sum(map(bool, half))} of {len(half)}" for half in halves)
        assert advance.observed == f"{early} and {late} cycles of the two halves"
        if all(halves):
            early, late = (f"{sum(half)} in {len(half)}" for half in halves)
            assert pressure.observed == f"retry_attempts {early} cycles, then {late}"
        if pressure.status is FAIL:
            assert pressure.cycle is not None
            peak = len(halves[0]) + halves[1].index(max(halves[1])) + 1
            assert pressure.cycle.line == peak


def test_a_clock_that_runs_backwards_takes_no_cycle_out_of_its_half() -> None:
    """A cycle dated before an earlier one counts as of that one's time; the window holds anyway."""
    gate = ReasonCodeAdvancesGate(name="it", code="command_runs_recorded")
    assert judged(gate, (1, RUN), (10, IDLE), (2, RUN)).observed == (
        "1 of 1 and 1 of 2 cycles of the two halves"
    )


def store(records: int | None, executed: int | None) -> dict[str, Any]:
    """Return what differs in a cycle of a browser; None where it does not tell."""
    values = {"artifact_records": records, "executed_cases": executed}
    return {key: value for key, value in values.items() if value is not None}


@pytest.mark.parametrize(
    ("cycles", "status", "cycles_help"),
    [
        ([(1, store(3, 1)), (2, store(4, 1))], PASS, False),
        ([(1, store(3, 1)), (2, store(3, 1))], FAIL, False),
        ([(1, store(3, 1)), (2, store(3, 0)), (3, store(4, 2))], PASS, False),
        ([(1, store(3, 1)), (2, store(2, 0)), (3, store(4, 2))], FAIL, False),
        ([(1, store(3, 1)), (2, store(3, 0))], UNKNOWN, True),
        ([(1, store(3, 1))], UNKNOWN, True),
        ([], UNKNOWN, True),
        ([(1, store(3, 1)), (2, store(None, 1))], UNKNOWN, False),
        ([(1, store(3, 1)), (2, store(4, None))], UNKNOWN, False),
        ([(1, store(None, 1)), (2, store(4, 1))], UNKNOWN, False),
    ],
)
def test_artifacts_grow_with_executed_cases(
    cycles: list[tuple[int, dict[str, Any]]], status: GateStatus, *, cycles_help: bool
) -> None:
    """More records after every cycle that executed cases, never fewer, and no proof from idling."""
    gate = ArtifactsGrowGate(name="it")
    finding = judged(gate, *cycles)
    assert (finding.status, finding.cycles_help) == (status, cycles_help)
    assert says_what_to_do(finding)
    assert "artifact_records" in gate.required


def signoff(*problems: str | None, fields: tuple[str, ...] = ()) -> SignoffEvidence:
    """Return a sign-off with an item for each problem, None for a complete one."""
    items = tuple(
        SignoffItem(key=f"preflight.item-{index}", problem=problem, claim=None)
        for index, problem in enumerate(problems)
    )
    return SignoffEvidence(path="signoff.toml", problems=fields, items=items, inputs=())


@pytest.mark.parametrize(
    ("given", "status", "observed"),
    [
        (None, UNKNOWN, "no sign-off"),
        (signoff(None, None), PASS, "all 2 items have evidence"),
        (signoff(None, "blank"), FAIL, "1 open: preflight.item-1: blank"),
        (signoff(None, fields=("owner: blank",)), FAIL, "1 open: owner: blank"),
        (signoff(fields=("s: a", "s: b"))._replace(is_readable=False), UNKNOWN, "s: a; s: b"),
        (
            signoff("a", "b", "c", "d"),
            FAIL,
            "4 open: preflight.item-0: a; preflight.item-1: b; preflight.item-2: c; and 1 more",
        ),
    ],
)
def test_the_checklist_must_be_complete(
    given: SignoffEvidence | None, status: GateStatus, observed: str
) -> None:
    """One open item or field holds, and so does no sign-off at all."""
    gate = ChecklistCompleteGate(name="it")
    finding = gate.judge(rollout(), Evidence(signoff=given))
    assert (finding.status, finding.observed) == (status, observed)
    assert (finding.evidence is not None) == (given is not None)
    assert says_what_to_do(finding)
    assert gate.required


def report(status: ReportStatus, *, number_failed: int = 0) -> ReportEvidence:
    """Return a report called `validation`."""
    return ReportEvidence(
        name="validation",
        path="report.json",
        sha256=SHA,
        status=status,
        detail=f"it is {status}",
        total=5,
        passed=5 - number_failed,
        failed=number_failed,
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (ReportStatus.PASSED, PASS),
        (ReportStatus.FAILED, FAIL),
        (ReportStatus.INCONSISTENT, UNKNOWN),
        (ReportStatus.EMPTY, UNKNOWN),
        (ReportStatus.OTHER_RELEASE, UNKNOWN),
        (ReportStatus.USED_BEFORE, UNKNOWN),
    ],
)
def test_only_a_report_that_passed_passes(given: ReportStatus, expected: GateStatus) -> None:
    """Every status but one holds, each with its own remedy, in every phase."""
    gate = ReportPassesGate(name="it")
    evidence = Evidence(reports={"validation": report(given)})
    for phase in ("preflight", "canary-1"):
        finding = gate.judge(rollout(phase), evidence)
        assert (finding.status, finding.observed) == (expected, f"it is {given}")
        assert says_what_to_do(finding)
    assert gate.required == "the report 'validation' passes"


def test_a_report_is_needed_in_preflight_and_not_later() -> None:
    """None given is a hold at preflight and not applicable later; another name is none given."""
    evidence = Evidence(reports={"other": report(ReportStatus.PASSED)})
    finding = ReportPassesGate(name="it").judge(rollout("preflight"), evidence)
    assert finding.status is UNKNOWN
    assert "--validation validation=FILE" in finding.remedy
    assert finding.observed == "no report 'validation' (given: other)"
    assert finding.command == "advance --validation validation=REPORT"
    later = ReportPassesGate(name="it").judge(rollout("canary-1"), evidence)
    assert later.status is NOT_APPLICABLE
    named = ReportPassesGate(name="it", report="other").judge(rollout("preflight"), evidence)
    assert named.status is PASS


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("1.3.2", PASS),
        ("v1.3.2", PASS),
        ("1.4.0-rc.1", PASS),
        ("1.4.0", FAIL),
        ("v1.4.0", FAIL),
        ("1.4.0+build.7", FAIL),
        ("1.3", FAIL),
        ("latest", FAIL),
        ("vv1.3.2", FAIL),
        ("1.1٣.2", FAIL),
    ],
)
def test_the_rollback_target_is_another_version(version: str, status: GateStatus) -> None:
    """Going back to the release itself, or to no version at all, is no way back."""
    gate = TargetRecordedGate(name="it")
    target = RollbackTarget(rollback_channel=Channel.BETA, rollback_version=version)
    finding = gate.judge(rollout("preflight", rollback=target), Evidence())
    assert (finding.status, finding.observed) == (status, f"{version} on beta")
    assert says_what_to_do(finding)
    assert gate.required


def test_a_gate_without_surfaces_is_for_all() -> None:
    """Surfaces limit a gate; none named limits nothing."""
    assert TimelineOkGate(name="it").applies_to("voice")
    limited = TimelineOkGate(name="it", surfaces=("browser-automation",))
    assert limited.applies_to("browser-automation")
    assert not limited.applies_to("voice")
