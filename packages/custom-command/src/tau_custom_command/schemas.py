"""The JSON Schemas (2020-12) of the fixture and of each state file, made from their models.

What this prints is published under fixtures/state-contract/v1/, which is the authority for all
packages; a test holds the two together.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from tau_custom_command.channel_files import (
    ArtifactEntry,
    ChannelDescription,
    ChannelLogEntry,
    ContextEntry,
)
from tau_custom_command.contract import Fixture
from tau_custom_command.file_forms import LARGEST_INTEGER
from tau_custom_command.health import FAILING_STREAK, HealthState, ReasonCode
from tau_custom_command.state_files import RuntimeEvent, StateFile
from tau_custom_command.vocabulary import Operation, Outcome

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class SchemaName(StrEnum):
    """The forms that have a schema."""

    FIXTURE = "fixture"
    STATE = "state"
    EVENT = "event"
    CHANNEL = "channel"
    CHANNEL_LOG = "channel-log"
    CONTEXT = "context"
    ARTIFACT_INDEX = "artifact-index"


_FORMS: dict[SchemaName, type[BaseModel]] = {
    SchemaName.FIXTURE: Fixture,
    SchemaName.STATE: StateFile,
    SchemaName.EVENT: RuntimeEvent,
    SchemaName.CHANNEL: ChannelDescription,
    SchemaName.CHANNEL_LOG: ChannelLogEntry,
    SchemaName.CONTEXT: ContextEntry,
    SchemaName.ARTIFACT_INDEX: ArtifactEntry,
}

# Other transports write these two files too; what is required of every writer is less than what
# the runtime writes (runbooks/state-files.md, "What is required").
_REQUIRED_OF_EVERY_WRITER = {
    SchemaName.STATE: ["schema_version", "health"],
    SchemaName.EVENT: [
        "timestamp_unix_ms",
        "health_state",
        "reason_codes",
        "failed_cases",
        "failure_streak",
        "backlog_cases",
        "malformed_cases",
    ],
}
# What a browser's writer adds to an event (runbooks/state-files.md, "Keys of a browser's writer").
_KEYS_OF_A_BROWSER: dict[str, Any] = {
    "executed_cases": {
        "description": "Cases that the browser executed.",
        "maximum": LARGEST_INTEGER,
        "minimum": 0,
        "type": "integer",
    },
    "artifact_records": {
        "description": "Artifacts that the store holds after the cycle.",
        "maximum": LARGEST_INTEGER,
        "minimum": 0,
        "type": "integer",
    },
    "timeline": {
        "description": "The steps that the browser took, in order.",
        "items": {
            "description": "A step.",
            "properties": {
                "status": {
                    "description": "`ok`, or how it failed.",
                    "type": "string",
                },
                "error_code": {
                    "anyOf": [{"type": "string"}, {"type": "null"}],
                    "description": "Why it failed; null or left out if it did not.",
                },
            },
            "required": ["status"],
            "type": "object",
        },
        "type": "array",
    },
}
_CHAIN_KEYS = ("cycle_id", "cycle_number", "previous_sha256")


class _WithoutFieldTitles(GenerateJsonSchema):
    """Leaves out the titles that only repeat a key with other capitals."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401 - pydantic's own
        del schema
        return False


def json_schema(name: SchemaName) -> dict[str, Any]:
    """Return the schema of a form, with its descriptions, units and examples."""
    schema = _FORMS[name].model_json_schema(mode="validation", schema_generator=_WithoutFieldTitles)
    if name in _REQUIRED_OF_EVERY_WRITER:
        schema["required"] = _REQUIRED_OF_EVERY_WRITER[name]
    if name is SchemaName.FIXTURE:
        _help_editors(schema)
    if name is SchemaName.CHANNEL_LOG:
        _tell_success_from_the_rest(schema["$defs"]["ChannelPayload"])
    if name is SchemaName.EVENT:
        schema["properties"] |= _KEYS_OF_A_BROWSER
        schema["dependentRequired"] = {
            key: [other for other in _CHAIN_KEYS if other != key] for key in _CHAIN_KEYS
        }
        schema["allOf"] = [*_health_rules(), *_code_rules()]
        # A code that is not known is a warning to a reader, not an error.
        schema["$defs"]["ReasonCode"] = {
            "description": "A reason code; one that is not listed is for readers to warn of.",
            "anyOf": [{"enum": list(ReasonCode)}, {"type": "string"}],
        }
    return {"$schema": DIALECT, "title": schema.pop("title"), **schema}


