"""What a cycle that executes commands notes of itself, and how a crash ends it by its notes.

That it began; before each process, that it is about to start; what came of each case. So after a
crash no finished case is lost, and a RUN that was started is never silently run again: it ends as
interrupted (runbooks/custom-command-ops.md, "Stopping, and crashes").
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

from msgspec import DecodeError, json
from msgspec.structs import replace

from tau_custom_command.contract.state import StateFile
from tau_custom_command.cycle.accounting import ClosedCycle, close
from tau_custom_command.cycle.artifacts import Attempt
from tau_custom_command.cycle.attempt import Execution, result_of
from tau_custom_command.cycle.event_chain import ChainEnd
from tau_custom_command.cycle.execution import Ended, FailureReason
from tau_custom_command.cycle.plan import CyclePlan
from tau_custom_command.cycle.registry import Registry
from tau_custom_command.cycle.settle import Settlement, carried_out, settle
from tau_custom_command.errors import StateUnusableError
from tau_custom_command.fixture.model import Case


class Began(NamedTuple):
    """A cycle began: its plan, without what the fixture or the state before it tells."""

    plan: CyclePlan
    unix_ms: int

    @classmethod
    def of(cls, plan: CyclePlan, *, unix_ms: int) -> "Began":
        """Note the beginning of the cycle that takes `plan`."""
        told = plan._replace(queue=(), processed_before=(), failed_before=(), executed_before=())
        return cls(plan=told, unix_ms=unix_ms)


class Starts(NamedTuple):
    """A process of the case at a place of the queue is about to start.

    `before` are the attempts at it that have ended since the note before: together the notes grow
    with the attempts, not with their square.
    """

    place: int
    case: Case
    unix_ms: int
    command_line: str
    before: tuple[Execution, ...] = ()


class Settled(NamedTuple):
    """What came of the case at a place of the queue."""

    place: int
    settlement: Settlement


Note = Began | Starts | Settled
Form = TypeVar("Form")


def encode(note: Note) -> bytes:
    """A note as bytes."""
    return json.encode(note)


def read(raw: bytes, form: type[Form]) -> Form:
    """A note of a form, from its bytes.

    Raises:
        StateUnusableError: if it is of no such form: another version noted it.
    """
    try:
        return json.decode(raw, type=form)
    except DecodeError:
        raise StateUnusableError(
            "a cycle was cut off while it executed commands, and what it noted has another form"
        ) from None


def closed_after_a_crash(
    began: bytes,
    starts: Iterable[bytes],
    settled: Iterable[bytes],
    *,
    before: StateFile | None,
    end: ChainEnd,
) -> ClosedCycle:
    """Close a cycle that a crash ended, by its notes and the state before it.

    The first three are what was noted of each kind. It ended when its last note was made. It
    follows the `end` of the chain, also where another state was put back since it began.

    Raises:
        StateUnusableError: as `read`.
    """
    beginning = read(began, Began)
    ended: dict[int, Settlement] = {}
    for raw in settled:
        note = read(raw, Settled)
        ended[note.place] = note.settlement
    started = _last_starts(starts)
    registry = Registry.of(() if before is None else before.commands)
    settlements = [
        carried_out(ended[place], registry)
        if place in ended
        else _interrupted(started[place], registry)
        for place in sorted(ended | started)
    ]
    times = (
        beginning.unix_ms,
        *(note.unix_ms for note in started.values()),
        *(settlement.settled_unix_ms for settlement in settlements),
    )
    identity = replace(
        beginning.plan.identity, cycle_number=end.cycle_number + 1, previous_sha256=end.sha256
    )
    return close(
        beginning.plan.continuing(before)._replace(identity=identity),
        settlements,
        registry,
        ended_unix_ms=max(times),
        duration_ms=max(times) - beginning.unix_ms,
        recovered=True,
    )


def interrupted_attempts(
    began: bytes, starts: Iterable[bytes], settled: Iterable[bytes]
) -> Iterator[tuple[str, Attempt]]:
    """Yield the attempts that a crash ended, each with the channel of its case.

    Raises:
        StateUnusableError: as `read`.
    """
    cycle_id = read(began, Began).plan.identity.cycle_id
    ended = {read(raw, Settled).place for raw in settled}
    for place, note in _last_starts(starts).items():
        if place not in ended:
            number = len(note.before) + 1
            yield note.case.channel, Attempt(cycle_id, place, note.case.key, number)


def _last_starts(starts: Iterable[bytes]) -> dict[int, Starts]:
    """The last start of each case, with all attempts before it."""
    last: dict[int, Starts] = {}
    for raw in starts:
        note = read(raw, Starts)
        ended = last[note.place].before if note.place in last else ()
        last[note.place] = note._replace(before=(*ended, *note.before))
    return last


def _interrupted(note: Starts, registry: Registry) -> Settlement:
    ended = Ended(
        started=True,
        command_line=note.command_line,
        failure=FailureReason.INTERRUPTED,
        explanation="the runtime was ended while the command ran",
    )
    last = Execution(ended=ended, result=result_of(note.case, ended), ended_unix_ms=note.unix_ms)
    executions = (*note.before, last)
    return settle(
        note.case,
        [execution.result for execution in executions],
        registry,
        now_unix_ms=note.unix_ms,
        executions=executions,
    )
