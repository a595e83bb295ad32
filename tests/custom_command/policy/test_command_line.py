"""How a template is filled in: each argument one word, and never the program."""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tau_custom_command.policy.command_line import (
    MOST_BYTES,
    MOST_WORD_BYTES,
    CommandLine,
    Refusal,
    as_word,
    fill,
    placeholders,
)
from tau_custom_command.policy.effective import EffectivePolicy, as_written
from tau_custom_command.policy.model import ExecutionPolicy

STRICT = as_written(ExecutionPolicy())
DASHES = as_written(ExecutionPolicy(allow_dash_arguments=True))
SHELL = as_written(ExecutionPolicy(allow_shell=True))
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
NASTY = st.sampled_from(
    [
        *("", " ", "a b", "'", '"', "\\", "\n", "\r\n", "$(id)", "`id`", ";", "&& id", "| sh"),
        *("{{x}}", "{{y}}", "{{capture.x}}", "{", "}}", "*", "~", "#", "é", "\u2028", "\x1b[31m"),
        *("-rf", "--", "-", "--help", "sh", "env", "$HOME", "%s", "\\1", "\\g<0>", "x=1"),
    ]
)


def _filled(
    template: str,
    arguments: dict[str, Any],
    policy: EffectivePolicy = STRICT,
    *,
    captures: dict[str, str] | None = None,
    secrets: Sequence[str] = (),
) -> CommandLine:
    """The command line of a template that can be filled in."""
    found = fill(template, arguments, policy, captures=captures, secrets=secrets)
    assert isinstance(found, CommandLine), found
    return found


def _refused(
    template: str,
    arguments: dict[str, Any],
    policy: EffectivePolicy = STRICT,
    *,
    captures: dict[str, str] | None = None,
    secrets: Sequence[str] = (),
) -> Refusal:
    """Why one cannot."""
    found = fill(template, arguments, policy, captures=captures, secrets=secrets)
    assert isinstance(found, Refusal), found
    return found


# One word each.


@given(NASTY | TEXTS, NASTY | TEXTS)
@example("{{y}}", "{{x}}")
def test_an_argument_is_exactly_one_word_whatever_it_holds(x: str, y: str) -> None:
    """No value makes a second word, takes one away, or is read as a template again."""
    line = _filled("printf 'a b' {{x}} {{y}} --o={{x}}:{{y}} {{x}}", {"x": x, "y": y}, DASHES)
    assert line.words == ("printf", "a b", x, y, f"--o={x}:{y}", x)
    assert line.environment == {"x": x, "y": y}


@given(NASTY | TEXTS)
def test_a_captured_value_is_an_argument_like_any_other(value: str) -> None:
    """It fills its own placeholder in one word, and sets no variable."""
    line = _filled("echo {{capture.x}} {{x}}", {"x": "own"}, DASHES, captures={"x": value})
    assert line.words == ("echo", value, "own")
    assert line.environment == {"x": "own"}


PIECES = st.sampled_from(
    [*("echo", "./x", " ", " ", "'", '"', "\\", "{{x}}", "{{y}}", "{", "}", "--", "-a", "sh", "=")]
)


@given(st.lists(PIECES, max_size=10).map("".join), NASTY, NASTY)
def test_arguments_never_change_the_program_or_the_number_of_words(
    template: str, x: str, y: str
) -> None:
    """Whatever the template, what it starts and how many words it has was said by its author."""
    for policy in (STRICT, DASHES, SHELL):
        plain = fill(template, {"x": "a", "y": "b"}, policy)
        found = fill(template, {"x": x, "y": y}, policy)
        if isinstance(found, CommandLine):
            assert isinstance(plain, CommandLine)
            assert found.words[0] == plain.words[0]
            assert len(found.words) == len(plain.words)
            for before, after in zip(plain.words, found.words, strict=True):
                is_new_option = after.startswith("-") and not before.startswith("-")
                assert not is_new_option or policy.allow_dash_arguments or "--" in plain.words


@pytest.mark.parametrize("value", ["a b", "$(id)", "; id", "'", '"', "\n\n", "*", "{{x}}", "é"])
def test_a_real_program_gets_the_word(value: str) -> None:
    """The words as they are filled in are what a program that is started with them is given."""
    script = "import json,sys;json.dump(sys.argv[1:],sys.stdout)"
    policy = as_written(ExecutionPolicy(allow_shell=True))
    line = _filled(f"{sys.executable} -c '{script}' {{{{x}}}} end", {"x": value}, policy)
    out = subprocess.run(line.words, capture_output=True, check=True, timeout=30).stdout
    assert json.loads(out) == [value, "end"]


