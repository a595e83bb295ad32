"""How a gate stands, where that was seen, and the gates that no policy defines.

A policy's gates and triggers answer in these terms; so do the built-in gates of `decision`.
"""

from enum import StrEnum
from typing import NamedTuple

PROMOTION_NOT_FROZEN = "promotion_not_frozen"
"""The gate that holds while somebody, or a rollback, has frozen the rollout."""

NO_ROLLBACK_TRIGGER = "no_rollback_trigger"
"""The gate that holds once a trigger fired."""

SOAK_GATE = "soak"
"""The gate that holds until the others held long enough: it follows from them."""


CYCLE_IN_WINDOW = "cycle_in_window"
"""The gate that holds until there is a cycle to judge."""

EVIDENCE_FRESH = "evidence_fresh"
"""The gate that holds when the last cycle is too long ago: the next one ends a gap."""

LOG_END_KNOWN = "log_end_known"
"""The gate before the first canary phase, whose evidence starts at the end of the log."""

FILES_PRESENT = "files_present"
"""The gate that holds while there is no state or no log."""

SEEN_CYCLES_PRESENT = "seen_cycles_present"
"""The gate that holds while a log lacks a cycle that was seen in it."""

EVIDENCE_OF_RELEASE = "evidence_of_release"
"""The gate that holds until cycles tell the rollout's release, and when one tells another."""

PROMOTION_WINDOW = "promotion_window"
"""The gate that holds in a window of the policy in which nothing is promoted."""

PHASE_DEADLINE = "phase_deadline"
"""The gate that holds once a phase takes longer than the policy lets it."""

DEADLINE_PASSED = "deadline_passed"
"""The trigger that fires then, where the policy wants that."""

HOSTS_CLEAN = "hosts_clean"
"""The gate of a fleet that holds while more of its canaries are not clean than are tolerated."""

HOSTS_CLEAN_IN_GROUP = "hosts_clean_in_group"
"""The same, of each group."""

COHORT_SIZE = "cohort_size"
"""The gate of a fleet that holds where too few hosts carry the release."""

CONTAMINATED = "contaminated"
"""The gate of a fleet that says which hosts show the release, though they are not to have it."""

COMPARISON_UNDECIDED = "comparison_undecided"
"""The gate of a fleet that holds while canaries of which nothing is known could decide."""

FAILED_HOSTS = "failed_hosts"
"""The trigger of a fleet that fires where more canaries failed than are tolerated."""

FAILED_HOSTS_IN_GROUP = "failed_hosts_in_group"
"""The same, of any group."""

WORSE_THAN_CONTROL = "worse_than_control"
"""The trigger of a fleet that fires where canaries fail, and hosts without the release do not."""

EVIDENCE_NOT_IN_FUTURE = "evidence_not_in_future"
"""The gate that holds where a cycle is dated ahead of the clock."""

FAIL_SILENT_AFTER = "fail_silent_after"
"""What fires of a host that had the release, by itself, once it is silent for that long."""

RESERVED_TRIGGERS = frozenset(
    {FAILED_HOSTS, FAILED_HOSTS_IN_GROUP, WORSE_THAN_CONTROL, DEADLINE_PASSED}
)
"""Names of triggers that are there of themselves, so that none of a policy's own may have one."""

OTHER_RESERVED_NAMES = frozenset(
    {
        PROMOTION_WINDOW,
        PHASE_DEADLINE,
        HOSTS_CLEAN,
        HOSTS_CLEAN_IN_GROUP,
        COHORT_SIZE,
        CONTAMINATED,
        COMPARISON_UNDECIDED,
    }
)
"""Names of gates that are there where a policy has windows, deadlines or a fleet."""

RESERVED_NAMES = frozenset(
    {
        EVIDENCE_OF_RELEASE,
        PROMOTION_NOT_FROZEN,
        NO_ROLLBACK_TRIGGER,
        SOAK_GATE,
        CYCLE_IN_WINDOW,
        EVIDENCE_FRESH,
        LOG_END_KNOWN,
        SEEN_CYCLES_PRESENT,
        "entry_not_in_future",
        EVIDENCE_NOT_IN_FUTURE,
        "run_mode",
        FILES_PRESENT,
        "state_valid",
        "log_matches_state",
        "last_line_whole",
        "lines_valid",
        "chain_whole",
        "clock_forward",
        "log_continues",
        "segments_present",
    }
)
"""Names of gates that are always there, so that none of a policy's gates may have one."""


_LONGEST_TEXT = 500
"""A longer text of a file is cut: it must not fill a page, a summary or the record."""


def cut(text: str) -> str:
    """The beginning of a text that is too long."""
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"


class GateStatus(StrEnum):
    """How a gate stands; only `pass` and `not_applicable` let a release go on."""

    PASS = "pass"  # noqa: S105 - the word of the contract, no secret
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"

    @property
    def lets_pass(self) -> bool:
        """Tell whether this status stands in nobody's way."""
        return self is GateStatus.PASS or self is GateStatus.NOT_APPLICABLE


class EvidenceRef(NamedTuple):
    """Where to look: a file, and in a log the line, the cycle, its age and the fixture it ran."""

    file: str
    line: int | None = None
    cycle_id: str | None = None
    age_ms: int | None = None
    fixture_name: str | None = None
