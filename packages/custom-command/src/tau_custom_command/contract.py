"""A fixture: which commands are created, updated, deleted, run and listed, and what must come out.

These models are the form of the file; `fixture_loading` reads them and checks what a form alone
cannot say (runbooks/custom-command-ops.md, "Fixtures").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StrictBool,
)

from tau_custom_command.limits import LONGEST_NAME, LONGEST_TEXT
from tau_custom_command.policy import ExecutionPolicy, VersionOne
from tau_custom_command.vocabulary import (
    REGISTRY_CHANNEL,
    ErrorCode,
    Operation,
    Outcome,
    is_command_name,
)


def _blank_is_none(value: object) -> object:
    return None if value == "" else value


def _upper_ascii(value: str) -> str:
    """Return `value` in upper case; other letters stay, since some become ASCII ones."""
    return value.upper() if value.isascii() else value


Trimmed = Annotated[str, AfterValidator(str.strip)]
SchemaVersion = Annotated[
    VersionOne, Field(description="The version of the form; 1 is the only one.", examples=[1])
]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Expectation(_Form):
    """What a case must result in; anything else is contract drift."""

    outcome: Annotated[Outcome, Field(description="How the case must end.")]
    status_code: Annotated[
        int, Field(strict=True, gt=0, description="The status it must end with.", examples=[201])
    ]
    error_code: Annotated[
        ErrorCode | None,
        BeforeValidator(_blank_is_none),
        Field(description="The error it must end with; a success has none (left out, null or '')."),
    ] = None
    response_body: Annotated[
        dict[str, JsonValue] | None,
        Field(
            description="The body it must answer with, compared by type and value (1 is not 1.0). "
            "Left out or null: not compared."
        ),
    ] = None


class CommandSpec(_Form):
    """The command itself, where a case states more of it than its name and template."""

    name: Annotated[Trimmed, Field(description="The same name as the case's command_name.")]
    template: Annotated[str, Field(description="The same template as the case's.")]
    default_arguments: Annotated[
        dict[str, JsonValue],
        Field(description="Values for the placeholders that a RUN's arguments leave out."),
    ] = {}
    execution_policy: Annotated[
        ExecutionPolicy | None,
        Field(description="The policy that is registered with the command."),
    ] = None


class Case(_Form):
    """One operation on one command, and what it must result in."""

    schema_version: SchemaVersion
    case_id: Annotated[
        Trimmed,
        Field(
            description="Names the case, unique in the fixture; cases run in the order of this "
            "text, so write numbers with leading zeros.",
            examples=["010-create-greet"],
            max_length=LONGEST_NAME,
        ),
    ]
    operation: Annotated[
        Trimmed,
        AfterValidator(_upper_ascii),
        Field(
            description="CREATE, UPDATE, DELETE, RUN or LIST, in any case of letters.",
            max_length=LONGEST_NAME,
        ),
    ]
    command_name: Annotated[
        Trimmed,
        Field(
            description="An ASCII letter, then at most 63 letters, digits, _ or -; not 'registry'. "
            "A LIST needs none.",
            examples=["greet"],
            max_length=LONGEST_NAME,
        ),
    ] = ""
    template: Annotated[
        str,
        Field(
            description="The program and its words, with {{name}} for each argument. Needed by "
            "CREATE and UPDATE; a RUN may repeat the registered one.",
            examples=["printf 'hello %s' {{who}}"],
            max_length=LONGEST_TEXT,
        ),
    ] = ""
    arguments: Annotated[
        dict[str, JsonValue],
        Field(
            description="Values for the placeholders, by identifier.", examples=[{"who": "world"}]
        ),
    ] = {}
    execution_policy: Annotated[
        ExecutionPolicy | None,
        Field(description="The policy that the case is judged by; left out: the operator's."),
    ] = None
    command_spec: Annotated[
        CommandSpec | None, Field(description="More of the command, for CREATE and UPDATE.")
    ] = None
    simulate_retryable_failure: Annotated[
        StrictBool, Field(description="The case fails as if the backend were unavailable.")
    ] = False
    expected: Annotated[Expectation, Field(description="What the case must result in.")]

    @property
    def key(self) -> str:
        """Return what identifies the case across cycles: OPERATION:command_name:case_id."""
        return f"{self.operation}:{self.command_name}:{self.case_id}"

    @property
    def channel(self) -> str:
        """Return the channel that records the case: its command's, or the registry's."""
        has_own = self.operation != Operation.LIST and is_command_name(self.command_name)
        return self.command_name if has_own else REGISTRY_CHANNEL

    @property
    def own_policies(self) -> tuple[ExecutionPolicy, ...]:
        """Return the policies that the case itself states; the operator's count where none is."""
        of_spec = None if self.command_spec is None else self.command_spec.execution_policy
        return tuple(policy for policy in (self.execution_policy, of_spec) if policy is not None)

    @property
    def argument_objects(self) -> tuple[Mapping[str, Any], ...]:
        """Return the objects whose keys fill placeholders: the arguments, and their defaults."""
        defaults = {} if self.command_spec is None else self.command_spec.default_arguments
        return (self.arguments, defaults)


class Fixture(_Form):
    """A set of cases that one cycle processes, or several where the queue limit is smaller."""

    schema_version: SchemaVersion
    name: Annotated[
        str,
        Field(
            description="Names the fixture in events.",
            examples=["rollout"],
            max_length=LONGEST_NAME,
        ),
    ]
    description: Annotated[
        str,
        Field(description="What the fixture is for, for people.", max_length=LONGEST_TEXT),
    ] = ""
    cases: Annotated[tuple[Case, ...], Field(min_length=1, description="The cases, in any order.")]
