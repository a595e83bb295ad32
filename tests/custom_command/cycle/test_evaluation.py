"""What a case results in: the runbook's table, row by row, and which row comes before which."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_custom_command.contract.vocabulary import ErrorCode, Operation, Outcome, is_command_name
from tau_custom_command.cycle.evaluation import Result, drifts
from tau_custom_command.cycle.registry import Registry
from tau_custom_command.policy.model import ExecutionPolicy
from tests.custom_command.cases import case, registered, result_of, success

# The table's answers, written out once: outcome, status, error code, exact body.
Answer = tuple[str, int, str | None, dict[str, Any]]


def _rejected(status_code: int, reason: str, **more: str) -> Answer:
    code = "invalid_name" if reason == "command_not_found" else reason
    body = {"status": "rejected", "reason": reason, **more}
    return ("malformed_input", status_code, f"custom_command_{code}", body)


def _accepted(status_code: int, operation: str, **more: object) -> Answer:
    return ("success", status_code, None, {"status": "accepted", "operation": operation, **more})


UNAVAILABLE: Answer = (
    "retryable_failure",
    503,
    "custom_command_backend_unavailable",
    {"status": "retryable", "reason": "backend_unavailable"},
)
INVALID_OPERATION = _rejected(400, "invalid_operation")
INVALID_NAME = _rejected(400, "invalid_name")
INVALID_TEMPLATE = _rejected(422, "invalid_template")
NOT_FOUND = _rejected(404, "command_not_found", command_name="nobody")
DENIED = _rejected(403, "policy_denied")

DENIED_ARGUMENTS = {"openai_api_key": "x"}
SHELL = "sh -c {{who}}"


def _answer(result: Result) -> Answer:
    code = None if result.error_code is None else result.error_code.value
    return (result.outcome.value, result.status_code, code, result.response_body)


ROWS: list[Any] = [
    pytest.param("CREATE", "greet", {"simulate_retryable_failure": True}, UNAVAILABLE, id="1"),
    pytest.param("PURGE", "greet", {}, INVALID_OPERATION, id="2"),
    pytest.param("CREATE", "1st", {}, INVALID_NAME, id="3 CREATE"),
    pytest.param("UPDATE", "", {}, INVALID_NAME, id="3 UPDATE"),
    pytest.param("DELETE", "registry", {}, INVALID_NAME, id="3 DELETE"),
    pytest.param("RUN", "a b", {}, INVALID_NAME, id="3 RUN"),
    pytest.param("CREATE", "greet", {"template": ""}, INVALID_TEMPLATE, id="4 CREATE"),
    pytest.param("UPDATE", "greet", {"template": " \t\n"}, INVALID_TEMPLATE, id="4 UPDATE"),
    pytest.param("RUN", "nobody", {}, NOT_FOUND, id="5"),
    pytest.param("CREATE", "greet", {"template": SHELL}, DENIED, id="6 CREATE, template"),
    pytest.param("UPDATE", "greet", {"template": SHELL}, DENIED, id="6 UPDATE, template"),
    pytest.param("DELETE", "greet", {"template": SHELL}, DENIED, id="6 DELETE, template"),
    pytest.param("LIST", "", {"template": SHELL}, DENIED, id="6 LIST, template"),
    pytest.param("CREATE", "greet", {"arguments": DENIED_ARGUMENTS}, DENIED, id="6 CREATE, args"),
    pytest.param("RUN", "greet", {"arguments": DENIED_ARGUMENTS}, DENIED, id="6 RUN, args"),
    pytest.param("DELETE", "greet", {"arguments": DENIED_ARGUMENTS}, DENIED, id="6 DELETE, args"),
    pytest.param("LIST", "", {"arguments": DENIED_ARGUMENTS}, DENIED, id="6 LIST, args"),
    pytest.param("RUN", "greet", {"template": "echo {{you}}"}, DENIED, id="6 RUN, other template"),
    pytest.param(
        "CREATE", "greet", {}, _accepted(201, "create", command_name="greet"), id="7 replaces"
    ),
    pytest.param("CREATE", "new", {}, _accepted(201, "create", command_name="new"), id="7 new"),
    pytest.param(
        "UPDATE", "greet", {}, _accepted(200, "update", command_name="greet"), id="8 UPDATE"
    ),
    pytest.param(
        "UPDATE", "new", {}, _accepted(200, "update", command_name="new"), id="8 UPDATE inserts"
    ),
    pytest.param(
        "DELETE", "greet", {}, _accepted(200, "delete", command_name="greet"), id="8 DELETE"
    ),
    pytest.param(
        "DELETE", "new", {}, _accepted(200, "delete", command_name="new"), id="8 DELETE of nothing"
    ),
    pytest.param(
        "RUN",
        "greet",
        {"arguments": {"who": ["w", 1.0]}},
        _accepted(200, "run", command_name="greet", arguments={"who": ["w", 1.0]}),
        id="9 with arguments",
    ),
    pytest.param(
        "RUN", "greet", {}, _accepted(200, "run", command_name="greet", arguments={}), id="9"
    ),
    pytest.param(
        "RUN",
        "greet",
        {"template": "echo {{who}}"},
        _accepted(200, "run", command_name="greet", arguments={}),
        id="9 repeats the template",
    ),
    pytest.param(
        "RUN",
        "greet",
        {"template": "  "},
        _accepted(200, "run", command_name="greet", arguments={}),
        id="9 blank template",
    ),
    pytest.param("LIST", "", {}, _accepted(200, "list", commands=["Zoo", "greet"]), id="10"),
    pytest.param(
        "LIST", "1st", {}, _accepted(200, "list", commands=["Zoo", "greet"]), id="10 any name"
    ),
    pytest.param(
        "list",
        "registry",
        {},
        _accepted(200, "list", commands=["Zoo", "greet"]),
        id="10 small letters",
    ),
]


@pytest.mark.parametrize(("operation", "name", "changes", "answer"), ROWS)
def test_row_of_the_table(
    operation: str, name: str, changes: dict[str, Any], answer: Answer
) -> None:
    """Every row of the runbook's table gives exactly its outcome, status, error code and body."""
    subject = case("1", operation, name, **changes)
    assert _answer(result_of(subject, registered("greet", "Zoo"))) == answer


