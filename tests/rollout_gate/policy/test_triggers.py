"""Each kind of trigger, at its boundary."""

from typing import Any

import pytest

from tau_rollout_gate.evidence.values import Cycle, Evidence, ReportEvidence, ReportStatus
from tau_rollout_gate.policy.signals import Signal
from tau_rollout_gate.policy.triggers.interface import CycleTrigger, Sign, Watch
from tau_rollout_gate.policy.triggers.new_reason_code import NewReasonCodeTrigger
from tau_rollout_gate.policy.triggers.report_fails import ReportFailsTrigger
from tau_rollout_gate.policy.triggers.signal import SignalTrigger
from tau_rollout_gate.policy.triggers.timeline_item_failed import TimelineItemFailedTrigger
from tests.rollout_gate.making import ENTERED, MINUTE, SHA, History, failed, malformed

ACTION = "roll back"
BAD = ("degraded", "failing")


def cycles(*differences: dict[str, Any]) -> tuple[Cycle, ...]:
    """Return cycles a minute apart, healthy but for what differs."""
    history = History()
    for number, differs in enumerate(differences, start=1):
        history.add(ENTERED + number * MINUTE, **differs)
    return history.cycles()


def look(trigger: CycleTrigger, seen: tuple[Cycle, ...], *, unhealthy_row: int = 0) -> Sign:
    """Return what a trigger has seen after these cycles, before which there was such a row."""
    watch = Watch(trigger)
    watch.carry(unhealthy_row)
    for cycle in seen:
        watch.add(cycle, is_bad=trigger.is_bad(cycle))
    return watch.sign


def health(**changes: Any) -> SignalTrigger:  # noqa: ANN401 - any field
    """Return the trigger on two bad healths in a row, but for `changes`."""
    values: dict[str, Any] = {"signal": Signal.HEALTH_STATE, "one_of": BAD, "consecutive": 2}
    return SignalTrigger(name="it", action=ACTION, **(values | changes))


SICK = failed(streak=1)
SICKER = failed(streak=2)


@pytest.mark.parametrize(
    ("differences", "fired_at"),
    [
        ([], None),
        ([SICK], None),
        ([SICK, SICKER], 2),
        ([SICK, {}, SICK], None),
        ([{}, SICK, SICKER, {}], 3),
        ([SICK, {}, SICK, SICKER], 4),
        ([failed(streak=2), failed(streak=3)], 2),
    ],
)
def test_health_regresses_in_two_neighbouring_cycles(
    differences: list[dict[str, Any]], fired_at: int | None
) -> None:
    """One unhealthy cycle is one check, two neighbours fire, two with a healthy one between not."""
    sign = look(health(), cycles(*differences))
    assert sign.fired == (fired_at is not None)
    if fired_at is not None:
        assert sign.cycle is not None
        assert sign.cycle.line == fired_at


def test_looking_again_is_not_another_check() -> None:
    """A check is one distinct cycle, however often the evaluator is called."""
    trigger, seen = health(), cycles(SICK)
    for _ in range(5):
        assert not look(trigger, seen).fired


@pytest.mark.parametrize(
    ("trigger", "differences", "fires"),
    [
        (health(), [SICK], True),
        (health(), [{}, SICK], False),
        (health(), [], False),
        (health(one_of=("failing",)), [failed(streak=3)], True),
        (health(one_of=("healthy",)), [{}], False),
        (health(signal=Signal.ROLLOUT_GATE, one_of=("hold",)), [SICK], True),
        (health(signal=Signal.ROLLOUT_GATE, one_of=("pass",)), [{}], False),
        (health(signal=Signal.FAILED_CASES, one_of=None, at_least=1), [SICK], False),
        (health(consecutive=3), [SICK, SICKER], True),
        (health(consecutive=3), [SICK], False),
    ],
)
def test_an_unhealthy_neighbour_before_counts_for_health(
    trigger: SignalTrigger, differences: list[dict[str, Any]], *, fires: bool
) -> None:
    """Evidence that was left behind still makes the first cycle the second bad one in a row."""
    assert look(trigger, cycles(*differences), unhealthy_row=1).fired == fires


@pytest.mark.parametrize(("streak", "fires"), [(2, False), (3, True), (4, True)])
def test_a_streak_breaches_at_three(streak: int, *, fires: bool) -> None:
    """The threshold itself fires, and what was seen says by how much."""
    trigger = SignalTrigger(name="it", action=ACTION, signal=Signal.FAILURE_STREAK, at_least=3)
    sign = look(trigger, cycles(failed(streak=streak)))
    assert (sign.fired, sign.observed) == (fires, f"failure_streak = {streak}")
    assert trigger.threshold == "failure_streak >= 3"


def test_a_signal_that_is_not_told_ends_a_row() -> None:
    """Nothing is fired for want of evidence; a gate holds the release then."""
    trigger = SignalTrigger(
        name="it", action=ACTION, signal=Signal.RETRY_ATTEMPTS, at_least=1, consecutive=2
    )
    told, silent = {"retry_attempts": 1}, {"retry_attempts": None}
    assert look(trigger, cycles(told, told)).fired
    sign = look(trigger, cycles(told, silent, told))
    assert not sign.fired
    assert sign.observed == "retry_attempts = 1; 1 such in a row"


