"""What can be wrong, each by its code, and what to do about it: the runbook as code.

Sources: runbooks/custom-command-ops.md, "When something is wrong", and
runbooks/transport-health-ops.md, "The gate".
"""

from collections.abc import Mapping
from enum import StrEnum


class Hold(StrEnum):
    """Why the gate holds."""

    NO_STATE = "no_state"
    INVALID_STATE = "invalid_state"
    UNHEALTHY = "unhealthy"
    STALE = "stale"
    FUTURE = "future"
    LOG_INVALID = "log_invalid"
    LOG_TORN = "log_torn"
    LOG_DISAGREES = "log_disagrees"


class FileSymptom(StrEnum):
    """What can be wrong with the files; most severe first."""

    NO_STATE = "no_state"
    INVALID_STATE = "invalid_state"
    NO_LOG = "no_log"
    UNREADABLE_LOG = "unreadable_log"
    CHAIN_BROKEN = "chain_broken"
    LOG_DISAGREES = "log_disagrees"
    INVALID_LINES = "invalid_lines"
    TORN_LINE = "torn_line"
    STALE = "stale"
    FUTURE = "future"
    UNHEALTHY = "unhealthy"
    UNKNOWN_REASON_CODE = "unknown_reason_code"


class HistorySymptom(StrEnum):
    """What can be wrong with the last cycles; most severe first."""

    CASE_PROCESSING_FAILED = "case_processing_failed"
    BACKLOG_GROWING = "backlog_growing"
    REPEATED_RETRIES = "repeated_retries"
    RUN_SPAWN_FAILURES = "run_spawn_failures"
    RUN_TIMEOUTS = "run_timeouts"
    RUN_NON_ZERO_EXITS = "run_non_zero_exits"
    MISSING_COMMANDS = "missing_commands"
    NOTHING_BUT_DUPLICATES = "nothing_but_duplicates"
    NO_REGISTRY_CHANGE = "no_registry_change"
    BACKLOG_LEFT = "backlog_left"


SymptomCode = FileSymptom | HistorySymptom

REMEDIES: Mapping[SymptomCode, str] = {
    FileSymptom.NO_STATE: "run the transport once, or pass --state-dir if its files lie elsewhere",
    FileSymptom.INVALID_STATE: "put state.json back from a copy, or have it back whole: "
    "tau-custom-command recover shows what it would do; the runtime leaves the file as it is",
    FileSymptom.NO_LOG: "put the log back from a copy; if it was rotated, see that "
    "runtime-events.jsonl.1 lies beside it",
    FileSymptom.UNREADABLE_LOG: "see who may read the file, and whether the disk is sound; the log "
    "is read by the user that the runtime runs as",
    FileSymptom.CHAIN_BROKEN: "find out who altered the log before you trust what it says; compare "
    "it with a copy. The break stays: the runtime does not mend it",
    FileSymptom.LOG_DISAGREES: "see whether state.json or the log was put back from a copy or "
    "edited; put both back from the same copy",
    FileSymptom.INVALID_LINES: "see what wrote these lines; the next cycle does not mend them. To "
    "begin anew, move the directory away",
    FileSymptom.TORN_LINE: "a writer was cut off: see the disk's space, then run the transport "
    "again, which moves the torn bytes aside into a .corrupt file",
    FileSymptom.STALE: "the runtime is not running: see its timer or service, and what its last "
    "run printed",
    FileSymptom.FUTURE: "set the clock of the machine that wrote the state, or of this one",
    FileSymptom.UNHEALTHY: "see which cases failed: diagnose names them, the channel's log.jsonl "
    "says why; without these see what the transport itself logged of its last cycle",
    FileSymptom.UNKNOWN_REASON_CODE: "update tau-transport-health, if the runtime is newer",
    HistorySymptom.CASE_PROCESSING_FAILED: "read the events, then the case's line in its channel's "
    "log.jsonl: drift has what was expected and what was observed. Correct the fixture's "
    "expectations and schema, or the registry that it runs against",
    HistorySymptom.BACKLOG_GROWING: "raise --queue-limit, or run more often",
    HistorySymptom.REPEATED_RETRIES: "is the failure passing? Then raise --retry-max-attempts or "
    "--retry-base-delay-ms; if not, see what the command calls. In record mode only "
    "simulate_retryable_failure does this",
    HistorySymptom.RUN_SPAWN_FAILURES: "see that the program is installed and may be started",
    HistorySymptom.RUN_TIMEOUTS: "see why the command takes so long, or raise its time limit",
    HistorySymptom.RUN_NON_ZERO_EXITS: "read the command's stderr and mend what it complains of",
    HistorySymptom.MISSING_COMMANDS: "see whether the command's CREATE was skipped as a duplicate "
    "after a DELETE, or sorts after the RUN; validate warns of such ids",
    HistorySymptom.NOTHING_BUT_DUPLICATES: "the fixture was run before, or its case ids are not "
    "unique: pass --fresh, if it is to do new work",
    HistorySymptom.NO_REGISTRY_CHANGE: "if changes were expected, see that the fixture has a "
    "CREATE, UPDATE or DELETE, and that it does not fail",
    HistorySymptom.BACKLOG_LEFT: "run again, more often, or raise --queue-limit",
}
"""What to do about each symptom."""

_SYMPTOM_OF = {Hold.LOG_INVALID: FileSymptom.INVALID_LINES, Hold.LOG_TORN: FileSymptom.TORN_LINE}


def symptom_of(hold: Hold) -> FileSymptom:
    """The symptom that the gate holds for; most have the same code."""
    return _SYMPTOM_OF.get(hold) or FileSymptom(hold)
