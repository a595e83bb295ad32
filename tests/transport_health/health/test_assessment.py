"""The judgement: each reason to hold alone, its boundary, and that nothing else holds."""

import json

import pytest

from tau_transport_health.contract.pause import Pause
from tau_transport_health.contract.state import HealthState, parse_state
from tau_transport_health.errors import ExitCode, PluginCode
from tau_transport_health.health.assessment import (
    CLOCK_PINNED,
    CUT_OFF_MS,
    DEFAULT_MAX_AGE_MS,
    FUTURE_TOLERANCE_MS,
    Assessment,
    Gate,
    assess,
)
from tau_transport_health.health.reading import Problem, Reading, last_line
from tau_transport_health.health.remedies import REMEDIES, Hold, symptom_of
from tests.transport_health.state_files import (
    NOW_UNIX_MS,
    Json,
    chain,
    digest,
    event,
    failed,
    line_of,
    minimal_event,
    minimal_state,
    state_of,
)

FAILING = {key: value for key, value in failed(streak=3).items() if key != "health_reason"}


def reading(lines: list[bytes], state: Json | None = None, *, chained: bool = True) -> Reading:
    """Return what is read of a log's end and a state; the last line's own state if not given."""
    value = state_of(lines[-1]) if state is None else state
    found = parse_state([json.dumps(value).encode()], chained=chained)
    return Reading(
        state=found,
        state_problem=None,
        log_problem=None,
        is_log_present=True,
        last_lines=tuple(
            last_line(line, chained=found.last_cycle is not None) for line in lines[-2:]
        ),
        is_log_torn=False,
    )


def judged(
    of: Reading, *, age_ms: int = 0, max_age_ms: int | None = DEFAULT_MAX_AGE_MS
) -> Assessment:
    """Return the judgement of the command runtime's files, `age_ms` after they were written."""
    return assess(of, now_unix_ms=NOW_UNIX_MS + age_ms, max_age_ms=max_age_ms)


def holds(assessment: Assessment) -> list[Hold]:
    """Return why it holds; the gate must fit that."""
    found = [hold for hold, _ in assessment.holds]
    assert assessment.gate is (Gate.HOLD if found else Gate.PASS)
    assert all(reason for _, reason in assessment.holds)
    return found


def test_a_healthy_fresh_state_that_agrees_passes() -> None:
    """The one way to pass, with the last event's words as the reason."""
    result = judged(reading(chain()), age_ms=1234)
    assert holds(result) == []
    assert (result.health_state, result.age_ms, result.is_stale) == (
        HealthState.HEALTHY,
        1234,
        False,
    )
    assert result.health_reason == "the last cycle ended without a failed case"
    assert (result.exit_code, result.plugin_code) == (ExitCode.YES, PluginCode.OK)
    assert result.warnings == ()
    assert result.last_event is not None
    assert result.last_event.cycle_number == 3


def test_without_a_state_nothing_is_known() -> None:
    """No file: hold, exit 5, UNKNOWN; the reason is the reader's."""
    nothing = Reading(
        state=None,
        state_problem=None,
        log_problem=None,
        is_log_present=False,
        last_lines=(),
        is_log_torn=False,
    )
    for of, hold, reason in (
        (nothing, Hold.NO_STATE, "there is no state.json"),
        *(
            (nothing._replace(state_problem=Problem(hold, "x: why")), hold, "x: why")
            for hold in (Hold.NO_STATE, Hold.LOST_STATE, Hold.INVALID_STATE, Hold.PERMISSION_DENIED)
        ),
    ):
        result = judged(of)
        assert (holds(result), result.health_reason) == ([hold], reason)
        assert result.health_state is HealthState.UNKNOWN
        assert (result.exit_code, result.plugin_code) == (
            ExitCode.CANNOT_ANSWER,
            PluginCode.UNKNOWN,
        )
        assert (result.snapshot, result.age_ms, result.last_event) == (None, None, None)


