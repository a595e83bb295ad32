"""The starter fixture that `new` writes.

JSON has no comments, so the notes stand where JSON allows them: in the description, in ids that
say what their case shows, and in the schema beside it, which editors show at each field.
"""

from __future__ import annotations

from typing import Any


def starter_fixture(*, name: str, schema: str) -> dict[str, Any]:
    """Return a fixture that runs as it is and has one case of each operation."""
    return {
        "$schema": schema,
        "schema_version": 1,
        "name": name,
        "description": (
            "A starting point: six cases that create, update, run, delete and list commands. "
            "Cases run in the order of their ids. Each says under 'expected' what must come out; "
            "'response_body' may be left out. Change a case, then check the file with "
            "'tau-custom-command validate' and process it with 'tau-custom-command run'."
        ),
        "cases": [
            _case(
                "010-create-registers-a-template-with-a-placeholder",
                "CREATE",
                201,
                template="printf '%s\\n' {{greeting}}",
            ),
            _case(
                "020-update-replaces-the-template",
                "UPDATE",
                200,
                template="printf 'hello, %s\\n' {{who}}",
                execution_policy={"schema_version": 1, "allowed_env": ["who"]},
            ),
            _case(
                "030-run-fills-the-placeholder",
                "RUN",
                200,
                arguments={"who": "world"},
                body={
                    "status": "accepted",
                    "operation": "run",
                    "command_name": "greet",
                    "arguments": {"who": "world"},
                },
            ),
            _case(
                "040-create-another-with-the-whole-answer-compared",
                "CREATE",
                201,
                command_name="farewell",
                template="printf 'goodbye\\n'",
                body={"status": "accepted", "operation": "create", "command_name": "farewell"},
            ),
            _case("050-delete-unregisters-it", "DELETE", 200, command_name="farewell"),
            _case("060-list-answers-from-the-registry", "LIST", 200, command_name=""),
        ],
    }


def _case(
    case_id: str,
    operation: str,
    status_code: int,
    *,
    command_name: str = "greet",
    body: dict[str, Any] | None = None,
    **fields: object,
) -> dict[str, Any]:
    expected: dict[str, Any] = {"outcome": "success", "status_code": status_code}
    if body is not None:
        expected["response_body"] = body
    case: dict[str, Any] = {"schema_version": 1, "case_id": case_id, "operation": operation}
    if command_name:
        case["command_name"] = command_name
    return case | fields | {"expected": expected}
