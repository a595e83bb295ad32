"""A line is a cycle, or refused with the reason; nothing in it is coerced."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_rollout_gate.contract.cycle import Event, HealthState, Timeline, classify
from tau_rollout_gate.contract.event import LONGEST_LINE_BYTES, line_digest, parse_event
from tau_rollout_gate.errors import FormRefusedError, RolloutGateError
from tests.rollout_gate.making import FIXTURE_SHA, MINUTE, History, Json, failed, malformed

LAST = History().every(MINUTE, 2).last()
REQUIRED = (
    "timestamp_unix_ms",
    "health_state",
    "reason_codes",
    "failed_cases",
    "failure_streak",
    "backlog_cases",
    "malformed_cases",
)
COUNTERS = tuple(key for key in LAST if key.endswith(("_cases", "_commands", "_failures")))
CHAIN_KEYS = ("cycle_id", "cycle_number", "previous_sha256")


def parse(value: object) -> Event:
    """Parse a value as a line."""
    return parse_event(json.dumps(value).encode() + b"\n")


def without(*keys: str) -> Json:
    """Return a line without some of its keys."""
    return {key: value for key, value in LAST.items() if key not in keys}


def test_what_is_read() -> None:
    """Every key that a decision may need, and every counter by its name."""
    found = parse(LAST)
    assert found.health_state is HealthState.HEALTHY
    assert found.reason_codes == ("command_registry_mutated", "command_runs_recorded")
    assert {name: LAST[name] for name in found.counters} == dict(found.counters)
    assert set(COUNTERS) <= set(found.counters)
    for key in (*CHAIN_KEYS, "timestamp_unix_ms", "cycle_duration_ms", "run_mode", "fixture_name"):
        assert getattr(found, key) == LAST[key]
    assert (found.runtime_version, found.fixture_sha256) == ("1.4.0", FIXTURE_SHA)
    assert found.is_chained


def test_the_least_that_a_writer_writes() -> None:
    """What it leaves out is not known; a counter that it leaves out is not 0."""
    found = parse({key: LAST[key] for key in REQUIRED})
    assert not found.is_chained
    assert "retry_attempts" not in found.counters
    assert set(found.counters) == set(REQUIRED[3:])
    assert (found.cycle_duration_ms, found.run_mode, found.timeline) == (0, None, None)


def test_keys_and_codes_that_are_not_known() -> None:
    """They are no error."""
    assert parse(LAST | {"new": {"a": 1}, "reason_codes": ["a new one"]}).reason_codes


def test_a_browser_tells_its_steps() -> None:
    """Their status and error code are what is judged."""
    steps = [{"status": "ok", "ms": 3}, {"status": "failed", "error_code": "timeout"}]
    found = parse(LAST | {"timeline": steps}).timeline
    assert found == Timeline(2, "timeline item 2: status failed, error_code timeout")
    assert parse(LAST | {"timeline": steps[:1]}).timeline == Timeline(1, None)


def test_what_a_timeline_takes_is_bounded() -> None:
    """However many steps there are, the first that failed is kept, and how many."""
    steps = [{"status": "ok"}] * 10_000 + [{"status": "a"}, {"status": "b"}]
    assert parse(LAST | {"timeline": steps}).timeline == Timeline(
        10_002, "timeline item 10001: status a"
    )


@pytest.mark.parametrize("key", REQUIRED)
def test_a_required_key_never_reads_as_0(key: str) -> None:
    """A line without it is invalid."""
    with pytest.raises(FormRefusedError, match=key):
        parse(without(key))


@pytest.mark.parametrize("key", [*COUNTERS, "timestamp_unix_ms", "cycle_duration_ms"])
@pytest.mark.parametrize("wrong", [None, True, False, 0.0, -1, "0", 2**63, []])
def test_a_number_is_a_number(key: str, wrong: object) -> None:
    """Nothing is coerced: `false` is not 0."""
    with pytest.raises(FormRefusedError, match=key):
        parse(LAST | {key: wrong})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"schema_version": True}, "schema_version"),
        ({"schema_version": 1.0}, "schema_version"),
        ({"health_state": "Healthy"}, "health_state"),
        ({"reason_codes": []}, "reason_codes"),
        ({"reason_codes": "healthy_cycle"}, "reason_codes"),
        ({"reason_codes": ["a", 1]}, "reason_codes"),
        ({"cycle_id": ""}, "cycle_id"),
        ({"cycle_id": None}, "cycle_id: must not be null"),
        ({"cycle_number": 0}, "cycle_number"),
        ({"cycle_number": None}, "cycle_number: must not be null"),
        ({"previous_sha256": "AB" * 32}, "previous_sha256"),
        ({"run_mode": "Record"}, "run_mode"),
        ({"run_mode": None}, "run_mode: must not be null"),
        ({"recovered": 0}, "recovered"),
        ({"recovered": None}, "recovered"),
        ({"runtime_version": 1}, "runtime_version"),
        ({"fixture_sha256": "ab"}, "fixture_sha256"),
        ({"timeline": [{"error_code": None}]}, "timeline"),
        ({"timeline": [{"status": "ok", "error_code": 1}]}, r"timeline\[0\].error_code"),
        ({"timeline": ["ok"]}, r"timeline\[0\]: must be an object with a status"),
        ({"timeline": {}}, "timeline: must be an array"),
        ({"timeline": None}, "timeline: must not be null"),
        (failed(streak=3) | {"health_state": "degraded"}, "health_state"),
        (failed(streak=2) | {"health_state": "failing"}, "health_state"),
        (failed(streak=1) | {"health_state": "healthy"}, "health_state"),
        (failed(streak=1) | {"reason_codes": ["healthy_cycle"]}, "case_processing_failed"),
        ({"reason_codes": ["case_processing_failed"]}, "case_processing_failed"),
        (malformed() | {"reason_codes": ["healthy_cycle"]}, "malformed_inputs_observed"),
        ({"unexpected_malformed_cases": 1}, "malformed_inputs_observed"),
        ({"reason_codes": ["malformed_inputs_observed"]}, "malformed_inputs_observed"),
    ],
)
def test_what_is_refused(changes: Json, words: str) -> None:
    """The text names the field; a line that contradicts itself is invalid."""
    with pytest.raises(FormRefusedError, match=words):
        parse(LAST | changes)


def test_each_contradiction_has_its_right_form() -> None:
    """What is refused above for one number or code is taken with the right one."""
    for changes in (failed(streak=3), failed(streak=2), malformed(), {"cycle_number": 1}):
        assert parse(LAST | changes).is_chained
    unexpected = malformed(cases=0) | {"unexpected_malformed_cases": 1}
    assert parse(LAST | unexpected).counters["unexpected_malformed_cases"] == 1


@pytest.mark.parametrize("missing", CHAIN_KEYS)
def test_the_chain_keys_stand_together(missing: str) -> None:
    """Or not at all."""
    with pytest.raises(FormRefusedError, match=f"{missing}: is missing"):
        parse(without(missing))
    assert not parse(without(*CHAIN_KEYS)).is_chained


def test_lines_that_are_no_object() -> None:
    """They are refused as what they are."""
    with pytest.raises(FormRefusedError, match="not an object"):
        parse([])
    with pytest.raises(FormRefusedError):
        parse_event(b"")
    with pytest.raises(FormRefusedError, match="longer than 16 MiB"):
        parse_event(b" " * (LONGEST_LINE_BYTES + 1))
    assert parse_event(json.dumps(LAST).encode().ljust(LONGEST_LINE_BYTES)).is_chained


def test_the_digest_is_over_the_line_without_its_break() -> None:
    """The same with and without; the digest of nothing is a known one."""
    assert line_digest(b"a\n") == line_digest(b"a") != line_digest(b"a\n\n")
    assert line_digest(b"\n").startswith("e3b0c44298fc1c14")


@pytest.mark.parametrize(
    ("streak", "cases", "expected"),
    [
        (0, 0, "healthy"),
        (0, 1, "degraded"),
        (1, 0, "degraded"),
        (2, 9, "degraded"),
        (3, 0, "failing"),
    ],
)
def test_health_follows_from_two_numbers(streak: int, cases: int, expected: str) -> None:
    """The table of the contract, at its boundaries."""
    assert classify(failure_streak=streak, failed_cases=cases) == expected


@given(
    key=st.sampled_from(sorted(LAST)),
    value=st.none() | st.booleans() | st.floats() | st.text() | st.lists(st.integers()),
)
def test_any_value_is_taken_or_refused(key: str, value: object) -> None:
    """Nothing but the package's own errors is ever raised."""
    with suppress(RolloutGateError):
        parse(LAST | {key: value})
