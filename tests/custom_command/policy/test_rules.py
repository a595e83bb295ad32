"""What an execution policy says of a template and its arguments (the runbook's rules)."""

import shlex
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tau_custom_command.policy.effective import as_written
from tau_custom_command.policy.model import ExecutionPolicy
from tau_custom_command.policy.rules import captures_in, denial

DEFAULT = ExecutionPolicy()
DENIED_NAMES = [
    "aws_secret_access_key",
    "gcp_service_account_key",
    "openai_api_key",
    "anthropic_api_key",
    "google_api_key",
]
NOT_IDENTIFIERS = [
    "",
    " ",
    "1a",
    "a-b",
    "a b",
    " a",
    "a ",
    "a.b",
    "a\n",
    "é",
    "a\u0661",
    "$a",
]


def _reason(
    template: str,
    policy: ExecutionPolicy = DEFAULT,
    arguments: dict[str, Any] | None = None,
) -> str | None:
    return denial(as_written(policy), template=template, arguments=(arguments or {}, {}))


# Placeholders and argument names.


@pytest.mark.parametrize("name", ["who", "Who", "_x", "x_1", "A9"])
def test_placeholders_and_arguments_are_identifiers(name: str) -> None:
    """Any identifier that is not denied names a placeholder and an argument."""
    assert _reason(f"echo {{{{{name}}}}} {{{{{name}}}}}", arguments={name: 1}) is None


def test_a_captured_value_has_a_placeholder_of_its_own() -> None:
    """Its name stands behind `capture.`, and is held against the same lists."""
    assert _reason("echo {{capture.version}}") is None
    assert _reason("echo {{capture.openai_api_key}}") == (
        "the name 'openai_api_key' of the placeholder {{capture.openai_api_key}} is in denied_env"
    )
    policy = ExecutionPolicy(allowed_env=("version",))
    assert _reason("echo {{capture.Version}}", policy) is None
    assert _reason("echo {{capture.other}}", policy) is not None
    for name in ("capture.", "capture.a.b", "capture.capture.a", "Capture.a", "capture.1"):
        assert _reason(f"echo {{{{{name}}}}}") is not None
    assert _reason("echo", arguments={"capture.version": "1"}) is not None


@pytest.mark.parametrize("name", NOT_IDENTIFIERS)
def test_other_names_are_denied(name: str) -> None:
    """A placeholder or an argument whose name is no identifier is denied."""
    assert _reason(f"echo {{{{{name}}}}}") is not None
    assert _reason("echo", arguments={name: 1}) is not None
    assert _reason("", arguments={name: 1}) is not None


@pytest.mark.parametrize(
    "template",
    [
        "echo {{x",
        "echo x}}",
        "echo {{x}}}}",
        "echo {{{x}}}",
        "echo {{{{x}}}}",
        "echo {{x}} {{",
        "echo {{x {{y}}",
        "echo {{}}",
        "echo }}{{",
        "echo {{x\n}}",
        "echo {{x}y}}",
    ],
)
def test_half_a_placeholder_is_denied(template: str) -> None:
    """What opens or closes a placeholder without being one is denied, not taken as text."""
    assert _reason(template) is not None


@pytest.mark.parametrize(
    "template",
    [
        'echo {"{openai_api_key}"}',
        "echo {'{openai_api_key}'}",
        'echo {""{openai_api_key}""}',
        r"echo {\{openai_api_key}\}",
        r"echo \{{openai_api_key\}}",
        'echo {{openai_api""_key}}',
        r"echo {{openai\_api_key}}",
        'echo {"{no identifier}"}',
    ],
)
def test_quotes_do_not_hide_a_placeholder(template: str) -> None:
    """A word that is a placeholder once its quotes are gone is judged as one (split first)."""
    assert _reason(template) is not None


@pytest.mark.parametrize("template", ["'{'{", "'{'{ a", "echo '{'{", "echo x}'}'", "echo '{{'"])
def test_quotes_do_not_hide_half_a_placeholder(template: str) -> None:
    """Braces are judged as they stand once the template is split into words."""
    assert _reason(template) == (
        "the template opens or closes a placeholder that is not one: write {{name}}"
    )


@pytest.mark.parametrize("template", ["echo {{ who }}", "echo {{who\t}}", "echo {{'who'}}"])
def test_blanks_in_a_placeholder_are_named(template: str) -> None:
    """The commonest slip says what is meant."""
    assert _reason(template) == (
        "blanks or quotes stand inside a placeholder: write {{name}} without them"
    )


