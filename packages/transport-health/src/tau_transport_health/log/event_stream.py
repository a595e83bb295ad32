"""Reads a log of any length at speed: what `status`, `report` and `diagnose` need of every line.

The rules are `event.parse_event`'s alone. Most lines stand byte for byte as the runtime writes
them: those are recognised many at once, and every other line goes through the rules. Only what
reads whole logs imports this module, since the decoder costs start-up time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter
from typing import Annotated, Literal

import msgspec

from tau_transport_health.contract.event import (
    KNOWN_REASON_CODES,
    LONGEST_LINE_BYTES,
    Event,
    contradiction_of,
    parse_event,
)
from tau_transport_health.contract.state import LARGEST_INTEGER
from tau_transport_health.errors import TransportHealthError

_Count = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_INTEGER)]
_Number = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_INTEGER)]
_Name = Annotated[str, msgspec.Meta(min_length=1)]
_Digest = Annotated[str, msgspec.Meta(min_length=64, max_length=64)]
_Codes = Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]

PROBLEMS_KEPT = 20
"""How many invalid lines are kept with their reason; all are counted."""


class RuntimeLine(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A line with exactly the keys that the runtime writes, in its order, each of its type."""

    schema_version: Literal[1]
    timestamp_unix_ms: _Count
    cycle_id: _Name
    cycle_number: _Number
    previous_sha256: _Digest | None
    run_mode: Literal["record", "execute"]
    health_state: Literal["healthy", "degraded", "failing"]
    health_reason: str
    reason_codes: _Codes
    discovered_cases: _Count
    queued_cases: _Count
    applied_cases: _Count
    duplicate_skips: _Count
    malformed_cases: _Count
    unexpected_malformed_cases: _Count
    retryable_failures: _Count
    retry_attempts: _Count
    failed_cases: _Count
    upserted_commands: _Count
    deleted_commands: _Count
    executed_runs: _Count
    run_timeout_failures: _Count
    run_non_zero_exit_failures: _Count
    run_spawn_failures: _Count
    run_missing_command_failures: _Count
    backlog_cases: _Count
    failure_streak: _Count
    recovered: bool
    cycle_duration_ms: _Count
    fixture_name: str
    fixture_sha256: _Digest
    runtime_version: str


REASON_CODES_TOLD = 200
"""How many reason codes are counted apart: a hostile log may hold any number of them."""

OTHER_CODES = "(other codes)"
_COMBINATIONS_KEPT = 10_000

AnyEvent = Event | RuntimeLine
"""A valid line, however it was recognised; the fields have the same names."""

_decoded = msgspec.json.Decoder(RuntimeLine).decode_lines
_encoded = msgspec.json.Encoder().encode_lines
_previous_digest = attrgetter("previous_sha256")
_fixture_digest = attrgetter("fixture_sha256")
_codes = attrgetter("reason_codes")
_judged = attrgetter(
    "reason_codes",
    "health_state",
    "failed_cases",
    "failure_streak",
    "malformed_cases",
    "unexpected_malformed_cases",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBlock:
    """Lines that follow each other in a log, read.

    `events` are those of the valid lines, in order; `refusals` say of each other line, by its
    number in the log, why it is none.
    """

    first_line: int
    raw: bytes
    events: Sequence[AnyEvent]
    refusals: Mapping[int, str]

    def lines(self) -> Iterator[tuple[int, bytes, AnyEvent | str]]:
        """Yield each line: its number, its bytes without the line break, its event or refusal."""
        events = iter(self.events)
        for number, line in enumerate(_split(self.raw), self.first_line):
            refusal = self.refusals.get(number)
            yield number, line, next(events) if refusal is None else refusal


def read_blocks(blocks: Iterable[bytes], *, chained: bool) -> Iterator[ReadBlock]:
    """Yield what the whole lines of a log hold, just as `event.parse_event` reads each of them.

    Args:
        blocks: The lines, oldest first, some together, each ended by its line break.
        chained: Whether the writer chains its events, so that the chain keys are required.
    """
    number = 1
    for block in blocks:
        events: Sequence[AnyEvent] | None = recognised(block)
        refusals: dict[int, str] = {}
        if events is None:
            events, refusals = _read_each(block, number, chained=chained)
        yield ReadBlock(first_line=number, raw=block, events=events, refusals=refusals)
        number += len(events) + len(refusals)


def recognised(block: bytes) -> list[RuntimeLine] | None:
    """Return the events of lines that are the runtime's and valid, or None: the rules decide.

    What is read and written again is the same bytes only where each line is one object, has each
    key once and in its place, and nothing besides: the decoder alone is more lenient. The digests
    are held to their digits in the same way. The rest of the rules are the types' and
    `contradiction_of`, asked once for each combination of what it judges.
    """
    if len(block) > LONGEST_LINE_BYTES:
        return None
    try:
        events = _decoded(block)
        previous = filter(None, map(_previous_digest, events))
        digests = "".join((*set(map(_fixture_digest, events)), *previous))
        if _encoded(events) != block or bytes.fromhex(digests).hex() != digests:
            return None
    except (msgspec.MsgspecError, ValueError):
        return None
    examples = dict(zip(map(_judged, events), events, strict=True)).values()
    return None if any(map(contradiction_of, examples)) else events


def _read_each(
    block: bytes, first_line: int, *, chained: bool
) -> tuple[list[AnyEvent], dict[int, str]]:
    """Read a block that was not recognised as a whole: most of its lines may be, one by one."""
    events: list[AnyEvent] = []
    refusals: dict[int, str] = {}
    for number, line in enumerate(_split(block), first_line):
        try:
            events += recognised(line + b"\n") or [parse_event(line, chained=chained)]
        except TransportHealthError as error:
            refusals[number] = str(error)
    return events, refusals


def _split(block: bytes) -> list[bytes]:
    return block.split(b"\n")[:-1]


@dataclass(slots=True, kw_only=True)
class EventCounts:
    """What a log adds up to."""

    valid: int = 0
    invalid: int = 0
    last_reason_codes: tuple[str, ...] = ()
    reason_code_counts: Counter[str] = field(default_factory=Counter)
    problems: list[tuple[int, str]] = field(default_factory=list)


def count_events(blocks: Iterable[bytes], *, chained: bool) -> EventCounts:
    """Return the counts of a log's whole lines, and the first of its invalid ones."""
    counts = EventCounts()
    combinations: Counter[tuple[str, ...]] = Counter()
    for read in read_blocks(blocks, chained=chained):
        combinations.update(map(_codes, read.events))
        if read.events:
            counts.last_reason_codes = read.events[-1].reason_codes
        counts.invalid += len(read.refusals)
        room = PROBLEMS_KEPT - len(counts.problems)
        counts.problems += list(islice(read.refusals.items(), room))
        if len(combinations) > _COMBINATIONS_KEPT:
            _add_up(combinations, counts)
    _add_up(combinations, counts)
    return counts


def _add_up(combinations: Counter[tuple[str, ...]], counts: EventCounts) -> None:
    """Add the combinations to the counts, and forget them; of unknown codes only some are told."""
    told = counts.reason_code_counts
    for codes, times in combinations.items():
        counts.valid += times
        for code in dict.fromkeys(codes):
            if code in KNOWN_REASON_CODES or code in told or len(told) < REASON_CODES_TOLD:
                told[code] += times
            else:
                told[OTHER_CODES] += times
    combinations.clear()
