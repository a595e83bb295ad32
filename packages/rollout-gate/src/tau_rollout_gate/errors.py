"""The package's errors and its exit codes, each in one place."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process says to its caller; one table for all packages (README, "Exit codes")."""

    YES = 0
    BUG = 1
    USAGE = 2
    HOLD = 3
    ROLLBACK = 4
    CANNOT_ANSWER = 5
    INTERRUPTED = 130
    READER_GONE = 141


class RolloutGateError(Exception):
    """The base of every expected failure; its text is shown to the operator as it is."""

    exit_code = ExitCode.CANNOT_ANSWER


class RefusedError(RolloutGateError):
    """A command that may not be carried out as things stand; nothing was written."""

    exit_code = ExitCode.USAGE


class FormRefusedError(RolloutGateError):
    """A value that is not of its documented form; the text names the field."""


class PolicyRefusedError(RolloutGateError):
    """A policy that cannot be used; the text names each thing that is wrong with it."""


class RosterRefusedError(RolloutGateError):
    """A list of hosts that cannot be used; the text names the line."""


class ChunkRefusedError(RolloutGateError):
    """What came back for a part of a fleet is not what was asked for; the text names the part."""


class FleetRefusedError(RolloutGateError):
    """A fleet that cannot be judged as it is: its file, table of hosts or store is another one."""


class EngineError(RolloutGateError):
    """Workers that cannot be had, or that break; the text names the chunk that was lost."""


class RolloutUnusableError(RolloutGateError):
    """The rollout directory cannot be trusted, or is not what the command was told of."""


class RolloutDeniedError(RolloutUnusableError):
    """The rollout directory is there, but not for this user to read."""


class NamedFileError(RolloutGateError):
    """A file that the command line names cannot be read or used."""


class StorageError(RolloutGateError):
    """The operating system refused to write a file."""


class DeniedError(StorageError):
    """This user may not read or write a file, which is no damage; the text says whose it is."""


class OutputError(StorageError):
    """A file that `--output` names cannot be written."""


class BusyError(RolloutGateError):
    """Another process is changing the rollout."""


class StoreError(RolloutGateError):
    """A fleet's store cannot answer, which says nothing of its hosts; the text says why."""


class TooLargeError(StoreError):
    """An object is larger than it may be, which its host alone is to blame for."""