def test_single_braces_are_text() -> None:
    """Braces that are no placeholder's are text: awk and JSON need them."""
    assert _reason("awk '{print $1}' {{file}}") is None


@pytest.mark.parametrize("name", [*DENIED_NAMES, "OPENAI_API_KEY", "OpenAI_Api_Key"])
def test_denied_names_in_any_case(name: str) -> None:
    """A denied name is denied in any case of letters, as a placeholder and as an argument."""
    assert _reason(f"echo {{{{{name}}}}}") == f"the placeholder {{{{{name}}}}} is in denied_env"
    assert _reason("echo", arguments={name: "x"}) == f"the argument {name!r} is in denied_env"


def test_a_policys_own_denied_list_replaces_the_default() -> None:
    """What is denied is what the policy lists."""
    policy = ExecutionPolicy(denied_env=("Token",))
    assert _reason("echo {{tOKEN}}", policy) is not None
    assert _reason("echo {{openai_api_key}}", policy) is None


def test_an_allowlist_allows_nothing_else() -> None:
    """With an allowlist every name must be in it, whatever its case; without one, none must."""
    policy = ExecutionPolicy(allowed_env=("Who",))
    assert _reason("echo {{WHO}}", policy, {"who": 1}) is None
    assert _reason("echo {{you}}", policy) == "the placeholder {{you}} is not in allowed_env"
    assert _reason("echo {{capture.you}}", policy) == (
        "the name 'you' of the placeholder {{capture.you}} is not in allowed_env"
    )
    assert _reason("echo", policy, {"you": 1}) == "the argument 'you' is not in allowed_env"


def test_denied_counts_where_a_name_is_in_both_lists() -> None:
    """Should a policy contradict itself all the same, the stricter list counts."""
    policy = ExecutionPolicy(allowed_env=("a",), denied_env=("A",))
    assert _reason("echo {{a}}", policy) is not None


def test_every_object_of_arguments_is_judged() -> None:
    """The arguments and the default arguments are both judged."""
    assert denial(as_written(DEFAULT), template="echo", arguments=({"a": 1}, {"b": 1})) is None
    assert denial(as_written(DEFAULT), template="echo", arguments=({"a": 1}, {"openai_api_key": 1}))


# Shell syntax.

SYNTAX = ["&&", "||", ";", "`", "$(", "|", "\n", "\r", "\r\n"]


@pytest.mark.parametrize("syntax", SYNTAX)
@pytest.mark.parametrize(
    "form",
    [
        pytest.param("echo a %s echo b", id="between words"),
        pytest.param("echo a%secho", id="in a word"),
        pytest.param("echo 'a %s b'", id="in single quotes"),
        pytest.param('echo "a %s b"', id="in double quotes"),
        pytest.param("%s echo a", id="first"),
        pytest.param("echo {{a}} %s", id="last"),
        pytest.param("echo a%s{{a}}", id="before a placeholder"),
    ],
)
def test_shell_syntax_needs_allow_shell(form: str, syntax: str) -> None:
    """Each syntax of the page is denied wherever it stands, and allowed with allow_shell."""
    template = form % syntax
    reason = _reason(template)
    assert reason is not None
    assert "allow_shell is false" in reason
    if not template.startswith(syntax):
        allowed = _reason(template, ExecutionPolicy(allow_shell=True))
        assert allowed is None or "cannot be split" in allowed


@pytest.mark.parametrize(
    "template", ["echo a & b", "echo $HOME", "echo a > b", "echo *", "echo #a"]
)
def test_what_is_text_without_a_shell_is_accepted(template: str) -> None:
    """Only the syntax that the page lists is denied; no shell reads the rest."""
    assert _reason(template) is None


@pytest.mark.parametrize(
    "template", ["echo 'a", 'echo "a', "echo a\\", "echo 'it''s' \"", "echo {{a}}'"]
)
@pytest.mark.parametrize("policy", [DEFAULT, ExecutionPolicy(allow_shell=True)])
def test_a_template_that_cannot_be_split_is_denied(policy: ExecutionPolicy, template: str) -> None:
    """An open quote or backslash has no words; that is so with a shell, too."""
    assert _reason(template, policy) == (
        "the template cannot be split into words: a quote or a backslash is left open"
    )


@pytest.mark.parametrize("template", ["''", '""', "'' sh", '"" x'])
def test_an_empty_program_is_denied(template: str) -> None:
    """An empty word is no program."""
    assert _reason(template) == "the template names no program"


@pytest.mark.parametrize("template", ["echo a\x00b", "sh\x00", "\x00"])
def test_a_nul_is_denied(template: str) -> None:
    """No program can be given a word that holds a NUL."""
    assert _reason(template) is not None


