"""What a fixture would have to expect, so that what came of a case is no drift."""

from typing import Any

import pytest

from tau_custom_command.contract.channel import Drift, ObservedResult, OutputDifference, RunAudit
from tau_custom_command.contract.form_errors import read_form
from tau_custom_command.contract.vocabulary import ErrorCode, Outcome
from tau_custom_command.cycle.checks.acceptance import Acceptance, Seen, acceptance
from tests.custom_command.cases import case, malformed, retryable, success

Json = dict[str, Any]
RUN = case("a", "RUN", arguments={"who": "x"})
BODY = {
    "status": "accepted",
    "operation": "run",
    "command_name": "greet",
    "arguments": {"who": "x"},
}


def _result(stated: Json) -> ObservedResult:
    return read_form({"error_code": None, "response_body": None} | stated, ObservedResult)


def _audit(failure: str | None = None, exit_code: int | None = 0) -> RunAudit:
    return RunAudit(
        executed=True,
        command_line="x",
        exit_code=exit_code,
        stdout="",
        stderr="",
        timed_out=failure == "timeout",
        duration_ms=123,
        failure_reason=failure,
    )


def _seen(
    observed: Json,
    *fields: str,
    expected: Json | None = None,
    audit: RunAudit | None = None,
    **outputs: bytes | None,
) -> Seen:
    differences = tuple(OutputDifference(field, "this", "that") for field in fields)
    expected = success("RUN") if expected is None else expected
    return Seen(Drift(_result(expected), _result(observed), differences), audit, outputs)


DENIED = malformed(403, ErrorCode.POLICY_DENIED.value)


@pytest.mark.parametrize(
    ("stated", "observed", "expected"),
    [
        (success(), DENIED, DENIED),
        (None, DENIED, DENIED),
        (DENIED, success("RUN"), success("RUN")),
        (success("RUN", error_code=""), success(), success()),
        (success(error_code=""), success(), success(error_code="")),
        (
            success(response_body={"a": 1}),
            success(response_body={"a": 2}),
            success(response_body={"a": 2}),
        ),
        (
            success(response_body={"a": 1}),
            DENIED | {"response_body": {"b": 1}},
            DENIED | {"response_body": {"b": 1}},
        ),
        (success(), success(response_body={"a": 2}), success()),
        (
            success(exit_code=0, stdout={"equals": ""}, stderr={"equals": ""}, max_duration_ms=1),
            DENIED,
            DENIED,
        ),
        (
            success(exit_code=0, stdout={"equals": ""}),
            retryable(),
            retryable(stdout={"equals": ""}),
        ),
    ],
)
def test_the_result_is_taken_over(stated: Json | None, observed: Json, expected: Json) -> None:
    """With an error code where there is one, a body where one was stated, and no idle checks."""
    seen = _seen(
        observed,
        expected={"outcome": "success", "status_code": 201}
        if stated is None
        else {key: value for key, value in stated.items() if key in {"outcome", "status_code"}}
        | {"error_code": stated.get("error_code") or None},
    )
    assert acceptance(RUN, stated, seen) == Acceptance(expected)


def test_another_exit_code_is_a_success_by_it() -> None:
    """And with the body of a success, where one was stated."""
    audit = _audit("non_zero_exit", 3)
    seen = _seen(retryable(response_body={"reason": "non_zero_exit"}), audit=audit)
    assert acceptance(RUN, None, seen).expected == success("RUN", exit_code=3)
    stated = success("RUN", exit_code=4, response_body={"a": 1})
    wanted = success("RUN", exit_code=3, response_body=BODY)
    assert acceptance(RUN, stated, seen).expected == wanted


def test_a_failure_that_was_expected_stays_one() -> None:
    """Only what drifted is taken over."""
    audit = _audit("non_zero_exit", 3)
    expected = retryable(stderr={"equals": "a"})
    seen = _seen(retryable(), "stderr.equals", expected=retryable(), audit=audit, stderr=b"b\n")
    assert acceptance(RUN, expected, seen) == Acceptance(retryable(stderr={"equals": "b"}))


