"""Execution policies, and what they say of a template and its arguments.

A policy is data that travels with a command. Record mode judges it as it is written; execute mode
enforces it. The rules are those of runbooks/custom-command-ops.md, "Execution policy".
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool
from pydantic_core import PydanticCustomError

from tau_custom_command.policy.programs import ProgramKind, program_of

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLACEHOLDER = re.compile(r"(?<!\{)\{\{([^{}]*)\}\}(?!\})")
_SHELL_SYNTAX = {
    "&&": "&&",
    "||": "||",
    ";": ";",
    "`": "a backtick",
    "$(": "$(",
    "|": "|",
    "\n": "a line break",
    "\r": "a line break",
}


def _only_an_integer(value: object) -> object:
    """Return `value`; true and 1.0 equal 1 to Python, and are not the version 1."""
    if type(value) is not int:
        raise PydanticCustomError("literal_error", "must be the integer 1", {"expected": "1"})
    return value


VersionOne = Annotated[Literal[1], BeforeValidator(_only_an_integer)]


class SandboxProfile(StrEnum):
    """How far a command is confined, narrowest first."""

    RESTRICTED = "restricted"
    WORKSPACE_WRITE = "workspace_write"
    UNRESTRICTED = "unrestricted"


class ExecutionPolicy(BaseModel):
    """What a command may do when it runs; a field that is left out says nothing of it."""

    # What is left out has its default here; `model_fields_set` tells which fields were written.
    model_config = ConfigDict(extra="forbid", frozen=True)

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
        tuple[str, ...],
        Field(
            description="The only names that placeholders and arguments may have, compared without "
            "regard to case; empty: any name that is not denied."
        ),
    ] = ()
    denied_env: Annotated[
        tuple[str, ...],
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
    for field, keys in (("allowed_env", policy.allowed_env), ("denied_env", policy.denied_env)):
        seen: set[str] = set()
        for key in keys:
            if not _IDENTIFIER.fullmatch(key):
                yield (
                    field,
                    f"{key!r} is not an identifier (a letter or _, then letters, digits, _)",
                )
            if key.lower() in seen:
                yield field, f"{key!r} stands there twice (case does not count); leave one out"
            seen.add(key.lower())
    denied = _folded(policy.denied_env)
    for key in policy.allowed_env:
        if key.lower() in denied:
            yield "allowed_env", f"{key!r} is in denied_env too; leave it out of one of the two"


def denial(
    policy: ExecutionPolicy, *, template: str, arguments: Iterable[Mapping[str, object]]
) -> str | None:
    """Return why `policy` denies the template with these arguments; None where it allows both.

    A blank template is not judged: a case may leave it out.
    """
    if template.strip() and (reason := _template_denial(policy, template)):
        return reason
    for names in arguments:
        for name in names:
            if reason := _name_denial(policy, name, f"the argument {name!r}"):
                return reason
    return None


def _folded(keys: Iterable[str]) -> frozenset[str]:
    return frozenset(key.lower() for key in keys)


def _name_denial(policy: ExecutionPolicy, name: str, what: str) -> str | None:
    if not _IDENTIFIER.fullmatch(name):
        return f"{what} is not an identifier (a letter or _, then letters, digits, _)"
    if name.lower() in _folded(policy.denied_env):
        return f"{what} is in denied_env"
    if policy.allowed_env and name.lower() not in _folded(policy.allowed_env):
        return f"{what} is not in allowed_env"
    return None


def _template_denial(policy: ExecutionPolicy, template: str) -> str | None:
    for name in _PLACEHOLDER.findall(template):
        if reason := _name_denial(policy, name, f"the placeholder {{{{{name}}}}}"):
            return reason
    without_placeholders = _PLACEHOLDER.sub("", template)
    if "{{" in without_placeholders or "}}" in without_placeholders:
        return "the template opens or closes a placeholder that is not one: write {{name}}"
    if "\0" in template:
        return "the template holds a NUL character, which no program can be given"
    if not policy.allow_shell:
        for syntax, named in _SHELL_SYNTAX.items():
            if syntax in template:
                return f"the template holds {named}, and allow_shell is false"
    try:
        words = shlex.split(template)
    except ValueError:
        return "the template cannot be split into words: a quote or a backslash is left open"
    return _words_denial(policy, template, words)


def _words_denial(policy: ExecutionPolicy, template: str, words: list[str]) -> str | None:
    if sum(map(_placeholders, words)) != _placeholders(template):
        return "quotes stand inside a placeholder: write {{name}} without them"
    if not words or not words[0]:
        return "the template names no program"
    program = program_of(words)
    if any(map(_placeholders, words[: program.position + 1])):
        return "a placeholder stands in the program or before it; arguments fill only what follows"
    if program.kind is ProgramKind.SHELL and not policy.allow_shell:
        return f"the template starts a shell ({program.name}), and allow_shell is false"
    if program.kind is ProgramKind.UNCERTAIN and not policy.allow_shell:
        return f"the words after {program.name!r} do not show for certain which program starts"
    return None


def _placeholders(text: str) -> int:
    return len(_PLACEHOLDER.findall(text))
