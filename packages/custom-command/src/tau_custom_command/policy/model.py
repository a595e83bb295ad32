"""Execution policies: data that travels with a command, and says what it may do.

Record mode judges a policy as it is written; execute mode enforces it. The fields are those of
runbooks/custom-command-ops.md, "Execution policy"; `rules` has what follows from them.
"""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from tau_custom_command.limits import MOST_NAMES

IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
"""What placeholders, arguments and captures are called, as a regular expression."""

_IDENTIFIER = re.compile(IDENTIFIER)

NO_IDENTIFIER = "is not an identifier (a letter or _, then letters, digits, _)"
"""What is said of a name that `is_identifier` refuses."""


class SandboxProfile(StrEnum):
    """How far a command is confined, narrowest first."""

    RESTRICTED = "restricted"
    WORKSPACE_WRITE = "workspace_write"
    UNRESTRICTED = "unrestricted"


class StrictForm(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A form that people write: each key that it does not have is an error.

    Without `gc` each takes 16 bytes less; no form can hold itself.
    """


DEFAULTS: dict[str, Any] = {
    "schema_version": 1,
    "require_approval": True,
    "allow_shell": False,
    "allow_network": False,
    "allow_dash_arguments": False,
    "allow_large_memory": False,
    "sandbox_profile": SandboxProfile.RESTRICTED,
    "allowed_env": (),
    "denied_env": (
        "aws_secret_access_key",
        "gcp_service_account_key",
        "openai_api_key",
        "anthropic_api_key",
        "google_api_key",
    ),
}
"""What holds of a policy where it says nothing, by field."""


class ExecutionPolicy(StrictForm, frozen=True):
    """What a command may do when it runs; a field that is left out says nothing of it.

    Args:
        schema_version: The version of the policy's form; 1 is the only one.
        require_approval: The command runs only after an operator approved it.
        allow_shell: The template may hold shell syntax and may start a shell.
        allow_network: The command may use the host's network.
        allow_dash_arguments: An argument may begin a word with `-`, as an option does, also where
            no `--` stands before it.
        allow_large_memory: The command's address space has no limit.
        sandbox_profile: How far the command is confined, narrowest first.
        allowed_env: The only names that placeholders and arguments may have, compared without
            regard to case; empty: any name that is not denied.
        denied_env: Names that placeholders and arguments never have, compared without regard to
            case.
    """

    schema_version: Literal[1] | UnsetType = UNSET
    require_approval: bool | UnsetType = UNSET
    allow_shell: bool | UnsetType = UNSET
    allow_network: bool | UnsetType = UNSET
    allow_dash_arguments: bool | UnsetType = UNSET
    allow_large_memory: bool | UnsetType = UNSET
    sandbox_profile: SandboxProfile | UnsetType = UNSET
    allowed_env: tuple[str, ...] | UnsetType = UNSET
    denied_env: tuple[str, ...] | UnsetType = UNSET

    def names(self, field: Literal["allowed_env", "denied_env"]) -> tuple[str, ...]:
        """The names in a field; those by default where it was left out."""
        stated: tuple[str, ...] | UnsetType = getattr(self, field)
        return DEFAULTS[field] if stated is UNSET else stated


def contradictions(policy: ExecutionPolicy) -> Iterator[tuple[str, str]]:
    """Yield the field and the message of each thing that is wrong with a policy in itself."""
    allowed, denied = policy.names("allowed_env"), policy.names("denied_env")
    lists = {"allowed_env": allowed, "denied_env": denied}
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
    never = folded(denied)
    for key in allowed:
        if key.lower() in never:
            yield "allowed_env", f"{key!r} is in denied_env too; leave it out of one of the two"


def is_identifier(name: str) -> bool:
    """Tell whether a placeholder, or an argument that fills it, may be called `name`."""
    return bool(_IDENTIFIER.fullmatch(name))


def folded(keys: Iterable[str]) -> frozenset[str]:
    """Names as they are compared: without regard to case."""
    return frozenset(key.lower() for key in keys)
