"""The JSON Schemas: right in themselves, and what the runtime writes is valid by them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tau_custom_command.fixture.schemas import SchemaName, json_schema
from tests.custom_command.cases import (
    case_object,
    fixture_object,
    malformed,
    retryable,
    success,
    without,
)
from tests.custom_command.running import Json, Runtime

EVENT: Json = {
    "timestamp_unix_ms": 1,
    "health_state": "healthy",
    "reason_codes": ["healthy_cycle"],
    "failed_cases": 0,
    "failure_streak": 0,
    "backlog_cases": 0,
    "malformed_cases": 0,
}
"""What is required of every writer of events."""

HEALTH: Json = {
    "updated_unix_ms": 1,
    "cycle_duration_ms": 0,
    "queue_depth": 0,
    "active_runs": 0,
    "failure_streak": 0,
    "last_cycle_discovered": 0,
    "last_cycle_processed": 0,
    "last_cycle_completed": 0,
    "last_cycle_failed": 0,
    "last_cycle_duplicates": 0,
}
STATE: Json = {"schema_version": 1, "health": HEALTH}
CHAINED = {"cycle_id": "x", "cycle_number": 1, "previous_sha256": None}


def is_valid(name: SchemaName, value: object) -> bool:
    """Tell whether a value is valid by a schema, judged by another program than ours."""
    return bool(Draft202012Validator(json_schema(name)).is_valid(value))


def properties_of(schema: object, path: str = "") -> Iterator[tuple[str, Json, bool]]:
    """Yield each property that a schema describes: its path, its schema, if others define it."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "properties":
                for name, inner in value.items():
                    yield f"{path}.{name}", inner, "$ref" in inner
                    yield from properties_of(inner, f"{path}.{name}")
            elif key not in {"allOf", "if", "then", "else", "anyOf", "examples"}:
                yield from properties_of(value, f"{path}/{key}")


@pytest.mark.parametrize("name", SchemaName)
class TestEverySchema:
    """What holds for each of them."""

    def test_is_a_schema_of_its_dialect(self, name: SchemaName) -> None:
        """Draft 2020-12, named, with a description."""
        schema = json_schema(name)
        Draft202012Validator.check_schema(schema)
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        assert schema["title"]
        assert schema["description"]

    def test_describes_each_key(self, name: SchemaName) -> None:
        """Every key has a description, of its own or of the form that it refers to."""
        silent = [
            path
            for path, inner, refers in properties_of(json_schema(name))
            if not refers and "description" not in inner
        ]
        assert silent == []

    def test_names_units(self, name: SchemaName) -> None:
        """Every time and duration is an integer that is never negative."""
        for path, inner, _ in properties_of(json_schema(name)):
            if path.endswith(("_ms",)) and "anyOf" not in inner:
                assert (inner["type"], inner["minimum"]) == ("integer", 0), path


def test_what_the_runtime_writes_is_valid(runtime: Runtime) -> None:
    """State, events, channel logs, contexts and descriptions of an eventful life are valid."""
    runtime.queue_limit = 5
    runtime.run(
        case_object("a"),
        case_object("b", "RUN", arguments={"who": "x"}),
        case_object("c", "RUN", "none", expected=malformed(404)),
        case_object("d", simulate_retryable_failure=True, expected=retryable()),
        case_object("e", "RUN", "none", expected=success(response_body={"a": [1.5, None]})),
        case_object("f", "LIST", ""),
    )
    runtime.run(case_object("f", "LIST", ""), case_object("g", "DELETE"))
    files = runtime.files
    assert is_valid(SchemaName.STATE, files.state())
    assert all(is_valid(SchemaName.EVENT, event) for event in files.events())
    for channel in files.channels():
        for name, file in ((SchemaName.CHANNEL_LOG, "log"), (SchemaName.CONTEXT, "context")):
            assert all(is_valid(name, e) for e in files.entries(channel, f"{file}.jsonl"))
        description = json.loads((files.channel(channel) / "schema.json").read_bytes())
        assert is_valid(SchemaName.CHANNEL, description)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"some_new_key": 1}, True),
        ({"reason_codes": ["a_code_of_tomorrow"]}, True),
        ({"failure_streak": 1, "health_state": "degraded"}, True),
        ({"failure_streak": 2, "health_state": "degraded"}, True),
        ({"failure_streak": 3, "health_state": "failing"}, True),
        (CHAINED, True),
        ({"timestamp_unix_ms": -1}, False),
        ({"timestamp_unix_ms": 1.5}, False),
        ({"failed_cases": False}, False),
        ({"failed_cases": "0"}, False),
        ({"reason_codes": []}, False),
        ({"health_state": "fine"}, False),
        ({"health_state": "degraded"}, False),
        ({"failure_streak": 1}, False),
        ({"failure_streak": 3, "health_state": "degraded"}, False),
        ({"failure_streak": 2, "health_state": "failing"}, False),
        ({"reason_codes": ["case_processing_failed"]}, False),
        (
            {"failed_cases": 1, "health_state": "degraded", "reason_codes": ["retry_attempted"]},
            False,
        ),
        ({"reason_codes": ["malformed_inputs_observed"]}, False),
        ({"malformed_cases": 1}, False),
        ({"malformed_cases": 1, "reason_codes": ["malformed_inputs_observed"]}, True),
        ({"unexpected_malformed_cases": 1, "reason_codes": ["malformed_inputs_observed"]}, True),
        ({"unexpected_malformed_cases": 1}, False),
        (without(CHAINED, "cycle_id"), False),
        (without(CHAINED, "cycle_number"), False),
        (without(CHAINED, "previous_sha256"), False),
        (CHAINED | {"cycle_number": 0}, False),
        (CHAINED | {"previous_sha256": "A" * 64}, False),
        ({"schema_version": 2}, False),
        ({"schema_version": True}, False),
    ],
    ids=lambda value: None if isinstance(value, bool) else ",".join(value) or "least",
)
def test_events_of_every_writer(changes: Json, expected: bool) -> None:  # noqa: FBT001 - a table
    """Seven keys are required; nothing is coerced; a line that contradicts itself is invalid."""
    assert is_valid(SchemaName.EVENT, EVENT | changes) is expected


