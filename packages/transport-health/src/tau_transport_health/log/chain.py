"""Verifies the chain of events, line by line, and names the first line that breaks it.

Each event holds the digest of the line before it and the next number, and the state names the last
line, so that a line which was altered, removed or moved shows (runbooks/state-files.md, "The
chain"). Nothing is kept but the last lines' keys: memory does not grow with the log.
"""

from collections import deque
from collections.abc import Collection, Sequence
from hashlib import sha256
from operator import attrgetter
from typing import Any

from tau_transport_health.contract.event import Event, line_digest
from tau_transport_health.contract.state import State
from tau_transport_health.log.chain_verdict import BreakKind, ChainBreak, ChainState, ChainVerdict

IDS_KEPT = 1000
"""How many cycles back a repeated `cycle_id` is noticed; numbers are held to over the whole log."""

EVENT_LOG = "runtime-events.jsonl"
"""What a break is named by where the log has no line at all."""

_DIGEST_SHOWN = 12
_cycle_id, _cycle_number = attrgetter("cycle_id"), attrgetter("cycle_number")
_previous_sha256 = attrgetter("previous_sha256")
_Break = tuple[BreakKind, str, str, str]  # what was expected, what was found, what that may mean
_UNCHAINED_LINE = (
    BreakKind.UNCHAINED_LINE,
    "a line that continues the chain",
    "one without chain keys",
    "another program wrote it, or an old version",
)