def test_an_interruption_is_not_accepted() -> None:
    """It is no property of the command."""
    seen = _seen(retryable(), audit=_audit("interrupted", None))
    found = acceptance(RUN, success("RUN"), seen)
    assert found.expected == success("RUN")
    assert found.left == (
        ("", "it was interrupted, which says nothing of the command; run it again"),
    )


def test_the_exit_code_and_the_duration() -> None:
    """As they were observed."""
    seen = _seen(success("RUN"), "exit_code", "max_duration_ms", audit=_audit(exit_code=0))
    stated = success("RUN", exit_code=3, max_duration_ms=5)
    wanted = success("RUN", exit_code=0, max_duration_ms=123)
    assert acceptance(RUN, stated, seen) == Acceptance(wanted)


@pytest.mark.parametrize(
    ("key", "stated", "output", "wanted"),
    [
        ("equals", "a", b"b\n", "b"),
        ("equals", "a\n", b"b\n", "b\n"),
        ("equals", "a", b"", ""),
        ("json", {"a": 5, "b": 1}, b'{"b": 2, "a": 5.0}', {"b": 2, "a": 5}),
        ("json", {"a": 1}, b"[1]", [1]),
        ("json", 1, b"null", None),
        (
            "json_contains",
            {"a": 1, "b": {"c": 2}},
            b'{"a": 3, "b": {"c": 2.0, "d": 4}, "e": 5}',
            None,
        ),
        ("json_contains", {"a": [{"b": 1}, 2]}, b'{"a": [{"b": 2, "c": 3}]}', {"a": [{"b": 2}]}),
        ("json_contains", {"a": [1]}, b'{"a": [1, {"b": 2}]}', {"a": [1, {"b": 2}]}),
        ("json_contains", {"a": 1, "b": 2}, b'{"a": 2}', {"a": 2}),
        ("json_contains", {"a": {}}, b'{"a": 1}', {"a": 1}),
        ("json_contains", [1], b'{"a": 1}', {"a": 1}),
    ],
)
def test_an_output_is_taken_over(key: str, stated: object, output: bytes, wanted: object) -> None:
    """Of JSON no more than was stated; numbers that are the same stay as they were written."""
    if key == "json_contains" and wanted is None:
        wanted = {"a": 3, "b": {"c": 2}}
    seen = _seen(success("RUN"), f"stdout.{key}", audit=_audit(), stdout=output)
    found = acceptance(RUN, success("RUN", stdout={key: stated}), seen)
    assert repr(found) == repr(Acceptance(success("RUN", stdout={key: wanted})))


@pytest.mark.parametrize(
    ("key", "stated", "output", "why"),
    [
        ("contains", "a", b"b", "what is to be found there is for you to say"),
        ("matches", "a", b"b", "what is to be found there is for you to say"),
        ("equals", "a", None, "not all of the output was kept, or it is not text in UTF-8"),
        ("equals", "a", b"\xff", "not all of the output was kept, or it is not text in UTF-8"),
        ("json", 1, b"?", "the output is no JSON (line 1, column 1: not JSON: Expecting value)"),
        ("json_contains", {"a": 1}, b'{"b": 1}', "the output has none of the keys"),
    ],
)
def test_what_is_left_to_people(key: str, stated: object, output: bytes | None, why: str) -> None:
    """The assertion stays, and what was expected and observed is told."""
    seen = _seen(success("RUN"), f"stdout.{key}", audit=_audit(), stdout=output)
    expected = success("RUN", stdout={key: stated})
    left = ((f"stdout.{key}", f"{why}: expected this, observed that"),)
    assert acceptance(RUN, expected, seen) == Acceptance(expected, left)


def test_a_log_without_an_audit_says_nothing_of_it() -> None:
    """As one that another program wrote may be."""
    stated = success("RUN", exit_code=3)
    seen = _seen(success("RUN"), "exit_code")
    (left,) = acceptance(RUN, stated, seen).left
    assert left[1].startswith("the log does not say what was observed")


def test_what_is_stated_is_not_changed() -> None:
    """The new expectation is another value."""
    stated = success("RUN", stdout={"equals": "a"})
    acceptance(RUN, stated, _seen(success("RUN"), "stdout.equals", audit=_audit(), stdout=b"b"))
    assert stated == success("RUN", stdout={"equals": "a"})
    assert stated["outcome"] == Outcome.SUCCESS