@pytest.mark.parametrize("key", EVENT)
def test_a_missing_key_never_reads_as_0(key: str) -> None:
    """Each of the keys required of an event must be there."""
    assert not is_valid(SchemaName.EVENT, without(EVENT, key))


@pytest.mark.parametrize("key", HEALTH)
def test_the_health_snapshot_needs_all_ten_keys(key: str) -> None:
    """Each health key is required, a whole number, never negative."""
    assert is_valid(SchemaName.STATE, STATE)
    for health in (
        without(HEALTH, key),
        *(HEALTH | {key: wrong} for wrong in (-1, True, "0", None, 0.5)),
    ):
        assert not is_valid(SchemaName.STATE, STATE | {"health": health})


@pytest.mark.parametrize("key", STATE)
def test_a_state_needs_version_and_health(key: str) -> None:
    """Other transports may leave out the rest, but never these."""
    assert not is_valid(SchemaName.STATE, without(STATE, key))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"$schema": "./fixture.schema.json"}, True),
        ({"name": " "}, False),
        ({"cases": []}, False),
        ({"schema_version": 2}, False),
        ({"commnet": "x"}, False),
        ({"cases": [case_object(" ")]}, False),
        ({"cases": [case_object("a", "create", expected=success("CREATE"))]}, True),
        ({"cases": [case_object("a", expected=success(error_code=""))]}, True),
        ({"cases": [case_object("a", expected=success(error_code="custom"))]}, False),
        ({"cases": [case_object("a", expected=success(status_code=0))]}, False),
        ({"cases": [case_object("a", expected=malformed())]}, True),
        ({"cases": [case_object("a", expected=without(malformed(), "error_code"))]}, False),
        ({"cases": [case_object("a", expected=malformed(error_code=""))]}, False),
        ({"cases": [case_object("a", expected=malformed() | {"error_code": None})]}, False),
        ({"cases": [case_object("a", simulate_retryable_failure=1)]}, False),
    ],
    ids=[
        "sound",
        "schema key",
        "blank name",
        "no case",
        "version",
        "unknown key",
        "blank id",
        "lower case",
        "empty error",
        "success with an error",
        "status 0",
        "malformed",
        "no error code",
        "empty error code",
        "null error code",
        "number for a boolean",
    ],
)
def test_editors_see_what_the_runtime_refuses(
    changes: Json,
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    """The fixture schema marks, while one writes, what loading would refuse by its form."""
    assert is_valid(SchemaName.FIXTURE, fixture_object() | changes) is expected


def test_other_forms() -> None:
    """An artifact's entry and a channel's description have their forms."""
    artifact: dict[str, Any] = {
        "id": "a",
        "run_id": "r",
        "artifact_type": "stdout",
        "relative_path": "artifacts/1.txt",
        "bytes": 0,
        "checksum_sha256": "0" * 64,
        "created_unix_ms": 0,
        "expires_unix_ms": None,
    }
    assert is_valid(SchemaName.ARTIFACT_INDEX, artifact)
    for key in artifact:
        assert not is_valid(SchemaName.ARTIFACT_INDEX, without(artifact, key))
    assert not is_valid(SchemaName.CHANNEL, {"schema_version": 1})