class ChainVerifier:
    """Takes the lines of a log in order, oldest first, then gives the verdict.

    Args:
        state: The state as it was read before the log was opened; None if there is no valid one.
    """

    def __init__(self, state: State | None) -> None:
        self._state = state
        last_cycle = None if state is None else state.last_cycle
        self._wanted = None if last_cycle is None else last_cycle.event_sha256
        self._lines_after_wanted: int | None = None
        self._keys_at_wanted: tuple[str | None, int | None] | None = None
        self._break: ChainBreak | None = None
        self._lines = 0
        self._first_number: int | None = None
        self._number: int | None = None
        self._had_invalid = False
        self._place: tuple[str, int | None] = (EVENT_LOG, None)
        self._digests: tuple[str | None, str | None] = (None, None)  # of the line before, the last
        self._ids: set[str] = set()
        self._ids_by_age: deque[str] = deque()
        self._unread_before: str | None = None  # the file before the next line, if it was not read
        self._unread: list[str] = []

    def take_unread(self, file: str) -> None:
        """Take a file that was not read, or not to its end: what it holds may be anything."""
        self._unread_before = file

    def take(self, file: str, line_number: int, line: bytes, event: Event | None) -> None:
        """Take the next line; `event` is None where the line is invalid.

        An invalid line's own keys cannot be read. Its bytes still count: the next line has their
        digest, so that one which the writer wrote so is no break, and one that was put in is.
        """
        if self._break is not None:
            return
        self._place = (file, line_number)
        if self._unread_before is not None:
            self._take_up(self._unread_before, event)
        if event is None:
            self._had_invalid = True
            self._number = None if self._number is None else self._number + 1
        else:
            self._break_at(self._broken_by(event))
            if event.cycle_number is not None and event.cycle_id is not None:
                self._remember(event.cycle_number, event.cycle_id)
        digest = line_digest(line)
        self._digests = (self._digests[1], digest)
        self._lines += 1
        if digest == self._wanted:
            self._lines_after_wanted = 0
            self._keys_at_wanted = None if event is None else (event.cycle_id, event.cycle_number)
        elif self._lines_after_wanted is not None:
            self._lines_after_wanted += 1

    def take_all(
        self, file: str, first_line: int, lines: Sequence[bytes], events: Sequence[Any]
    ) -> None:
        """Take the next lines, which are all valid: at once where each continues the chain.

        Args:
            file: Where they stand.
            first_line: The number of the first one.
            lines: Their bytes, without the line breaks.
            events: What has the keys of their events.
        """
        if self._break is not None:
            return
        digests = [sha256(line).hexdigest() for line in lines]
        if self._are_next(digests, events):
            self._place = (file, first_line + len(lines) - 1)
            self._go_on(digests, events)
        else:
            for number, (line, event) in enumerate(zip(lines, events, strict=True), first_line):
                self.take(file, number, line, event)

    def _are_next(self, digests: Sequence[str], events: Sequence[Any]) -> bool:
        if self._number is None or self._unread_before is not None:
            return False
        numbers = range(self._number + 1, self._number + 1 + len(events))
        ids = set(map(_cycle_id, events))
        return (
            list(map(_previous_sha256, events)) == [self._digests[1], *digests[:-1]]
            and list(map(_cycle_number, events)) == list(numbers)
            and len(ids) == len(events)
            and ids.isdisjoint(self._ids)
        )

    def _go_on(self, digests: Sequence[str], events: Sequence[Any]) -> None:
        """Go on after lines that continue the chain."""
        self._lines += len(digests)
        if self._lines_after_wanted is not None:
            self._lines_after_wanted += len(digests)
        elif self._wanted in digests:
            at = digests.index(self._wanted)
            self._lines_after_wanted = len(digests) - 1 - at
            self._keys_at_wanted = (events[at].cycle_id, events[at].cycle_number)
        self._digests = ((self._digests[1], *digests)[-2], digests[-1])
        self._number = events[-1].cycle_number
        self._keep(list(map(_cycle_id, events)))

    def _take_up(self, unread: str, event: Event | None) -> None:
        """Go on after a file that was not read, if the line may be one that follows what it holds.

        Before the first line it holds older history, which may be gone as well.
        """
        self._unread_before = None
        if self._lines == 0 or (event is not None and event.previous_sha256 == self._digests[1]):
            return
        number = None if event is None else event.cycle_number
        if self._number is None or number is None or number > self._number + 1:
            self._unread.append(unread)
            self._number = None
            self._digests = (None, None if event is None else event.previous_sha256)

    def take_too_long(self, file: str, line_number: int) -> None:
        """Take a line that is too long to be read whole: what it holds cannot be vouched for."""
        self._place = (file, line_number)
        found = ("an event", "a line of many megabytes", "no runtime writes such")
        self._break_at((BreakKind.LINE_TOO_LONG, *found))

    def verdict(self, state_afterwards: State | None) -> ChainVerdict:
        """The verdict on all lines taken.

        Args:
            state_afterwards: The state as it is now, after the log was read. Where cycles were
                written meanwhile, the log may go on after the state that was read before it.
        """
        if self._unread_before is not None and self._lines_after_wanted is None:
            self._unread.append(self._unread_before)
        elif end := self._end_break(state_afterwards):
            self._break_at((BreakKind.END, *end))
        state = ChainState.NONE if self._first_number is None else ChainState.WHOLE
        state = ChainState.UNREAD if self._unread else state
        return ChainVerdict(
            state=state if self._break is None else ChainState.BROKEN,
            lines=self._lines,
            first_cycle=self._first_number,
            last_cycle=self._number,
            broken_at=self._break,
            unread=tuple(self._unread),
            is_end_compared=self._wanted is not None,
            is_ahead=self._lines_after_wanted == 1,
        )

    def _remember(self, number: int, cycle_id: str) -> None:
        if self._first_number is None:
            self._first_number = number
        self._number = number
        self._keep((cycle_id,))

    def _keep(self, cycle_ids: Collection[str]) -> None:
        self._ids_by_age.extend(cycle_ids)
        self._ids.update(cycle_ids)
        too_many = len(self._ids_by_age) - IDS_KEPT
        self._ids.difference_update([self._ids_by_age.popleft() for _ in range(too_many)])

    def _broken_by(self, event: Event) -> _Break | None:
        is_chained = self._first_number is not None
        if event.cycle_number is None:
            return _UNCHAINED_LINE if is_chained else None
        if not is_chained and not self._had_invalid:
            return self._broken_beginning(event.cycle_number, event.previous_sha256)
        if event.previous_sha256 != self._digests[1]:
            return self._broken_link(event.cycle_number, event.previous_sha256)
        if self._number is not None and event.cycle_number != self._number + 1:
            return (
                BreakKind.CYCLE_NUMBER,
                f"cycle_number {self._number + 1}",
                str(event.cycle_number),
                "the writer miscounted, since the digest is right",
            )
        if event.cycle_id in self._ids:
            return (
                BreakKind.CYCLE_ID,
                "a cycle_id of its own",
                f"{event.cycle_id!r:.60} again",
                "the writer repeated it, since the digest is right",
            )
        return None

    def _broken_beginning(self, number: int, previous: str | None) -> _Break | None:
        """Judge the first chained line; before it there is none, or one of an unchained writer."""
        is_first_ever = number == 1 and previous in {None, self._digests[1]}
        goes_on_from_elsewhere = self._lines == 0 and number > 1 and previous is not None
        if is_first_ever or goes_on_from_elsewhere:
            return None
        return (
            BreakKind.BEGINNING,
            "previous_sha256 null in cycle 1, and a digest in every other",
            f"{_shown(previous)} in cycle {number}",
            "this is not how the chain began",
        )

    def _broken_link(self, number: int, previous: str | None) -> _Break:
        due = None if self._number is None else self._number + 1
        if due is None or number == due:
            meaning = "the line before it was altered, or this one"
        elif number > due:
            missing = number - due
            lines = "1 line is missing" if missing == 1 else f"{missing} lines are missing"
            meaning = f"{lines} before it"
        else:
            meaning = f"cycle {number} stands after cycle {due - 1}: lines were moved or put back"
        return (
            BreakKind.PREVIOUS_SHA256,
            f"previous_sha256 {_shown(self._digests[1])}",
            _shown(previous),
            meaning,
        )

    def _end_break(self, state_afterwards: State | None) -> tuple[str, str, str] | None:
        last = None if self._state is None else self._state.last_cycle
        if last is None:
            if self._state is None or self._first_number is None:
                return None
            return (
                "a state that names this cycle",
                "a state without last_cycle",
                "whoever wrote the state does not chain",
            )
        if self._lines_after_wanted is None:
            digest = _shown(last.event_sha256)
            is_short = last.cycle_number > (self._number or 0)
            return (
                f"cycle {last.cycle_number} with the digest {digest}, which the state names",
                f"cycle {self._number} with {_shown(self._digests[1])}"
                if self._lines
                else "no line",
                "lines at the end are missing"
                if is_short
                else "the last line was altered, or the state was",
            )
        if self._keys_at_wanted not in {None, (last.cycle_id, last.cycle_number)}:
            return (
                f"{last.cycle_id!r:.60}, number {last.cycle_number}, which the state names",
                "another id or number in that line",
                "the state was altered",
            )
        if self._lines_after_wanted > 1 and not self._was_written_meanwhile(state_afterwards):
            return (
                f"at most one line after cycle {last.cycle_number}, which the state names",
                f"{self._lines_after_wanted} lines",
                "an older state was put back, or lines were added",
            )
        return None

    def _was_written_meanwhile(self, state_afterwards: State | None) -> bool:
        now = None if state_afterwards is None else state_afterwards.last_cycle
        if now is None or self._number is None or now.cycle_number < self._number - 1:
            return False
        ahead_by = self._number - now.cycle_number
        return ahead_by < 0 or now.event_sha256 == self._digests[1 - ahead_by]

    def _break_at(self, broken: _Break | None) -> None:
        """Keep the first break, at the place that was come to."""
        if self._break is None and broken is not None:
            kind, *texts = broken
            self._break = ChainBreak(kind, *self._place, *texts)


def _shown(digest: str | None) -> str:
    return "null" if digest is None else f"{digest[:_DIGEST_SHOWN]}…"
