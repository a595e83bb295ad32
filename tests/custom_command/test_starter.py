"""The starter fixture: it runs as it is, and shows one case of each operation."""

from __future__ import annotations

import json

from jsonschema import Draft202012Validator

from tau_custom_command.contract import Operation
from tau_custom_command.fixture_loading import load
from tau_custom_command.schemas import SchemaName, json_schema
from tau_custom_command.starter import starter_fixture
from tests.custom_command.running import Runtime

STARTER = starter_fixture(name="mine", schema="./fixture.schema.json")


def test_it_loads_without_a_warning() -> None:
    """A newcomer's first fixture has no problem and nothing to look at twice."""
    loaded = load(json.dumps(STARTER).encode(), named="mine.json")
    assert loaded.warnings == ()
    assert loaded.fixture.name == "mine"


def test_it_is_valid_by_its_own_schema() -> None:
    """The schema that it names has nothing to say against it."""
    Draft202012Validator(json_schema(SchemaName.FIXTURE)).validate(STARTER)
    assert STARTER["$schema"] == "./fixture.schema.json"


def test_it_has_each_operation_once() -> None:
    """Whoever reads it has seen every operation."""
    assert sorted(case["operation"] for case in STARTER["cases"]) == sorted(Operation)


def test_it_runs_as_it_says(runtime: Runtime) -> None:
    """Every case succeeds as expected, and the command is gone at the end."""
    event = runtime.run_file(json.dumps(STARTER).encode()).event
    assert (event.applied_cases, event.failed_cases) == (5, 0)
    assert (event.upserted_commands, event.executed_runs, event.deleted_commands) == (2, 1, 1)
    assert runtime.files.state()["commands"] == []


def test_it_explains_itself() -> None:
    """JSON has no comments: the description says what to do next."""
    for word in ("expected", "order", "validate", "run"):
        assert word in STARTER["description"]
