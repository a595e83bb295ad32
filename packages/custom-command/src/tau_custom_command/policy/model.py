"""Execution policies: data that travels with a command, and says what it may do.

Record mode judges a policy as it is written; execute mode enforces it. The fields are those of
runbooks/custom-command-ops.md, "Execution policy"; `rules` has what follows from them.
"""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    StrictBool,
    model_validator,
)
from pydantic_core import PydanticCustomError

from tau_custom_command.limits import MOST_NAMES, MOST_UNKNOWN_KEYS

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

NO_IDENTIFIER = "is not an identifier (a letter or _, then letters, digits, _)"
"""What is said of a name that `is_identifier` refuses."""


def _only_an_integer(value: object) -> object:
    """`value`; true and 1.0 equal 1 to Python, and are not the version 1."""
    if type(value) is not int:
        raise PydanticCustomError("literal_error", "must be the integer 1", {"expected": "1"})
    return value


VersionOne = Annotated[Literal[1], BeforeValidator(_only_an_integer)]


class SandboxProfile(StrEnum):
    """How far a command is confined, narrowest first."""

    RESTRICTED = "restricted"
    WORKSPACE_WRITE = "workspace_write"
    UNRESTRICTED = "unrestricted"


class StrictForm(BaseModel):
    """A form that people write: each key that it does not have is an error."""

    # A command uses a few of the forms: each is built when it is used.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _unknown_keys_are_few(cls, value: object) -> object:
        """Make one error of very many unknown keys: each by itself takes a kilobyte of memory."""
        if isinstance(value, dict) and len(value) > MOST_UNKNOWN_KEYS:
            unknown = [key for key in value if key not in cls.model_fields]
            if len(unknown) > MOST_UNKNOWN_KEYS:
                found = {"count": f"{len(unknown):,}", "first": repr(unknown[0][:60])}
                raise PydanticCustomError(
                    "many_unknown_keys", "has {count} keys that are not known, {first} first", found
                )
        return value


Names = Annotated[tuple[str, ...], FailFast()]
"""Names of placeholders. Only the first that is no text is told: there may be a million."""


class ExecutionPolicy(StrictForm):
    """What a command may do when it runs; a field that is left out says nothing of it."""

    # What is left out has its default here; `model_fields_set` tells which fields were written.
    schema_version: Annotated[
        VersionOne, Field(description="The version of the policy's form; 1 is the only one.")
    ] = 1
    require_approval: Annotated[
        StrictBool, Field(description="The command runs only after an operator approved it.")
    ] = True
    allow_shell: Annotated[
        StrictBool,
        Field(description="The template may hold shell syntax and may start a shell."),
    ] = False
    allow_network: Annotated[
        StrictBool, Field(description="The command may use the host's network.")
    ] = False
    sandbox_profile: Annotated[
        SandboxProfile, Field(description="How far the command is confined, narrowest first.")
    ] = SandboxProfile.RESTRICTED
    allowed_env: Annotated[
        Names,
        Field(
            description="The only names that placeholders and arguments may have, compared without "
            "regard to case; empty: any name that is not denied."
        ),
    ] = ()
    denied_env: Annotated[
        Names,
        Field(
            description="Names that placeholders and arguments never have, compared without regard "
            "to case."
        ),
    ] = (
        "aws_secret_access_key",
        "gcp_service_account_key",
        "openai_api_key",
        "anthropic_api_key",
        "google_api_key",
    )


def contradictions(policy: ExecutionPolicy) -> Iterator[tuple[str, str]]:
    """Yield the field and the message of each thing that is wrong with a policy in itself."""
    lists = {"allowed_env": policy.allowed_env, "denied_env": policy.denied_env}
    if too_long := [(field, keys) for field, keys in lists.items() if len(keys) > MOST_NAMES]:
        for field, keys in too_long:
            yield (
                field,
                f"holds {len(keys):,} names, and the most is {MOST_NAMES:,}; leave some out",
            )
        return
    for field, keys in lists.items():
        seen: set[str] = set()
        for key in keys:
            if not is_identifier(key):
                yield field, f"{key!r} {NO_IDENTIFIER}"
            if key.lower() in seen:
                yield field, f"{key!r} stands there twice (case does not count); leave one out"
            seen.add(key.lower())
    denied = folded(policy.denied_env)
    for key in policy.allowed_env:
        if key.lower() in denied:
            yield "allowed_env", f"{key!r} is in denied_env too; leave it out of one of the two"


def is_identifier(name: str) -> bool:
    """Tell whether a placeholder, or an argument that fills it, may be called `name`."""
    return bool(_IDENTIFIER.fullmatch(name))


def folded(keys: Iterable[str]) -> frozenset[str]:
    """Names as they are compared: without regard to case."""
    return frozenset(key.lower() for key in keys)
