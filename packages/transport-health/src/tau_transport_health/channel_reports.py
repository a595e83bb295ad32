"""What is told of a channel store: each answer's values, whatever its form."""

from __future__ import annotations

from dataclasses import dataclass

from tau_transport_health.channel_entries import LogEntry
from tau_transport_health.errors import ExitCode

REMEDY = (
    "for invalid lines, of custom-command: tau-custom-command channels repair, which moves them "
    "aside under its lock; put a file that is missing or altered back from a copy"
)
"""What to do about an unsound channel: this program never writes there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelProblem:
    """Something unsound in a channel: the file from the store on, its line if it has one, why."""

    channel: str
    file: str
    line: int | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSummary:
    """A channel in a few figures; the last entry is None where there is no valid one."""

    channel: str
    entries: int
    invalid_lines: int
    artifacts: int
    last: LogEntry | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelEntries:
    """The last valid entries of a channel, oldest first, each with its file and line in that.

    `path` is the log itself; its rotated files lie beside it.
    """

    channel: str
    path: str
    entries: tuple[tuple[str, int, LogEntry], ...]
    total: int
    invalid_lines: int
    is_torn: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was found in the channels that were verified."""

    path: str
    channels: int
    lines: int
    artifacts: int
    problem_count: int
    problems: tuple[ChannelProblem, ...]

    @property
    def remedy(self) -> str | None:
        """Return what to do about the problems; None if there is none."""
        return REMEDY if self.problem_count else None

    @property
    def exit_code(self) -> ExitCode:
        """Return what `channels verify` exits with."""
        return ExitCode.NO if self.problem_count else ExitCode.YES
