"""Whether a host is silent, since when, and of which kind that is.

A host that was never heard of, one that was silent before it got the release, and one that fell
silent with it call for three different people.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from tau_rollout_gate.contract.pin import SurfacePin, Tie
from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.decision.soak import longest_pause_ms
from tau_rollout_gate.durations import in_words
from tau_rollout_gate.evidence.values import CLOCK_TOLERANCE_MS, SurfaceEvidence

CLOCK = "clock"
"""The reason where a host's clock is not ours: it runs, but its cycles are dated wrongly."""


class SilenceKind(StrEnum):
    """What a silent host had told before; or that it is not silent, but its clock is behind."""

    NEVER_SEEN = "never_seen"
    BEFORE = "silent_before"
    AFTER = "silent_after"
    CLOCK = CLOCK


_ABOUT = {
    SilenceKind.NEVER_SEEN: "no cycle of it was ever seen",
    SilenceKind.BEFORE: "it fell silent without the release",
    SilenceKind.AFTER: "it had the release",
}


class Silence(NamedTuple):
    """That a host is silent: of which kind, for how long, and why in a sentence."""

    kind: SilenceKind
    age_ms: int
    why: str


def silence_of(  # noqa: PLR0913 - what is known of a host
    rollout: Rollout,
    evidence: Mapping[str, SurfaceEvidence],
    ties: Mapping[str, Tie],
    missing: Sequence[str],
    *,
    has_release: bool,
    now_unix_ms: int,
) -> Silence | None:
    """How a host is silent: without files, without any cycle, or with none that is recent.

    Args:
        rollout: The rollout of the host alone.
        evidence: What was read, by surface.
        ties: How the cycles of each surface are tied to the release.
        missing: The surfaces that lack files.
        has_release: Whether the host is to have the release; the rollout of any other is of the
            version that it goes on with.
        now_unix_ms: The time.
    """
    silent = [
        pin
        for pin in rollout.surfaces
        if pin.name in missing or _is_stale(rollout, evidence[pin.name], now_unix_ms)
    ]
    if not silent:
        return None
    behind = [_behind_ms(rollout, evidence[pin.name], now_unix_ms) for pin in silent]
    if None not in behind:
        offset_ms = max(one for one in behind if one is not None)
        why = f"its clock is behind: its last cycle is dated {in_words(offset_ms)} before it came"
        return Silence(kind=SilenceKind.CLOCK, age_ms=offset_ms, why=why)
    had = has_release and any(
        _had_release(pin, evidence[pin.name], ties.get(pin.name)) for pin in rollout.surfaces
    )
    last = [_last_unix_ms(pin, evidence[pin.name]) for pin in silent]
    known = [one for one in last if one is not None]
    is_new = not any(_last_unix_ms(pin, evidence[pin.name]) for pin in rollout.surfaces)
    kind = SilenceKind.AFTER if had else SilenceKind.NEVER_SEEN if is_new else SilenceKind.BEFORE
    age_ms = now_unix_ms - min(known, default=rollout.phase_entered_unix_ms)
    what = "no files" if missing else "no cycle"
    why = f"{what} for {in_words(max(age_ms, 0))}; {_ABOUT[kind]}"
    return Silence(kind=kind, age_ms=age_ms, why=why)


def _is_stale(rollout: Rollout, found: SurfaceEvidence, now_unix_ms: int) -> bool:
    newest = None if found.newest is None else found.newest.timestamp_unix_ms
    if newest is None:
        return True
    duration_ms = found.cycles[-1].event.cycle_duration_ms if found.cycles else 0
    return now_unix_ms - newest > longest_pause_ms(rollout.cycle_interval_ms, duration_ms)


def _behind_ms(rollout: Rollout, found: SurfaceEvidence, now_unix_ms: int) -> int | None:
    """By how much a surface's clock is behind; None where nothing tells that it is.

    What looks old came to the store lately: so it is written, and dated wrongly.
    """
    newest = None if found.newest is None else found.newest.timestamp_unix_ms
    if newest is None or found.stored_unix_ms is None:
        return None
    came_ms = now_unix_ms - found.stored_unix_ms
    is_late = came_ms > longest_pause_ms(rollout.cycle_interval_ms, 0)
    return None if is_late or came_ms < -CLOCK_TOLERANCE_MS else found.stored_unix_ms - newest


def _had_release(pin: SurfacePin, found: SurfaceEvidence, tie: Tie | None) -> bool:
    """Tell whether a surface showed the release; where no cycle tells one, any cycle since does."""
    ties = {tie, Tie.UNTOLD if pin.seen is None else pin.seen.tie, pin.carried.tie}
    if Tie.SEEN in ties:
        return True
    return Tie.AWAITED not in ties and bool(found.cycles)


def _last_unix_ms(pin: SurfacePin, found: SurfaceEvidence) -> int | None:
    """The time of the last cycle that is known of; None where none is."""
    places = (found.newest, None if pin.seen is None else pin.seen.position, pin.evidence_from)
    times = [
        place.timestamp_unix_ms
        for place in places
        if place is not None and place.event_sha256 is not None
    ]
    return max((time for time in times if time is not None), default=None)
