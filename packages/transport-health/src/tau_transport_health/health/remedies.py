"""What can be wrong, each by its code, and what to do about it: the runbook as code.

Sources: runbooks/custom-command-ops.md, "When something is wrong", and
runbooks/transport-health-ops.md, "The gate".
"""

from collections.abc import Mapping
from enum import StrEnum


class Hold(StrEnum):
    """Why the gate holds."""

    NO_STATE = "no_state"
    LOST_STATE = "lost_state"
    INVALID_STATE = "invalid_state"
    PERMISSION_DENIED = "permission_denied"
    UNHEALTHY = "unhealthy"
    CUT_OFF = "cut_off"
    STALE = "stale"
    FUTURE = "future"
    NO_LOG = "no_log"
    UNREADABLE_LOG = "unreadable_log"
    LOG_INVALID = "log_invalid"
    LOG_TORN = "log_torn"
    LOG_DISAGREES = "log_disagrees"


class FileSymptom(StrEnum):
    """What can be wrong with the files; most severe first."""

    PERMISSION_DENIED = "permission_denied"
    NO_STATE = "no_state"
    LOST_STATE = "lost_state"
    INVALID_STATE = "invalid_state"
    NO_LOG = "no_log"
    UNREADABLE_LOG = "unreadable_log"
    COMPRESSED_LOG = "compressed_log"
    CHAIN_BROKEN = "chain_broken"
    LOG_DISAGREES = "log_disagrees"
    INVALID_LINES = "invalid_lines"
    TORN_LINE = "torn_line"
    CUT_OFF = "cut_off"
    STALE = "stale"
    FUTURE = "future"
    UNHEALTHY = "unhealthy"
    PAUSED = "paused"
    CLOCK_BACKWARDS = "clock_backwards"
    UNKNOWN_REASON_CODE = "unknown_reason_code"


class HistorySymptom(StrEnum):
    """What can be wrong with the last cycles; most severe first."""

    CASE_PROCESSING_FAILED = "case_processing_failed"
    BACKLOG_GROWING = "backlog_growing"
    REPEATED_RETRIES = "repeated_retries"
    RUN_SPAWN_FAILURES = "run_spawn_failures"
    RUN_TIMEOUTS = "run_timeouts"
    RUN_NON_ZERO_EXITS = "run_non_zero_exits"
    RUN_INTERRUPTED = "run_interrupted"
    RUN_NOT_CONFINED = "run_not_confined"
    RUN_NOT_APPROVED = "run_not_approved"
    RUN_REFUSED = "run_refused"
    RUN_CAPTURE_MISSING = "run_capture_missing"
    RUN_OUTPUT_DRIFT = "run_output_drift"
    MISSING_COMMANDS = "missing_commands"
    NOTHING_BUT_DUPLICATES = "nothing_but_duplicates"
    NO_REGISTRY_CHANGE = "no_registry_change"
    BACKLOG_LEFT = "backlog_left"
    CLOSED_AFTER_A_CRASH = "closed_after_a_crash"


SymptomCode = FileSymptom | HistorySymptom

