"""A line of the event log: valid, or refused for the reason that the contract gives."""

import json
from typing import Any

import pytest

from tau_transport_health.contract.event import (
    KNOWN_REASON_CODES,
    LONGEST_LINE_BYTES,
    line_digest,
    parse_event,
)
from tau_transport_health.contract.state import HealthState
from tau_transport_health.errors import FormRefusedError, TransportHealthError
from tests.contract.running import STATE_CONTRACT
from tests.transport_health.state_files import (
    CHAIN_KEYS,
    COUNT_KEYS,
    REQUIRED_EVENT_KEYS,
    Json,
    digest,
    event,
    failed,
    line_of,
    minimal_event,
)


def refusal(value: object, *, chained: bool = True) -> str:
    """Return why a line is refused."""
    with pytest.raises(TransportHealthError) as refused:
        parse_event(line_of(value), chained=chained)
    return str(refused.value)


def without(value: Json, *keys: str) -> Json:
    """Return a value with keys left out."""
    return {key: item for key, item in value.items() if key not in keys}


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_of_the_runtime_is_read_whole(end: bytes) -> None:
    """Every field that the inspector uses has the line's value, with or without the line break."""
    value = event(number=4, previous=b"before\n") | failed(streak=3)
    read = parse_event(line_of(value).removesuffix(b"\n") + end, chained=True)
    for key in (*COUNT_KEYS, *CHAIN_KEYS, "health_reason"):
        assert getattr(read, key) == value[key], key
    assert read.health_state is HealthState.FAILING
    assert read.reason_codes == ("case_processing_failed",)


def test_what_another_transport_leaves_out_is_nothing() -> None:
    """Optional counters read as 0, the optional texts and the chain as absent."""
    read = parse_event(line_of(minimal_event()), chained=False)
    assert (read.health_reason, read.cycle_id, read.cycle_number) == (None, None, None)
    assert (read.previous_sha256, read.duplicate_skips, read.retry_attempts) == (None, 0, 0)


@pytest.mark.parametrize("key", REQUIRED_EVENT_KEYS)
def test_each_required_key_is_required(key: str) -> None:
    """A missing key makes the line invalid, and is never read as 0."""
    assert key in refusal(without(minimal_event(), key), chained=False)


@pytest.mark.parametrize("wrong", [-1, True, False, 0.0, 1.5, "0", None, [], {}], ids=repr)
@pytest.mark.parametrize("key", COUNT_KEYS)
def test_no_counter_is_coerced(key: str, wrong: object) -> None:
    """Required or not: what is there must be an integer from 0 on."""
    assert refusal(event(**dict[str, Any]({key: wrong}))).startswith(f"{key}: found ")


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("health_state", "HEALTHY"),
        ("health_state", "unknown"),
        ("health_state", ""),
        ("health_state", None),
        ("health_reason", 1),
        ("health_reason", None),
        ("reason_codes", "healthy_cycle"),
        ("reason_codes", []),
        ("reason_codes", None),
        ("reason_codes", {}),
        ("reason_codes", ["healthy_cycle", 1]),
        ("reason_codes", [None]),
        ("recovered", 0),
        ("recovered", None),
        ("recovered", "false"),
        ("run_mode", "dry"),
        ("run_mode", None),
        ("fixture_name", []),
        ("fixture_sha256", "abc"),
        ("runtime_version", 1.0),
        ("schema_version", 2),
        ("schema_version", True),
        ("schema_version", 1.0),
        ("schema_version", None),
        ("cycle_id", ""),
        ("cycle_id", None),
        ("cycle_number", 0),
        ("cycle_number", True),
        ("previous_sha256", ""),
        ("previous_sha256", 0),
        ("previous_sha256", "A" * 64),
        ("previous_sha256", "a" * 64 + "\n"),
    ],
    ids=repr,
)
def test_a_key_of_another_form_is_refused_by_its_name(key: str, wrong: object) -> None:
    """The published schema's rules hold for every key that it knows."""
    assert refusal(event(**dict[str, Any]({key: wrong}))).startswith(f"{key}: ")


@pytest.mark.parametrize("value", [None, [], "x", 3, True])
def test_a_line_is_an_object(value: object) -> None:
    """Any other JSON value is no event."""
    assert refusal(value) == "the line is not an object"


@pytest.mark.parametrize("key", CHAIN_KEYS)
@pytest.mark.parametrize("chained", [True, False])
def test_the_chain_keys_stand_together(key: str, chained: bool) -> None:  # noqa: FBT001 - both cases
    """A writer that chains writes all three; one of them alone is invalid for anyone."""
    assert refusal(without(event(), key), chained=chained).startswith(f"{key}: is missing")


