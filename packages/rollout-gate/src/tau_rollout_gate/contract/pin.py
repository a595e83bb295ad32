"""What a rollout has pinned of a surface: where its log stood, what was seen of it and carried on.

The rules are the contract's (runbooks/state-files.md, "The rollout directory").
"""

from enum import StrEnum
from typing import Literal

from msgspec import field

from tau_rollout_gate.contract.forms import Count, Form, Number, Sha256, Text

CHAINED_SURFACE = "custom-command"
"""The surface whose writer always chains its events."""


ExpectedField = Literal["release", "runtime_version", "fixture_sha256"]
"""What a cycle's line can be tied to the release by."""


class LogPosition(Form, frozen=True, kw_only=True):
    """Where an event log stood: its last whole line then. All but the time is None without one.

    It is that line alone: a copy of it elsewhere is another. A file keeps its first line when it is
    rotated, so that line names the file.

    Args:
        cycle_number: The line's number; None also where the writer does not chain its events.
        event_sha256: The line's digest.
        segment_sha256: The digest of the first line of the file it stood in.
        offset: Where the line starts in that file, in bytes.
        timestamp_unix_ms: The time of the last valid line then. Where the log had no line, when
            that was seen: no cycle from before it belongs to what follows.
    """

    cycle_number: Number | None
    event_sha256: Sha256 | None
    segment_sha256: Sha256 | None = None
    offset: Count | None = None
    timestamp_unix_ms: Count | None = None


class Tie(StrEnum):
    """How cycles are tied to the release, by the key `release` of their lines."""

    UNTOLD = "untold"
    AWAITED = "awaited"
    SEEN = "seen"


class Seen(Form, frozen=True, kw_only=True):
    """What was seen of a surface when it was decided on last; its log may never lack it again.

    Args:
        position: The newest valid line.
        unhealthy_row: How many cycles in a row, that one the last, were degraded or failing.
        tie: Whether one since canary-1 told its release, and whether that of the rollout.
    """

    position: LogPosition
    unhealthy_row: Count = 0
    tie: Tie = Tie.UNTOLD


class Break(Form, frozen=True, kw_only=True):
    """A place at which a log does not continue what stands before, as it was accepted.

    Args:
        after_sha256: The line before; None where it could not be read.
        continues_sha256: What the line after it continues instead; None where that is nothing.
    """

    after_sha256: Sha256 | None
    continues_sha256: Sha256 | None


class Carried(Form, frozen=True, kw_only=True):
    """What is kept of evidence that was accepted as damaged or lost.

    Args:
        unhealthy_row: How many cycles in a row, up to there, were degraded or failing.
        lost_lines: How many lines could not be read or were gone, at least.
        tie: Whether a cycle up to there told its release, and whether that of the rollout.
    """

    unhealthy_row: Count = 0
    lost_lines: Count = 0
    tie: Tie = Tie.UNTOLD


class SurfacePin(Form, frozen=True, kw_only=True):
    """A surface of the rollout, and where its evidence starts.

    Args:
        name: Its name, which is pinned at the start.
        state_dir: Where its state files are: an absolute path.
        is_chained: Whether its lines were seen to form a chain; then they must always.
        is_first_run: Whether it was started without files, since it never ran; only until it has.
        expected: What every cycle from canary-1 on has to have, by field.
        evidence_from: Its log when canary-1 was entered, from where triggers look; None before.
        sound_from: From where it has to be whole: the same, or where damage was accepted last.
        phase_from: Its log when the phase was entered; None before canary-1.
        seen: What was seen of it last; None before canary-1.
        breaks: Where its files do not continue one another, as was so at canary-1's entry or
            accepted since.
        carried: What is kept of evidence that was accepted as damaged.
    """

    name: Text
    state_dir: Text
    is_chained: bool
    is_first_run: bool = False
    expected: dict[ExpectedField, Text] = field(default_factory=dict)
    evidence_from: LogPosition | None = None
    sound_from: LogPosition | None = None
    phase_from: LogPosition | None = None
    seen: Seen | None = None
    breaks: tuple[Break, ...] = ()
    carried: Carried = Carried()