# How values are written.


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("", ""),
        (" a ", " a "),
        ("1", "1"),
        (1, "1"),
        (1.0, "1.0"),
        (-0.5, "-0.5"),
        (1e300, "1e+300"),
        (10**30, "1" + "0" * 30),
        (True, "true"),
        (False, "false"),
        ([1, "a"], '[1,"a"]'),
        ({"b": {"é": None}, "a": []}, '{"b":{"é":null},"a":[]}'),
    ],
    ids=repr,
)
def test_a_string_is_written_as_it_is_and_all_else_as_json(value: object, word: str) -> None:
    """One word each, without blanks of ours; in the environment just so."""
    assert as_word(value) == word
    line = _filled("echo -- {{x}}", {"x": value})
    assert line.words == ("echo", "--", word)
    assert line.environment == {"x": word}


@pytest.mark.parametrize("arguments", [{}, {"X": "a"}, {"x": None}, {"y": "a"}], ids=str)
def test_a_placeholder_without_an_argument_is_refused(arguments: dict[str, Any]) -> None:
    """Null is none, and a name in other letters is another name."""
    assert _refused("echo {{x}}", arguments) == Refusal(
        "invalid_template",
        "the placeholder {{x}} has no argument, and no default; "
        "a secret is given by --secret NAME, and read from the environment as $NAME",
    )


def test_null_sets_no_variable() -> None:
    """An argument that is null and fills nothing is left out."""
    assert _filled("echo", {"x": None, "y": 1}).environment == {"y": "1"}


def test_what_was_not_captured_is_told_as_such() -> None:
    """An argument of the same name does not stand in for it."""
    assert _refused("echo {{capture.x}}", {"x": "a"}) == Refusal(
        "capture_missing", "the placeholder {{capture.x}} was not captured by an earlier RUN"
    )


@pytest.mark.parametrize("template", ["", "  \t", "\n", "\u00a0", "echo 'a", "echo a\\"])
@pytest.mark.parametrize("policy", [STRICT, SHELL])
def test_a_template_without_words_is_refused(policy: EffectivePolicy, template: str) -> None:
    """A record that somebody edited starts nothing."""
    assert _refused(template, {}, policy).failure == "invalid_template"


# What the policy denies.


@pytest.mark.parametrize("template", ["sh", "/bin/bash -c {{x}}", "busybox-static sh", "dash a;b"])
def test_a_shell_is_denied_by_a_reason_of_its_own(template: str) -> None:
    """What starts others is denied by the policy, a shell as a shell, with allow_shell neither."""
    found = _refused(template, {"x": "id"})
    is_shell = not template.startswith("busybox")
    assert found.failure == ("shell_program_disallowed" if is_shell else "policy_denied")
    assert "allow_shell is false" in found.explanation
    assert isinstance(fill(template, {"x": "id"}, SHELL), CommandLine)


@pytest.mark.parametrize(
    ("template", "arguments"),
    [
        ("echo {{openai_api_key}}", {}),
        ("echo", {"OpenAI_API_Key": "a"}),
        ("echo a | tee b", {}),
        ("{{x}} a", {"x": "echo"}),
        ("echo {{ x }}", {"x": "a"}),
        ("echo", {"capture.x": "a"}),
        ("echo", {"a-b": "a"}),
    ],
)
def test_what_record_mode_denies_is_denied(template: str, arguments: dict[str, Any]) -> None:
    """The rules are the same; no value is told, for it may be a secret."""
    assert _refused(template, arguments).failure == "policy_denied"


@pytest.mark.parametrize("secret", ["token", "TOKEN"])
@pytest.mark.parametrize(
    ("template", "arguments", "captures"),
    [
        ("echo {{Token}}", {"Token": "hunter2"}, {}),
        ("echo {{capture.token}}", {}, {"token": "hunter2"}),
        ("echo", {"Token": "hunter2"}, {}),
        ("echo {{x}}", {"x": "a", "token": "hunter2"}, {}),
    ],
)
def test_a_secrets_name_is_nobody_elses(
    template: str, arguments: dict[str, Any], captures: dict[str, str], secret: str
) -> None:
    """No placeholder brings a secret into a command line, and no argument takes its variable."""
    found = _refused(template, arguments, captures=captures, secrets=[secret])
    assert found.failure == "policy_denied"
    kind = "placeholder" if "oken}}" in template else "argument"
    assert found.explanation.startswith(f"the {kind} ")
    assert found.explanation.endswith(
        f" is the name of a secret: it is in the command's environment as ${secret}; "
        f"take the {kind} out"
    )
    narrow = STRICT._replace(allowed_env=frozenset({"x"}))
    assert _refused(template, arguments, narrow, captures=captures, secrets=[secret]) == found
    assert "hunter2" not in found.explanation
    assert _filled(template, arguments, captures=captures, secrets=["other"])