@pytest.mark.parametrize("template", ["", " ", "\t\n"])
def test_a_blank_template_is_not_judged(template: str) -> None:
    """A case may leave its template out; its arguments are judged all the same."""
    assert _reason(template) is None
    assert _reason(template, arguments={"openai_api_key": 1}) is not None


# Placeholders as the program.


@pytest.mark.parametrize(
    "template",
    [
        "{{p}}",
        "{{p}} a",
        "/bin/{{p}} a",
        "{{p}}/sh",
        "s{{p}}",
        "'{{p}}'",
        '"{{p}}" a',
        "{{p}}{{q}}",
    ],
)
@pytest.mark.parametrize("policy", [DEFAULT, ExecutionPolicy(allow_shell=True)])
def test_an_argument_is_never_the_program(policy: ExecutionPolicy, template: str) -> None:
    """No placeholder stands in the program's word, with or without a shell."""
    assert _reason(template, policy) is not None


@pytest.mark.parametrize(
    "template",
    ["sh", "sh -c {{script}}", "env sh", "env -S 'sh -c x'", "echo a | sh", "find . -exec sh {} +"],
)
def test_allow_shell_allows_shells(template: str) -> None:
    """What is denied only since a shell would start is allowed where shells are."""
    assert _reason(template) is not None
    assert _reason(template, ExecutionPolicy(allow_shell=True)) is None


def test_allow_shell_allows_nothing_else() -> None:
    """Names are judged where shells are allowed as they are where not."""
    policy = ExecutionPolicy(allow_shell=True)
    assert _reason("sh -c {{openai_api_key}}", policy) is not None
    assert _reason("sh -c {{not an identifier}}", policy) is not None


PIECES = st.sampled_from(
    [
        *("echo", "cat", "./run", " ", " ", "'", '"', "\\", "{", "}", "{{", "}}", "{{x}}", "{{y}}"),
        *("x", "openai_api_key", "/", "=", "-", "$", "(", "|", ";", "sh", "env"),
    ]
)


@given(st.lists(PIECES, max_size=10).map("".join), st.text(max_size=8), st.text(max_size=8))
@example('echo {"{x}"}', "a b", "'")
@example("'{'{", "", "")
@example('"{{"x}}', "", "")
@example("echo {{x' '}}", "", "")
def test_what_is_accepted_fills_into_the_same_words(template: str, x: str, y: str) -> None:
    """An accepted template has a program without placeholders, and none of them is hidden.

    Every word that can be filled was seen by the policy before the template was split.
    """
    if not template.strip() or _reason(template) is not None:
        return
    words = shlex.split(template)
    assert "{{" not in words[0]
    assert not any(syntax in template for syntax in SYNTAX)
    written = template.count("{{x}}") + template.count("{{y}}")
    assert sum(word.count("{{x}}") + word.count("{{y}}") for word in words) == written
    filled = [word.replace("{{x}}", x).replace("{{y}}", y) for word in words]
    assert len(filled) == len(words)
    assert filled[0] == words[0]


@given(st.text(max_size=20), st.dictionaries(st.text(max_size=5), st.none(), max_size=2))
@example("{{", {})
@example("'", {})
def test_any_template_has_an_answer(template: str, arguments: dict[str, None]) -> None:
    """Whatever the template and the names, the policy answers; a reason is not empty."""
    for policy in (DEFAULT, ExecutionPolicy(allow_shell=True, allowed_env=("x",))):
        assert _reason(template, policy, arguments) != ""


@given(st.text(max_size=30))
def test_allow_shell_never_denies_more(template: str) -> None:
    """A template that is accepted without shells is accepted with them."""
    if _reason(template) is None:
        assert _reason(template, ExecutionPolicy(allow_shell=True)) is None


@pytest.mark.parametrize("template", ["echo " + "{{" * 100_000, "echo " + "{{a" * 100_000])
def test_a_long_template_takes_no_long_time(template: str) -> None:
    """A template of broken placeholders is denied at once."""
    started = time.process_time()
    assert denial(as_written(DEFAULT), template=template, arguments=()) is not None
    assert time.process_time() - started < 2


def test_the_captures_of_a_template_are_found() -> None:
    """Each once, in the order they stand there; placeholders of arguments are none."""
    assert captures_in("x {{capture.b}} {{a}}{{capture.a}} {{capture.b}} capture.c") == ("b", "a")
    assert captures_in("x {{a}} {capture.b}") == ()
