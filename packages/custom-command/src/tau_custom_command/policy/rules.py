"""What an execution policy says of a template and its arguments.

A template is split into words first and filled in after, so it is judged by its words. The rules
are those of runbooks/custom-command-ops.md, "Execution policy".
"""

import re
from collections.abc import Iterable, Mapping

from tau_custom_command.policy.model import NO_IDENTIFIER, ExecutionPolicy, folded, is_identifier
from tau_custom_command.policy.programs import LAUNCHERS, SHELLS, program_name
from tau_custom_command.policy.words import words_of

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


def denial(
    policy: ExecutionPolicy, *, template: str, arguments: Iterable[Mapping[str, object]]
) -> str | None:
    """Why `policy` denies the template with these arguments; None where it allows both.

    A blank template is not judged: a case may leave it out.
    """
    if template.strip() and (reason := _template_denial(policy, template)):
        return reason
    for names in arguments:
        for name in names:
            if reason := _name_denial(policy, name, f"the argument {name!r}"):
                return reason
    return None


def _name_denial(policy: ExecutionPolicy, name: str, what: str) -> str | None:
    if not is_identifier(name):
        return f"{what} {NO_IDENTIFIER}"
    if name.lower() in folded(policy.names("denied_env")):
        return f"{what} is in denied_env"
    allowed = folded(policy.names("allowed_env"))
    if allowed and name.lower() not in allowed:
        return f"{what} is not in allowed_env"
    return None


def _template_denial(policy: ExecutionPolicy, template: str) -> str | None:
    if "\0" in template:
        return "the template holds a NUL character, which no program can be given"
    if not policy.allow_shell:
        for syntax, named in _SHELL_SYNTAX.items():
            if syntax in template:
                return f"the template holds {named}, and allow_shell is false"
    words = words_of(template)
    if words is None:
        return "the template cannot be split into words: a quote or a backslash is left open"
    return _placeholder_denial(policy, template, words) or _program_denial(policy, words)


def _placeholder_denial(policy: ExecutionPolicy, template: str, words: list[str]) -> str | None:
    names = [name for word in words for name in _PLACEHOLDER.findall(word)]
    if names != _PLACEHOLDER.findall(template):
        return "blanks or quotes stand inside a placeholder: write {{name}} without them"
    for name in dict.fromkeys(names):
        if reason := _name_denial(policy, name, f"the placeholder {{{{{name}}}}}"):
            return reason
    for word in words:
        text = _PLACEHOLDER.sub("", word)
        if "{{" in text or "}}" in text:
            return "the template opens or closes a placeholder that is not one: write {{name}}"
    return None


def _program_denial(policy: ExecutionPolicy, words: list[str]) -> str | None:
    if not words[0]:
        return "the template names no program"
    if _PLACEHOLDER.search(words[0]):
        return "a placeholder stands in the program; arguments fill only what follows"
    name = program_name(words[0])
    if not policy.allow_shell and name in SHELLS:
        return f"the template starts a shell ({name}), and allow_shell is false"
    if not policy.allow_shell and name in LAUNCHERS:
        return f"the template starts {name}, which starts other programs, and allow_shell is false"
    return None
