"""What an attempt to execute a RUN results in: the second half of the runbook's table.

(runbooks/custom-command-ops.md, "Running commands for real")
"""

from typing import NamedTuple

from tau_custom_command.contract.vocabulary import ErrorCode, Operation, Outcome
from tau_custom_command.cycle.checks.assertions import failure
from tau_custom_command.cycle.evaluation import Result, accepted
from tau_custom_command.cycle.execution import Difference, Ended, FailureReason
from tau_custom_command.fixture.model import Case


class Execution(NamedTuple):
    """One attempt of a RUN to execute, judged: how it ended, and what that results in.

    `differences` are what its output or duration lacks of what the fixture states of them.
    """

    ended: Ended
    result: Result
    ended_unix_ms: int
    differences: tuple[Difference, ...] = ()

    @property
    def failure(self) -> FailureReason | None:
        """Why it failed; None where it ended as expected, also with another exit code than 0."""
        return None if self.result.outcome is Outcome.SUCCESS else self.ended.failure


_REJECTED = {
    FailureReason.APPROVAL_REQUIRED: ErrorCode.POLICY_DENIED,
    FailureReason.SHELL_PROGRAM_DISALLOWED: ErrorCode.POLICY_DENIED,
    FailureReason.POLICY_DENIED: ErrorCode.POLICY_DENIED,
    FailureReason.SANDBOX_UNAVAILABLE: ErrorCode.POLICY_DENIED,
    FailureReason.INVALID_TEMPLATE: ErrorCode.INVALID_TEMPLATE,
    FailureReason.CAPTURE_MISSING: ErrorCode.INVALID_TEMPLATE,
    FailureReason.EXECUTABLE_NOT_FOUND: ErrorCode.INVALID_TEMPLATE,
}
"""What is rejected, since it would be again; what is not here may be tried once more."""

_STATUS = {ErrorCode.POLICY_DENIED: 403, ErrorCode.INVALID_TEMPLATE: 422}


def result_of(case: Case, ended: Ended) -> Result:
    """What an attempt results in; an exit code that the fixture expects is a success."""
    reason = failure(case.expected, ended)
    if reason is not None:
        return failed(reason, ended.explanation)
    return accepted(Operation.RUN, command_name=case.command_name, arguments=case.arguments)


def failed(failure: FailureReason, explanation: str) -> Result:
    """What a RUN results in that failed, or was refused, for this reason."""
    code = _REJECTED.get(failure, ErrorCode.BACKEND_UNAVAILABLE)
    is_rejected = code is not ErrorCode.BACKEND_UNAVAILABLE
    return Result(
        outcome=Outcome.MALFORMED_INPUT if is_rejected else Outcome.RETRYABLE_FAILURE,
        status_code=_STATUS.get(code, 503),
        error_code=code,
        response_body={
            "status": "rejected" if is_rejected else "retryable",
            "reason": failure.value,
        },
        explanation=explanation,
    )
