"""Settles a case: tries it as often as it may, and judges what came of it."""

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import NamedTuple

from msgspec import UNSET

from tau_custom_command.contract.vocabulary import Outcome
from tau_custom_command.cycle.attempt import Execution
from tau_custom_command.cycle.evaluation import Result, drifts
from tau_custom_command.cycle.plan import CycleLimits
from tau_custom_command.cycle.registry import Registry, RegistryChange
from tau_custom_command.fixture.model import Case

RETRY_EXPONENT_LIMIT = 10
"""The delay before a retry doubles at most this often, so that it stays below about 1,000 times."""


class Disposition(Enum):
    """What a case counts as in its cycle."""

    APPLIED = auto()
    MALFORMED = auto()
    FAILED = auto()


class Settlement(NamedTuple):
    """One case of a cycle, judged: its last result, and what it changed.

    `executions` are its attempts where it is a RUN that was to be executed.
    """

    case: Case
    result: Result
    drifted: bool
    change: RegistryChange
    retry_attempts: int
    retryable_failures: int
    settled_unix_ms: int
    executions: tuple[Execution, ...] = ()

    @property
    def counted(self) -> tuple[Execution, ...]:
        """The attempts whose failures count: the last one where a case says until when it tries."""
        return self.executions if self.case.retry_until is UNSET else self.executions[-1:]

    @property
    def is_executed(self) -> bool:
        """Whether a process of it was started: then it is settled for good, whatever came of it."""
        return any(execution.ended.started for execution in self.executions)

    @property
    def disposition(self) -> Disposition:
        """What the case counts as."""
        if self.drifted or self.result.outcome is Outcome.RETRYABLE_FAILURE:
            return Disposition.FAILED
        is_success = self.result.outcome is Outcome.SUCCESS
        return Disposition.APPLIED if is_success else Disposition.MALFORMED


def settle(
    case: Case,
    attempts: Sequence[Result],
    registry: Registry,
    *,
    now_unix_ms: int,
    executions: Sequence[Execution] = (),
) -> Settlement:
    """Judge a case by its attempts (at least one), and carry it out in `registry` if it applies.

    A result that differs from the expected one is contract drift: the case fails and changes
    nothing, but for what a record holds of its last execution.
    """
    result = attempts[-1]
    counted = attempts if case.retry_until is UNSET else attempts[-1:]
    settlement = Settlement(
        case=case,
        result=result,
        drifted=drifts(case.expected, result) or any(each.differences for each in executions[-1:]),
        change=_UNCHANGED,
        retry_attempts=len(attempts) - 1,
        retryable_failures=[each.outcome for each in counted].count(Outcome.RETRYABLE_FAILURE),
        settled_unix_ms=now_unix_ms,
        executions=tuple(executions),
    )
    return carried_out(settlement, registry)


_UNCHANGED = RegistryChange()


def carried_out(settlement: Settlement, registry: Registry) -> Settlement:
    """Carry a judged case out in `registry`, and return it with what that changed there."""
    case, result = settlement.case, settlement.result
    if settlement.is_executed:
        change = registry.record_executions(case, settlement.executions)
    elif not settlement.drifted and result.outcome is Outcome.SUCCESS:
        change = registry.apply(case, result, now_unix_ms=settlement.settled_unix_ms)
    else:
        change = _UNCHANGED
    return settlement._replace(change=change)


def tried(
    attempt: Callable[[], Result], limits: CycleLimits, *, sleep_ms: Callable[[int], None]
) -> list[Result]:
    """Attempt a case until its result is not retryable, or it was tried as often as it may be.

    The results are in their order. The delay before an attempt doubles each time.
    """
    results = [attempt()]
    while (
        results[-1].outcome is Outcome.RETRYABLE_FAILURE
        and len(results) < limits.retry_max_attempts
    ):
        if limits.retry_base_delay_ms:
            sleep_ms(delay_ms(limits, attempts=len(results)))
        results.append(attempt())
    return results


def delay_ms(limits: CycleLimits, *, attempts: int) -> int:
    """How long to wait after so many attempts, in milliseconds: it doubles each time."""
    return limits.retry_base_delay_ms << min(attempts - 1, RETRY_EXPONENT_LIMIT)