def _tell_success_from_the_rest(payload: dict[str, Any]) -> None:
    """Add which keys stand after a success, and which after anything else."""
    counts = ["upserted_commands", "deleted_commands", "executed_runs"]
    for key in (*counts, "error_code", "run_audit", "drift"):
        del payload["properties"][key]["default"]  # a key that is missing never reads as 0
    has_count = {"anyOf": [{"required": [key]} for key in counts]}
    payload["if"] = {
        "required": ["outcome"],
        "properties": {"outcome": {"const": Outcome.SUCCESS}},
    }
    payload["then"] = {"required": counts, "not": {"required": ["error_code"]}}
    payload["else"] = {"required": ["error_code"], "not": has_count}
    payload["properties"]["operation"]["pattern"] = "^[^A-Z]*$"


def _help_editors(schema: dict[str, Any]) -> None:
    """Add what an editor can tell while a fixture is written, beside the form itself."""
    schema["properties"] = {
        "$schema": {"type": "string", "description": "Where editors find this schema."}
    } | schema["properties"]
    case = schema["$defs"]["Case"]["properties"]
    case["operation"]["anyOf"] = [{"enum": list(Operation)}, {"type": "string"}]
    case["operation"]["pattern"] = r"\S"
    case["case_id"]["pattern"] = r"\S"
    schema["properties"]["name"]["pattern"] = r"\S"
    expectation = schema["$defs"]["Expectation"]
    # An empty one is none, as the description says.
    expectation["properties"]["error_code"]["anyOf"].append({"const": ""})
    with_code = {
        "required": ["error_code"],
        "properties": {"error_code": {"type": "string", "minLength": 1}},
    }
    expectation["if"] = {"properties": {"outcome": {"const": Outcome.SUCCESS}}}
    expectation["then"] = {"not": with_code}
    expectation["else"] = with_code


def _health_rules() -> list[dict[str, Any]]:
    """Return the classification as rules: the state is what streak and failed cases give."""
    failing = {"properties": {"failure_streak": {"minimum": FAILING_STREAK}}}
    clean = {"properties": {"failure_streak": {"const": 0}, "failed_cases": {"const": 0}}}
    # A number that is missing or no number is an error of its own, and says nothing of the state.
    judged = {
        "required": ["failure_streak", "failed_cases"],
        "properties": {
            "failure_streak": {"type": "integer"},
            "failed_cases": {"type": "integer"},
        },
    }

    def then(state: HealthState) -> dict[str, Any]:
        return {"properties": {"health_state": {"const": state}}}

    by_the_numbers = {
        "if": failing,
        "then": then(HealthState.FAILING),
        "else": {
            "if": clean,
            "then": then(HealthState.HEALTHY),
            "else": then(HealthState.DEGRADED),
        },
    }
    return [{"if": judged, "then": by_the_numbers}]


def _code_rules() -> list[dict[str, Any]]:
    """Return the rules by which a code stands exactly where its counter is above 0."""

    def above_zero(counter: str) -> dict[str, Any]:
        return {
            "required": [counter],
            "properties": {counter: {"type": "integer", "minimum": 1}},
        }

    def listed(code: ReasonCode) -> dict[str, Any]:
        return {"properties": {"reason_codes": {"contains": {"const": code}}}}

    codes_are_there = {
        "required": ["reason_codes"],
        "properties": {"reason_codes": {"type": "array"}},
    }

    malformed = {"anyOf": [above_zero("malformed_cases"), above_zero("unexpected_malformed_cases")]}
    return [
        {
            "if": codes_are_there,
            "then": {"if": listed(code), "then": counted, "else": {"not": counted}},
        }
        for code, counted in (
            (ReasonCode.CASE_PROCESSING_FAILED, above_zero("failed_cases")),
            (ReasonCode.MALFORMED_INPUTS_OBSERVED, malformed),
        )
    ]
