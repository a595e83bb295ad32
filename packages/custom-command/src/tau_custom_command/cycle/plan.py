"""Plans a cycle: the order of its cases, which of them it takes, and which it leaves out.

(runbooks/custom-command-ops.md, "A cycle")
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import chain
from operator import attrgetter
from typing import NamedTuple, Self

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from tau_custom_command.contract.forms import LARGEST_INTEGER
from tau_custom_command.contract.state import RunMode, StateFile
from tau_custom_command.errors import StateUnusableError
from tau_custom_command.fixture.model import Case


class CycleLimits(NamedTuple):
    """How much a cycle takes on, how often it tries, how much it remembers."""

    queue_limit: int = 64
    processed_case_cap: int = 10_000
    retry_max_attempts: int = 4
    retry_base_delay_ms: int = 0


class CycleIdentity(Struct, frozen=True):
    """What names a cycle in the chain of events, and what it ran: keys of its event."""

    cycle_id: str
    cycle_number: int
    previous_sha256: str | None
    run_mode: RunMode
    fixture_name: str
    fixture_sha256: str
    runtime_version: str
    release: str | UnsetType = UNSET


class CyclePlan(NamedTuple):
    """Which cases a cycle takes and the keys of those it leaves out, and what was known before it.

    The keys of executed RUNs are kept for good, but for those of a `fresh` cycle, which end with
    its number, so that no other cycle has them. `secret_captures` are the names of those that any
    case of the fixture captures.
    """

    identity: CycleIdentity
    queue: tuple[Case, ...]
    skipped: tuple[str, ...]
    left_over: tuple[str, ...]
    processed_case_cap: int
    processed_before: tuple[str, ...]
    failed_before: tuple[str, ...]
    executed_before: tuple[str, ...]
    streak_before: int
    is_fresh: bool
    secret_captures: tuple[str, ...] = ()

    @property
    def discovered(self) -> int:
        """How many cases the fixture holds."""
        return len(self.queue) + len(self.skipped) + len(self.left_over)

    def continuing(self, before: StateFile | None) -> Self:
        """The same plan, continuing the state `before` it."""
        processed, failed, executed = ((), (), ()) if before is None else _keys_of(before)
        return self._replace(
            processed_before=processed,
            failed_before=failed,
            executed_before=executed,
            streak_before=0 if before is None else before.health.failure_streak,
        )


def plan(  # noqa: PLR0913 - what there is, what was before, and what is asked for
    cases: Sequence[Case],
    before: StateFile | None,
    identity: CycleIdentity,
    limits: CycleLimits,
    *,
    is_fresh: bool = False,
    rerun: Collection[str] = (),
) -> CyclePlan:
    """Choose which of the ordered `cases` a cycle takes, given the state before it.

    Cases whose key was processed or executed are skipped as duplicates, but for those to `rerun`.
    New cases come first, so that failures cannot starve them; then those that failed before, least
    recently tried first, so that each gets its turn. Where a case captures something,
    those that are taken run in the order of the fixture all the same.

    Raises:
        StateUnusableError: if no number is left for the cycle. A number names its cycle in the
            chain, so none is given twice.
    """
    if identity.cycle_number > LARGEST_INTEGER:
        raise StateUnusableError(
            f"the last cycle_number is {LARGEST_INTEGER}, the largest there is, so no cycle "
            "can follow; nothing was written: put state.json back from a copy, or give this "
            "fixture another --state-dir"
        )
    processed, failed, executed = ((), (), ()) if before is None else _keys_of(before)
    executed = tuple(key for key in executed if key not in rerun)
    known = frozenset(chain(processed, executed)).difference(rerun)
    last_tried = {key: position for position, key in enumerate(failed)}
    pending = [case for case in cases if case.key not in known]
    pending.sort(key=lambda case: last_tried.get(case.key, -1))
    queue = pending[: limits.queue_limit]
    if any(case.capture for case in queue):  # else what captures could come after what uses it
        taken = {case.key for case in queue}
        queue = [case for case in cases if case.key in taken]
    return CyclePlan(
        identity=identity,
        queue=tuple(queue),
        skipped=tuple(case.key for case in cases if case.key in known),
        left_over=tuple(case.key for case in pending[limits.queue_limit :]),
        processed_case_cap=limits.processed_case_cap,
        processed_before=processed,
        failed_before=failed,
        executed_before=executed,
        streak_before=0 if before is None else before.health.failure_streak,
        is_fresh=is_fresh,
        secret_captures=tuple(
            name for case in cases for name, capture in case.capture.items() if capture.secret
        ),
    )


def in_order(cases: Iterable[Case], *, case_suffix: str) -> tuple[Case, ...]:
    """Put the cases in the order they run in, with `case_suffix` appended to every id.

    The order is that of the fixture's own ids, so that it is the same with every suffix.
    """
    ordered = sorted(cases, key=attrgetter("order"))
    if not case_suffix:
        return tuple(ordered)
    return tuple(replace(case, case_id=case.case_id + case_suffix) for case in ordered)


def suffix_of(cases: Iterable[Case], keys: Collection[str], executed: Collection[str]) -> str:
    """The suffix that the cases had where RUNs of these `keys` were executed.

    It is the one with which the cases have all of the keys, each of which is among the `executed`
    ones; "" where there is none, or more than one, as where the id of a case begins with another's.
    """
    known = [case.key for case in cases]
    possible = [
        {key.removeprefix(of_case) for of_case in known if key.startswith(of_case)}
        for key in keys
        if key in executed
    ]
    found = set.intersection(*possible) if len(possible) == len(keys) > 0 else set()
    return found.pop() if len(found) == 1 else ""


def fresh_suffix(cases: Sequence[Case], before: StateFile | None, *, cycle_number: int) -> str:
    """A suffix with which each of the cases is new work, whatever ran before.

    It ends with the number of the cycle, which no other cycle has, so two fresh cycles never share
    a key. Ids that were written with such an end could: then another hyphen tells them apart.
    """
    known = set() if before is None else set(chain(*_keys_of(before)))
    suffix = f"-{cycle_number}"
    while any(case.key + suffix in known for case in cases):
        suffix = f"-{suffix}"
    return suffix


def _keys_of(state: StateFile) -> tuple[tuple[str, ...], ...]:
    executed = () if state.executed_run_keys is UNSET else state.executed_run_keys
    return state.processed_case_keys, state.failed_case_keys, executed