PRECEDENCE: list[Any] = [
    pytest.param(
        "PURGE", "greet", {"simulate_retryable_failure": True}, UNAVAILABLE, id="1 before 2"
    ),
    pytest.param(
        "CREATE", "1st", {"simulate_retryable_failure": True}, UNAVAILABLE, id="1 before 3"
    ),
    pytest.param(
        "CREATE",
        "greet",
        {"simulate_retryable_failure": True, "template": ""},
        UNAVAILABLE,
        id="1 before 4",
    ),
    pytest.param(
        "RUN", "nobody", {"simulate_retryable_failure": True}, UNAVAILABLE, id="1 before 5"
    ),
    pytest.param(
        "LIST",
        "",
        {"simulate_retryable_failure": True, "arguments": DENIED_ARGUMENTS},
        UNAVAILABLE,
        id="1 before 6",
    ),
    pytest.param(
        "LIST", "", {"simulate_retryable_failure": True}, UNAVAILABLE, id="1 before success"
    ),
    pytest.param("PURGE", "1st", {}, INVALID_OPERATION, id="2 before 3"),
    pytest.param("PURGE", "greet", {"template": ""}, INVALID_OPERATION, id="2 before 4"),
    pytest.param("EXECUTE", "nobody", {}, INVALID_OPERATION, id="2 before 5"),
    pytest.param(
        "PURGE",
        "greet",
        {"template": SHELL, "arguments": DENIED_ARGUMENTS},
        INVALID_OPERATION,
        id="2 before 6",
    ),
    pytest.param("CREATE", "1st", {"template": ""}, INVALID_NAME, id="3 before 4"),
    pytest.param("RUN", "no body", {}, INVALID_NAME, id="3 before 5"),
    pytest.param("CREATE", "1st", {"template": SHELL}, INVALID_NAME, id="3 before 6, template"),
    pytest.param(
        "DELETE", "registry", {"arguments": DENIED_ARGUMENTS}, INVALID_NAME, id="3 before 6, args"
    ),
    pytest.param(
        "CREATE",
        "greet",
        {"template": " ", "arguments": DENIED_ARGUMENTS},
        INVALID_TEMPLATE,
        id="4 before 6",
    ),
    pytest.param("RUN", "nobody", {"arguments": DENIED_ARGUMENTS}, NOT_FOUND, id="5 before 6"),
    pytest.param("RUN", "nobody", {"template": SHELL}, NOT_FOUND, id="5 before 6, template"),
]