def test_the_chain_keys_are_required_of_a_writer_that_chains_only() -> None:
    """Another transport's line without them is valid."""
    value = without(event(), *CHAIN_KEYS)
    assert parse_event(line_of(value), chained=False).cycle_number is None
    assert "is missing" in refusal(value, chained=True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"health_state": "degraded"}, "health_state: degraded, but"),
        (failed(streak=2) | {"health_state": "failing"}, "give degraded"),
        (failed(streak=3) | {"health_state": "degraded"}, "give failing"),
        (failed(streak=1) | {"health_state": "healthy"}, "give degraded"),
        (
            {"failed_cases": 1, "health_state": "degraded"},
            "reason_codes: case_processing_failed does not fit failed_cases, 1",
        ),
        (
            {"reason_codes": ["case_processing_failed"]},
            "reason_codes: case_processing_failed does not fit failed_cases, 0",
        ),
        ({"malformed_cases": 1}, "malformed_inputs_observed does not fit its counters, 1"),
        (
            {"unexpected_malformed_cases": 2},
            "malformed_inputs_observed does not fit its counters, 2",
        ),
        (
            {"reason_codes": ["malformed_inputs_observed"]},
            "malformed_inputs_observed does not fit its counters, 0",
        ),
    ],
    ids=repr,
)
def test_a_line_that_contradicts_itself_is_invalid(changes: Json, words: str) -> None:
    """The three contradictions of the contract, each in both directions."""
    assert words in refusal(event(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        failed(streak=1),
        failed(streak=2),
        failed(streak=3),
        {"health_state": "degraded", "failure_streak": 1},
        failed(streak=0) | {"health_state": "degraded"},
        {"malformed_cases": 1, "reason_codes": ["malformed_inputs_observed"]},
        {"unexpected_malformed_cases": 1, "reason_codes": ["malformed_inputs_observed"]},
        # Nothing else is judged so.
        {"reason_codes": ["healthy_cycle", "retry_attempted"]},
        {"reason_codes": ["healthy_cycle", "healthy_cycle"]},
        {"queued_cases": 99, "discovered_cases": 0},
        {"duplicate_skips": 1, "reason_codes": ["unheard_of"]},
    ],
    ids=repr,
)
def test_nothing_else_is_a_contradiction(changes: Json) -> None:
    """A line that is odd in another way is valid."""
    value = event(**changes)
    assert list(parse_event(line_of(value), chained=True).reason_codes) == value["reason_codes"]


def test_keys_that_are_not_known_are_ignored() -> None:
    """A newer writer's additions do no harm."""
    assert parse_event(line_of(event(new={"a": None})), chained=True) == parse_event(
        line_of(event()), chained=True
    )


def test_the_digest_is_of_the_bytes_without_the_line_break() -> None:
    """One line break is left out, no other byte."""
    for line in (b"a", b"a\r", b"", b" a "):
        assert line_digest(line) == line_digest(line + b"\n") == digest(line)
    assert line_digest(b"a\n\n") == digest(b"a\n\n") != digest(b"a")


def test_the_known_reason_codes_are_those_of_the_published_schema() -> None:
    """The reader's own list and the contract's cannot drift apart."""
    schema: dict[str, Any] = json.loads((STATE_CONTRACT / "event.schema.json").read_bytes())
    assert set(schema["$defs"]["ReasonCode"]["anyOf"][0]["enum"]) == KNOWN_REASON_CODES


@pytest.mark.parametrize(
    "line",
    [b"", b" ", b"{", b"{}{}", b'{"a":1,"a":1}', b'{"a":NaN}', b"\xff", b'{"a":"\\udfff"}', b"\0"],
)
def test_what_is_no_strict_json_is_refused(line: bytes) -> None:
    """The rules for every file hold for each line."""
    with pytest.raises(TransportHealthError):
        parse_event(line, chained=False)


def test_a_refused_value_is_shown_short_and_printable() -> None:
    """The reason is somebody's data too: bounded, and nothing in it acts on a terminal."""
    for key in ("health_state", "schema_version", "failed_cases"):
        changes: dict[str, Any] = {key: "\x1b[2J\u202e" * 1000}
        with pytest.raises(FormRefusedError) as refused:
            parse_event(line_of(event(**changes)), chained=True)
        assert len(str(refused.value)) < 200
        assert str(refused.value).isprintable()


def test_a_line_beyond_the_limit_is_refused_unread() -> None:
    """However good its beginning is: a reader that was handed only that must not take it."""
    line = line_of(event())[:-1] + b" " * LONGEST_LINE_BYTES
    with pytest.raises(FormRefusedError, match="longer than 16 MiB"):
        parse_event(line, chained=True)