@pytest.mark.parametrize(
    ("streak", "state", "code"),
    [
        (0, HealthState.DEGRADED, PluginCode.WARNING),
        (1, HealthState.DEGRADED, PluginCode.WARNING),
        (2, HealthState.DEGRADED, PluginCode.WARNING),
        (3, HealthState.FAILING, PluginCode.CRITICAL),
        (4, HealthState.FAILING, PluginCode.CRITICAL),
    ],
)
def test_what_is_not_healthy_holds(streak: int, state: HealthState, code: PluginCode) -> None:
    """Degraded warns and failing is critical from a streak of 3 on; both answer no."""
    lines = chain(2, **(failed(streak=streak) | {"health_state": state}))
    result = judged(reading(lines))
    assert (holds(result), result.health_state) == ([Hold.UNHEALTHY], state)
    assert (result.exit_code, result.plugin_code) == (ExitCode.NO, code)
    assert result.health_reason == "2 cases failed in the last cycle"


@pytest.mark.parametrize(
    ("age_ms", "max_age_ms", "found"),
    [
        (DEFAULT_MAX_AGE_MS, DEFAULT_MAX_AGE_MS, []),
        (DEFAULT_MAX_AGE_MS + 1, DEFAULT_MAX_AGE_MS, [Hold.STALE]),
        (0, 0, []),
        (1, 0, [Hold.STALE]),
        (10**15, None, []),
        (-60_000, DEFAULT_MAX_AGE_MS, []),
        (-60_001, DEFAULT_MAX_AGE_MS, [Hold.FUTURE]),
        (-60_001, None, [Hold.FUTURE]),
    ],
)
def test_a_state_must_be_of_now(age_ms: int, max_age_ms: int | None, found: list[Hold]) -> None:
    """Exactly the limit is fresh, exactly 60 s ahead a clock that differs; beyond is a hold.

    A state that nobody writes any more is critical, one of the future only unknown.
    """
    result = judged(reading(chain()), age_ms=age_ms, max_age_ms=max_age_ms)
    assert holds(result) == found
    assert result.is_stale == (found == [Hold.STALE])
    codes = {Hold.STALE: PluginCode.CRITICAL, Hold.FUTURE: PluginCode.UNKNOWN}
    assert result.plugin_code is (codes[found[0]] if found else PluginCode.OK)
    assert result.exit_code is (ExitCode.NO if found else ExitCode.YES)


def test_any_age_must_be_asked_for_and_warns() -> None:
    """`none` passes a dead runtime, and says so."""
    (warning,) = judged(reading(chain()), age_ms=10**12, max_age_ms=None).warnings
    assert "dead" in warning


def test_a_pinned_clock_is_told() -> None:
    """Whatever else there is to say, with a state and without one; the machine's own is not."""
    nothing = reading(chain())._replace(state=None, state_problem=Problem(Hold.NO_STATE, "x"))
    for of in (reading(chain()), nothing):
        for is_pinned, warnings in ((True, (CLOCK_PINNED,)), (False, ())):
            result = assess(of, now_unix_ms=NOW_UNIX_MS, max_age_ms=0, is_clock_pinned=is_pinned)
            assert result.warnings == warnings


@pytest.mark.parametrize(
    ("streak", "state", "code"),
    [
        (1, HealthState.DEGRADED, PluginCode.WARNING),
        (3, HealthState.FAILING, PluginCode.CRITICAL),
    ],
)
@pytest.mark.parametrize("shift_ms", [-5_000, 0, 5_000], ids=["set back", "same", "later"])
def test_a_log_that_is_ahead_is_judged_by_its_last_line(
    shift_ms: int, streak: int, state: HealthState, code: PluginCode
) -> None:
    """The worse of both, by whatever clock; its words are the reason and its queue counts."""
    lines = chain(
        4, **failed(streak=streak), backlog_cases=9, timestamp_unix_ms=NOW_UNIX_MS + shift_ms
    )
    result = judged(reading(lines, state_of(lines[-2])))
    assert (holds(result), result.health_state) == ([Hold.UNHEALTHY], state)
    assert f"last line says {state}" in result.holds[0][1]
    assert (result.exit_code, result.plugin_code) == (ExitCode.NO, code)
    assert result.health_reason == "2 cases failed in the last cycle"
    assert result.queue_depth == 9