REMEDIES: Mapping[SymptomCode, str] = {
    FileSymptom.PERMISSION_DENIED: "{as_owner}. The runtime makes its files 0600 by design, and "
    "anew each time, so that no group and no ACL keeps a right to read them: let monitoring run "
    "check, or export into a file that it may read, as the user that the runtime runs as",
    FileSymptom.NO_STATE: "run the transport once{run}; if it ran before, see whether its disk is "
    "mounted: `mount`; if its files lie elsewhere, say where: "
    "`tau-transport-health inspect {name} --state-dir FOLDER`",
    FileSymptom.LOST_STATE: "{recover}put {state} back from a copy",
    FileSymptom.INVALID_STATE: "{recover}put {state} back from a copy",
    FileSymptom.NO_LOG: "put {log} back from a copy; `ls -la {dir}` shows whether it lies there "
    "under another name: if it was rotated, it is read as runtime-events.jsonl.1",
    FileSymptom.UNREADABLE_LOG: "see who may read what lies there, and whether the disk is "
    "sound: `ls -la {dir}`, `dmesg | tail`",
    FileSymptom.COMPRESSED_LOG: "unpack it, and keep logrotate from compressing what is still to "
    "be read: `{unpack}`",
    FileSymptom.CHAIN_BROKEN: "find out who altered the log before you trust what it says; compare "
    "it with a copy: `diff COPY {log}`. The break stays: the runtime does not mend it",
    FileSymptom.LOG_DISAGREES: "see whether state.json or the log was put back from a copy or "
    "edited: `ls -la {dir}`, `tau-transport-health diagnose {look}`. Put both back from one copy",
    FileSymptom.INVALID_LINES: "see what wrote these lines: `tau-transport-health diagnose "
    "{look}` names them; the next cycle does not mend them. To begin anew: `mv {dir} {old_dir}`",
    FileSymptom.TORN_LINE: "a writer was cut off: see the disk's space (`df -h {dir}`), then run "
    "the transport again, which moves the torn bytes aside into a .corrupt file{run}",
    FileSymptom.CUT_OFF: "the runtime was killed, or its machine was: see why (`journalctl --since "
    "-1d`, `dmesg | tail`), and whether what it had started is whole. Its next run closes the "
    "cycle; so does, at once, `tau-custom-command recover --yes --state-dir {dir}`",
    FileSymptom.STALE: "the runtime is not running: see its timer or service (`systemctl "
    "list-timers --all`, `crontab -l`), and what its last run printed{by_hand}",
    FileSymptom.FUTURE: "set the clock of the machine that wrote the state, or of this one: "
    "compare `date -u` on both",
    FileSymptom.UNHEALTHY: "see which cases failed: `tau-transport-health diagnose {look}` names "
    "them, and what their channels say; without these see what the transport itself logged of its "
    "last cycle",
    FileSymptom.PAUSED: "it is paused, so that no cycle runs, and its state grows old: ask who "
    "paused it whether what that was for is done. Then, to have cycles run again: "
    "`tau-custom-command unpause --state-dir {dir}`",
    FileSymptom.CLOCK_BACKWARDS: "keep the clock right: `date -u`; a rollout that was under way "
    "holds at clock_forward until `tau-rollout-gate reenter --reason 'the clock was set' "
    "--rollout-dir FOLDER`",
    FileSymptom.UNKNOWN_REASON_CODE: "update tau-transport-health, if the runtime is newer: "
    "`tau-transport-health --version`",
    HistorySymptom.CASE_PROCESSING_FAILED: "read the events, then the case's line in its channel's "
    "log.jsonl: drift has what was expected and what was observed. Correct the fixture's "
    "expectations and schema, or the registry that it runs against",
    HistorySymptom.BACKLOG_GROWING: "take more at once, or run more often{run_all}. To be told of "
    "it: `tau-transport-health check {look} --warn-queue-depth 0`",
    HistorySymptom.REPEATED_RETRIES: "is the failure passing? Then raise --retry-max-attempts or "
    "--retry-base-delay-ms, of a RUN with retry_until the attempts that it states; if not, see "
    "what the command calls. In record mode only simulate_retryable_failure does this",
    HistorySymptom.RUN_SPAWN_FAILURES: "see that the program is installed, where all users have "
    "it, and may be started: in a sandbox no home is there",
    HistorySymptom.RUN_TIMEOUTS: "see why the command takes so long, or raise its time limit",
    HistorySymptom.RUN_NON_ZERO_EXITS: "read the command's stderr and mend what it complains of",
    HistorySymptom.RUN_INTERRUPTED: "the runtime ended, or was stopped, before them: see whether "
    "what they did is whole",
    HistorySymptom.RUN_NOT_CONFINED: "see what this machine lacks, and how to get it: "
    "`tau-custom-command doctor --state-dir {dir}`. Nothing was started: the next cycle tries "
    "them again",
    HistorySymptom.RUN_NOT_APPROVED: "see what an approval would cover: `tau-custom-command "
    "approve {command} --by WHO --dry-run --state-dir {dir}`. If it is right, without --dry-run "
    "that approves it. Nothing was started: the next cycle tries them again",
    HistorySymptom.RUN_REFUSED: "correct the command, its arguments or the policy; by which rule "
    "it was: `tau-transport-health channels show {where} {command} --context`. What would start, "
    "and what not: "
    "`tau-custom-command run FIXTURE --state-dir {dir} --run-mode execute --dry-run`. Nothing was "
    "started: the next cycle tries them again",
    HistorySymptom.RUN_CAPTURE_MISSING: "a value that it takes of an earlier RUN was not there: "
    "that RUN was skipped as a duplicate, left over by the queue limit, did not come out as "
    "expected, or wrote nothing that could be captured. Which, and why: `tau-transport-health "
    "channels show {where} {command} --context`. Once that is seen to, do both anew, since the "
    "earlier one is not run again by itself: `tau-custom-command run FIXTURE --state-dir {dir} "
    "--run-mode execute --fresh`",
    HistorySymptom.RUN_OUTPUT_DRIFT: "mend what the command does; or, where what came out is "
    "right, the fixture: `tau-custom-command accept FIXTURE --state-dir {dir}` shows how",
    HistorySymptom.MISSING_COMMANDS: "see whether the command's CREATE was skipped as a duplicate "
    "after a DELETE, or sorts after the RUN: `tau-custom-command validate FIXTURE` warns of that",
    HistorySymptom.NOTHING_BUT_DUPLICATES: "the fixture was run before, or its case ids are not "
    "unique; if it is to do new work, pass --fresh{run_fresh}",
    HistorySymptom.NO_REGISTRY_CHANGE: "if changes were expected, see that the fixture has a "
    "CREATE, UPDATE or DELETE, and that it does not fail: `tau-custom-command validate FIXTURE`",
    HistorySymptom.BACKLOG_LEFT: "run again, more often, or take more at once{run_all}. To be told "
    "of it: `tau-transport-health check {look} --warn-queue-depth 0`",
    HistorySymptom.CLOSED_AFTER_A_CRASH: "see why the runtime ended: was it killed, did the "
    "machine restart? `journalctl --since -1d`, `dmesg | tail`. Cases that had not started come "
    "next",
}
"""What to do about each symptom, its commands between backticks; names and paths are put in."""

