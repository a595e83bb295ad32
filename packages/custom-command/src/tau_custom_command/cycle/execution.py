"""What came of running a command for real, as values: they are judged and recorded by the cycle.

The rules are the runbook's (custom-command-ops.md, "Running commands for real").
"""

from enum import StrEnum
from typing import NamedTuple

from tau_custom_command.contract.channel import ArtifactEntry

MOST_TEXT_BYTES = 16 * 1024
"""Of a stream's output: what a record holds as text."""

MOST_KEPT_BYTES = 1024 * 1024
"""Of a stream's output: what is judged, and kept as an artifact."""


class FailureReason(StrEnum):
    """Why a RUN that was to be executed did not end well."""

    APPROVAL_REQUIRED = "approval_required"
    SHELL_PROGRAM_DISALLOWED = "shell_program_disallowed"
    POLICY_DENIED = "policy_denied"
    SANDBOX_UNAVAILABLE = "sandbox_unavailable"
    INVALID_TEMPLATE = "invalid_template"
    CAPTURE_MISSING = "capture_missing"
    EXECUTABLE_NOT_FOUND = "executable_not_found"
    SPAWN_ERROR = "spawn_error"
    NON_ZERO_EXIT = "non_zero_exit"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"


class Stream(NamedTuple):
    """What a command wrote to its stdout or stderr.

    `kept` is the beginning, at most `MOST_KEPT_BYTES`, with the values of secrets masked; `size` is
    how many bytes the command wrote in all, and `left_out` how many masked bytes follow `kept`.
    """

    kept: bytes = b""
    size: int = 0
    left_out: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether `kept` is all of it."""
        return self.left_out == 0

    @property
    def is_lossy(self) -> bool:
        """Whether `text` cannot show every byte, since they are not UTF-8."""
        try:
            self._head().decode()
        except UnicodeDecodeError:
            return True
        return False

    @property
    def text(self) -> str:
        """The beginning, at most `MOST_TEXT_BYTES`, as text; how much is left out stands behind."""
        head = self._head()
        more = len(self.kept) - len(head) + self.left_out
        return head.decode(errors="replace") + (f"...<truncated:{more} bytes>" if more else "")

    def shortened(self) -> "Stream":
        """The same with no more kept than `text` shows."""
        head = self._head()
        return self._replace(kept=head, left_out=self.left_out + len(self.kept) - len(head))

    def _head(self) -> bytes:
        """As much as a text holds, without part of a character at its end."""
        end = len(self.kept)
        if end > MOST_TEXT_BYTES:
            end = MOST_TEXT_BYTES
            while end > MOST_TEXT_BYTES - 4 and self.kept[end] & 0xC0 == 0x80:  # noqa: PLR2004
                end -= 1  # the next byte continues a character of UTF-8
        return self.kept[:end]


class Ended(NamedTuple):
    """How one attempt to run a command ended.

    Whether its process `started`; why it failed, if it did, and the same for people; the exit code,
    128 + n for one that died of signal n; how long it ran; what it wrote; whether it left processes
    behind that had to be ended; the folder it ran in; and the artifacts that have what it wrote,
    once that is shortened to what a record shows.
    """

    started: bool
    command_line: str
    failure: FailureReason | None = None
    explanation: str = ""
    exit_code: int | None = None
    signal: int | None = None
    duration_ms: int = 0
    stdout: Stream = Stream()
    stderr: Stream = Stream()
    left_behind: bool = False
    working_directory: str = ""
    artifacts: tuple[ArtifactEntry, ...] = ()

    @property
    def timed_out(self) -> bool:
        """Whether its time limit ended it."""
        return self.failure is FailureReason.TIMEOUT


class Difference(NamedTuple):
    """Where a run is not as its fixture states: the field there, and both sides for people."""

    field: str
    expected: str
    observed: str
