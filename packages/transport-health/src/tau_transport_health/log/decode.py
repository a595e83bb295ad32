"""Decodes a log of any length at speed: what `status`, `report` and `diagnose` need of each line.

The rules are `contract.event.parse_event`'s alone. Most lines stand byte for byte as the runtime
writes them: those are recognised many at once, and every other line goes through the rules. Only
what reads whole logs imports this module, since the decoder costs start-up time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Annotated, Literal, NamedTuple

import msgspec

from tau_transport_health.contract import event, fields
from tau_transport_health.contract.event import Event
from tau_transport_health.contract.state import HealthState
from tau_transport_health.errors import TransportHealthError
from tau_transport_health.log.chain import EVENT_LOG

PROBLEMS_KEPT = 20
"""How many invalid lines are kept with their reason; all are counted."""

_TYPES: dict[fields.Rule, object] = {
    fields.COUNT: Annotated[int, msgspec.Meta(ge=0, le=fields.LARGEST_INTEGER)],
    fields.NUMBER: Annotated[int, msgspec.Meta(ge=1, le=fields.LARGEST_INTEGER)],
    fields.TEXT: str,
    fields.NAME: Annotated[str, msgspec.Meta(min_length=1)],
    fields.DIGEST: Annotated[str, msgspec.Meta(min_length=64, max_length=64)],
    event.DIGEST_OR_NULL: Annotated[str, msgspec.Meta(min_length=64, max_length=64)] | None,
    fields.FLAG: bool,
    fields.VERSION_1: Literal[1],
    event.RUN_MODE: Literal["record", "execute"],
    event.HEALTH: HealthState,  # `unknown` contradicts every number
    event.CODES: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)],
}
# A line with exactly the keys that the runtime writes, in its order, each of its type.
_RuntimeLine = msgspec.defstruct(
    "_RuntimeLine",
    [(key, _TYPES[rule]) for key, rule in event.RULES.items()],
    forbid_unknown_fields=True,
    gc=False,
)
_LONGEST_RECOGNISED = 1024 * 1024  # the decoder makes values of all that stands in it
_BEGINNING = b'{"schema_version":'  # so that another writer's line costs no decoding
_decoded = msgspec.json.Decoder(_RuntimeLine).decode_lines
_encoded = msgspec.json.Encoder().encode_lines
_previous_digest = attrgetter("previous_sha256")
_fixture_digest = attrgetter("fixture_sha256")
Line = Event | msgspec.Struct
"""A valid line, as an event or as it was decoded: the attributes have the same names."""
_codes = attrgetter("reason_codes")
_event_fields = attrgetter(*Event._fields)
_judged = attrgetter(
    "reason_codes",
    "health_state",
    "failed_cases",
    "failure_streak",
    "malformed_cases",
    "unexpected_malformed_cases",
)


class ReadBlock(NamedTuple):
    """Lines that follow each other in a log, read.

    `refusals` say of each line that is no event, by its number in the log, why it is none.
    """

    first_line: int
    raw: bytes
    valid: Sequence[Line]
    refusals: Mapping[int, str]

    @property
    def reason_codes(self) -> list[tuple[str, ...]]:
        """Those of each valid line: whoever counts them needs no events."""
        return list(map(_codes, self.valid))


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

    def add(self, line: int, reason: str, *, file: str = EVENT_LOG) -> None:
        """Count a line, and keep it if it is among the first."""
        self.total += 1
        if len(self.first) < PROBLEMS_KEPT:
            self.first.append(InvalidLine(file, line, reason))


def read_blocks(blocks: Iterable[bytes], *, chained: bool) -> Iterator[ReadBlock]:
    """Read the whole lines of a log, just as `parse_event` reads each of them.

    Args:
        blocks: The lines, oldest first, some together, each ended by its line break.
        chained: Whether the writer chains its events, so that the chain keys are required.
    """
    number = 1
    for block in blocks:
        refusals: dict[int, str] = {}
        valid = recognised(block)
        if valid is None:
            valid = list(_read_each(block, number, refusals, chained=chained))
        yield ReadBlock(number, block, valid, refusals)
        number += len(valid) + len(refusals)
        del block  # its line may be long: not held while the next one is read


def read_lines(
    blocks: Iterable[bytes], *, chained: bool
) -> Iterator[tuple[int, bytes, Event | str]]:
    """Each line of `read_blocks`: its number, its bytes, and its event or why it is none."""
    for read in read_blocks(blocks, chained=chained):
        events = map(_event, read.valid)
        refusals, lines = read.refusals, _split(read.raw)[::-1]
        number = read.first_line
        del read  # as above
        while lines:
            refusal = refusals.get(number)
            yield number, lines.pop(), next(events) if refusal is None else refusal
            number += 1


def recognised(block: bytes) -> Sequence[Line] | None:
    """Decode lines that are the runtime's and valid; None where the rules decide.

    What is read and written again is the same bytes only where each line is one object, has each
    key once and in its place, and nothing besides: the decoder alone is more lenient. The digests
    are held to their digits in the same way. The rest of the rules are the types' and
    `contradiction_of`, asked once for each combination of what it judges.
    """
    if len(block) > _LONGEST_RECOGNISED or not block.startswith(_BEGINNING):
        return None
    try:
        lines = _decoded(block)
        previous = filter(None, map(_previous_digest, lines))
        digests = "".join((*set(map(_fixture_digest, lines)), *previous))
        if _encoded(lines) != block or bytes.fromhex(digests).hex() != digests:
            return None
    except (msgspec.MsgspecError, ValueError):
        return None
    examples = dict(zip(map(_judged, lines), lines, strict=True)).values()
    return None if any(map(event.contradiction_of, map(_event, examples))) else lines


def _event(line: Line) -> Event:
    return Event._make(_event_fields(line))


def _read_each(
    block: bytes, first_line: int, refusals: dict[int, str], *, chained: bool
) -> Iterator[Line]:
    """Read a block that was not recognised as a whole: most of its lines may be, one by one."""
    for number, line in enumerate(_split(block), first_line):
        found = recognised(line + b"\n") if len(line) < _LONGEST_RECOGNISED else None
        try:
            yield from found or (event.parse_event(line, chained=chained),)
        except TransportHealthError as error:
            refusals[number] = str(error)


def _split(block: bytes) -> list[bytes]:
    return block.split(b"\n")[:-1]
