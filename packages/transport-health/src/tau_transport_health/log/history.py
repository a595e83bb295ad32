"""One pass over the whole event log: what `diagnose` needs to know of it, in bounded memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import compress, repeat
from operator import gt
from typing import NamedTuple, Protocol

from tau_transport_health.contract.event import KNOWN_REASON_CODES, LONGEST_LINE_BYTES, Event
from tau_transport_health.contract.state import State
from tau_transport_health.log.chain import ChainVerifier
from tau_transport_health.log.chain_verdict import ChainVerdict
from tau_transport_health.log.codes import CodeCounts
from tau_transport_health.log.decode import InvalidLines, ReadBlock, event_of, read_blocks
from tau_transport_health.log.layouts import Line
from tau_transport_health.log.timeline import Timeline

_Found = tuple[str, int, Line]  # a file, the number of a valid line in it, and that

WINDOW_CYCLES = 20
"""How many of the last cycles symptoms of history are judged by.

Enough to tell a trend from an accident, few enough that what was mended is soon forgotten.
"""


STEPS_BACK_KEPT = 3
"""How many cycles that a clock dated back are kept, the newest ones; all are counted."""


class LogSegment(Protocol):
    """One file of the log, to be read once.

    Nobody appends to one that `is_rotated` any more. After the lines were read, `is_torn` tells
    whether something follows the last whole line, and `problem` why they end early, or why there
    are none, if it is so.
    """

    name: str
    is_rotated: bool
    is_torn: bool
    problem: str | None

    def blocks(self) -> Iterator[bytes]:
        """The whole lines, some together, each ended by its line break."""
        ...


class Cycle(NamedTuple):
    """A valid line, and where it stands."""

    file: str
    line: int
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What a log holds.

    `torn_files` are rotated logs that end in a torn line, of which nothing will be written again;
    whether the log itself is torn is the assessment's to say, which looks more than once.
    `unread_files` are files of the log that were not read, or not to their end, with the reason.
    `steps_back` counts the cycles that are dated before the one before them.
    """

    valid: int
    invalid: InvalidLines
    torn_files: tuple[str, ...]
    unread_files: tuple[tuple[str, str], ...]
    steps_back: int
    newest_steps_back: tuple[Cycle, ...]
    recent: tuple[Cycle, ...]
    unknown_codes: tuple[tuple[str, int], ...]
    chain: ChainVerdict


def read_history(
    segments: Iterable[LogSegment],
    *,
    state: State | None,
    state_afterwards: Callable[[], State | None],
    chained: bool,
    timeline: Timeline | None = None,
) -> History:
    """What the files of a log hold, given oldest first.

    Args:
        segments: The files, opened after `state` was read.
        state: The valid state, or None.
        state_afterwards: Reads the state again, once the log was read.
        chained: Whether the chain keys are required of every line.
        timeline: What is given the lines of the file that is not rotated, if anything is.
    """
    verifier = ChainVerifier(state)
    tally = _Tally()
    torn: list[str] = []
    unread: list[tuple[str, str]] = []
    for segment in segments:
        name = segment.name
        for read in read_blocks(segment.blocks(), chained=chained):
            tally.add(name, read)
            _verify(verifier, name, read)
            if timeline is not None and not segment.is_rotated:
                timeline.add(read)
            del read  # its line may be long: not held while the next one is read
        if segment.is_torn and segment.is_rotated:
            torn.append(name)
        if segment.problem is not None:
            unread.append((name, segment.problem))
            verifier.take_unread(name)
    codes = tally.codes.by_name()
    return History(
        valid=tally.valid,
        invalid=tally.invalid,
        torn_files=tuple(torn),
        unread_files=tuple(unread),
        steps_back=tally.steps_back,
        newest_steps_back=tuple(map(_cycle, reversed(tally.steps))),
        recent=tuple(map(_cycle, tally.recent)),
        unknown_codes=tuple(
            (code, codes[code]) for code in sorted(codes.keys() - KNOWN_REASON_CODES)
        ),
        chain=verifier.verdict(state_afterwards()),
    )


class _Tally:
    """What the lines of all files add up to."""

    def __init__(self) -> None:
        self.valid = self.steps_back = 0
        self.invalid, self.codes = InvalidLines(), CodeCounts()
        self.recent: deque[_Found] = deque(maxlen=WINDOW_CYCLES)
        self.steps: deque[_Found] = deque(maxlen=STEPS_BACK_KEPT)
        self._latest = 0

    def add(self, file: str, read: ReadBlock) -> None:
        """Add lines, the next ones of a file."""
        self.invalid.add(read.refusals, file=file)
        if not read.valid:
            return
        self.valid += len(read.valid)
        self.codes.add(read.values("reason_codes"))
        found = list(zip(repeat(file), read.numbers, read.valid, strict=False))
        self.recent.extend(found[-WINDOW_CYCLES:])
        times = read.values("timestamp_unix_ms")
        before = [self._latest, *times[:-1]]
        back = list(compress(found, map(gt, before, times)))
        self.steps_back += len(back)
        self.steps.extend(back)
        self._latest = times[-1]


def _cycle(found: _Found) -> Cycle:
    file, number, line = found
    return Cycle(file, number, event_of(line))


def _verify(verifier: ChainVerifier, file: str, read: ReadBlock) -> None:
    """Have lines verified: those that are valid, and follow each other, together."""
    first, lines, valid = read.first_line, read.lines, read.valid
    begin = 0
    for passed, number in enumerate(read.refusals):
        end = number - first
        together = valid[begin - passed : end - passed]
        verifier.take_all(file, first + begin, lines[begin:end], together)
        if len(lines[end]) > LONGEST_LINE_BYTES:
            verifier.take_too_long(file, number)
        else:
            verifier.take(file, number, lines[end], None)
        begin = end + 1
    rest = valid[begin - len(read.refusals) :]
    verifier.take_all(file, first + begin, lines[begin:], rest)
