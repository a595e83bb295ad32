"""What a sandbox is to those who run a command in it. Each has a module of its own."""

from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from tau_custom_command.cycle.execution import FailureReason
from tau_custom_command.errors import CommandRuntimeError
from tau_custom_command.execution.invocation import Invocation


class NotStartedError(CommandRuntimeError):
    """No process of the command was started; holds the reason, and its text is for people."""

    def __init__(self, failure: FailureReason, explanation: str) -> None:
        """Keep why not."""
        super().__init__(explanation)
        self.failure = failure


class Outputs(NamedTuple):
    """Where a command writes to: the descriptors of two pipes; and where its stderr is read."""

    stdout: int
    stderr: int
    stderr_reader: int


class Exit(NamedTuple):
    """How a command's process ended.

    Its exit code, 128 + n for a death by signal n; that signal; whether processes that it had
    started were left and had to be ended; whether all of them are gone; whether the kernel's limits
    held; and whether one was ended that took too much memory before they did.
    """

    code: int
    signal: int | None
    left_behind: bool
    all_gone: bool = True
    was_limited: bool = True
    was_too_large: bool = False


class Process(Protocol):
    """A command for which all is set up. It starts only when it is told to."""

    working_directory: str

    def start(self) -> None:
        """Have the command start.

        Raises:
            NotStartedError: where the kernel refuses it.
        """

    def fileno(self) -> int:
        """A descriptor that is readable from the end of the command's own process on."""

    def ask_to_end(self) -> None:
        """Send SIGTERM to the command's own process."""

    def kill(self) -> None:
        """Send SIGKILL, in a sandbox with processes of its own to all of them."""

    def finish(self) -> Exit:
        """End what the command has left, and wait until it is gone; its own process has ended."""

    def refusal(self, stderr: bytes) -> str | None:
        """What the kernel refused the start with, if that shows only in what was written."""


class Sandbox(Protocol):
    """A way to confine commands."""

    def prepare(self, invocation: Invocation, outputs: Outputs) -> AbstractContextManager[Process]:
        """Set up all that a command needs; at the end of the context nothing of it is left.

        The thread that enters the context has to stay until its end: the kernel ends a sandbox
        together with the thread that started it.

        Raises:
            NotStartedError: where what the profile promises cannot be had here, or there is no
                such program.
        """

    def described(self, invocation: Invocation) -> tuple[str, ...]:
        """The words of the program that confines a command, without those that only set it up.

        Raises:
            NotStartedError: where a path of the operator's cannot be had together with the
                promises.
        """
