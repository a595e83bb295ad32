"""What a fixture would have to expect of a case so that what came of it is no drift.

The rules are the runbook's (custom-command-ops.md, "Accepting what came out").
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, NamedTuple

from msgspec import UNSET

from tau_custom_command.contract import json_values, strict_json
from tau_custom_command.contract.channel import Drift, ObservedResult, RunAudit
from tau_custom_command.contract.vocabulary import Operation, Outcome
from tau_custom_command.cycle.checks.json_difference import first_difference
from tau_custom_command.cycle.evaluation import accepted
from tau_custom_command.cycle.execution import FailureReason
from tau_custom_command.fixture.model import Case

_OF_A_PROCESS = ("exit_code", "stdout", "stderr", "max_duration_ms")


class Seen(NamedTuple):
    """What the log says of a case that drifted.

    `outputs` is what its last attempt wrote, all of it, by stream; None where that is not there.
    """

    drift: Drift
    audit: RunAudit | None
    outputs: Mapping[str, bytes | None]


class Acceptance(NamedTuple):
    """The `expected` with which nothing would drift, but for what is `left` to people.

    Each of these is the assertion, empty for the whole, and why it is left.
    """

    expected: dict[str, Any]
    left: tuple[tuple[str, str], ...] = ()


class _LeftError(ValueError):
    """What is not to be taken over by a program; the text says why."""


def acceptance(case: Case, stated: Mapping[str, Any] | None, seen: Seen) -> Acceptance:
    """What `case` would have to expect; `stated` is what it does now, as its fixture has it."""
    if seen.audit is not None and seen.audit.failure_reason == FailureReason.INTERRUPTED:
        why = "it was interrupted, which says nothing of the command; run it again"
        return Acceptance(dict(stated or {}), (("", why),))
    expected = _with_result(case, stated, seen)
    left: list[tuple[str, str]] = []
    for difference in () if seen.drift.differences is UNSET else seen.drift.differences:
        try:
            _take_over(difference.field, expected, seen)
        except _LeftError as error:
            told = f"expected {difference.expected}, observed {difference.observed}"
            left.append((difference.field, f"{error}: {told}"))
    return Acceptance(expected, tuple(left))


def _with_result(case: Case, stated: Mapping[str, Any] | None, seen: Seen) -> dict[str, Any]:
    """What was stated, with the outcome, status, error code and body that were observed.

    A RUN that exited with another code than 0 is a success by the code that is expected of it.
    """
    new = deepcopy(dict(stated or {}))
    observed, audit = seen.drift.observed, seen.audit
    as_expected = _result(seen.drift.expected) == _result(observed)
    exit_code = None
    if not as_expected and audit and audit.failure_reason == FailureReason.NON_ZERO_EXIT:
        exit_code = audit.exit_code
        body = accepted(Operation.RUN, command_name=case.command_name, arguments=case.arguments)
        observed = ObservedResult(Outcome.SUCCESS, 200, None, body.response_body)
    if not as_expected or stated is None:
        new |= {"outcome": observed.outcome.value, "status_code": observed.status_code}
        new.pop("error_code", None)
        if observed.error_code is not None:
            new["error_code"] = observed.error_code.value
    if observed.outcome is Outcome.MALFORMED_INPUT:
        new = {key: value for key, value in new.items() if key not in _OF_A_PROCESS}
    elif observed.outcome is Outcome.RETRYABLE_FAILURE:
        new.pop("exit_code", None)
    if exit_code is not None:
        new["exit_code"] = exit_code
    stated_body = new.get("response_body")
    if stated_body is not None and not json_values.same(stated_body, observed.response_body):
        new["response_body"] = observed.response_body
    return new


def _result(result: ObservedResult) -> tuple[object, ...]:
    return result.outcome, result.status_code, result.error_code


def _take_over(field: str, expected: dict[str, Any], seen: Seen) -> None:
    """Have an assertion expect what was observed."""
    if seen.audit is None:
        raise _LeftError("the log does not say what was observed")
    if field == "exit_code":
        expected["exit_code"] = seen.audit.exit_code
    elif field == "max_duration_ms":
        expected["max_duration_ms"] = seen.audit.duration_ms
    else:
        name, _, key = field.partition(".")
        output = expected[name]
        output[key] = _observed(key, output[key], seen.outputs.get(name))


def _observed(key: str, stated: object, output: bytes | None) -> object:
    """What an assertion on an output would have to state."""
    if key not in {"equals", "json", "json_contains"}:
        raise _LeftError("what is to be found there is for you to say")
    text = None if output is None else _text(output)
    if output is None or text is None:
        raise _LeftError("not all of the output was kept, or it is not text in UTF-8")
    if key == "equals":
        return text if str(stated).endswith("\n") else text.removesuffix("\n")
    try:
        value = strict_json.decode(output)
    except strict_json.JsonRefusedError as error:
        raise _LeftError(f"the output is no JSON ({error})") from None
    if key == "json":
        return _kept_where_equal(stated, value)
    least = _least(stated, value)
    if least == {} != stated:
        raise _LeftError("the output has none of the keys")
    return least


def _text(output: bytes) -> str | None:
    try:
        return output.decode()
    except UnicodeDecodeError:
        return None


def _kept_where_equal(stated: Any, observed: Any) -> Any:  # noqa: ANN401 - any JSON value
    """What was observed, with numbers written as they were stated where they are the same."""
    if first_difference(stated, observed, by_subset=False) is None:
        return stated
    if isinstance(stated, dict) and isinstance(observed, dict):
        return {key: _kept_where_equal(stated.get(key), observed[key]) for key in observed}
    return observed


def _least(stated: Any, observed: Any) -> Any:  # noqa: ANN401 - any JSON value
    """What was observed of what is stated: of an object the same keys, where they are there."""
    if first_difference(stated, observed, by_subset=True) is None:
        return stated
    if isinstance(stated, dict) and isinstance(observed, dict):
        return {key: _least(stated[key], observed[key]) for key in stated if key in observed}
    if isinstance(stated, list) and isinstance(observed, list):
        more = observed[len(stated) :]
        return [*(_least(*both) for both in zip(stated, observed, strict=False)), *more]
    return observed
