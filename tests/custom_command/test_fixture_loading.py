"""Reading a fixture: what is refused, in which words, and that every problem is told at once."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tau_custom_command.contract.vocabulary import ErrorCode
from tau_custom_command.errors import ExitCode, FixtureRefusedError
from tau_custom_command.fixture.loading import load
from tests.custom_command.cases import (
    NAMED,
    case_object,
    fixture_bytes,
    fixture_object,
    loaded,
    malformed,
    retryable,
    success,
    without,
)

KNOWN_IN_CASE = (
    "arguments, case_id, command_name, command_spec, execution_policy, expected, operation, "
    "schema_version, simulate_retryable_failure, template"
)
DENIED_ARE_TWO = "is in denied_env too; leave it out of one of the two"


def _refusal(raw: bytes) -> list[str]:
    """Return the lines of the refusal; none where the fixture is accepted."""
    try:
        load(raw, named=NAMED)
    except FixtureRefusedError as error:
        return str(error).split("\n")
    return []


def _of_case(**changes: Any) -> list[str]:  # noqa: ANN401 - JSON
    return _refusal(fixture_bytes(case_object("run-7", **changes)))


KNOWN_OF_A_HEADER = "cases, description, name, schema_version, $schema"
HEADERS: list[Any] = [
    ({"schema_version": 2}, "schema_version: must be 1 (found 2)"),
    ({"schema_version": 0}, "schema_version: must be 1 (found 0)"),
    ({"schema_version": "1"}, "schema_version: must be 1 (found '1')"),
    ({"schema_version": None}, "schema_version: must be 1 (found null)"),
    ({"schema_version": True}, "schema_version: must be 1 (found true)"),
    ({"schema_version": 1.0}, "schema_version: must be 1 (found 1.0)"),
    ({"name": ""}, "name: must not be blank; name the fixture"),
    ({"name": " \t"}, "name: must not be blank; name the fixture"),
    ({"name": 5}, "name: must be a string (found 5)"),
    ({"name": None}, "name: must be a string (found null)"),
    ({"description": []}, "description: must be a string (found an array)"),
    ({"cases": []}, "cases: must hold at least one case"),
    ({"cases": {}}, "cases: must be an array (found an object)"),
    ({"cases": None}, "cases: is missing; add an array of cases"),
    ({"nmae": "x"}, "nmae: is not a known key; did you mean 'name'?"),
    ({"case": []}, "case: is not a known key; did you mean 'cases'?"),
    ({"$schem": "x"}, "$schem: is not a known key; did you mean '$schema'?"),
    (
        {"owner": "me"},
        f"owner: is not a known key; known are {KNOWN_OF_A_HEADER}",
    ),
]


@pytest.mark.parametrize(("header", "message"), HEADERS, ids=[str(h) for h, _ in HEADERS])
def test_a_header_that_is_wrong(header: dict[str, Any], message: str) -> None:
    """Each refusal of the header names the file, the field, what was expected and found."""
    assert _refusal(fixture_bytes(**header)) == [f"{NAMED}: {message}"]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("schema_version", "is missing; add it"),
        ("name", "is missing; add it"),
        ("cases", "is missing; add an array of cases"),
    ],
)
def test_a_header_key_that_is_missing(key: str, message: str) -> None:
    """What the header needs is asked for by name; the description may be left out."""
    raw = json.dumps(without(fixture_object(), key)).encode()
    assert _refusal(raw) == [f"{NAMED}: {key}: {message}"]
    assert _refusal(json.dumps(without(fixture_object(), "description")).encode()) == []


@pytest.mark.parametrize("value", ["x.json", "https://example.org/s.json", 5, None, {"a": 1}])
def test_the_editors_key_is_allowed(value: object) -> None:
    """`$schema` is for editors: allowed in the header, whatever it holds, and nowhere else."""
    assert _refusal(fixture_bytes(**{"$schema": value})) == []
    (line,) = _of_case(**{"$schema": value})
    assert line.startswith(f"{NAMED}: case 'run-7': $schema: is not a known key; ")


POLICY_KEYS = (
    "allow_network, allow_shell, allowed_env, denied_env, require_approval, sandbox_profile, "
    "schema_version"
)
CODES = ", ".join(code.value for code in list(ErrorCode)[:-1]) + f" or {list(ErrorCode)[-1].value}"
SPEC: dict[str, Any] = {"name": "greet", "template": "echo {{who}}"}
CASES: list[Any] = [
    ({"schema_version": 2}, "schema_version: must be 1 (found 2)"),
    ({"schema_version": True}, "schema_version: must be 1 (found true)"),
    ({"schema_version": 1.0}, "schema_version: must be 1 (found 1.0)"),
    ({"operation": ""}, "operation: must not be blank; one of CREATE, UPDATE, DELETE, RUN, LIST"),
    (
        {"operation": " \n"},
        "operation: must not be blank; one of CREATE, UPDATE, DELETE, RUN, LIST",
    ),
    (
        {"operation": "purge"},
        (
            "operation: 'PURGE' is not supported; one of CREATE, UPDATE, DELETE, RUN, LIST, "
            "or expect the outcome malformed_input"
        ),
    ),
    (
        {"operation": "purge", "expected": retryable()},
        (
            "operation: 'PURGE' is not supported; one of CREATE, UPDATE, DELETE, RUN, LIST, "
            "or expect the outcome malformed_input"
        ),
    ),
    ({"operation": 5}, "operation: must be a string (found 5)"),
    ({"command_name": None}, "command_name: must be a string (found null)"),
    ({"template": ["echo"]}, "template: must be a string (found an array)"),
    ({"arguments": []}, "arguments: must be an object (found an array)"),
    ({"arguments": None}, "arguments: must be an object (found null)"),
    (
        {"simulate_retryable_failure": 1},
        "simulate_retryable_failure: must be true or false (found 1)",
    ),
    (
        {"simulate_retryable_failure": "no"},
        "simulate_retryable_failure: must be true or false (found 'no')",
    ),
    ({"tempalte": "x"}, "tempalte: is not a known key; did you mean 'template'?"),
    ({"Operation": "x"}, "Operation: is not a known key; did you mean 'operation'?"),
    ({"zzz": 1}, f"zzz: is not a known key; known are {KNOWN_IN_CASE}"),
    ({"expected": None}, "expected: must be an object (found null)"),
    (
        {"expected": success(outcome="ok")},
        "expected.outcome: must be success, malformed_input or retryable_failure (found 'ok')",
    ),
    (
        {"expected": success(status_code=0)},
        "expected.status_code: must be greater than 0 (found 0)",
    ),
    (
        {"expected": success(status_code=-1)},
        "expected.status_code: must be greater than 0 (found -1)",
    ),
    (
        {"expected": success(status_code=201.0)},
        "expected.status_code: must be an integer (found 201.0)",
    ),
    (
        {"expected": success(status_code=True)},
        "expected.status_code: must be an integer (found true)",
    ),
    (
        {"expected": success(status_code="201")},
        "expected.status_code: must be an integer (found '201')",
    ),
    (
        {"expected": without(success(), "status_code")},
        "expected.status_code: is missing; add it",
    ),
    ({"expected": without(success(), "outcome")}, "expected.outcome: is missing; add it"),
    (
        {"expected": success(error_code="custom_command_invalid_name")},
        (
            "expected.error_code: a success has no error code "
            "(found 'custom_command_invalid_name'); leave it out"
        ),
    ),
    (
        {"expected": without(malformed(), "error_code")},
        "expected.error_code: the outcome malformed_input needs an error code; add it",
    ),
    (
        {"expected": malformed(error_code="")},
        "expected.error_code: the outcome malformed_input needs an error code; add it",
    ),
    (
        {"expected": retryable(error_code=None)},
        "expected.error_code: the outcome retryable_failure needs an error code; add it",
    ),
    (
        {"expected": malformed(error_code="invalid_name")},
        f"expected.error_code: must be {CODES} (found 'invalid_name')",
    ),
    (
        {"expected": success(response_body=[])},
        "expected.response_body: must be an object (found an array)",
    ),
    (
        {"expected": success(statuscode=1)},
        "expected.statuscode: is not a known key; did you mean 'status_code'?",
    ),
    (
        {"execution_policy": {"sandbox_profile": "open"}},
        (
            "execution_policy.sandbox_profile: must be restricted, workspace_write or unrestricted "
            "(found 'open')"
        ),
    ),
    (
        {"execution_policy": {"schema_version": 2}},
        "execution_policy.schema_version: must be 1 (found 2)",
    ),
    (
        {"execution_policy": {"schema_version": True}},
        "execution_policy.schema_version: must be 1 (found true)",
    ),
    (
        {"execution_policy": {"allow_shel": True}},
        "execution_policy.allow_shel: is not a known key; did you mean 'allow_shell'?",
    ),
    (
        {"execution_policy": {"zzz": True}},
        f"execution_policy.zzz: is not a known key; known are {POLICY_KEYS}",
    ),
    (
        {"execution_policy": {"denied_env": ["a-b"]}},
        (
            "execution_policy.denied_env: 'a-b' is not an identifier (a letter or _, then letters, "
            "digits, _)"
        ),
    ),
    (
        {"execution_policy": {"denied_env": ["a", "A"]}},
        "execution_policy.denied_env: 'A' stands there twice (case does not count); leave one out",
    ),
    (
        {"execution_policy": {"allowed_env": ["who", "k"], "denied_env": ["K"]}},
        f"execution_policy.allowed_env: 'k' {DENIED_ARE_TWO}",
    ),
    (
        {"execution_policy": {"allowed_env": ["who", "openai_api_key"]}},
        f"execution_policy.allowed_env: 'openai_api_key' {DENIED_ARE_TWO}",
    ),
    (
        {"execution_policy": {"allowed_env": "who"}},
        "execution_policy.allowed_env: must be an array (found 'who')",
    ),
    (
        {"execution_policy": {"allowed_env": [1]}},
        "execution_policy.allowed_env.0: must be a string (found 1)",
    ),
    (
        {"command_spec": SPEC | {"execution_policy": {"denied_env": [""]}}},
        (
            "command_spec.execution_policy.denied_env: '' is not an identifier "
            "(a letter or _, then letters, digits, _)"
        ),
    ),
    (
        {"command_spec": SPEC | {"execution_policy": {"allow_shel": True}}},
        "command_spec.execution_policy.allow_shel: is not a known key; did you mean 'allow_shell'?",
    ),
    (
        {"command_spec": SPEC | {"name": "other"}},
        "command_spec.name: 'other' differs from the case's 'greet'; write the same in both",
    ),
    (
        {"command_spec": SPEC | {"template": "echo"}},
        (
            "command_spec.template: 'echo' differs from the case's 'echo {{who}}'; "
            "write the same in both"
        ),
    ),
    ({"command_spec": without(SPEC, "name")}, "command_spec.name: is missing; add it"),
    (
        {"command_spec": SPEC | {"default_argument": {}}},
        "command_spec.default_argument: is not a known key; did you mean 'default_arguments'?",
    ),
    (
        {"template": "sh -c x", "execution_policy": {}},
        (
            "template: breaks the case's own execution_policy: the template starts a shell (sh), "
            "and allow_shell is false"
        ),
    ),
    (
        {"operation": "update", "template": "a | b", "execution_policy": {"allow_shell": False}},
        (
            "template: breaks the case's own execution_policy: the template holds |, "
            "and allow_shell is false"
        ),
    ),
    (
        {"command_spec": SPEC | {"execution_policy": {"denied_env": ["WHO"]}}},
        (
            "template: breaks the case's own execution_policy: the placeholder {{who}} is in "
            "denied_env"
        ),
    ),
]


@pytest.mark.parametrize(("changes", "message"), CASES, ids=[m for _, m in CASES])
def test_a_case_that_is_wrong(changes: dict[str, Any], message: str) -> None:
    """Each refusal of a case names file, case, field, what was expected and found, what to do."""
    assert _of_case(**changes) == [f"{NAMED}: case 'run-7': {message}"]


@pytest.mark.parametrize("key", ["schema_version", "operation", "expected"])
def test_a_case_key_that_is_missing(key: str) -> None:
    """What a case needs is asked for by name."""
    raw = fixture_bytes(without(case_object("run-7"), key))
    assert _refusal(raw) == [f"{NAMED}: case 'run-7': {key}: is missing; add it"]


@pytest.mark.parametrize(
    ("bad_case", "message"),
    [
        (without(case_object(), "case_id"), "cases[1].case_id: is missing; add it"),
        (case_object(""), "cases[1].case_id: must not be blank; give each case its own id"),
        (case_object(" \t"), "cases[1].case_id: must not be blank; give each case its own id"),
        (case_object() | {"case_id": 5}, "cases[1].case_id: must be a string (found 5)"),
        (5, "cases[1]: must be an object (found 5)"),
        (None, "cases[1]: must be an object (found null)"),
        ([], "cases[1]: must be an object (found an array)"),
        ("x", "cases[1]: must be an object (found 'x')"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_case_without_an_id_is_named_by_its_place(bad_case: object, message: str) -> None:
    """Where a case has no id to name it by, its index does."""
    assert _refusal(fixture_bytes(case_object("a"), bad_case)) == [f"{NAMED}: {message}"]


@pytest.mark.parametrize(("first", "second"), [("x", "x"), ("x", " x "), ("\tx\n", "x")])
def test_a_repeated_id_is_refused(first: str, second: str) -> None:
    """Ids are unique after trimming, also between different operations and commands."""
    assert _refusal(
        fixture_bytes(case_object(first), case_object(second, "RUN", "other"), case_object("y"))
    ) == [
        (
            f"{NAMED}: case 'x': case_id: is used twice (blanks around it do not count); "
            "give each case its own"
        )
    ]


def test_ids_differ_by_case_of_letters() -> None:
    """Ids are text: `a` and `A` are two."""
    assert _refusal(fixture_bytes(case_object("a"), case_object("A"))) == []


def test_two_cases_with_one_key_are_refused() -> None:
    """Different ids that give the same case key would hide one case behind the other."""
    one = case_object("b:c", "CREATE", "a")
    other = case_object("c", "CREATE", "a:b", expected=malformed())
    assert _refusal(fixture_bytes(one, other)) == [
        (
            f"{NAMED}: case 'c': case_id: gives the same key 'CREATE:a:b:c' as the case 'b:c'; "
            "rename one of them"
        )
    ]


def test_an_id_like_a_place_is_not_taken_for_one() -> None:
    """A case that lacks its id never collides with a case that is called like its place."""
    raw = fixture_bytes(without(case_object(), "case_id"), case_object("cases[0]"))
    assert _refusal(raw) == [f"{NAMED}: cases[0].case_id: is missing; add it"]


def test_a_refusal_holds_its_problems_and_its_exit_code() -> None:
    """A program gets case, field and message apart, and the code for `cannot answer`."""
    with pytest.raises(FixtureRefusedError) as refused:
        load(fixture_bytes(case_object(" a ", template=1), {}, name=""), named=NAMED)
    assert refused.value.exit_code is ExitCode.CANNOT_ANSWER
    found = [(problem.case_id, problem.field) for problem in refused.value.problems]
    assert found[:3] == [(None, "name"), ("a", "template"), (None, "cases[1].schema_version")]


def test_every_problem_is_told_at_once() -> None:
    """Header, forms, rules between fields and between cases: all in one refusal, in order."""
    raw = fixture_bytes(
        case_object("a", "purge", tempalte="x", expected=success(error_code="x")),
        case_object("b", template="sh -c x", execution_policy={"allowed_env": ["k", "K"]}),
        case_object("b", arguments=[]),
        5,
        case_object("c", "", expected=malformed(error_code="")),
        name="",
        owner=1,
    )
    assert _refusal(raw) == [
        f"{NAMED}: {line}"
        for line in [
            f"owner: is not a known key; known are {KNOWN_OF_A_HEADER}",
            "name: must not be blank; name the fixture",
            f"case 'a': expected.error_code: must be {CODES} (found 'x')",
            "case 'a': tempalte: is not a known key; did you mean 'template'?",
            (
                "case 'b': execution_policy.allowed_env: 'K' stands there twice (case does not "
                "count); leave one out"
            ),
            (
                "case 'b': template: breaks the case's own execution_policy: the template starts a "
                "shell (sh), and allow_shell is false"
            ),
            "case 'b': arguments: must be an object (found an array)",
            "cases[3]: must be an object (found 5)",
            "case 'c': operation: must not be blank; one of CREATE, UPDATE, DELETE, RUN, LIST",
            (
                "case 'c': expected.error_code: the outcome malformed_input needs an error code; "
                "add it"
            ),
            (
                "case 'b': case_id: is used twice (blanks around it do not count); give each case "
                "its own"
            ),
        ]
    ]


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        pytest.param(
            {"expected": success(status_code=0, error_code="custom_command_invalid_name")},
            {"expected.status_code", "expected.error_code"},
            id="expected: a form and a rule",
        ),
        pytest.param(
            {"expected": malformed(status_code=0, error_code="")},
            {"expected.status_code", "expected.error_code"},
            id="expected: a form and a missing code",
        ),
        pytest.param(
            {"operation": "purge", "expected": success(status_code=0)},
            {"operation", "expected.status_code"},
            id="an operation beside a wrong status",
        ),
        pytest.param(
            {"execution_policy": {"zzz": 1, "denied_env": ["a", "a"]}},
            {"execution_policy.zzz", "execution_policy.denied_env"},
            id="policy: an unknown key and a repeated one",
        ),
        pytest.param(
            {"command_spec": SPEC | {"zzz": 1, "name": "other"}},
            {"command_spec.zzz", "command_spec.name"},
            id="spec: an unknown key and another name",
        ),
        pytest.param(
            {"template": "sh -c x", "execution_policy": {}, "expected": success(status_code=0)},
            {"template", "expected.status_code"},
            id="a template beside a wrong status",
        ),
        pytest.param(
            {"zzz": 1, "expected": success(error_code="custom_command_invalid_name")},
            {"zzz", "expected.error_code"},
            id="an unknown key and a rule",
        ),
    ],
)
def test_one_wrong_field_does_not_hide_another(changes: dict[str, Any], fields: set[str]) -> None:
    """Every problem at once: also of two fields that stand in the same object."""
    with pytest.raises(FixtureRefusedError) as refused:
        load(fixture_bytes(case_object("run-7", **changes)), named=NAMED)
    assert {problem.field for problem in refused.value.problems} == fields


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param(b"[]", "must be an object (found an array)", id="an array"),
        pytest.param(b"null", "must be an object (found null)", id="null"),
        pytest.param(b'"x"', "must be an object (found 'x')", id="a string"),
        pytest.param(b"", "line 1, column 1: not JSON: Expecting value", id="empty"),
        pytest.param(b'{"a":1,"a":1}', "the key 'a' stands twice in one object", id="repeated"),
        pytest.param(b'{"a":NaN}', "NaN is not a JSON number", id="NaN"),
        pytest.param(b'{"a":1e999}', "the number 1e999 is too large", id="1e999"),
        pytest.param(b'{"a":"\\ud800"}', r"'\ud800' holds half of a surrogate pair", id="half"),
        pytest.param(b'{"a":\n"\xff"}', "line 2: not UTF-8 text (byte 7)", id="not UTF-8"),
    ],
)
def test_what_is_no_fixture_at_all(raw: bytes, message: str) -> None:
    """Bytes that are no strict JSON object are refused, with the file and the place."""
    assert _refusal(raw) == [f"{NAMED}: {message}"]


def test_strict_json_holds_inside_a_case() -> None:
    """The rules of JSON hold at every depth of the fixture, not only at its top."""
    raw = fixture_bytes(case_object(arguments={"n": 1}))
    for broken in (b'{"n": NaN}', b'{"n": 1, "n": 1}', b'{"n": 1e999}', b'{"n": "\\udc00"}'):
        assert raw.count(b'{"n": 1}') == 1
        assert len(_refusal(raw.replace(b'{"n": 1}', broken))) == 1


@pytest.mark.parametrize("prefix", [b"\xef\xbb\xbf", b"\xff\xfe", b"\x00"])
def test_a_byte_order_mark_is_refused(prefix: bytes) -> None:
    """A fixture is UTF-8 without a mark before it."""
    assert len(_refusal(prefix + fixture_bytes())) == 1


@pytest.mark.parametrize("depth", [300, 900, 5_000, 100_000])
def test_deep_nesting_is_refused_in_a_few_words(depth: int) -> None:
    """A value nested too deeply is one problem that fits on a few lines."""
    raw = fixture_bytes(case_object(arguments={"n": 1}))
    deep = b'{"n": ' + b"[" * depth + b'"\\u0041"' + b"]" * depth + b"}"
    (line,) = _refusal(raw.replace(b'{"n": 1}', deep))
    assert "nested too deeply" in line
    assert len(line) < 300


def test_a_huge_integer_is_a_value_or_a_problem() -> None:
    """An integer has no limit as an argument, and does not fill the screen as a mistake."""
    assert _of_case(arguments={"n": 10**4_000}) == []
    (line,) = _of_case(command_name=10**4_000)
    assert len(line) < 300


@pytest.mark.parametrize("operation", ["create", "Create", " cReAtE\t", "CREATE"])
def test_an_operation_in_any_case_of_letters(operation: str) -> None:
    """The operation is trimmed and read in any case of letters."""
    (case,) = loaded(case_object(operation=operation, template="echo")).fixture.cases
    assert case.operation == "CREATE"
    assert case.key == "CREATE:greet:010-case"


@pytest.mark.parametrize("operation", ["l\u0131st", "li\u017ft"])
def test_letters_that_only_look_alike_are_no_operation(operation: str) -> None:
    """Upper case is that of ASCII letters: a dotless i or a long s is another operation."""
    assert len(_of_case(operation=operation)) == 1


def test_ids_and_names_are_trimmed() -> None:
    """Blanks around id and name do not count, in the spec neither; the template keeps its own."""
    spec = {"name": " greet", "template": " echo "}
    fixture = loaded(
        case_object(" 1 ", "CREATE", "greet\t", template=" echo ", command_spec=spec)
    ).fixture
    (case,) = fixture.cases
    assert (case.case_id, case.command_name, case.template) == ("1", "greet", " echo ")
    assert case.key == "CREATE:greet:1"


@pytest.mark.parametrize("expected", [success(), success(error_code=None), success(error_code="")])
def test_a_success_has_no_error_code(expected: dict[str, Any]) -> None:
    """Left out, null and '' say the same."""
    (case,) = loaded(case_object(expected=expected)).fixture.cases
    assert case.expected.error_code is None


def test_what_is_left_out() -> None:
    """Arguments left out are empty; a body left out is not compared; the rest has its default."""
    (case,) = loaded(case_object("1", "LIST", "")).fixture.cases
    assert case.arguments == {}
    assert case.template == ""
    assert case.execution_policy is None
    assert case.command_spec is None
    assert case.simulate_retryable_failure is False
    assert case.expected.response_body is None


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"operation": "purge", "expected": malformed()}, id="operation, expected so"),
        pytest.param({"command_name": "1st"}, id="a bad name is for the cycle"),
        pytest.param({"template": ""}, id="a blank template is for the cycle"),
        pytest.param({"template": "sh -c x"}, id="a shell, without an own policy"),
        pytest.param(
            {
                "template": "sh -c x",
                "execution_policy": {},
                "expected": malformed(403, "custom_command_policy_denied"),
            },
            id="a shell, expected to be denied",
        ),
        pytest.param(
            {"template": "sh -c x", "execution_policy": {"allow_shell": True}},
            id="a shell, allowed",
        ),
        pytest.param(
            {"operation": "DELETE", "template": "sh -c x", "execution_policy": {}},
            id="a shell in a DELETE",
        ),
        pytest.param({"arguments": {"openai_api_key": 1}, "execution_policy": {}}, id="arguments"),
        pytest.param({"command_spec": SPEC}, id="a spec that agrees"),
        pytest.param({"command_spec": None, "execution_policy": None}, id="null for left out"),
    ],
)
def test_what_loading_leaves_to_the_cycle(changes: dict[str, Any]) -> None:
    """Loading checks the shape; what a case results in is for the cycle to find."""
    assert _of_case(**changes) == []


def test_both_own_policies_are_told_once_each() -> None:
    """A template that breaks both policies for one reason is told once."""
    spec = {"name": "greet", "template": "sh -c x", "execution_policy": {}}
    lines = _of_case(template="sh -c x", execution_policy={}, command_spec=spec)
    assert len(lines) == 1


def test_the_fixture_is_what_the_file_says() -> None:
    """A sound fixture keeps its header and its cases, in the file's order."""
    result = loaded(case_object("b"), case_object("a"), name=" demo ", description="why")
    assert result.fixture.name == " demo "
    assert result.fixture.description == "why"
    assert result.fixture.schema_version == 1
    assert [case.case_id for case in result.fixture.cases] == ["b", "a"]
    assert (
        load(
            json.dumps(without(fixture_object(), "description")).encode(), named=NAMED
        ).fixture.description
        == ""
    )