@pytest.mark.parametrize(("operation", "name", "changes", "answer"), PRECEDENCE)
def test_the_first_row_that_applies_counts(
    operation: str, name: str, changes: dict[str, Any], answer: Answer
) -> None:
    """A case to which two rows apply gets the answer of the one that stands higher."""
    subject = case("1", operation, name, **changes)
    assert _answer(result_of(subject, registered("greet"))) == answer


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("a", True),
        ("Z", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("a1_-Z", True),
        ("Registry", True),
        ("registry2", True),
        ("registry", False),
        ("", False),
        ("1a", False),
        ("_a", False),
        ("-a", False),
        ("a b", False),
        ("a.b", False),
        ("a/b", False),
        ("..", False),
        ("a\n", False),
        ("é", False),
        ("aé", False),
        ("\uff41", False),
        ("a\u0661", False),
    ],
)
def test_a_name_is_a_letter_and_at_most_63_more(name: str, is_one: bool) -> None:  # noqa: FBT001 - a table's column
    """A command name is an ASCII letter and at most 63 letters, digits, _, -; not `registry`."""
    assert is_command_name(name) is is_one


def test_blanks_around_a_name_do_not_count() -> None:
    """A name is trimmed before it is judged, registered and answered."""
    result = result_of(case("1", "CREATE", " greet\n"))
    assert result.response_body["command_name"] == "greet"


@pytest.mark.parametrize(
    ("operation", "name", "channel"),
    [
        ("CREATE", " greet ", "greet"),
        ("RUN", "greet", "greet"),
        ("PURGE", "greet", "greet"),
        ("LIST", "greet", "registry"),
        ("list", "", "registry"),
        ("CREATE", "1st", "registry"),
        ("DELETE", "registry", "registry"),
        ("CREATE", "../x", "registry"),
    ],
)
def test_a_case_is_recorded_in_its_commands_channel(
    operation: str, name: str, channel: str
) -> None:
    """Cases without a valid command name, LIST among them, go to `registry`."""
    assert case("1", operation, name).channel == channel


def test_a_rejection_explains_itself() -> None:
    """People learn what was wrong; the body holds only the fixed reason."""
    result = result_of(case("1", "CREATE", "greet", template=SHELL))
    assert "shell" in result.explanation
    assert result.response_body == {"status": "rejected", "reason": "policy_denied"}


@pytest.mark.parametrize(
    ("operation", "name", "missing"), [("RUN", "nobody", True), ("RUN", "no body", False)]
)
def test_only_a_run_of_nothing_is_a_missing_command(
    operation: str,
    name: str,
    missing: bool,  # noqa: FBT001 - a table's column
) -> None:
    """A RUN of a command that is not registered is told apart from another invalid name."""
    result = result_of(case("1", operation, name))
    assert result.error_code is ErrorCode.INVALID_NAME
    assert result.is_missing_command is missing


@given(st.sets(st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True), max_size=8))
def test_list_answers_from_the_registry(names: set[str]) -> None:
    """LIST names what is registered, all of it and nothing else, sorted as text."""
    registry = registered(*(names - {"registry"}))
    result = result_of(case("1", "LIST", ""), registry)
    assert result.response_body["commands"] == sorted(names - {"registry"})


def test_run_answers_from_the_registry() -> None:
    """The same RUN is not found, found, and not found again, as the registry changes."""
    registry = Registry()
    running = case("2", "RUN", "greet")
    for operation, status_code in (("CREATE", 404), ("DELETE", 200), ("LIST", 404)):
        assert result_of(running, registry).status_code == status_code
        changing = case("1", operation, "greet")
        registry.apply(changing, result_of(changing, registry), now_unix_ms=1)


def test_evaluating_changes_nothing() -> None:
    """To evaluate a case leaves the registry as it is: whether it applies is decided later."""
    registry = registered("greet")
    before = copy.deepcopy(dict(registry))
    for operation in Operation:
        result_of(case("1", operation.value, "greet"), registry)
        result_of(case("1", operation.value, "new"), registry)
    assert dict(registry) == before


def test_a_run_is_judged_by_the_registered_template() -> None:
    """A RUN without a template has the registered one's placeholders judged by its policy."""
    registry = registered("greet", template="echo {{who}}")
    narrow = {"allowed_env": ["other"]}
    result = result_of(case("1", "RUN", "greet", execution_policy=narrow), registry)
    assert _answer(result) == DENIED


def test_a_runs_template_is_compared_as_it_is_written() -> None:
    """A template that differs from the registered one only by a blank differs."""
    registry = registered("greet", template="echo {{who}}")
    result = result_of(case("1", "RUN", "greet", template="echo  {{who}}"), registry)
    assert _answer(result) == DENIED


def test_a_case_without_a_policy_is_judged_by_the_operators() -> None:
    """Where a case states no policy, the options count; where it states one, that one does."""
    operators = ExecutionPolicy(allow_shell=True)
    assert result_of(case(template=SHELL), default=operators).status_code == 201
    own: dict[str, Any] = {"allow_shell": False}
    assert result_of(case(template=SHELL, execution_policy=own), default=operators).status_code == (
        403
    )
    own = {"allow_shell": True}
    assert result_of(case(template=SHELL, execution_policy=own)).status_code == 201


