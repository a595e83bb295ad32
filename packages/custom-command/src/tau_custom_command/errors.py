"""The package's errors and its exit codes, each in one place.

Every error that the runtime expects derives from `CommandRuntimeError`, carries a message for
people (where, what, what to do) and knows its exit code. Anything else that escapes is a bug.
"""

from enum import IntEnum
from typing import NamedTuple

from tau_custom_command.printable import printable

_LONGEST_QUOTE = 200


class ExitCode(IntEnum):
    """What the process says to its caller; one table for all packages (README, "Exit codes")."""

    YES = 0
    BUG = 1
    USAGE = 2
    NO = 3
    CANNOT_ANSWER = 5
    INTERRUPTED = 130
    READER_GONE = 141


class CommandRuntimeError(Exception):
    """The base of every expected failure; its text is shown to the operator as it is."""

    exit_code = ExitCode.CANNOT_ANSWER


class Problem(NamedTuple):
    """One thing that is wrong with a fixture: which case, which field, what, and what to do."""

    case_id: str | None
    field: str | None
    message: str

    def __str__(self) -> str:
        """`case 'run-7': expected.status_code: must be greater than 0`."""
        case = None if self.case_id is None else f"case {self.case_id[:_LONGEST_QUOTE]!r}"
        parts = (case, self.field, self.message)
        return printable(": ".join(part for part in parts if part))


class FixtureRefusedError(CommandRuntimeError):
    """A fixture that cannot be run; holds every problem found, not only the first."""

    def __init__(self, fixture: str, problems: tuple[Problem, ...]) -> None:
        """Keep the problems of `fixture`, which is how the operator named the file."""
        super().__init__("\n".join(f"{fixture}: {problem}" for problem in problems))
        self.problems = problems


class FormRefusedError(CommandRuntimeError):
    """Bytes that are not strict JSON of the documented form; the text says where and what."""


class StateUnusableError(CommandRuntimeError):
    """State files that cannot be trusted; they are left as they are."""


class StateDirectoryBusyError(CommandRuntimeError):
    """Another runner holds the lock of the state directory."""


class StorageError(CommandRuntimeError):
    """The operating system refused to read or write a file."""


class NotRegisteredError(CommandRuntimeError):
    """A command that was asked for is not in the registry."""

    exit_code = ExitCode.NO


class ShippingError(CommandRuntimeError):
    """What a cycle left could not be shipped, or may not be."""
