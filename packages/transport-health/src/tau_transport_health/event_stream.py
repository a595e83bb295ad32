"""Reads a log of any length at speed: what `status`, `report` and `diagnose` need of every line.

The rules are `event.parse_event`'s alone. Most lines were written by the runtime and have exactly
its keys: a typed decoder recognises those at once, and every other line goes through the rules.
Only `count_events` and its like import this module, since the decoder costs start-up time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Annotated, Literal

import msgspec

from tau_transport_health.errors import TransportHealthError
from tau_transport_health.event import (
    KNOWN_REASON_CODES,
    LONGEST_LINE_BYTES,
    Event,
    contradiction_of,
    parse_event,
)
from tau_transport_health.snapshot import LARGEST_INTEGER

_Count = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_INTEGER)]
_Number = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_INTEGER)]
_Name = Annotated[str, msgspec.Meta(min_length=1)]
_Digest = Annotated[str, msgspec.Meta(min_length=64, max_length=64)]
_HEX_DIGITS = "0123456789abcdef"

PROBLEMS_KEPT = 20
"""How many invalid lines are kept with their reason; all are counted."""


class RuntimeLine(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A line with exactly the keys that the runtime writes, each of its type."""

    schema_version: Literal[1]
    timestamp_unix_ms: _Count
    cycle_id: _Name
    cycle_number: _Number
    previous_sha256: _Digest | None
    run_mode: Literal["record", "execute"]
    health_state: Literal["healthy", "degraded", "failing"]
    health_reason: str
    reason_codes: tuple[str, ...]
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


# Seven of the values are always strings; previous_sha256 and the codes vary.
_QUOTES_OF_KEYS_AND_TEXTS = 2 * (len(RuntimeLine.__struct_fields__) + 7)

REASON_CODES_TOLD = 200
"""How many reason codes are counted apart: a hostile log may hold any number of them."""

OTHER_CODES = "(other codes)"
_COMBINATIONS_KEPT = 10_000
_JUDGEMENTS_KEPT = 10_000
"""How many combinations of judged fields are remembered; most lines repeat a few of them."""

AnyEvent = Event | RuntimeLine
"""A valid line, however it was recognised; the fields have the same names."""


def event_decoder(*, chained: bool) -> Callable[[bytes], AnyEvent]:
    """Return the function that reads a line as `event.parse_event` does, or raises as it does."""
    decode_runtime_line = msgspec.json.Decoder(RuntimeLine).decode
    consistent: set[tuple[object, ...]] = set()

    def decode(line: bytes) -> AnyEvent:
        try:
            event = decode_runtime_line(line)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return parse_event(line, chained=chained)
        codes = event.reason_codes
        # All keys are there, so a key that stands twice shows as more quotes than they need. So
        # does a quote inside a string; then the rules decide.
        quotes = _QUOTES_OF_KEYS_AND_TEXTS + 2 * len(codes)
        previous = event.previous_sha256
        if previous is not None:
            quotes += 2
            if previous.strip(_HEX_DIGITS):
                return parse_event(line, chained=chained)
        if line.count(b'"') != quotes or not codes or len(line) > LONGEST_LINE_BYTES:
            return parse_event(line, chained=chained)
        judged = (
            event.fixture_sha256,
            codes,
            event.health_state,
            event.failed_cases,
            event.failure_streak,
            event.malformed_cases,
            event.unexpected_malformed_cases,
        )
        if judged not in consistent:
            if event.fixture_sha256.strip(_HEX_DIGITS) or contradiction_of(event) is not None:
                return parse_event(line, chained=chained)
            if len(consistent) < _JUDGEMENTS_KEPT:
                consistent.add(judged)
        return event

    return decode


@dataclass(slots=True, kw_only=True)
class EventCounts:
    """What a log adds up to."""

    valid: int = 0
    invalid: int = 0
    last_reason_codes: tuple[str, ...] = ()
    reason_code_counts: Counter[str] = field(default_factory=Counter)
    problems: list[tuple[int, str]] = field(default_factory=list)


def count_events(lines: Iterable[bytes], *, chained: bool) -> EventCounts:
    """Return the counts of a log's whole lines, and the first of its invalid ones."""
    decode = event_decoder(chained=chained)
    counts = EventCounts()
    combinations: Counter[tuple[str, ...]] = Counter()
    for number, line in enumerate(lines, start=1):
        try:
            event = decode(line)
        except TransportHealthError as error:
            counts.invalid += 1
            if len(counts.problems) < PROBLEMS_KEPT:
                counts.problems.append((number, str(error)))
        else:
            combinations[event.reason_codes] += 1
            counts.last_reason_codes = event.reason_codes
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
