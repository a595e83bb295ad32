"""Evidence as values: what was read of the surfaces, the reports and the sign-off.

`files` reads the bytes; the other modules of this room make these values of them; `decision`
judges.
"""

import shlex
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from tau_rollout_gate.contract.cycle import Event
from tau_rollout_gate.contract.pin import Break, LogPosition
from tau_rollout_gate.contract.rollout import RecordedInput
from tau_rollout_gate.contract.snapshot import Snapshot


class Cycle(NamedTuple):
    """A valid line of a surface's event log, and where it stands.

    Args:
        file: The file.
        line: Which line of it, from 1; None where the log was read from its middle and its lines
            carry no number that tells it.
        sha256: Its digest.
        event: What it tells.
        segment_sha256: The digest of the file's first line; None where that is not known.
        offset: Where it starts in the file, in bytes.
    """

    file: str
    line: int | None
    sha256: str
    event: Event
    segment_sha256: str | None = None
    offset: int = 0


CLOCK_TOLERANCE_MS = 60 * 1000
"""How far the clocks of a writer and of this machine may differ."""


UNPACKERS: Mapping[str, str] = {
    "gz": "gunzip",
    "bz2": "bunzip2",
    "xz": "unxz",
    "zst": "unzstd --rm",
    "lz4": "unlz4 --rm",
    "Z": "uncompress",
}
"""The command that unpacks a compressed file, by the end of its name."""


class Flaw(StrEnum):
    """What can be wrong with evidence; each is a reason to hold of its own.

    (runbooks/rollout-gate-ops.md, "Reasons to hold")
    """

    NO_FILES = "no_files"
    INVALID_STATE = "invalid_state"
    DISAGREES = "log_and_state_disagree"
    TORN_TAIL = "torn_tail"
    INVALID_LINE = "invalid_line"
    CHAIN_BROKEN = "chain_broken"
    CLOCK_BACKWARDS = "clock_backwards"
    LOG_REWRITTEN = "log_rewritten"
    SEGMENT_MISSING = "segment_missing"
    CYCLE_GONE = "cycle_gone"


UNHEALABLE = frozenset(
    {
        Flaw.INVALID_LINE,
        Flaw.CHAIN_BROKEN,
        Flaw.CLOCK_BACKWARDS,
        Flaw.LOG_REWRITTEN,
        Flaw.SEGMENT_MISSING,
        Flaw.CYCLE_GONE,
    }
)
"""What no further cycle mends: it is left behind by `reenter` alone."""


class FlawFound(NamedTuple):
    """A flaw, in words, and where; and how many lines are unreadable or gone for it, at least.

    `times` is how many flaws like it are told as one: this is the first of them.
    """

    flaw: Flaw
    detail: str
    file: str | None = None
    line: int | None = None
    cycle_id: str | None = None
    timestamp_unix_ms: int | None = None
    lost: int = 0
    times: int = 1


_FILES = 2  # state and log


class SurfaceEvidence(NamedTuple):
    """What a surface's files say since `SurfacePin.evidence_from`.

    Args:
        surface: The surface's name.
        is_chained: Whether its lines form a chain (each names the digest of the one before).
        snapshot: Its state; None where there is no valid one.
        cycles: The valid cycles, oldest first.
        sound_start: Where in `cycles` those start before which nothing has to be whole any more.
        phase_start: Where in `cycles` those of the current phase start.
        end: Where the log ends: its last whole line, valid or not; None if there is none.
        end_problem: Why it is not known how the log ends; None where it is, or where nothing was
            ever written.
        newest: Its last valid line; None if there is none.
        breaks: Where its files do not continue one another, and where the state does not its end.
        is_same_log: Whether the line that is pinned stands where it stood. It proves that this is
            the pinned log, wherever it is now, if the writer chains its events.
        flaws: What is wrong, in the order of the file.
        tells_release: Whether the last line of the log tells its release.
        warnings: What is worth knowing and holds nothing.
        inputs: The files read.
        compressed: The files of its log that are compressed, and so not read.
        denied: What gives the right to read what this user may not; empty where all may be read.
        stored_unix_ms: When its state was written, by the clock of the store of a fleet; None where
            that is not asked, or not known.
    """

    surface: str
    is_chained: bool
    snapshot: Snapshot | None
    cycles: tuple[Cycle, ...] = ()
    sound_start: int = 0
    phase_start: int = 0
    end: LogPosition | None = None
    end_problem: str | None = None
    newest: LogPosition | None = None
    breaks: tuple[Break, ...] = ()
    is_same_log: bool = False
    flaws: tuple[FlawFound, ...] = ()
    tells_release: bool = False
    warnings: tuple[str, ...] = ()
    inputs: tuple[RecordedInput, ...] = ()
    compressed: tuple[str, ...] = ()
    denied: str = ""
    stored_unix_ms: int | None = None

    @property
    def unpack(self) -> str:
        """The command that unpacks what is compressed; empty where nothing is."""
        commands: dict[str, list[str]] = {}
        for path in self.compressed:
            commands.setdefault(UNPACKERS[path.rpartition(".")[2]], []).append(path)
        return " && ".join(f"{one} {shlex.join(paths)}" for one, paths in commands.items())

    @property
    def has_no_files(self) -> bool:
        """Tell whether there is neither a state nor a log, not even one that cannot be read."""
        missing = [one for one in self.flaws if one.flaw is Flaw.NO_FILES]
        return len(missing) == _FILES and self.end_problem is None

    @property
    def lost_lines(self) -> int:
        """How many lines are unreadable or gone, at least."""
        return sum(flaw.lost for flaw in self.flaws)

    @property
    def phase_cycles(self) -> tuple[Cycle, ...]:
        """The cycles since the phase was entered."""
        return self.cycles[self.phase_start :]


class ReportStatus(StrEnum):
    """What a validation report says."""

    PASSED = "passed"
    FAILED = "failed"
    INCONSISTENT = "inconsistent"
    EMPTY = "empty"
    OTHER_RELEASE = "other_release"
    USED_BEFORE = "used_before"


class ReportEvidence(NamedTuple):
    """A validation report that could be read, and what is to be made of it, in words."""

    name: str
    path: str
    sha256: str
    status: ReportStatus
    detail: str
    total: int
    passed: int
    failed: int


class SignoffItem(NamedTuple):
    """An item of the sign-off: its key (`section.item`), and what is missing or None.

    Its evidence is a `claim`, an address that nobody opened, or a `file` whose digest is recorded.
    """

    key: str
    problem: str | None
    claim: str | None
    file: str | None = None


class SignoffEvidence(NamedTuple):
    """A sign-off. It is complete when no item and no field has a problem.

    `problems` are those of the fields above the items (release, date, owner, reviewers); where it
    is not readable, why that is.
    """

    path: str
    problems: tuple[str, ...]
    items: tuple[SignoffItem, ...]
    inputs: tuple[RecordedInput, ...]
    is_readable: bool = True

    @property
    def is_complete(self) -> bool:
        """Tell whether nothing is missing."""
        return not self.problems and all(item.problem is None for item in self.items)


_NONE: Mapping[str, Any] = MappingProxyType({})


class Evidence(NamedTuple):
    """All that a decision is made from, beside policy, rollout and time.

    `judged` are the bytes of the reports and the sign-off, by digest.
    """

    surfaces: Mapping[str, SurfaceEvidence] = _NONE
    reports: Mapping[str, ReportEvidence] = _NONE
    signoff: SignoffEvidence | None = None
    judged: Mapping[str, bytes] = _NONE
