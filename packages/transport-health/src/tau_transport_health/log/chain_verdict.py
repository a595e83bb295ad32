"""What can be said of a chain of events: whether it is whole, and where and how it breaks."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class ChainState(StrEnum):
    """What can be said of a chain."""

    WHOLE = "whole"
    BROKEN = "broken"
    UNREAD = "unread"
    NONE = "none"


class BreakKind(StrEnum):
    """What is wrong at a break."""

    BEGINNING = "beginning"
    PREVIOUS_SHA256 = "previous_sha256"
    CYCLE_NUMBER = "cycle_number"
    CYCLE_ID = "cycle_id"
    UNCHAINED_LINE = "unchained_line"
    LINE_TOO_LONG = "line_too_long"
    END = "end"


class ChainBreak(NamedTuple):
    """The first line that does not continue the chain; `line` is None where there is no line."""

    kind: BreakKind
    file: str
    line: int | None
    expected: str
    found: str
    meaning: str

    @property
    def sentence(self) -> str:
        """Where it breaks, what was expected, what was found, and what that may mean."""
        place = self.file if self.line is None else f"{self.file} line {self.line}"
        return f"{place}: expected {self.expected}, found {self.found}: {self.meaning}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainVerdict:
    """What the whole log says of its chain.

    `first_cycle` and `last_cycle` are the numbers of the first and the last line that say one.
    `is_end_compared` is False where there is no valid state to hold the last line against;
    `unread` are files with cycles in between, or at the end, that were not read: over those nothing
    can be said. `is_ahead` is True where the log has one line more than the state knows.
    """

    state: ChainState
    lines: int
    first_cycle: int | None
    last_cycle: int | None
    broken_at: ChainBreak | None
    unread: tuple[str, ...]
    is_end_compared: bool
    is_ahead: bool

    @property
    def missing_before(self) -> int | None:
        """The first cycle that is here, where older ones are not; else None."""
        return self.first_cycle if self.first_cycle is not None and self.first_cycle > 1 else None

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        if self.broken_at is not None:
            return f"broken at {self.broken_at.sentence}"
        if self.unread:
            files = ", ".join(self.unread)
            return f"not broken where it was read, but not known over {files}, which was not read"
        if self.lines == 0:
            return "there is no line to verify"
        if self.state is ChainState.NONE:
            return "there is no chain: the writer does not chain its events, so changes do not show"
        parts = [f"whole from cycle {self.first_cycle} to cycle {self.last_cycle}"]
        if self.missing_before is not None:
            parts.append(f"history before cycle {self.missing_before} is not here")
        if not self.is_end_compared:
            parts.append("its end cannot be compared, since there is no valid state")
        elif self.is_ahead:
            parts.append("the log is one cycle ahead of the state")
        return "; ".join(parts)
