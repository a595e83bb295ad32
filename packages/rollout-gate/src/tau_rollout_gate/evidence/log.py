"""The lines of an event log, held against the ones before.

The rules are the contract's (runbooks/state-files.md, "The chain"). A line that is wrong in some
way is told and passed over; what is right in it is still judged, since it may fire a trigger.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, islice
from operator import gt
from typing import NamedTuple

from tau_rollout_gate.contract.cycle import Event
from tau_rollout_gate.contract.pin import Break
from tau_rollout_gate.evidence.lines import Line, RefusedLine
from tau_rollout_gate.evidence.values import Cycle, Flaw, FlawFound

_DIGEST_SHOWN = 12
_TOGETHER = 256


class Link(NamedTuple):
    """What the next line has to continue: digest, number and time of the one before.

    Each is None where it is not known. A digest of None as well as number 0 is the beginning.
    """

    sha256: str | None = None
    cycle_number: int | None = None
    timestamp_unix_ms: int | None = None


def judge(
    lines: Iterable[Line],
    *,
    before: Link,
    is_chained: bool,
    accepted: int = 0,
    breaks: Collection[Break] = (),
) -> Iterator[Cycle | FlawFound]:
    """Yield the valid cycles of consecutive lines, each followed by what is wrong with its line.

    Args:
        lines: The lines, oldest first.
        before: The line before the first of them.
        is_chained: Whether the writer chains its events.
        accepted: Of how many of the lines nothing is said to be wrong.
        breaks: Where they need not continue one another.
    """
    judged = _Judge(before, is_chained=is_chained, accepted=accepted, breaks=breaks)
    rest = iter(lines)
    while some := list(islice(rest, _TOGETHER)):
        sound = judged.sound(some)
        yield from sound or chain.from_iterable(map(judged.take, some))


class _Judge:
    """Knows the lines up to one, as far as the next has to continue them."""

    def __init__(
        self, before: Link, *, is_chained: bool, accepted: int, breaks: Collection[Break]
    ) -> None:
        self._before = before
        self._start = before.sha256
        self._is_chained = is_chained
        self._accepted = accepted
        self._breaks = breaks
        self._taken = 0
        self._seen: set[str | None] = set()

    def sound(self, lines: Sequence[Line]) -> list[Cycle]:
        """Take lines if there is plainly nothing wrong with any, and give their cycles.

        That is told of many together in a fraction of the time. No line is taken where none is
        given: each is then to be looked at.
        """
        cycles = [line for line in lines if isinstance(line, Cycle)]
        if len(cycles) < len(lines):
            return []
        digests = [cycle.sha256 for cycle in cycles]
        events = [cycle.event for cycle in cycles]
        times = [event.timestamp_unix_ms for event in events]
        if any(map(gt, (self._before.timestamp_unix_ms or 0, *times), times)):
            return []
        ids = [event.cycle_id for event in events if event.cycle_id is not None]
        if self._is_chained and not self._are_chained(events, digests, ids):
            return []
        self._seen.update(ids)
        self._taken += len(lines)
        self._before = Link(digests[-1], events[-1].cycle_number, times[-1])
        return cycles

    def _are_chained(
        self, events: Sequence[Event], digests: Sequence[str], ids: Sequence[str]
    ) -> bool:
        first = events[0].cycle_number
        if first is None or _break(events[0], self._before):
            return False
        return (
            [event.cycle_number for event in events] == [*range(first, first + len(events))]
            and [event.previous_sha256 for event in events[1:]] == [*digests[:-1]]
            and self._start not in digests
            and len({*ids}) == len(events)
            and self._seen.isdisjoint(ids)
        )

    def take(self, line: Line) -> Iterator[Cycle | FlawFound]:
        """Take a line, and yield its cycle, and what is wrong with it."""
        is_told = self._taken >= self._accepted
        self._taken += 1
        before = self._before
        if isinstance(line, RefusedLine):
            if is_told:
                lost = 1 + line.more if line.flaw is Flaw.INVALID_LINE else 0
                found = _found(line.flaw, line.problem, line, lost=lost)
                yield found._replace(times=1 + line.more)
            if line.sha256 is not None:
                self._before = Link(line.sha256, timestamp_unix_ms=before.timestamp_unix_ms)
            return
        yield line
        event, digest = line.event, line.sha256
        if is_told and self._is_chained:
            yield from self._misplaced(line, event, digest)
        if is_told and (backwards := _backwards(event, before)):
            yield _found(Flaw.CLOCK_BACKWARDS, backwards, line)
        if event.cycle_id is not None:
            self._seen.add(event.cycle_id)
        self._before = Link(digest, event.cycle_number, event.timestamp_unix_ms)

    def _misplaced(self, line: Line, event: Event, digest: str) -> Iterator[FlawFound]:
        before = self._before
        if digest == self._start or event.cycle_id in self._seen:
            yield _found(Flaw.LOG_REWRITTEN, "this cycle stood in an earlier line", line)
        elif (broken := _break(event, before)) and not _is_accepted(event, before, self._breaks):
            yield _broken(line, event, before, broken)


def _is_accepted(event: Event, before: Link, breaks: Collection[Break]) -> bool:
    here = (before.sha256, event.previous_sha256)
    return any((one.after_sha256, one.continues_sha256) == here for one in breaks)


def _found(flaw: Flaw, detail: str, line: Line, *, lost: int = 0) -> FlawFound:
    event = line.event
    return FlawFound(
        flaw=flaw,
        detail=detail,
        file=line.file,
        line=line.line,
        cycle_id=None if event is None else event.cycle_id,
        timestamp_unix_ms=None if event is None else event.timestamp_unix_ms,
        lost=lost,
    )


def _broken(line: Line, event: Event, before: Link, detail: str) -> FlawFound:
    """Where a line does not continue the one before it: that is another, or lines are gone."""
    number, last = event.cycle_number, before.cycle_number
    if number is None or last is None or number <= last:
        return _found(Flaw.CHAIN_BROKEN, detail, line)
    gap = number - last - 1
    if line.offset or not gap:
        return _found(Flaw.CHAIN_BROKEN, detail, line, lost=max(gap, 1))
    told = f"cycles {last + 1} to {number - 1} are in none of the log's files"
    return _found(Flaw.SEGMENT_MISSING, told, line, lost=gap)


def _break(event: Event, before: Link) -> str | None:
    """How an event does not continue the line before it, or None."""
    if not event.is_chained:
        return "the chain keys are missing, though other lines of this writer have them"
    number = before.cycle_number
    if (before.sha256 is not None or number == 0) and event.previous_sha256 != before.sha256:
        return (
            f"previous_sha256 is {_shown(event.previous_sha256)}, "
            f"but the digest of the line before is {_shown(before.sha256)}"
        )
    if number is not None and event.cycle_number != number + 1:
        return f"cycle_number is {event.cycle_number} after {number}"
    return None


def _backwards(event: Event, before: Link) -> str | None:
    last = before.timestamp_unix_ms
    if last is None or event.timestamp_unix_ms >= last:
        return None
    return f"timestamp_unix_ms is {event.timestamp_unix_ms}, earlier than {last} of the line before"


def _shown(digest: str | None) -> str:
    return "null" if digest is None else f"{digest[:_DIGEST_SHOWN]}..."