def test_the_digest_is_that_of_the_files_bytes() -> None:
    """Two files of the same meaning and other bytes have other digests."""
    raw = fixture_bytes()
    assert load(raw, named=NAMED).sha256 == hashlib.sha256(raw).hexdigest()
    assert load(raw + b"\n", named=NAMED).sha256 == hashlib.sha256(raw + b"\n").hexdigest()


def _warnings(*ids: str) -> tuple[str, ...]:
    return loaded(*(case_object(case_id) for case_id in ids)).warnings


@pytest.mark.parametrize(
    ("ids", "first", "second"),
    [
        (["step-2", "step-10"], "step-10", "step-2"),
        (["step-10", "step-2"], "step-10", "step-2"),
        (["step-1", "step-2", "step-9", "step-10", "step-11"], "step-11", "step-2"),
        (["2", "10"], "10", "2"),
        (["a1b2", "a1b10"], "a1b10", "a1b2"),
        (["a2b1", "a10b1"], "a10b1", "a2b1"),
        (["v09-x", "v9-x", "v010-x"], "v010-x", "v09-x"),
        (["x9", "x" + "1" * 5_000], "x" + "1" * 5_000, "x9"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_warning_where_numbers_would_sort_otherwise(
    ids: list[str], first: str, second: str
) -> None:
    """Ids whose numbers, read as text, run in another order than counted get one warning."""
    assert _warnings(*ids) == (
        (
            f"case {first!r} runs before {second!r}: ids are ordered as text; "
            "write their numbers with leading zeros"
        ),
    )


@pytest.mark.parametrize(
    "ids",
    [
        ["step-02", "step-10"],
        ["step-1", "step-2", "step-9"],
        ["step-10", "step-11"],
        ["010-create", "020-run", "100-delete"],
        ["a-2", "b-10"],
        ["a", "b"],
        ["007", "008", "010"],
        ["one"],
    ],
    ids=str,
)
def test_no_warning_where_the_order_is_the_counted_one(ids: list[str]) -> None:
    """Padded numbers, numbers of one length and ids of another form are left alone."""
    assert _warnings(*ids) == ()


def test_a_warning_also_where_the_rest_of_the_ids_differs() -> None:
    """The commonest form: a number, then what the case does."""
    (warning,) = _warnings("2-create", "10-run")
    assert warning.startswith("case '10-run' runs before '2-create': ids are ordered as text")


@pytest.mark.parametrize(
    "policy", [{"schema_version": 1, "status_code": "x"}, {"response_body": 1}]
)
def test_a_key_of_another_form_is_refused_where_it_stands(policy: dict[str, Any]) -> None:
    """A key that is known elsewhere is unknown here, and is told as that."""
    (line,) = _refusal(fixture_bytes(case_object("a", execution_policy=policy)))
    assert "case 'a': execution_policy." in line
    assert "is not a known key" in line


def test_cases_without_a_readable_id_are_not_told_to_repeat() -> None:
    """What stands in the place of a broken id is nobody's id."""
    lines = _refusal(
        fixture_bytes(case_object("a") | {"case_id": 1}, case_object("a") | {"case_id": 2})
    )
    assert [line.partition(": ")[2] for line in lines] == [
        "cases[0].case_id: must be a string (found 1)",
        "cases[1].case_id: must be a string (found 2)",
    ]


def test_one_warning_for_each_form_of_id() -> None:
    """Each series of ids gets its own warning, however many of its cases are out of order."""
    ids = [f"{series}-{number}" for series in "ab" for number in range(1, 31)]
    assert len(_warnings(*ids)) == 2


@given(st.sets(st.integers(0, 10**6), min_size=1, max_size=12), st.integers(0, 9))
def test_a_warning_exactly_where_text_and_number_differ(numbers: set[int], width: int) -> None:
    """For numbered ids of one series there is a warning just where the two orders differ."""
    ids = [f"n{number:0{width}}" for number in sorted(numbers)]
    assert bool(_warnings(*ids)) == (sorted(ids) != ids)


# Whatever the bytes: a fixture or a refusal.

JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)


def _nearly(**right: Any) -> st.SearchStrategy[dict[str, Any]]:  # noqa: ANN401 - JSON
    """Objects that have each key right, wrong or not at all, and now and then one more."""
    return st.fixed_dictionaries(
        {},
        optional={
            key: (value if isinstance(value, st.SearchStrategy) else st.just(value)) | JSON_VALUES
            for key, value in right.items()
        }
        | {"zzz": JSON_VALUES, "$schema": JSON_VALUES},
    )


NAMES = st.sampled_from(["greet", " a ", "", "registry", "1st", "a:b"])
TEMPLATES = st.sampled_from(["echo {{who}}", "sh -c x", "", "echo '", "{{x}}", "a | b"])
POLICIES = _nearly(
    schema_version=1,
    allow_shell=st.booleans(),
    sandbox_profile=st.sampled_from(["restricted", "open"]),
    allowed_env=st.lists(st.sampled_from(["who", "WHO", "a-b", "openai_api_key"])),
    denied_env=st.lists(st.sampled_from(["who", "k", ""])),
)
NEARLY_CASES = _nearly(
    schema_version=1,
    case_id=st.sampled_from(["a", " a", "b", "step-2", "step-10", "", "cases[0]"]),
    operation=st.sampled_from(["create", "UPDATE", "run", "LIST", "DELETE", "purge", " "]),
    command_name=NAMES,
    template=TEMPLATES,
    arguments=st.dictionaries(st.text(max_size=3), JSON_VALUES, max_size=2),
    execution_policy=POLICIES,
    command_spec=_nearly(
        name=NAMES, template=TEMPLATES, default_arguments={}, execution_policy=POLICIES
    ),
    simulate_retryable_failure=st.booleans(),
    expected=_nearly(
        outcome=st.sampled_from(["success", "malformed_input", "retryable_failure"]),
        status_code=st.integers(-1, 600),
        error_code=st.sampled_from([None, "", *(code.value for code in ErrorCode)]),
        response_body=JSON_VALUES,
    ),
)
NEARLY_FIXTURES = _nearly(
    schema_version=1,
    name=st.sampled_from(["demo", " "]),
    description="",
    cases=st.lists(NEARLY_CASES, max_size=4),
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # on a loaded machine
@given(NEARLY_FIXTURES)
@example({"schema_version": 1, "name": "x", "cases": [{"command_spec": {"name": 1}}]})
@example(
    {"schema_version": 1, "name": "x", "cases": [case_object(template=2, command_spec={"name": 1})]}
)
def test_what_is_nearly_a_fixture_is_loaded_or_refused(value: dict[str, Any]) -> None:
    """No value makes loading fail in another way; every line of a refusal names the file."""
    raw = json.dumps(value).encode()
    lines = _refusal(raw)
    assert all(line.startswith(f"{NAMED}: ") for line in lines)


@given(st.binary(max_size=40) | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_loaded_or_refused(raw: bytes) -> None:
    """Whatever the file holds, the operator gets a refusal, never a traceback."""
    assert _refusal(raw) != []


@given(st.data())
def test_a_fixture_with_a_byte_changed_is_loaded_or_refused(data: st.DataObject) -> None:
    """Damage at any place of a good file is a refusal, or another fixture."""
    raw = bytearray(fixture_bytes(case_object(command_spec=SPEC, execution_policy={})))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    lines = _refusal(bytes(raw))
    assert all(line.startswith(f"{NAMED}: ") for line in lines)


def test_an_id_that_begins_another_is_no_series() -> None:
    """Where no number differs there is nothing to warn of."""
    assert loaded(case_object("a"), case_object("a1")).warnings == ()