def test_a_better_line_ahead_mends_nothing_yet() -> None:
    """A failing state is failing until it says otherwise, in its own words."""
    lines = [*chain(2, **failed(streak=3))]
    lines.append(line_of(event(number=3, previous=lines[-1], backlog_cases=0)))
    result = judged(reading(lines, state_of(lines[1])))
    assert (holds(result), result.health_state) == ([Hold.UNHEALTHY], HealthState.FAILING)
    assert result.health_reason == "2 failed in the last cycle, cycles in a row with failures: 3"
    assert result.queue_depth == 1


@pytest.mark.parametrize(
    ("shift_ms", "state"),
    [(-1, HealthState.HEALTHY), (0, HealthState.FAILING), (1, HealthState.FAILING)],
)
def test_a_writer_that_does_not_chain_is_judged_by_what_is_not_older(
    shift_ms: int, state: HealthState
) -> None:
    """Its line says a worse health than its state: that counts, unless the state is newer."""
    time = NOW_UNIX_MS + shift_ms
    line = line_of(minimal_event(timestamp_unix_ms=time, **FAILING))
    result = judged(reading([line], minimal_state(), chained=False))
    assert result.health_state is state
    assert holds(result) == ([] if state is HealthState.HEALTHY else [Hold.UNHEALTHY])
    wanted = "the last cycle ended without a failed case"
    if state is HealthState.FAILING:
        wanted = "2 failed in the last cycle, cycles in a row with failures: 3"
    assert result.health_reason == wanted


@pytest.mark.parametrize("hold", [Hold.PERMISSION_DENIED, Hold.UNREADABLE_LOG])
@pytest.mark.parametrize("chained", [True, False])
def test_a_log_that_cannot_be_read_holds(hold: Hold, chained: bool) -> None:  # noqa: FBT001
    """Also of a writer that does not chain; it is told as what it is, and as no disagreement."""
    state = state_of(chain()[-1]) if chained else minimal_state()
    of = reading([], state, chained=chained)._replace(log_problem=Problem(hold, "x: why"))
    result = judged(of)
    assert result.holds == ((hold, "x: why"),)
    assert (result.exit_code, result.plugin_code) == (ExitCode.NO, PluginCode.UNKNOWN)
    assert of.is_settled


def test_a_torn_log_holds() -> None:
    """A torn line is never a sign of health."""
    result = judged(reading(chain())._replace(is_log_torn=True))
    assert holds(result) == [Hold.LOG_TORN]
    assert (result.exit_code, result.plugin_code) == (ExitCode.NO, PluginCode.UNKNOWN)


@pytest.mark.parametrize("line", [b"{\n", line_of(minimal_event()), b"\xff\n", b"\n"])
def test_an_invalid_last_line_holds(line: bytes) -> None:
    """Even where the state names it by its digest: what it says is not known."""
    good = chain(2)
    state = state_of(good[-1])
    state["last_cycle"]["event_sha256"] = digest(line)
    result = judged(reading([good[0], line], state))
    assert holds(result) == [Hold.LOG_INVALID]
    assert result.last_event is None
    assert result.health_reason == "the last cycle ended without a failed case"


@pytest.mark.parametrize("place", [-1, -2])
def test_the_state_may_belong_to_either_of_the_last_two_lines(place: int) -> None:
    """A writer appends the line before the state: one line ahead is no disagreement."""
    lines = chain(4)
    assert holds(judged(reading(lines, state_of(lines[place])))) == []