@pytest.mark.parametrize("value", ["-", "-rf", "--", "--help=x", "-1", -1])
@pytest.mark.parametrize(
    ("template", "denied"),
    [
        ("echo {{x}}", True),
        ("echo '{{x}}'", True),
        ("echo {{x}}b", True),
        ("echo {{empty}}{{x}}", True),
        ("echo {{x}} -- a", True),
        ("echo {{dashes}} {{x}}", True),
        ("echo a{{x}}", False),
        ("echo -{{x}}", False),
        ("echo --name={{x}}", False),
        ("echo -- {{x}}", False),
        ("echo -a -- b {{x}}", False),
        ("echo '--' {{empty}}{{x}}", False),
    ],
)
def test_an_argument_is_no_option(template: str, value: object, *, denied: bool) -> None:
    """One that begins a word with - needs a -- of the template before it, or the permission."""
    arguments = {"x": value, "empty": "", "dashes": "--" if "dashes" in template else "a"}
    assert isinstance(fill(template, arguments, DASHES), CommandLine)
    found = fill(template, arguments, STRICT)
    assert isinstance(found, Refusal) is denied
    if isinstance(found, Refusal):
        assert found.failure == "policy_denied"
        assert "write -- before" in found.explanation


def test_an_argument_that_vanishes_makes_no_option() -> None:
    """What is left of a word begins with - only since the argument is empty."""
    assert _filled("echo {{x}}-rf", {"x": "a"}).words == ("echo", "a-rf")
    assert _refused("echo {{x}}-rf", {"x": ""}).failure == "policy_denied"


# The environment.


@given(st.dictionaries(st.from_regex(r"[A-Z_]{1,6}(_[A-Z]{1,3})?", fullmatch=True), NASTY))
@example(dict.fromkeys(["PATH", "LD_PRELOAD", "PYTHONPATH", "BASH_ENV", "IFS", "GIT_DIR"], "x"))
def test_no_argument_sets_a_variable_that_changes_loading(arguments: dict[str, str]) -> None:
    """It still fills its placeholder; every other argument is a variable by its name."""
    words = " ".join(f"{{{{{name}}}}}" for name in arguments)
    line = _filled(f"echo -- {words}", arguments)
    assert line.words == ("echo", "--", *arguments.values())
    forbidden = ("LD_", "DYLD_", "PYTHON", "PERL5", "RUBY", "GIT_")
    named = {"PATH", "BASH_ENV", "ENV", "IFS", "NODE_OPTIONS"}
    assert not [name for name in line.environment if name in named or name.startswith(forbidden)]
    assert line.environment.items() <= arguments.items()


# What no program can be given.


@pytest.mark.parametrize("template", ["echo {{x}}", "echo"])
def test_a_nul_is_refused(template: str) -> None:
    """Neither a word nor a variable can hold one."""
    found = _refused(template, {"x": "a\0b"})
    assert found.failure == "invalid_template"
    assert "NUL" in found.explanation


def _starts(line: CommandLine) -> bool:
    """Tell whether the kernel starts a program with these words and variables."""
    try:
        subprocess.run(["/bin/true", *line.words[1:]], env=line.environment, check=True, timeout=30)
    except OSError:
        return False
    return True


def test_the_longest_word_is_what_the_kernel_takes() -> None:
    """Up to it a program starts, one more is refused, with its size and the most."""
    longest = "é" * (MOST_WORD_BYTES // 2) + "a"
    policy = as_written(ExecutionPolicy())
    line = _filled("echo {{PATH}}", {"PATH": longest}, policy)  # a word, and no variable
    assert _starts(line)
    assert not _starts(line._replace(words=("echo", longest + "a")))
    found = _refused("echo {{PATH}}", {"PATH": longest + "a"})
    assert found == Refusal(
        "invalid_template", "word 2 of the command has 131,072 bytes, and the most is 131,071"
    )
    found = _refused("echo", {"abc": "a" * (MOST_WORD_BYTES - 3)})
    assert found.explanation == ("the argument 'abc' has 131,072 bytes, and the most is 131,071")


def test_all_words_together_have_a_most() -> None:
    """Nine words that are long, and many that are short: both are told in a sentence."""
    long = _refused("echo" + " {{PATH}}" * 9, {"PATH": "a" * (MOST_WORD_BYTES - 1)})
    assert long.failure == "invalid_template"
    assert f"the most is {MOST_BYTES:,}" in long.explanation
    assert "the most is" in _refused("echo" + " a" * 110_000, {}).explanation
    assert _starts(_filled("echo" + " a" * 100_000, {}))


def test_placeholders_are_told_once_each() -> None:
    """In the order of the template."""
    template = "echo {{b}} a={{a}} {{b}} {{capture.c}}"
    assert placeholders(template) == ("b", "a", "capture.c")