def test_a_signal_trigger_says_what_it_fires_at() -> None:
    """The threshold is in words that the operator finds on page and event alike."""
    assert health().threshold == "health_state = degraded or failing in 2 consecutive cycles"


@pytest.mark.parametrize(
    ("changes", "differs", "fired", "observed"),
    [
        ({}, {}, False, "none"),
        ({}, failed(streak=1), True, "case_processing_failed"),
        ({}, malformed(), True, "malformed_inputs_observed"),
        ({"codes": ("case_processing_failed",)}, malformed(), False, "none"),
        ({"codes": (), "counters": (Signal.UNEXPECTED_MALFORMED_CASES,)}, {}, False, "none"),
        (
            {"codes": (), "counters": (Signal.UNEXPECTED_MALFORMED_CASES,)},
            malformed(),
            False,
            "none",
        ),
        (
            {"codes": (), "counters": (Signal.UNEXPECTED_MALFORMED_CASES,)},
            {"unexpected_malformed_cases": 1, "reason_codes": ["malformed_inputs_observed"]},
            True,
            "unexpected_malformed_cases = 1",
        ),
        (
            {"codes": (), "counters": (Signal.UNEXPECTED_MALFORMED_CASES,)},
            {"unexpected_malformed_cases": None},
            False,
            "none",
        ),
        ({"counters": (Signal.QUEUE_DEPTH,)}, {"backlog_cases": 1}, True, "queue_depth = 1"),
    ],
)
def test_a_hard_error_fires_at_once(
    changes: dict[str, Any], differs: dict[str, Any], observed: str, *, fired: bool
) -> None:
    """One cycle with a code, or with a counter above 0, is enough, wherever it stands."""
    codes = ("case_processing_failed", "malformed_inputs_observed")
    trigger = NewReasonCodeTrigger(name="it", action=ACTION, **({"codes": codes} | changes))
    sign = look(trigger, cycles({}, differs, {}))
    assert (sign.fired, sign.observed) == (fired, observed)
    assert sign.cycle is not None
    assert sign.cycle.line == (2 if fired else 3)


def test_a_hard_error_says_what_it_fires_at() -> None:
    """Codes and counters are both named."""
    trigger = NewReasonCodeTrigger(
        name="it",
        action=ACTION,
        codes=("case_processing_failed",),
        counters=(Signal.UNEXPECTED_MALFORMED_CASES,),
    )
    words = "a new case_processing_failed or unexpected_malformed_cases > 0"
    assert trigger.threshold == words
    assert look(trigger, (), unhealthy_row=1).observed == "no cycle yet"


@pytest.mark.parametrize(
    ("differs", "fired"),
    [
        ({}, False),
        ({"timeline": []}, False),
        ({"timeline": [{"status": "ok"}]}, False),
        ({"timeline": [{"status": "ok", "error_code": None}]}, False),
        ({"timeline": [{"status": "OK"}]}, True),
        ({"timeline": [{"status": "ok"}, {"status": "ok", "error_code": "E1"}]}, True),
    ],
)
def test_a_failed_timeline_item_fires(differs: dict[str, Any], *, fired: bool) -> None:
    """Any item that is not `ok`, or has an error code; a missing timeline is the gate's matter."""
    trigger = TimelineItemFailedTrigger(name="it", action=ACTION)
    sign = look(trigger, cycles(differs, {"timeline": [{"status": "ok"}]}))
    assert sign.fired == fired
    assert sign.cycle is not None
    assert sign.cycle.line == (1 if fired else 2)
    assert look(trigger, (), unhealthy_row=1).fired is False
    assert trigger.threshold


def report(name: str, *, number_failed: int, status: ReportStatus) -> ReportEvidence:
    """Return a report of five checks."""
    return ReportEvidence(
        name=name,
        path=f"{name}.json",
        sha256=SHA,
        status=status,
        detail="",
        total=5,
        passed=5 - number_failed,
        failed=number_failed,
    )


def test_a_report_with_a_failure_fires_whatever_its_name() -> None:
    """Only `failed` above 0 fires: an empty or inconsistent report without one holds instead."""
    trigger = ReportFailsTrigger(name="it", action=ACTION)
    assert trigger.look(Evidence()).observed == "none given now"
    sound = report("a", number_failed=0, status=ReportStatus.INCONSISTENT)
    quiet = trigger.look(Evidence(reports={"a": sound}))
    assert (quiet.fired, quiet.observed) == (False, "no failure in a")
    bad = report("b", number_failed=1, status=ReportStatus.FAILED)
    worse = report("c", number_failed=2, status=ReportStatus.INCONSISTENT)
    sign = trigger.look(Evidence(reports={"c": worse, "b": bad, "a": sound}))
    assert (sign.fired, sign.observed) == (True, "b: 1 of 5 failed")
    assert sign.evidence is not None
    assert sign.evidence.file == "b.json"
    assert trigger.threshold


def test_a_trigger_without_surfaces_is_for_all() -> None:
    """Surfaces limit a trigger; none named limits nothing."""
    assert health().applies_to("voice")
    assert not health(surfaces=("dashboard",)).applies_to("voice")


def test_a_trigger_says_how_many_cycles_it_needs() -> None:
    """Whoever steps through a history need keep no more neighbours than that."""
    assert health().reach == 2
    assert TimelineItemFailedTrigger(name="it", action=ACTION).reach == 1