@pytest.mark.parametrize(("of_case", "of_spec"), [(True, False), (False, True)])
def test_the_specs_policy_is_judged_beside_the_cases(
    of_case: bool,  # noqa: FBT001 - a table's column
    of_spec: bool,  # noqa: FBT001 - a table's column
) -> None:
    """What either of the two policies that a case states denies is denied."""
    spec = {"name": "greet", "template": SHELL, "execution_policy": {"allow_shell": of_spec}}
    subject = case(template=SHELL, execution_policy={"allow_shell": of_case}, command_spec=spec)
    assert _answer(result_of(subject)) == DENIED


def test_default_arguments_are_judged_too() -> None:
    """A denied name is denied also among the default arguments of a command's spec."""
    spec = {"name": "greet", "template": "echo", "default_arguments": DENIED_ARGUMENTS}
    assert _answer(result_of(case(template="echo", command_spec=spec))) == DENIED


# Drift: the comparison of a result with what the fixture expects.

RESULT = Result(
    outcome=Outcome.SUCCESS,
    status_code=200,
    error_code=None,
    response_body={"status": "accepted", "n": 1, "deep": {"list": [1, {"x": 1}]}},
)
BODY = RESULT.response_body


@pytest.mark.parametrize(
    ("expected", "drifted"),
    [
        pytest.param(success("RUN"), False, id="body left out"),
        pytest.param(success("RUN", response_body=None), False, id="body null"),
        pytest.param(success("RUN", response_body=BODY), False, id="same body"),
        pytest.param(
            success("RUN", response_body=dict(reversed(BODY.items()))), False, id="order of keys"
        ),
        pytest.param(success("RUN", status_code=201), True, id="status"),
        pytest.param(success("RUN", outcome="malformed_input"), True, id="outcome"),
        pytest.param(
            success("RUN", error_code="custom_command_invalid_name"), True, id="error code"
        ),
        pytest.param(success("RUN", response_body={}), True, id="empty body is compared"),
        pytest.param(success("RUN", response_body=BODY | {"n": 1.0}), True, id="1.0 for 1"),
        pytest.param(success("RUN", response_body=BODY | {"n": True}), True, id="true for 1"),
        pytest.param(success("RUN", response_body=BODY | {"n": "1"}), True, id="'1' for 1"),
        pytest.param(success("RUN", response_body=BODY | {"n": 2}), True, id="2 for 1"),
        pytest.param(
            success("RUN", response_body=BODY | {"deep": {"list": [1, {"x": 1.0}]}}),
            True,
            id="nested",
        ),
        pytest.param(
            success("RUN", response_body=BODY | {"deep": {"list": [{"x": 1}, 1]}}), True, id="order"
        ),
        pytest.param(success("RUN", response_body=BODY | {"more": None}), True, id="a key more"),
        pytest.param(
            success("RUN", response_body={"status": "accepted", "n": 1}), True, id="a key less"
        ),
    ],
)
def test_drift(expected: dict[str, Any], drifted: bool) -> None:  # noqa: FBT001 - a table's column
    """Outcome, status, error code and body are compared, each alone, by type and value."""
    assert drifts(case(expected=expected).expected, RESULT) is drifted


@pytest.mark.parametrize(
    "other", [code for code in ErrorCode if code is not ErrorCode.INVALID_NAME]
)
def test_another_error_code_is_drift(other: ErrorCode) -> None:
    """Two rejections with the same status and different codes differ."""
    result = result_of(case("1", "CREATE", "1st"))
    expected = {"outcome": "malformed_input", "status_code": 400, "error_code": other.value}
    assert drifts(case(expected=expected).expected, result)
    expected["error_code"] = "custom_command_invalid_name"
    assert not drifts(case(expected=expected).expected, result)


JSON_NUMBERS = st.sampled_from([0, 1, 0.0, 1.0, False, True, None, "1"])


@given(JSON_NUMBERS, JSON_NUMBERS)
def test_the_arguments_that_a_run_answers_keep_their_types(given_: object, wanted: object) -> None:
    """What a RUN answers as its arguments is what the case holds, by type and value."""
    body = {"status": "accepted", "operation": "run", "command_name": "greet"}
    subject = case(
        "1",
        "RUN",
        "greet",
        arguments={"n": given_},
        expected=success("RUN", response_body=body | {"arguments": {"n": wanted}}),
    )
    same = type(given_) is type(wanted) and given_ == wanted
    assert drifts(subject.expected, result_of(subject, registered("greet"))) is not same
