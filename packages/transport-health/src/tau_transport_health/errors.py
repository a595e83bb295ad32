"""The package's errors and its exit codes, each in one place."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process says to its caller; one table for all packages (README, "Exit codes")."""

    YES = 0
    BUG = 1
    USAGE = 2
    NO = 3
    CANNOT_ANSWER = 5
    INTERRUPTED = 130
    READER_GONE = 141


class PluginCode(IntEnum):
    """What `check` says: the exit codes of the monitoring-plugins convention."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


class TransportHealthError(Exception):
    """The base of every expected failure; its text is shown to the operator as it is."""

    exit_code = ExitCode.CANNOT_ANSWER


class FormRefusedError(TransportHealthError):
    """A JSON value that is not of the contract's form; the text names the field."""


class TargetError(TransportHealthError):
    """A target that is not known, or a name that none can have."""

    exit_code = ExitCode.USAGE


class TargetsFileError(TargetError):
    """A targets file that is none: what was asked for cannot be answered."""

    exit_code = ExitCode.CANNOT_ANSWER


class UnreadableError(TransportHealthError):
    """A file that was named is not there, or cannot be read."""


class NoTargetError(TransportHealthError):
    """No target exists where they were looked for: nothing can be said."""


class NoChannelError(TransportHealthError):
    """There is no channel store, or no such channel in it: nothing can be said."""


class OutputError(TransportHealthError):
    """A file that was asked for cannot be written."""
