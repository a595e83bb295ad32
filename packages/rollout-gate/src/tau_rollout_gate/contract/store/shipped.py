"""The shipped form: a host's log in segments, and the state that names them and their lengths.

The rules are the contract's (runbooks/state-files.md, "The shipped form").
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from tau_rollout_gate.contract.forms import LARGEST_INTEGER, json_of
from tau_rollout_gate.errors import FormRefusedError

SEGMENTS = "segments"
"""The folder of the segments; a plain state directory has none of this name."""


_KEYS = ("first_cycle", "bytes")


class ShippedSegment(NamedTuple):
    """A segment: from which cycle on, and how long it is up to the line that the state names."""

    first_cycle: int
    bytes: int

    @property
    def key(self) -> str:
        """Where it is, from the prefix of the host."""
        return f"{SEGMENTS}/{self.first_cycle}.jsonl"


def parse_segments(raw: bytes, last_cycle: int) -> tuple[ShippedSegment, ...]:
    """The segments that a state names, oldest first.

    Args:
        raw: The state's bytes.
        last_cycle: The number of the cycle that it belongs to.

    Raises:
        FormRefusedError: if it names none, or they cannot be those of one log; the text names the
            field.
    """
    value = json_of(raw)
    listed = value.get(SEGMENTS) if isinstance(value, dict) else None
    if listed is None:
        raise FormRefusedError(
            f"{SEGMENTS}: is missing, as in a plain copy of a state directory: of an object store, "
            "only what `tau-custom-command ship` left there is read"
        )
    if not isinstance(listed, list) or not listed:
        raise FormRefusedError(f"{SEGMENTS}: must be an array that is not empty")
    found = tuple(_segment(one, f"{SEGMENTS}[{index}]") for index, one in enumerate(listed))
    if any(older.first_cycle >= newer.first_cycle for older, newer in pairwise(found)):
        raise FormRefusedError(f"{SEGMENTS}: are not in the order of their cycles")
    if found[-1].first_cycle > last_cycle:
        raise FormRefusedError(f"{SEGMENTS}: the newest begins after last_cycle")
    return found


def _segment(value: object, place: str) -> ShippedSegment:
    if not isinstance(value, dict):
        raise FormRefusedError(f"{place}: must be an object")
    first_cycle, length = (_number(value.get(name), f"{place}.{name}") for name in _KEYS)
    return ShippedSegment(first_cycle=first_cycle, bytes=length)


def _number(value: object, place: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LARGEST_INTEGER:
        raise FormRefusedError(f"{place}: must be an integer above 0")
    return value


def wanted(
    segments: Sequence[ShippedSegment],
    last_cycle: int,
    *,
    since_cycle: int | None,
    is_all: bool,
    lines: int,
) -> tuple[ShippedSegment, ...]:
    """The newest segments, newest first, that hold the evidence and so many lines at least.

    Args:
        segments: All that there are, oldest first.
        last_cycle: The number of the last line.
        since_cycle: The number of the line after which the evidence starts; None without one.
        is_all: Whether the evidence starts with the log.
        lines: How many lines are needed in any case.
    """
    found: list[ShippedSegment] = []
    for segment in reversed(segments):
        found.append(segment)
        is_reached = since_cycle is None or segment.first_cycle <= since_cycle
        if is_reached and not is_all and last_cycle - segment.first_cycle + 1 >= lines:
            break
    return tuple(found)