@pytest.mark.parametrize(
    "lines",
    [
        [],
        chain(1),
        chain(4)[:3],
        [*chain(4), line_of(event(number=5)), line_of(event(number=6))],
        [*chain(4)[:3], line_of(event(number=4, health_reason="edited"))],
        [*chain(4), chain(4)[-1]],
        [*chain(4)[:2], chain(4)[3], chain(4)[2]],
        [*chain(4), line_of(event(number=5, previous_sha256="0" * 64))],
    ],
    ids=[
        "no log",
        "an older log",
        "last line removed",
        "two ahead",
        "last line edited",
        "last line twice",
        "last lines swapped",
        "another line ahead",
    ],
)
def test_a_state_of_another_line_disagrees(lines: list[bytes]) -> None:
    """Removed, edited or newer by two: state and log do not belong together."""
    result = judged(reading(lines, state_of(chain(4)[-1])))
    assert holds(result) == [Hold.LOG_DISAGREES]
    assert (result.exit_code, result.plugin_code) == (ExitCode.NO, PluginCode.UNKNOWN)


@pytest.mark.parametrize(
    "key",
    [
        "failure_streak",
        "queue_depth",
        "last_cycle_failed",
        "last_cycle_duplicates",
        "updated_unix_ms",
    ],
)
def test_the_states_numbers_are_those_of_its_line(key: str) -> None:
    """Where it names the last line, each of the five numbers must be that line's."""
    lines = chain(2)
    state = state_of(lines[-1])
    state["health"][key] += 1
    of = reading(lines, state)
    assert key in (of.disagreement or "")
    assert Hold.LOG_DISAGREES in holds(judged(of))
    assert not of.is_settled


@pytest.mark.parametrize("key", ["active_runs", "last_cycle_completed", "cycle_duration_ms"])
def test_other_numbers_of_the_state_are_not_compared(key: str) -> None:
    """The contract names five, and no more."""
    lines = chain(2)
    state = state_of(lines[-1])
    state["health"][key] += 1
    assert reading(lines, state).disagreement is None


@pytest.mark.parametrize(("key", "value"), [("cycle_id", "another"), ("cycle_number", 9)])
def test_the_state_names_one_line_by_all_three_keys(key: str, value: object) -> None:
    """A digest of one line with the number or the id of another names no line at all."""
    lines = chain(3)
    state = state_of(lines[-1])
    state["last_cycle"][key] = value
    assert holds(judged(reading(lines, state))) == [Hold.LOG_DISAGREES]


def test_a_writer_that_never_chained_is_not_compared() -> None:
    """Agreement does not apply, and the answer says so; without a log too."""
    lines = [line_of(minimal_event(health_reason="fine"))]
    of = reading(lines, minimal_state(), chained=False)
    result = assess(of, now_unix_ms=NOW_UNIX_MS, max_age_ms=0)
    assert holds(result) == []
    assert result.health_reason == "fine"
    (warning,) = result.warnings
    assert "does not chain" in warning
    without = of._replace(last_lines=(), is_log_present=False)
    result = assess(without, now_unix_ms=NOW_UNIX_MS, max_age_ms=0)
    assert result.warnings == (warning, "there is no event log")
    assert result.health_reason == "the last cycle ended without a failed case"


def test_a_writer_of_another_transport_that_chains_is_compared() -> None:
    """Whoever names a last cycle is held to it."""
    lines = chain(3)
    of = reading(lines)._replace(last_lines=reading(chain(2)).last_lines)
    result = assess(of, now_unix_ms=NOW_UNIX_MS, max_age_ms=0)
    assert holds(result) == [Hold.LOG_DISAGREES]


def test_leaving_out_the_last_cycle_does_not_end_the_comparison() -> None:
    """A log that is chained needs a state that says where it stands: once chained, for good."""
    lines = chain(3)
    state = state_of(lines[-1])
    del state["last_cycle"]
    of = reading(lines, state, chained=False)
    assert holds(assess(of, now_unix_ms=NOW_UNIX_MS, max_age_ms=0)) != []


