"""Reads a log of any length at speed: what `status`, `report` and `diagnose` need of each line.

The rules are `contract.event.parse_event`'s alone; what `layouts` recognises is as they have it.
Only what reads whole logs imports this module, since the decoder costs start-up time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter
from typing import Any, NamedTuple

from tau_transport_health.contract.event import Event, parse_event
from tau_transport_health.errors import TransportHealthError
from tau_transport_health.log.chain import EVENT_LOG
from tau_transport_health.log.layouts import Layouts, Line

PROBLEMS_KEPT = 20
"""How many invalid lines are kept with their reason; all are counted."""

_event_fields = attrgetter(*Event._fields)


class ReadBlock(NamedTuple):
    """Lines that follow each other in a log, read.

    `valid` are events, or as they were decoded: `event_of` makes an event of either. `refusals` say
    of each line that is no event, by its number in the log, why it is none.
    """

    first_line: int
    raw: bytes
    valid: Sequence[Line]
    refusals: Mapping[int, str]

    @property
    def lines(self) -> list[bytes]:
        """Each line, without its line break."""
        return _split(self.raw)

    @property
    def numbers(self) -> Sequence[int]:
        """Where in the log each valid line stands."""
        end = self.first_line + len(self.valid) + len(self.refusals)
        numbers = range(self.first_line, end)
        return [at for at in numbers if at not in self.refusals] if self.refusals else numbers

    def values(self, key: str) -> list[Any]:
        """What each valid line has of a key: many are looked at faster so than events are made."""
        return list(map(attrgetter(key), self.valid))


class InvalidLine(NamedTuple):
    """A line that is no event, where it stands, and why."""

    file: str
    line: int
    reason: str


@dataclass(slots=True)
class InvalidLines:
    """The lines of a log that are no events: all are counted, the first few are kept."""

    total: int = 0
    first: list[InvalidLine] = field(default_factory=list)

    def add(self, refusals: Mapping[int, str], *, file: str = EVENT_LOG) -> None:
        """Count lines, and keep those that are among the first."""
        self.total += len(refusals)
        room = PROBLEMS_KEPT - len(self.first)
        self.first += (InvalidLine(file, *each) for each in islice(refusals.items(), room))


def read_blocks(blocks: Iterable[bytes], *, chained: bool) -> Iterator[ReadBlock]:
    """Read the whole lines of a log, just as `parse_event` reads each of them.

    Args:
        blocks: The lines, oldest first, some together, each ended by its line break.
        chained: Whether the writer chains its events, so that the chain keys are required.
    """
    layouts, number = Layouts(), 1
    refusals: dict[int, str] = {}
    for block in blocks:
        # Where lines were refused, more will be: all would be decoded for nothing.
        valid: Sequence[Line] | None = None if refusals else layouts.whole(block)
        refusals = {}
        if valid is None:
            valid = list(_read_each(layouts, _split(block), number, refusals, chained=chained))
        yield ReadBlock(number, block, valid, refusals)
        number += len(valid) + len(refusals)
        del block  # its line may be long: not held while the next one is read


def event_of(line: Line) -> Event:
    """The event of a valid line."""
    return Event._make(_event_fields(line))


def _read_each(
    layouts: Layouts,
    lines: list[bytes],
    first_line: int,
    refusals: dict[int, str],
    *,
    chained: bool,
) -> Iterator[Line]:
    """Read lines that were not recognised as a whole: most of them may be, one by one."""
    each = zip(lines, layouts.each(lines), strict=True)
    for number, (line, found) in enumerate(each, first_line):
        if found is not None:
            yield found
            continue
        try:
            yield parse_event(line, chained=chained)
        except TransportHealthError as error:
            refusals[number] = str(error)
        else:
            layouts.learn(line)


def _split(block: bytes) -> list[bytes]:
    return block.split(b"\n")[:-1]
