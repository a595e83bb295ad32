"""A cycle, decided: the order of its cases, what is left out, what each one counts as.

`plan` says which cases a cycle takes, `settle` judges one that was attempted; `closing` gives what
follows from them (runbooks/custom-command-ops.md, "A cycle").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from tau_custom_command.contract.state import StateFile
from tau_custom_command.contract.vocabulary import Outcome
from tau_custom_command.cycle.evaluation import Result, drifts
from tau_custom_command.cycle.registry import Registry, RegistryChange
from tau_custom_command.fixture.model import Case

RETRY_EXPONENT_LIMIT = 10
"""The delay before a retry doubles at most this often, so that it stays below about 1,000 times."""


class Disposition(Enum):
    """What a case counts as in its cycle."""

    APPLIED = auto()
    MALFORMED = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleLimits:
    """How much a cycle takes on, how often it tries, how much it remembers."""

    queue_limit: int
    processed_case_cap: int
    retry_max_attempts: int
    retry_base_delay_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CyclePlan:
    """Which cases a cycle takes and which it leaves out, in order, and the state it starts from."""

    queue: tuple[Case, ...]
    skipped: tuple[Case, ...]
    left_over: tuple[Case, ...]
    before: StateFile | None

    @property
    def duplicates(self) -> int:
        """Return how many cases are skipped since their key had been processed."""
        return len(self.skipped)

    @property
    def backlog(self) -> int:
        """Return how many cases the queue limit leaves over."""
        return len(self.left_over)

    @property
    def discovered(self) -> int:
        """Return how many cases the fixture holds."""
        return len(self.queue) + self.duplicates + self.backlog


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """One case of a cycle, judged: its last result, what it counts as, what it changed."""

    case: Case
    result: Result
    disposition: Disposition
    drifted: bool
    change: RegistryChange
    retry_attempts: int
    retryable_failures: int
    settled_unix_ms: int


def in_order(cases: Iterable[Case], *, case_suffix: str) -> tuple[Case, ...]:
    """Return the cases in the order they run in, with `case_suffix` appended to every id.

    The order is that of the fixture's own ids, so that it is the same with every suffix.
    """
    ordered = sorted(cases, key=lambda case: (case.case_id, case.operation, case.command_name))
    if not case_suffix:
        return tuple(ordered)
    return tuple(
        case.model_copy(update={"case_id": (case.case_id + case_suffix).strip()})
        for case in ordered
    )


def fresh_suffix(cases: Sequence[Case], before: StateFile | None, *, cycle_number: int) -> str:
    """Return a suffix with which each of the cases is new work, whatever ran before.

    It ends with the number of the cycle, which no other cycle has, so two fresh cycles never share
    a key. Ids that were written with such an end could: then another hyphen tells them apart.
    """
    known = set() if before is None else {*before.processed_case_keys, *before.failed_case_keys}
    suffix = f"-{cycle_number}"
    while any(case.key + suffix in known for case in cases):
        suffix = f"-{suffix}"
    return suffix


def plan(cases: Sequence[Case], before: StateFile | None, *, queue_limit: int) -> CyclePlan:
    """Return which of the ordered `cases` this cycle takes, given the state before it.

    New cases come first, so that failures cannot starve them; then those that failed before, least
    recently tried first, so that each gets its turn.
    """
    processed = frozenset(() if before is None else before.processed_case_keys)
    failed = () if before is None else before.failed_case_keys
    last_tried = {key: position for position, key in enumerate(failed)}
    skipped: list[Case] = []
    pending: list[Case] = []
    for case in cases:
        (skipped if case.key in processed else pending).append(case)
    new = [case for case in pending if case.key not in last_tried]
    again = [case for case in pending if case.key in last_tried]
    again.sort(key=lambda case: last_tried[case.key])
    pending = new + again
    return CyclePlan(
        queue=tuple(pending[:queue_limit]),
        skipped=tuple(skipped),
        left_over=tuple(pending[queue_limit:]),
        before=before,
    )


def retry_delay_ms(*, failed_attempts: int, base_delay_ms: int) -> int:
    """Return how long to wait after the n-th failed attempt of a case, in milliseconds."""
    exponent = min(failed_attempts - 1, RETRY_EXPONENT_LIMIT)
    return int(base_delay_ms * 2**exponent)


def settle(
    case: Case, attempts: Sequence[Result], registry: Registry, *, now_unix_ms: int
) -> Settlement:
    """Judge a case by its attempts (at least one), and carry it out in `registry` if it applies.

    A result that differs from the expected one is contract drift: the case fails and changes
    nothing.
    """
    result = attempts[-1]
    drifted = drifts(case.expected, result)
    disposition = Disposition.FAILED
    change = RegistryChange()
    if not drifted and result.outcome is Outcome.MALFORMED_INPUT:
        disposition = Disposition.MALFORMED
    elif not drifted and result.outcome is Outcome.SUCCESS:
        disposition = Disposition.APPLIED
        change = registry.apply(case, result, now_unix_ms=now_unix_ms)
    return Settlement(
        case=case,
        result=result,
        disposition=disposition,
        drifted=drifted,
        change=change,
        retry_attempts=len(attempts) - 1,
        retryable_failures=sum(
            attempt.outcome is Outcome.RETRYABLE_FAILURE for attempt in attempts
        ),
        settled_unix_ms=now_unix_ms,
    )