BACKEND_REMEDY = (
    "what the case calls said at every attempt that it is not available: mend that, and leave the "
    "fixture as it is. Failed cases are tried again{run}"
)
"""In the place of the fixture's, where cases failed in a retryable way to the last attempt."""

EXECUTED_REMEDY = (
    "what to do follows from how each of these runs ended: see the next symptoms, which have the "
    "command, its exit code and what it wrote to stderr"
)
"""In the place of the fixture's, where all that failed were runs that have their own symptoms."""

WENT_WELL_REMEDY = (
    "nothing is to be run again: as the channels tell, each of these RUNs went well since, at a "
    "later attempt or in a later cycle. If it happens often, see why the attempts before failed"
)
"""In the place of what to do about attempts that failed, where no RUN is left that did."""

RERUN_REMEDY = (
    ". But for cycles with --fresh, a RUN that was started is not run again by itself; once that "
    "is seen to: "
    "`tau-custom-command run FIXTURE --state-dir {dir} --run-mode execute --rerun {key}`"
)
"""Behind what to do about runs that were started."""

FRESH_REMEDY = (
    ". The next cycle with --fresh runs it again; once that is seen to: "
    "`tau-custom-command run FIXTURE --state-dir {dir} --run-mode execute --fresh`"
)
"""The same of a cycle with --fresh, whose keys no other cycle has."""

UNPACKERS: Mapping[str, str] = {
    "gz": "gunzip",
    "bz2": "bunzip2",
    "xz": "unxz",
    "zst": "unzstd --rm",
    "lz4": "unlz4 --rm",
    "Z": "uncompress",
}
"""The command that unpacks a compressed file, by the end of its name."""

_SYMPTOM_OF = {Hold.LOG_INVALID: FileSymptom.INVALID_LINES, Hold.LOG_TORN: FileSymptom.TORN_LINE}


def symptom_of(hold: Hold) -> FileSymptom:
    """The symptom that the gate holds for; most have the same code."""
    return _SYMPTOM_OF.get(hold) or FileSymptom(hold)
