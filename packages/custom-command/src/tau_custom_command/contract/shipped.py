"""The shipped form's `state.json`: of a state what judges the host, and which segments go with it.

It holds nothing of the cases and the commands: no output leaves the host with it
(runbooks/state-files.md, "The shipped form").
"""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from tau_custom_command.contract.forms import (
    FileForm,
    NotEmpty,
    Number,
    SchemaVersion,
    UnixMs,
)
from tau_custom_command.contract.state import HealthSnapshot, LastCycle

SEGMENTS = "segments"
"""The folder of the segments."""


class StateEnd(FileForm, frozen=True):
    """As much of `state.json` as is shipped.

    Args:
        health: The health block.
        last_cycle: Which line of the event log it belongs to.
    """

    schema_version: SchemaVersion
    health: HealthSnapshot
    last_cycle: LastCycle


class ShippedSegment(FileForm, frozen=True):
    """A segment: `segments/<first_cycle>.jsonl`.

    Args:
        first_cycle: The number of the cycle of its first line.
        bytes: How long it is, up to the line that the state belongs to.
    """

    first_cycle: Number
    bytes: Annotated[int, Meta(ge=1)]

    @property
    def key(self) -> str:
        """Where it is, from the prefix of the host."""
        return segment_key(self.first_cycle)


class TakenOver(FileForm, frozen=True):
    """That what another chain had shipped there was replaced, and why.

    Args:
        taken_over_unix_ms: When.
        reason: Why, as the operator said.
        last_cycle: The end of the chain that was there; left out where that could not be read.
    """

    taken_over_unix_ms: UnixMs
    reason: NotEmpty
    last_cycle: LastCycle | UnsetType = UNSET


class ShippedState(StateEnd, frozen=True):
    """`state.json` of the shipped form.

    Args:
        segments: Its segments, oldest first; the chain of their lines ends with `last_cycle`.
        taken_over: That these took the place of another chain's, last.
    """

    segments: Annotated[tuple[ShippedSegment, ...], Meta(min_length=1)]
    taken_over: TakenOver | UnsetType = UNSET


def segment_key(first_cycle: int) -> str:
    """Where a segment is, from the prefix of the host."""
    return f"{SEGMENTS}/{first_cycle}.jsonl"
