"""The starter fixture: it runs as it is, and shows one case of each operation."""

from __future__ import annotations

import json

from jsonschema import Draft202012Validator

from tau_custom_command.contract.vocabulary import Operation
from tau_custom_command.fixture.loading import load
from tau_custom_command.fixture.schemas import SchemaName, json_schema
from tau_custom_command.fixture.starter import starter_fixture
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


def test_it_has_each_operation() -> None:
    """Whoever reads it has seen every operation."""
    assert {case["operation"] for case in STARTER["cases"]} == set(Operation)


def test_it_runs_as_it_says(runtime: Runtime) -> None:
    """Every case succeeds as expected, and one command is left to look at."""
    event = runtime.run_file(json.dumps(STARTER).encode()).event
    assert (event.applied_cases, event.failed_cases) == (6, 0)
    assert (event.upserted_commands, event.executed_runs, event.deleted_commands) == (3, 1, 1)
    (record,) = runtime.files.state()["commands"]
    assert (record["command_name"], record["run_count"]) == ("greet", 1)


def test_it_runs_beside_other_commands(runtime: Runtime) -> None:
    """Tried in a directory that is in use, it is as good: nothing drifts."""
    others = json.loads(json.dumps(STARTER).replace("greet", "other"))
    runtime.run_file(json.dumps(others).encode())
    assert runtime.run_file(json.dumps(STARTER).encode()).event.failed_cases == 0


def test_it_explains_itself() -> None:
    """JSON has no comments: the description says what to do next."""
    for word in ("expected", "order", "validate", "run"):
        assert word in STARTER["description"]
