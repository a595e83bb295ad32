"""Builders of cases and fixtures for the tests of the command runtime.

The `..._object` functions give what a fixture file holds, as JSON values; `case` gives the model.
What a test does not care about has a value here that is right and says nothing.
"""

import json
from typing import Any

from tau_custom_command.contract.form_errors import read_form
from tau_custom_command.contract.vocabulary import ErrorCode
from tau_custom_command.cycle.evaluation import Result, evaluate
from tau_custom_command.cycle.registry import Registry
from tau_custom_command.fixture.loading import LoadedFixture, load
from tau_custom_command.fixture.model import Case
from tau_custom_command.policy.model import ExecutionPolicy

NAMED = "fixtures/x.json"
"""How the operator called the file, wherever a test loads one."""

SUCCESS_STATUS = {"CREATE": 201, "UPDATE": 200, "DELETE": 200, "RUN": 200, "LIST": 200}


def success(operation: str = "CREATE", **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return an `expected` of a success of `operation`."""
    return {"outcome": "success", "status_code": SUCCESS_STATUS.get(operation, 200)} | changes


def malformed(
    status_code: int = 400,
    error_code: str = ErrorCode.INVALID_NAME.value,
    **changes: Any,  # noqa: ANN401 - JSON
) -> dict[str, Any]:
    """Return an `expected` of malformed input."""
    return {
        "outcome": "malformed_input",
        "status_code": status_code,
        "error_code": error_code,
    } | changes


def retryable(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return an `expected` of a retryable failure."""
    return {
        "outcome": "retryable_failure",
        "status_code": 503,
        "error_code": ErrorCode.BACKEND_UNAVAILABLE.value,
    } | changes


def case_object(
    case_id: str = "010-case",
    operation: str = "CREATE",
    command_name: str = "greet",
    **changes: Any,  # noqa: ANN401 - JSON
) -> dict[str, Any]:
    """Return a case as a fixture holds it; it expects the success of its operation.

    CREATE and UPDATE have a template unless `changes` gives another.
    """
    value: dict[str, Any] = {
        "schema_version": 1,
        "case_id": case_id,
        "operation": operation,
        "command_name": command_name,
        "expected": success(operation),
    }
    if operation in {"CREATE", "UPDATE"}:
        value["template"] = "echo {{who}}"
    return value | changes


def without(value: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Return a copy of `value` without `keys`."""
    return {key: item for key, item in value.items() if key not in keys}


def fixture_object(*cases: Any, **header: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a fixture as its file holds it; with one sound case where none is given."""
    value: dict[str, Any] = {"schema_version": 1, "name": "demo", "description": "for a test"}
    return value | {"cases": [*cases] or [case_object()]} | header


def fixture_bytes(*cases: Any, **header: Any) -> bytes:  # noqa: ANN401 - JSON
    """Return the bytes of such a fixture's file."""
    return json.dumps(fixture_object(*cases, **header)).encode()


def loaded(*cases: Any, **header: Any) -> LoadedFixture:  # noqa: ANN401 - JSON
    """Return such a fixture, loaded."""
    return load(fixture_bytes(*cases, **header), named=NAMED)


def case(
    case_id: str = "010-case",
    operation: str = "CREATE",
    command_name: str = "greet",
    **changes: Any,  # noqa: ANN401 - JSON
) -> Case:
    """Return the case that `case_object` describes, as the runtime knows it."""
    return read_form(case_object(case_id, operation, command_name, **changes), Case)


def result_of(
    subject: Case, registry: Registry | None = None, *, default: ExecutionPolicy | None = None
) -> Result:
    """Return what `subject` results in: in an empty registry, under the default policy."""
    return evaluate(
        subject,
        Registry() if registry is None else registry,
        default_policy=ExecutionPolicy() if default is None else default,
    )


def registered(*names: str, template: str = "echo {{who}}", now_unix_ms: int = 1_000) -> Registry:
    """Return a registry in which each of `names` was created with `template`."""
    registry = Registry()
    for number, name in enumerate(names):
        creating = case(f"000-create-{number}", "CREATE", name, template=template)
        registry.apply(creating, result_of(creating), now_unix_ms=now_unix_ms)
    return registry
