"""What the `channels` commands answer, as values; `formats` prints them."""

import shlex
from dataclasses import dataclass
from typing import Generic, TypeVar

from tau_transport_health.contract.channel import ContextEntry, LogEntry
from tau_transport_health.errors import ExitCode

UnreadFile = tuple[str, str]
"""A file of a channel that could not be read, or not to its end, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelProblem:
    """Something unsound in a channel: the file from the store on, its line if it has one, why."""

    channel: str
    file: str
    line: int | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSummary:
    """A channel in a few figures; the last entry is None where there is no valid one.

    What `unread_files` hold is not in the figures.
    """

    channel: str
    entries: int
    invalid_lines: int
    artifacts: int
    last: LogEntry | None
    unread_files: tuple[UnreadFile, ...]

    @property
    def exit_code(self) -> ExitCode:
        """What `channels list` exits with if this is all it lists."""
        return ExitCode.NO if self.unread_files else ExitCode.YES


Entry = TypeVar("Entry", LogEntry, ContextEntry)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelEntries(Generic[Entry]):
    """The last valid entries of a channel, oldest first, each with its file and line in that.

    `path` is the log itself; its rotated files lie beside it. What `unread_files` hold is neither
    among the entries nor counted.
    """

    channel: str
    path: str
    entries: tuple[tuple[str, int, Entry], ...]
    total: int
    invalid_lines: int
    is_torn: bool
    unread_files: tuple[UnreadFile, ...]

    @property
    def exit_code(self) -> ExitCode:
        """What `channels show` exits with."""
        return ExitCode.NO if self.unread_files else ExitCode.YES


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was found in the channels that were verified, of the store at `path`."""

    path: str
    state_dir: str
    channels: int
    lines: int
    artifacts: int
    problem_count: int
    problems: tuple[ChannelProblem, ...]

    @property
    def remedy(self) -> str | None:
        """What to do about the problems; None if there is none.

        This program never writes there.
        """
        if not self.problem_count:
            return None
        return (
            "for invalid lines, of custom-command: tau-custom-command channels repair "
            f"--state-dir {shlex.quote(self.state_dir)}, which moves them aside under its lock; "
            "put a file that is missing or altered back from a copy"
        )

    @property
    def exit_code(self) -> ExitCode:
        """What `channels verify` exits with."""
        return ExitCode.NO if self.problem_count else ExitCode.YES
