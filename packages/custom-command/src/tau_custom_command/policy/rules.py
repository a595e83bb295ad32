"""What an execution policy says of a template and its arguments.

A template is split into words first and filled in after, so it is judged by its words. The rules
are those of runbooks/custom-command-ops.md, "Execution policy".
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from tau_custom_command.policy.effective import EffectivePolicy
from tau_custom_command.policy.model import NO_IDENTIFIER, is_identifier
from tau_custom_command.policy.programs import LAUNCHERS, SHELLS, has_no_name, program_name
from tau_custom_command.policy.words import words_of

CAPTURE = "capture."
"""What stands before the name in the placeholder of a captured value: `{{capture.version}}`."""

PLACEHOLDER = re.compile(r"(?<!\{)\{\{([^{}]*)\}\}(?!\})")
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
    policy: EffectivePolicy, *, template: str, arguments: Iterable[Mapping[str, object]]
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


def may_be_filled(policy: EffectivePolicy, placeholder: str) -> bool:
    """Tell whether `policy` allows an argument, or a captured value, the name of a placeholder."""
    return _name_denial(policy, placeholder.removeprefix(CAPTURE), "") is None


def captures_in(template: str) -> tuple[str, ...]:
    """The names of the captures that a template has placeholders for, each once."""
    names = PLACEHOLDER.findall(template) if f"{{{{{CAPTURE}" in template else []
    return tuple(
        dict.fromkeys(name.removeprefix(CAPTURE) for name in names if name.startswith(CAPTURE))
    )


def _name_denial(policy: EffectivePolicy, name: str, what: str) -> str | None:
    if not is_identifier(name):
        return f"{what} {NO_IDENTIFIER}"
    if name.lower() in policy.denied_env:
        return f"{what} is in denied_env"
    if policy.allowed_env is not None and name.lower() not in policy.allowed_env:
        return f"{what} is not in allowed_env"
    return None


@lru_cache  # a template is judged again with each RUN of its command
def _template_denial(policy: EffectivePolicy, template: str) -> str | None:
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


def _placeholder_denial(
    policy: EffectivePolicy, template: str, words: tuple[str, ...]
) -> str | None:
    marked = [word for word in words if "{{" in word or "}}" in word]
    names = [name for word in marked for name in PLACEHOLDER.findall(word)]
    if names != PLACEHOLDER.findall(template):
        return "blanks or quotes stand inside a placeholder: write {{name}} without them"
    for name in dict.fromkeys(names):
        what, plain = f"the placeholder {{{{{name}}}}}", name.removeprefix(CAPTURE)
        if plain != name:
            what = f"the name {plain!r} of {what}"
        if reason := _name_denial(policy, plain, what):
            return reason
    for word in marked:
        text = PLACEHOLDER.sub("", word)
        if "{{" in text or "}}" in text:
            return "the template opens or closes a placeholder that is not one: write {{name}}"
    return None


def _program_denial(policy: EffectivePolicy, words: tuple[str, ...]) -> str | None:
    if not words[0]:
        return "the template names no program"
    if PLACEHOLDER.search(words[0]):
        return "a placeholder stands in the program; arguments fill only what follows"
    if not policy.allow_shell and has_no_name(words[0]):
        return "the template starts what /proc or /dev shows: any program, and allow_shell is false"
    name = program_name(words[0])
    if not policy.allow_shell and name in SHELLS:
        return f"the template starts a shell ({name}), and allow_shell is false"
    if not policy.allow_shell and name in LAUNCHERS:
        return f"the template starts {name}, which starts other programs, and allow_shell is false"
    return None
