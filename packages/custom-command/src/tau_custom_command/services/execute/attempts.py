"""Attempts a RUN as often as it may be, and judges each attempt."""

import select
import shlex
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from msgspec import UNSET

from tau_custom_command.contract.vocabulary import Outcome
from tau_custom_command.cycle.attempt import Execution, result_of
from tau_custom_command.cycle.checks.assertions import judge, pause_before_retry_ms
from tau_custom_command.cycle.checks.captures import (
    Captured,
    TakenSecrets,
    captured,
    secrets_of,
)
from tau_custom_command.cycle.checks.pattern_match import Matcher
from tau_custom_command.cycle.evaluation import drifts
from tau_custom_command.cycle.execution import Ended, FailureReason, Stream
from tau_custom_command.cycle.plan import CycleLimits
from tau_custom_command.cycle.settle import delay_ms
from tau_custom_command.execution.cancellation import Cancellation
from tau_custom_command.execution.masking import MASK, masked, masked_text
from tau_custom_command.execution.run import run as run_command
from tau_custom_command.execution.sandbox import NotStartedError
from tau_custom_command.fixture.model import Case, StreamName
from tau_custom_command.services.clock import Clock
from tau_custom_command.services.execute.prepare import Executing, Run, Settling
from tau_custom_command.services.stopping import Stopping


class Attending(NamedTuple):
    """What goes on around an attempt.

    `about_to_start` is told the command line and the attempts before, just before each process;
    `keep` stores what a record does not hold of an attempt, and returns what it does; `matches`
    looks for patterns; `cancelled` ends what runs.
    """

    clock: Clock
    about_to_start: Callable[[str, tuple[Execution, ...]], None]
    keep: Callable[[Ended, int], Ended]
    matches: Matcher
    cancelled: Cancellation


def attempted(run: Run, executing: Executing, attending: Attending) -> Settling:
    """Run a RUN, again where it may be, and judge its attempts."""
    case = run.case
    executions: tuple[Execution, ...] = ()
    to_mask: frozenset[str] = frozenset()
    while True:
        ended = run_command(
            run.invocation,
            about_to_start=partial(_about_to_start, run, attending, executions),
            cancelled=attending.cancelled,
        )
        secrets = secrets_of(case, ended, attending.matches)
        to_mask |= frozenset(secrets.values.values())
        ended = _masked(ended, secrets)
        hidden = (*run.invocation.secrets, *map(str.encode, secrets.values.values()))
        mask = partial(masked_text, secrets=hidden)
        result = result_of(case, ended)
        differences = judge(case.expected, ended, attending.matches, mask)
        as_expected = not differences and not drifts(case.expected, result)
        taken = Captured()
        if as_expected and result.outcome is Outcome.SUCCESS:
            taken = captured(case, ended, attending.matches, secrets, mask)
        kept = attending.keep(ended, len(executions) + 1)
        last = Execution(kept, result, attending.clock.wall_unix_ms(), differences)
        executions = (*executions, last)
        pause_ms = _pause_ms(case, executing.attempts, executions, as_expected=as_expected)
        if pause_ms is None or _stops_within(pause_ms, executing.stopping, attending.cancelled):
            taken = taken._replace(to_mask=to_mask)
            return Settling([each.result for each in executions], executions, taken)


def _pause_ms(
    case: Case, limits: CycleLimits, executions: Sequence[Execution], *, as_expected: bool
) -> int | None:
    """How long to wait before the next attempt, in milliseconds; None where this was the last.

    One that misses an assertion is tried again only where its case says until when.
    """
    last, attempts = executions[-1], len(executions)
    outcome = last.result.outcome
    if case.retry_until is not UNSET:
        return pause_before_retry_ms(
            case.retry_until, attempts=attempts, outcome=outcome, as_expected=as_expected
        )
    may_be = outcome is Outcome.RETRYABLE_FAILURE and not (as_expected or last.differences)
    if not may_be or attempts >= limits.retry_max_attempts:
        return None
    return delay_ms(limits, attempts=attempts)


def _masked(ended: Ended, secrets: TakenSecrets) -> Ended:
    """The same with the secrets masked that were taken of it, and nothing of what may hold others.

    What is withheld counts as cut: no assertion holds of it, as nobody can tell.
    """
    values = tuple(map(str.encode, secrets.values.values()))

    def shown(name: StreamName, stream: Stream) -> Stream:
        if name in secrets.withheld and stream.kept:
            return Stream(MASK, stream.size, len(stream.kept) + stream.left_out)
        return stream._replace(kept=masked(stream.kept, values)) if values else stream

    return ended._replace(
        stdout=shown("stdout", ended.stdout), stderr=shown("stderr", ended.stderr)
    )


def _stops_within(milliseconds: int, *ends: Stopping | Cancellation) -> bool:
    """Wait, but not on where all is to stop; tell whether it is."""
    return bool(select.select(ends, [], [], milliseconds / 1000)[0])


def _about_to_start(run: Run, attending: Attending, before: tuple[Execution, ...]) -> None:
    now_unix_ms = attending.clock.wall_unix_ms()
    if reason := run.admission.withdrawn(now_unix_ms=now_unix_ms):
        raise NotStartedError(FailureReason.APPROVAL_REQUIRED, reason)
    line = masked_text(shlex.join(run.invocation.words), run.invocation.secrets)
    attending.about_to_start(line, before)
