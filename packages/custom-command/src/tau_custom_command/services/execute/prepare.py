"""Prepares a RUN: what is to be started by all that is said of it, or why it is not."""

import select
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec import UNSET

from tau_custom_command.contract.state import CommandRecord
from tau_custom_command.contract.vocabulary import Operation, Outcome
from tau_custom_command.cycle.attempt import Execution, result_of
from tau_custom_command.cycle.checks.captures import (
    Captured,
    environment,
    why_missing,
)
from tau_custom_command.cycle.evaluation import Registered, Result, evaluate
from tau_custom_command.cycle.execution import Ended, FailureReason
from tau_custom_command.cycle.plan import CycleLimits
from tau_custom_command.cycle.settle import tried
from tau_custom_command.execution.invocation import Invocation
from tau_custom_command.execution.limits import Limits
from tau_custom_command.execution.masking import masked_text
from tau_custom_command.execution.secrets import Secrets
from tau_custom_command.execution.variables import Variables
from tau_custom_command.fixture.model import Case
from tau_custom_command.policy.approvals import NotApproved
from tau_custom_command.policy.command_line import Refusal, fill
from tau_custom_command.policy.effective import EffectivePolicy, as_written
from tau_custom_command.policy.model import ExecutionPolicy
from tau_custom_command.policy.rules import CAPTURE
from tau_custom_command.services.clock import Clock
from tau_custom_command.services.execute.admit import Admission, Terms, admit
from tau_custom_command.services.execute.subject import Surroundings
from tau_custom_command.services.stopping import Stopping


class Executing(NamedTuple):
    """How RUNs are executed: what the operator allows, bounds and gives.

    Approvals are those of `state_dir`. `hidden` are folders that no confined command may look into.
    What the runtime's `variables` have under a denied name is masked, as the secrets are. Programs
    are looked for in `path`. `umask` is the operator's: that of the runtime is for state files
    while a cycle is at work.
    """

    options: ExecutionPolicy
    attempts: CycleLimits
    limits: Limits
    max_parallel: int
    stop_timeout_ms: int
    stopping: Stopping
    secrets: Secrets
    variables: Variables
    path: str
    state_dir: Path
    hidden: tuple[Path, ...]
    workspace: Path | None
    run_as: int
    umask: int

    def __repr__(self) -> str:
        """No value: this shows in tracebacks and logs."""
        return f"Executing({self.secrets})"

    @property
    def terms(self) -> Terms:
        """What the operator says of approvals, and of where commands run."""
        profile = as_written(self.options).sandbox_profile
        around = Surroundings(profile, self.workspace, self.run_as, self.path)
        return Terms(self.options, self.state_dir, around)

    def barred_from_fixtures(self) -> Secrets:
        """What no fixture may hold: the secrets, and the runtime's variables of denied names."""
        denied = self.variables.less(as_written(self.options).denied_env).denied
        return Secrets({**denied.environment, **self.secrets.environment})


class Run(NamedTuple):
    """A RUN that may start: its case, its registered command, and what is to be started."""

    case: Case
    record: CommandRecord
    invocation: Invocation
    admission: Admission


class Settling(NamedTuple):
    """What came of the attempts at a case, in their order: their results, and their executions.

    `captured` is what was taken of the last one's output.
    """

    results: Sequence[Result]
    executions: tuple[Execution, ...] = ()
    captured: Captured = Captured()


def prepared(
    case: Case,
    registry: Registered,
    executing: Executing,
    captured: Captured,
    *,
    clock: Clock,
) -> Run | Settling:
    """What is to be started for a case, or what comes of one that starts nothing.

    `captured` is what was taken of the output of earlier RUNs.
    """

    def attempt() -> Result:
        return evaluate(case, registry, default_policy=executing.options, executes=True)

    def pause_ms(milliseconds: int) -> None:
        select.select([executing.stopping], [], [], milliseconds / 1000)  # not on at a signal

    results = tried(attempt, executing.attempts, sleep_ms=pause_ms)
    if case.operation != Operation.RUN or results[-1].outcome is not Outcome.SUCCESS:
        return Settling(results)
    now_unix_ms = clock.wall_unix_ms()
    run = _run(case, registry[case.command_name], executing, captured, now_unix_ms=now_unix_ms)
    if isinstance(run, Run):
        return run
    execution = Execution(run, result_of(case, run), clock.wall_unix_ms())
    return Settling([execution.result], (execution,))


def _run(
    case: Case,
    record: CommandRecord,
    executing: Executing,
    captured: Captured,
    *,
    now_unix_ms: int,
) -> Run | Ended:
    """What is to be started by all that is said of it, or why not."""
    arguments = record.default_arguments | case.arguments
    given = arguments | {CAPTURE + name: value for name, value in captured.values.items()}
    stated = case.own_policies.values()
    admission = admit(record, stated, given, executing.terms, now_unix_ms=now_unix_ms)
    if isinstance(admission, NotApproved):
        return _refused(record, FailureReason.APPROVAL_REQUIRED, admission.reason)
    policy = admission.policy
    if case.retry_until is not UNSET and not record.read_only:
        explanation = "retry_until is for a command that is registered with read_only"
        return _refused(record, FailureReason.POLICY_DENIED, explanation)
    line = fill(
        record.template,
        arguments,
        policy,
        captures=captured.values,
        secrets=executing.secrets.environment.keys(),
    )
    missing = why_missing(record.template, case, captured, policy.allowed_env)
    if isinstance(line, Refusal):
        failure = FailureReason(line.failure)
        is_missing = failure is FailureReason.CAPTURE_MISSING
        return _refused(record, failure, (missing if is_missing else None) or line.explanation)
    if missing is not None:
        return _refused(record, FailureReason.CAPTURE_MISSING, missing)
    inherited = executing.variables.less(policy.denied_env)
    secrets = (
        *executing.secrets.values,
        *inherited.denied.values,
        *map(str.encode, captured.to_mask),
    )
    told = (*line.words, *line.environment.values())
    if any(masked_text(text, secrets) != text for text in told):
        explanation = "an argument or the template holds the value of a secret; give it by --secret"
        return _refused(record, FailureReason.POLICY_DENIED, explanation)
    return Run(
        case=case,
        record=record,
        invocation=Invocation(
            words=admission.words(line.words),
            environment={
                **line.environment,
                **executing.secrets.environment,
                **environment(captured.secrets, policy.allowed_env),
            },
            profile=policy.sandbox_profile,
            allow_network=policy.allow_network,
            limits=_limits(case, policy, executing.limits),
            workspace=executing.workspace,
            hidden=executing.hidden,
            inherited=inherited.variables,
            secrets=secrets,
            run_as=executing.run_as,
            umask=executing.umask,
        ),
        admission=admission,
    )


def _limits(case: Case, policy: EffectivePolicy, limits: Limits) -> Limits:
    """The operator's limits, with the case's where that is narrower."""
    if case.timeout_ms is not UNSET:
        limits = limits._replace(timeout_ms=min(case.timeout_ms, limits.timeout_ms))
    return limits._replace(memory_bytes=None) if policy.allow_large_memory else limits


def _refused(record: CommandRecord, failure: FailureReason, explanation: str) -> Ended:
    return Ended(
        started=False, command_line=record.template, failure=failure, explanation=explanation
    )
