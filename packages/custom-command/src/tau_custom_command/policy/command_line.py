"""The words and the environment of a command: its template, split and then filled in.

An argument's value is always exactly one word, or part of one, and never the program
(runbooks/custom-command-ops.md, "How a template is filled in").
"""

import json
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Literal, NamedTuple

from tau_custom_command.policy.effective import EffectivePolicy
from tau_custom_command.policy.programs import SHELLS, program_name
from tau_custom_command.policy.rules import CAPTURE, PLACEHOLDER, denial
from tau_custom_command.policy.variables import changes_loading
from tau_custom_command.policy.words import words_of

MOST_WORD_BYTES = 128 * 1024 - 1
"""Bytes that Linux takes in one word of a program, or in one variable with its name."""

MOST_BYTES = 1024 * 1024
"""Bytes of all of them: half of what Linux takes as a rule; the rest is the sandbox's own."""


_SECRETS = "a secret is given by --secret NAME, and read from the environment as $NAME"


class CommandLine(NamedTuple):
    """What a program is started with: its words, itself the first, and what arguments set."""

    words: tuple[str, ...]
    environment: Mapping[str, str]


class Refusal(NamedTuple):
    """Why a template cannot be filled in: a `FailureReason` by its value, and the same for people.

    No explanation quotes the value of an argument.
    """

    failure: Literal[
        "policy_denied", "shell_program_disallowed", "invalid_template", "capture_missing"
    ]
    explanation: str


def fill(
    template: str,
    arguments: Mapping[str, object],
    policy: EffectivePolicy,
    *,
    captures: Mapping[str, str] | None = None,
    secrets: Collection[str] = (),
) -> CommandLine | Refusal:
    """Fill in the template of a command, or tell why not.

    Args:
        template: The registered one.
        arguments: The case's, over the command's default arguments.
        policy: The one that counts.
        captures: Values captured from the output of earlier RUNs, by name without `capture.`.
        secrets: Names of variables that hold secrets: neither a placeholder nor an argument may
            have one, in any case of letters.
    """
    captured = {CAPTURE + name: value for name, value in (captures or {}).items()}
    words = words_of(template)
    if not words or not template.strip():
        return Refusal("invalid_template", "the template is blank, or a quote is left open in it")
    named = _named(template, arguments)
    if reason := _of_a_secret(named, secrets):
        return Refusal("policy_denied", reason)
    if refusal := _judged(template, words, arguments, policy):
        return refusal
    given = {name: as_word(value) for name, value in arguments.items() if value is not None}
    values = given | captured
    if missing := next((name for name in placeholders(template) if name not in values), None):
        what = f"the placeholder {{{{{missing}}}}}"
        if missing.startswith(CAPTURE):
            return Refusal("capture_missing", f"{what} was not captured by an earlier RUN")
        return Refusal("invalid_template", f"{what} has no argument, and no default; {_SECRETS}")
    line = CommandLine(
        words=tuple(PLACEHOLDER.sub(lambda found: values[found[1]], word) for word in words),
        environment={name: text for name, text in given.items() if not changes_loading(name)},
    )
    return _judged_as_filled(words, line, policy) or line


def as_word(value: object) -> str:
    """How an argument is written: a string as it is, all else as its JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@lru_cache(maxsize=16)  # they are looked for again with each RUN of a command
def placeholders(template: str) -> tuple[str, ...]:
    """The names in the placeholders of a template, each once, in their order."""
    return tuple(dict.fromkeys(PLACEHOLDER.findall(template)))


def _judged(
    template: str,
    words: tuple[str, ...],
    arguments: Mapping[str, object],
    policy: EffectivePolicy,
) -> Refusal | None:
    """Hold the template and the names against the policy, whatever the values are."""
    if reason := denial(policy, template=template, arguments=(arguments,)):
        is_shell = not policy.allow_shell and program_name(words[0]) in SHELLS
        return Refusal("shell_program_disallowed" if is_shell else "policy_denied", reason)
    return None


def _named(template: str, arguments: Mapping[str, object]) -> dict[str, tuple[str, str]]:
    """What is a placeholder or an argument, by its name: which of the two, and in words."""
    named = {name: ("argument", f"the argument {name!r}") for name in arguments}
    return named | {
        name: ("placeholder", f"the placeholder {{{{{name}}}}}") for name in placeholders(template)
    }


def _of_a_secret(named: Mapping[str, tuple[str, str]], secrets: Collection[str]) -> str | None:
    """Why a name is not to be had, and what to do, where it is a secret's; else None."""
    variables = {secret.lower(): secret for secret in secrets}
    for name, (kind, what) in named.items():
        if secret := variables.get(name.removeprefix(CAPTURE).lower()):
            where = f"it is in the command's environment as ${secret}"
            return f"{what} is the name of a secret: {where}; take the {kind} out"
    return None


def _judged_as_filled(
    words: tuple[str, ...], line: CommandLine, policy: EffectivePolicy
) -> Refusal | None:
    """Hold what the arguments made of the words against the policy, and what a program takes."""
    dashed = None if policy.allow_dash_arguments else _dashed(words, line.words)
    if dashed is not None:
        what = f"an argument makes an option of the word {dashed!r}: it begins with -"
        ways_out = "write -- before that word in the template, or allow_dash_arguments"
        return Refusal("policy_denied", f"{what}; {ways_out}")
    if reason := next(_not_taken(line), None):
        return Refusal("invalid_template", reason)
    return None


def _dashed(words: tuple[str, ...], filled: tuple[str, ...]) -> str | None:
    """The word of the template that an argument makes an option of, if any.

    Behind a `--` there are no options; one that an argument brings does not count.
    """
    for word, text in zip(words[1:], filled[1:], strict=True):
        if word == "--":
            return None
        if PLACEHOLDER.match(word) and text.startswith("-"):
            return word
    return None


def _not_taken(line: CommandLine) -> Iterator[str]:
    """Yield why no program can be given this."""
    texts = {f"word {place} of the command": word for place, word in enumerate(line.words, 1)}
    texts |= {f"the argument {name!r}": f"{name}={text}" for name, text in line.environment.items()}
    sizes = {what: len(text.encode()) for what, text in texts.items()}
    for what, text in texts.items():
        if "\0" in text:
            yield f"{what} holds a NUL character, which no program can be given"
        if sizes[what] > MOST_WORD_BYTES:
            yield f"{what} has {sizes[what]:,} bytes, and the most is {MOST_WORD_BYTES:,}"
    total = sum(sizes.values()) + len(sizes) * 9  # the NUL behind each, and the pointer to it
    if total > MOST_BYTES:
        yield f"words and arguments have {total:,} bytes, and the most is {MOST_BYTES:,}"
