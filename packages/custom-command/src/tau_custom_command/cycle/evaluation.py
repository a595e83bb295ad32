"""What a case results in: the runbook's table ("What a case results in"), top to bottom."""

from typing import NamedTuple, Protocol

from tau_custom_command.contract import json_values
from tau_custom_command.contract.state import CommandRecord
from tau_custom_command.contract.vocabulary import ErrorCode, Operation, Outcome, is_command_name
from tau_custom_command.fixture.model import Case, Expectation, success_status
from tau_custom_command.policy.effective import as_written
from tau_custom_command.policy.model import ExecutionPolicy
from tau_custom_command.policy.rules import denial

COMMAND_NOT_FOUND = "command_not_found"


class Result(NamedTuple):
    """How one attempt at a case ended, and what it answered.

    `explanation` says for people why a case was rejected; the body holds only its fixed reason.
    """

    outcome: Outcome
    status_code: int
    error_code: ErrorCode | None
    response_body: dict[str, object]
    explanation: str = ""

    @property
    def is_missing_command(self) -> bool:
        """Tell whether a RUN named a command that is not registered."""
        return self.response_body.get("reason") == COMMAND_NOT_FOUND


class Registered(Protocol):
    """What is registered: records by name, and the names in their order."""

    def __contains__(self, name: object, /) -> bool:
        """Tell whether there is a command of this name."""

    def __getitem__(self, name: str, /) -> CommandRecord:
        """The record of a command."""

    def names(self) -> list[str]:
        """The names, sorted; not to be changed."""


def evaluate(
    case: Case,
    registry: Registered,
    *,
    default_policy: ExecutionPolicy,
    executes: bool = False,
) -> Result:
    """Work out what `case` results in, given what is registered: the first row that applies.

    `default_policy` judges a case that states none of its own. Where a RUN is executed, its success
    says only that it may go on: the policy that counts then is judged before it starts.
    """
    if case.simulate_retryable_failure:
        return Result(
            outcome=Outcome.RETRYABLE_FAILURE,
            status_code=503,
            error_code=ErrorCode.BACKEND_UNAVAILABLE,
            response_body={"status": "retryable", "reason": "backend_unavailable"},
            explanation="the backend is unavailable (simulated)",
        )
    if case.operation not in Operation.__members__:
        return _rejected(
            400, ErrorCode.INVALID_OPERATION, f"{case.operation!r} is not an operation"
        )
    operation = Operation(case.operation)
    if operation is Operation.LIST:
        denied = _denied_by_policy(case, registry, default_policy)
        return denied or accepted(operation, commands=registry.names())
    if not is_command_name(case.command_name):
        return _rejected(
            400, ErrorCode.INVALID_NAME, f"{case.command_name!r} is not a command name"
        )
    arguments: dict[str, object] = (
        {"arguments": case.arguments} if operation is Operation.RUN else {}
    )
    return (
        _without_template(case, operation)
        or _not_registered(case, operation, registry)
        or _another_template(case, operation, registry)
        or (None if executes and arguments else _denied_by_policy(case, registry, default_policy))
        or accepted(operation, command_name=case.command_name, **arguments)
    )


def drifts(expected: Expectation, result: Result) -> bool:
    """Tell whether `result` differs from what the fixture expects of the case."""
    return (
        result.outcome is not expected.outcome
        or result.status_code != expected.status_code
        or result.error_code is not expected.error_code
        or (
            expected.response_body is not None
            and not json_values.same(result.response_body, expected.response_body)
        )
    )


def _without_template(case: Case, operation: Operation) -> Result | None:
    if operation in {Operation.CREATE, Operation.UPDATE} and not case.template.strip():
        return _rejected(422, ErrorCode.INVALID_TEMPLATE, "the template is blank")
    return None


def _not_registered(case: Case, operation: Operation, registry: Registered) -> Result | None:
    if operation is not Operation.RUN or case.command_name in registry:
        return None
    explanation = f"the command {case.command_name!r} is not registered"
    about = {"reason": COMMAND_NOT_FOUND, "command_name": case.command_name}
    return _rejected(404, ErrorCode.INVALID_NAME, explanation, **about)


def _another_template(case: Case, operation: Operation, registry: Registered) -> Result | None:
    if operation is not Operation.RUN or not case.template.strip():
        return None
    if case.template == registry[case.command_name].template:
        return None
    return _policy_denied("the template differs from the registered one")


def _denied_by_policy(
    case: Case, registry: Registered, default_policy: ExecutionPolicy
) -> Result | None:
    is_run = case.operation == Operation.RUN
    template = registry[case.command_name].template if is_run else case.template
    for policy in case.own_policies.values() or (default_policy,):
        if reason := denial(as_written(policy), template=template, arguments=case.argument_objects):
            return _policy_denied(reason)
    return None


def accepted(operation: Operation, **about: object) -> Result:
    """What an operation results in that succeeds; `about` is what its answer holds besides."""
    return Result(
        outcome=Outcome.SUCCESS,
        status_code=success_status(operation),
        error_code=None,
        response_body={"status": "accepted", "operation": _IN_LOWER_CASE[operation], **about},
    )


_IN_LOWER_CASE = {operation: operation.lower() for operation in Operation}


def _rejected(status_code: int, error_code: ErrorCode, explanation: str, **about: object) -> Result:
    reason = error_code.removeprefix("custom_command_")
    return Result(
        outcome=Outcome.MALFORMED_INPUT,
        status_code=status_code,
        error_code=error_code,
        response_body={"status": "rejected", "reason": reason, **about},
        explanation=explanation,
    )


def _policy_denied(explanation: str) -> Result:
    return _rejected(403, ErrorCode.POLICY_DENIED, explanation)