def test_the_classifications_words_stand_where_there_are_no_others() -> None:
    """Without an event's own reason the numbers are put into words."""
    state = minimal_state(failure_streak=2, last_cycle_failed=1)
    of = reading([line_of(minimal_event())], state, chained=False)._replace(last_lines=())
    result = assess(of, now_unix_ms=NOW_UNIX_MS, max_age_ms=0)
    assert result.health_reason == "1 failed in the last cycle, cycles in a row with failures: 2"
    assert holds(result) == [Hold.UNHEALTHY]


def test_several_reasons_stand_together_the_health_first() -> None:
    """Nothing hides behind another reason; what is bad for certain beats what is not known."""
    for streak, age_ms, code in (
        (3, 10**9, PluginCode.CRITICAL),
        (3, 0, PluginCode.CRITICAL),
        (1, 10**9, PluginCode.CRITICAL),
        (1, 0, PluginCode.UNKNOWN),
    ):
        of = reading(chain(2, **failed(streak=streak)))._replace(is_log_torn=True)
        result = judged(of, age_ms=age_ms)
        stale = [Hold.STALE] if age_ms else []
        assert holds(result) == [Hold.UNHEALTHY, *stale, Hold.LOG_TORN]
        assert result.plugin_code is code


def test_a_runtime_that_was_killed_is_bad_for_certain() -> None:
    """Its state is as it was, and says nothing of what began since; what is stale is told too."""
    of = reading(chain())._replace(journal_unix_ms=NOW_UNIX_MS)
    assert holds(judged(of, age_ms=CUT_OFF_MS)) == []
    result = judged(of, age_ms=CUT_OFF_MS + 1)
    assert (holds(result), result.plugin_code) == ([Hold.CUT_OFF], PluginCode.CRITICAL)
    assert (result.is_cut_off, result.is_stale) == (True, False)
    assert holds(judged(of, age_ms=10**9)) == [Hold.CUT_OFF, Hold.STALE]


def test_a_journal_that_is_dated_ahead_is_no_sign_of_life() -> None:
    """As where the clock was set back after a kill: it would not be told until that time came."""
    of = reading(chain())._replace(journal_unix_ms=NOW_UNIX_MS + FUTURE_TOLERANCE_MS)
    assert holds(judged(of)) == []
    ahead = of._replace(journal_unix_ms=NOW_UNIX_MS + FUTURE_TOLERANCE_MS + 1)
    result = judged(ahead)
    assert (holds(result), result.plugin_code) == ([Hold.FUTURE], PluginCode.UNKNOWN)
    assert result.holds[0][1] == "the journal of a cycle is dated 1 min 0 s in the future"


@pytest.mark.parametrize(
    ("pause", "words"),
    [
        (
            Pause(paused_unix_ms=NOW_UNIX_MS - 65_000, by="Ann", reason="the hall is moved"),
            "no cycle begins: paused 1 min 5 s ago by Ann: the hall is moved",
        ),
        (
            "pause: by: is missing",
            "no cycle begins: paused.json pause: by: is missing, so it counts as paused",
        ),
    ],
)
def test_a_pause_is_told_and_holds_nothing_by_itself(pause: Pause | str, words: str) -> None:
    """Who, since when and why; a state that grows old meanwhile is stale as ever."""
    of = reading(chain())._replace(pause=pause)
    result = judged(of)
    assert (result.warnings, holds(result)) == ((words,), [])
    assert holds(judged(of, age_ms=10**9)) == [Hold.STALE]


def test_what_may_be_a_write_under_way_is_not_settled() -> None:
    """Torn or in disagreement: look again. Anything else needs no second look."""
    assert reading(chain()).is_settled
    assert not reading(chain())._replace(is_log_torn=True).is_settled
    assert not reading(chain())._replace(last_lines=()).is_settled
    assert reading(chain())._replace(state=None).is_settled


def test_every_hold_has_its_remedy() -> None:
    """Whatever is wrong, there is something to do about it."""
    assert all(REMEDIES[symptom_of(hold)] for hold in Hold)
    assert symptom_of(Hold.LOG_TORN) == "torn_line"
