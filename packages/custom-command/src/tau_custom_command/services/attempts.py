"""Prepares a RUN by all that is said of it, and attempts it as often as it may be."""

import select
import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from msgspec import UNSET

from tau_custom_command.contract.state import CommandRecord
from tau_custom_command.contract.vocabulary import Operation, Outcome
from tau_custom_command.cycle.attempt import Execution, result_of
from tau_custom_command.cycle.evaluation import Result, evaluate
from tau_custom_command.cycle.execution import Ended, FailureReason
from tau_custom_command.cycle.plan import CycleLimits
from tau_custom_command.cycle.settle import delay_ms, tried
from tau_custom_command.execution.cancellation import Cancellation
from tau_custom_command.execution.invocation import Invocation
from tau_custom_command.execution.limits import Limits
from tau_custom_command.execution.masking import masked_text
from tau_custom_command.execution.run import run as run_command
from tau_custom_command.execution.sandbox import NotStartedError
from tau_custom_command.execution.secrets import Secrets, denied_values
from tau_custom_command.fixture.model import Case
from tau_custom_command.policy.command_line import Refusal, fill
from tau_custom_command.policy.effective import Denied, effective
from tau_custom_command.policy.model import ExecutionPolicy
from tau_custom_command.services.clock import Clock


class Executing(NamedTuple):
    """How RUNs are executed: what the operator allows, bounds and gives.

    `not_approved` says why a registered command is not approved, None where it is; it is asked
    again just before a process starts. `masked` are folders that no confined command may look into.
    What the runtime's `environment` has under a denied name is masked, as the secrets are.
    """

    options: ExecutionPolicy
    attempts: CycleLimits
    limits: Limits
    max_parallel: int
    stop_timeout_ms: int
    secrets: Secrets
    environment: Mapping[str, str]
    not_approved: Callable[[CommandRecord], str | None]
    masked: tuple[Path, ...]
    workspace: Path | None
    run_as: int


class Run(NamedTuple):
    """A RUN that may start: its case, its registered command, and what is to be started."""

    case: Case
    record: CommandRecord
    invocation: Invocation
    is_approved: bool


class Settling(NamedTuple):
    """What came of the attempts at a case, in their order: their results, and their executions."""

    results: Sequence[Result]
    executions: tuple[Execution, ...] = ()


def prepared(
    case: Case, registry: Mapping[str, CommandRecord], executing: Executing, *, clock: Clock
) -> Run | Settling:
    """What is to be started for a case, or what comes of one that starts nothing."""

    def attempt() -> Result:
        return evaluate(case, registry, default_policy=executing.options, executes=True)

    results = tried(attempt, executing.attempts, sleep_ms=clock.sleep_ms)
    if case.operation != Operation.RUN or results[-1].outcome is not Outcome.SUCCESS:
        return Settling(results)
    run = _run(case, registry[case.command_name], executing)
    if isinstance(run, Run):
        return run
    execution = Execution(run, result_of(case, run), clock.wall_unix_ms())
    return Settling([execution.result], (execution,))


def _run(case: Case, record: CommandRecord, executing: Executing) -> Run | Ended:
    """What is to be started by all that is said of it, or why not."""
    not_approved = executing.not_approved(record)
    policy = effective(
        record.execution_policy,
        case.own_policies.values(),
        executing.options,
        approved=not_approved is None,
    )
    if isinstance(policy, Denied):
        explanation = f"{policy.reason}: {not_approved}"
        return _refused(record, FailureReason.APPROVAL_REQUIRED, explanation)
    arguments = record.default_arguments | case.arguments
    line = fill(record.template, arguments, policy, secrets=executing.secrets.environment.keys())
    if isinstance(line, Refusal):
        return _refused(record, FailureReason(line.failure), line.explanation)
    limits = executing.limits
    if case.timeout_ms is not UNSET:
        limits = limits._replace(timeout_ms=min(case.timeout_ms, limits.timeout_ms))
    if policy.allow_large_memory:
        limits = limits._replace(memory_bytes=None)
    return Run(
        case=case,
        record=record,
        invocation=Invocation(
            words=line.words,
            environment={**line.environment, **executing.secrets.environment},
            profile=policy.sandbox_profile,
            allow_network=policy.allow_network,
            limits=limits,
            workspace=executing.workspace,
            masked=executing.masked,
            denied_names=policy.denied_env,
            secrets=(
                *executing.secrets.values,
                *denied_values(policy.denied_env, executing.environment),
            ),
            run_as=executing.run_as,
        ),
        is_approved=not_approved is None,
    )


def _refused(record: CommandRecord, failure: FailureReason, explanation: str) -> Ended:
    return Ended(
        started=False, command_line=record.template, failure=failure, explanation=explanation
    )


class Attending(NamedTuple):
    """What goes on around an attempt.

    `about_to_start` is told the command line and the attempts before, just before each process;
    `keep` stores what a record does not hold of an attempt, and returns what it does. Once it is
    `stopping`, nothing is tried again; `cancelled` ends what runs.
    """

    clock: Clock
    about_to_start: Callable[[str, tuple[Execution, ...]], None]
    keep: Callable[[Ended, int], Ended]
    stopping: Cancellation
    cancelled: Cancellation


def attempted(run: Run, executing: Executing, attending: Attending) -> tuple[Execution, ...]:
    """Run a RUN, again where it may be, and return its attempts."""
    executions: tuple[Execution, ...] = ()
    while True:
        ended = run_command(
            run.invocation,
            about_to_start=partial(_about_to_start, run, executing, attending, executions),
            cancelled=attending.cancelled,
        )
        result = result_of(run.case, ended)
        kept = attending.keep(ended, len(executions) + 1)
        executions += (Execution(kept, result, attending.clock.wall_unix_ms()),)
        if (
            result.outcome is not Outcome.RETRYABLE_FAILURE
            or len(executions) >= executing.attempts.retry_max_attempts
            or _is_set_within(delay_ms(executing.attempts, attempts=len(executions)), attending)
        ):
            return executions


def _is_set_within(milliseconds: int, attending: Attending) -> bool:
    """Wait, but not on where all is to stop; tell whether it is."""
    return bool(select.select([attending.stopping], [], [], milliseconds / 1000)[0])


def _about_to_start(
    run: Run, executing: Executing, attending: Attending, before: tuple[Execution, ...]
) -> None:
    if run.is_approved and (reason := executing.not_approved(run.record)):
        raise NotStartedError(FailureReason.APPROVAL_REQUIRED, reason)
    line = masked_text(shlex.join(run.invocation.words), run.invocation.secrets)
    attending.about_to_start(line, before)
