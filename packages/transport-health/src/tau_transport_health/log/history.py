"""One pass over the whole event log: what `diagnose` needs to know of it, in bounded memory."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from tau_transport_health.contract.event import KNOWN_REASON_CODES, LONGEST_LINE_BYTES, Event
from tau_transport_health.contract.state import State
from tau_transport_health.log.chain import ChainVerifier
from tau_transport_health.log.chain_verdict import ChainVerdict
from tau_transport_health.log.codes import CodeNames
from tau_transport_health.log.decode import InvalidLines, read_lines

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
    """A valid line, and where it stands; a tuple, since one is made of every line."""

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
) -> History:
    """What the files of a log hold, given oldest first.

    Args:
        segments: The files, opened after `state` was read.
        state: The valid state, or None.
        state_afterwards: Reads the state again, once the log was read.
        chained: Whether the chain keys are required of every line.
    """
    verifier = ChainVerifier(state)
    recent: deque[Cycle] = deque(maxlen=WINDOW_CYCLES)
    invalid, names = InvalidLines(), CodeNames()
    counted: Counter[str] = Counter()
    torn: list[str] = []
    unread: list[tuple[str, str]] = []
    steps: deque[Cycle] = deque(maxlen=STEPS_BACK_KEPT)
    valid = steps_back = latest = 0
    for segment in segments:
        name = segment.name
        for number, line, event in read_lines(segment.blocks(), chained=chained):
            if isinstance(event, str):
                invalid.add(number, event, file=name)
            else:
                valid += 1
                recent.append(Cycle(name, number, event))
                if event.timestamp_unix_ms < latest:
                    steps_back += 1
                    steps.append(recent[-1])
                latest = event.timestamp_unix_ms
                for code in names.of(event.reason_codes):
                    counted[code] += 1
            if len(line) > LONGEST_LINE_BYTES:
                verifier.take_too_long(name, number)
            else:
                verifier.take(name, number, line, None if isinstance(event, str) else event)
            del line  # it may be long: not held while the next one is read
        if segment.is_torn and segment.is_rotated:
            torn.append(name)
        if segment.problem is not None:
            unread.append((name, segment.problem))
            verifier.take_unread(name)
    return History(
        valid=valid,
        invalid=invalid,
        torn_files=tuple(torn),
        unread_files=tuple(unread),
        steps_back=steps_back,
        newest_steps_back=tuple(reversed(steps)),
        recent=tuple(recent),
        unknown_codes=tuple(
            (code, counted[code]) for code in sorted(counted.keys() - KNOWN_REASON_CODES)
        ),
        chain=verifier.verdict(state_afterwards()),
    )
