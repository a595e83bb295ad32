"""Decides what is to be shipped: from which line on, and in which segments.

A pure module: it is given lines, newest first as they are read, and what the store has.
"""

from collections.abc import Iterable
from typing import NamedTuple

from msgspec import UNSET, UnsetType

from tau_custom_command.contract.forms import line_digest
from tau_custom_command.contract.shipped import (
    ShippedSegment,
    ShippedState,
    StateEnd,
    TakenOver,
    segment_key,
)
from tau_custom_command.contract.state import ChainLink, LastCycle
from tau_custom_command.errors import FormRefusedError
from tau_custom_command.limits import MIB

SEGMENT_BYTES = MIB
"""From how many bytes on a segment is closed for good."""

MOST_SHIPPED_BYTES = 64 * MIB
"""How far back from its end a log is read. What is older is not shipped at first."""

_MOST_LINES_AHEAD = 8
"""How many lines a log may be ahead of the state: one, and a few more where cycles are quick."""


class Numbered(NamedTuple):
    """A line of the log, its line break included, and the number of its cycle."""

    number: int
    line: bytes


class Chain(NamedTuple):
    """The end of a log, up to the line that the state names.

    Args:
        lines: Its lines, oldest first; each continues the one before.
        before_sha256: The digest that the first of them continues; None if that is nothing.
        known: How many of them the store has, up to the end of its state; None where it has none
            that these continue.
    """

    lines: tuple[Numbered, ...]
    before_sha256: str | None
    known: int | None


class Shipment(NamedTuple):
    """What is to be written: segments first, oldest first, then the state; none if all is there."""

    segments: tuple[tuple[str, bytes], ...]
    state: ShippedState


def chain_up_to(
    state: StateEnd, lines_backwards: Iterable[bytes], there: ShippedState | None
) -> Chain | None:
    """The lines that matter, of a log's lines, newest first; None if the state's is not there.

    They go back as far as there is something to ship or, to fill it up, as the store's newest
    segment does; to the first break in the chain; and `MOST_SHIPPED_BYTES` at most.
    """
    lines = iter(lines_backwards)
    wanted: str | None = state.last_cycle.event_sha256
    ahead = size = 0
    found: list[Numbered] = []
    newer_than_known: int | None = None
    for line in lines:
        digest = line_digest(line)
        if digest != wanted:
            ahead += 1
            if found or ahead > _MOST_LINES_AHEAD:
                break
            continue
        link = _link(line)
        size += len(line)
        if link is None or size > MOST_SHIPPED_BYTES:
            break
        if there is not None and digest == there.last_cycle.event_sha256:
            newer_than_known = len(found)
        found.append(Numbered(link.cycle_number, line))
        wanted = link.previous_sha256
        if wanted is None or _is_enough(link.cycle_number, there, newer_than_known):
            break
    if not found:
        return None
    if newer_than_known is None and there is not None and wanted == there.last_cycle.event_sha256:
        newer_than_known = len(found)
    known = None if newer_than_known is None else len(found) - newer_than_known
    return Chain(lines=tuple(reversed(found)), before_sha256=wanted, known=known)


def shipment(
    state: StateEnd,
    chain: Chain,
    there: ShippedState | None,
    taken_over: TakenOver | UnsetType = UNSET,
) -> Shipment:
    """What brings a store from what is there, which the chain continues, to the state.

    Where nothing is there, or it is taken over, all that was read is shipped.
    """
    kept: tuple[ShippedSegment, ...] = ()
    known = 0
    if there is not None and chain.known is not None:
        kept, known, taken_over = there.segments, chain.known, there.taken_over
    if known == len(chain.lines):
        return Shipment(segments=(), state=there or _state(state, kept, taken_over))
    start = _start_of_open(kept, chain.lines[:known])
    if start is None:
        start = known
    else:
        kept = kept[:-1]
    pieces = tuple(_cut(chain.lines[start:]))
    named = tuple(
        ShippedSegment(first_cycle=first, bytes=len(content)) for first, content in pieces
    )
    return Shipment(
        segments=tuple((segment_key(first), content) for first, content in pieces),
        state=_state(state, (*kept, *named), taken_over),
    )


def why_not_continued(there: LastCycle, state: LastCycle) -> str:
    """Why a chain does not continue what a store has, in words."""
    if there.cycle_number > state.cycle_number:
        return (
            f"it has cycle {there.cycle_number} of this name, and this directory ends with cycle "
            f"{state.cycle_number}: a copy was put back here, or another machine has this name"
        )
    return (
        f"its cycle {there.cycle_number} is none of this directory's, or is no longer in its log: "
        "another machine has this name, or this one was made anew"
    )


def _is_enough(number: int, there: ShippedState | None, newer_than_known: int | None) -> bool:
    """Tell whether nothing older is needed than the line of this number."""
    if there is None:
        return False
    if newer_than_known is None:  # numbers fall by one: behind that of the store it cannot come
        return number < there.last_cycle.cycle_number
    newest = there.segments[-1]
    return newest.bytes >= SEGMENT_BYTES or number <= newest.first_cycle


def _start_of_open(kept: tuple[ShippedSegment, ...], known: tuple[Numbered, ...]) -> int | None:
    """Where among the lines that are known the newest segment starts, if it is to be filled up."""
    if not kept or kept[-1].bytes >= SEGMENT_BYTES:
        return None
    numbers = [line.number for line in known]
    if kept[-1].first_cycle not in numbers:
        return None
    start = numbers.index(kept[-1].first_cycle)
    is_whole = sum(len(line.line) for line in known[start:]) == kept[-1].bytes
    return start if is_whole else None


def _cut(lines: Iterable[Numbered]) -> Iterable[tuple[int, bytes]]:
    """Yield segments: the number of the first cycle, and the lines; all but the last are closed."""
    piece: list[bytes] = []
    first = size = 0
    for number, line in lines:
        first = first if piece else number
        piece.append(line)
        size += len(line)
        if size >= SEGMENT_BYTES:
            yield first, b"".join(piece)
            piece, size = [], 0
    if piece:
        yield first, b"".join(piece)


def _state(
    state: StateEnd, segments: tuple[ShippedSegment, ...], taken_over: TakenOver | UnsetType
) -> ShippedState:
    return ShippedState(
        schema_version=1,
        health=state.health,
        last_cycle=state.last_cycle,
        segments=segments,
        taken_over=taken_over,
    )


def _link(line: bytes) -> ChainLink | None:
    try:
        return ChainLink.parse(line)
    except FormRefusedError:
        return None
