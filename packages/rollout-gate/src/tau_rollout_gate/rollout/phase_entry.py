"""Enters a phase of a surface: after which line of its log evidence counts, and what is kept."""

from tau_rollout_gate.contract.cycle import HealthState
from tau_rollout_gate.contract.pin import Carried, LogPosition, Seen, SurfacePin
from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.decision.release_gates import furthest, tie_after
from tau_rollout_gate.errors import RefusedError
from tau_rollout_gate.evidence.values import UNHEALABLE, Flaw, SurfaceEvidence

_LACKING = frozenset({Flaw.LOG_REWRITTEN, Flaw.SEGMENT_MISSING, Flaw.CYCLE_GONE, Flaw.DISAGREES})


def entered(
    rollout: Rollout,
    pin: SurfacePin,
    found: SurfaceEvidence,
    *,
    is_first_canary: bool,
    now_unix_ms: int,
) -> SurfacePin:
    """Start a surface's phase after the last line that was decided on.

    Args:
        rollout: The rollout as it was.
        pin: The surface as it was.
        found: What its files said.
        is_first_canary: Whether its evidence starts there, too.
        now_unix_ms: When the phase is entered.

    Raises:
        RefusedError: if it is not known how its log ends.
    """
    end = _end_of(pin, found, now_unix_ms)
    changes = {
        "is_chained": pin.is_chained or found.is_chained,
        "phase_from": end,
        "seen": _seen(rollout, pin, found, end),
    }
    if is_first_canary:
        changes |= {"evidence_from": end, "sound_from": end, "breaks": found.breaks}
    else:
        for name in ("evidence_from", "sound_from"):
            changes[name] = _dated(getattr(pin, name), now_unix_ms)
    return pin.replaced(**changes)


def _dated(position: LogPosition | None, now_unix_ms: int) -> LogPosition | None:
    """A position without a line is a time alone: one in the future was of a wrong clock."""
    noted = None if position is None else position.timestamp_unix_ms
    if position is None or position.event_sha256 is not None or noted is None:
        return position
    return position.replaced(timestamp_unix_ms=min(noted, now_unix_ms))


def left_behind(
    rollout: Rollout,
    pin: SurfacePin,
    found: SurfaceEvidence,
    *,
    accepts_lost: bool,
    now_unix_ms: int,
) -> SurfacePin:
    """Enter a surface's phase anew, damaged evidence left behind.

    Where it has what no further cycle mends, nothing before the log's last line has to be whole any
    more. The triggers go on looking at what can be read of it, and what it is known to have shown
    is carried on.

    Raises:
        RefusedError: if it is not known how its log ends, or lines are unreadable or gone, and that
            is not accepted.
    """
    anew = entered(rollout, pin, found, is_first_canary=False, now_unix_ms=now_unix_ms)
    if not found.lost_lines and not any(one.flaw in UNHEALABLE for one in found.flaws):
        return anew
    if found.lost_lines and not accepts_lost:
        why = next(one.detail for one in found.flaws if one.lost)
        raise RefusedError(
            f"{found.surface}: evidence since canary-1 is unreadable or gone ({why}): put it back, "
            "or type 'reenter --reason TEXT --accept-lost-evidence'"
        )
    row, tie = unhealthy_row(pin, found), tie_after(rollout, pin, found)
    if pin.seen is not None and found.lost_lines:
        row, tie = max(row, pin.seen.unhealthy_row), furthest(tie, pin.seen.tie)
    if found.snapshot is not None and found.lost_lines:  # of a cycle whose line may be gone
        row = max(row, found.snapshot.health.failure_streak)
    return anew.replaced(
        sound_from=anew.phase_from,
        breaks=found.breaks,
        carried=Carried(
            unhealthy_row=row,
            lost_lines=pin.carried.lost_lines + found.lost_lines,
            tie=tie,
        ),
    )


def remembered(rollout: Rollout, pin: SurfacePin, found: SurfaceEvidence) -> SurfacePin:
    """Note what was seen of a surface's log, unless that lacks what was seen before."""
    is_lacking = any(one.flaw in _LACKING for one in found.flaws)
    if pin.seen is None or found.newest is None or is_lacking:
        return pin
    return pin.replaced(seen=_seen(rollout, pin, found, found.newest))


def _seen(rollout: Rollout, pin: SurfacePin, found: SurfaceEvidence, end: LogPosition) -> Seen:
    row, tie = unhealthy_row(pin, found), tie_after(rollout, pin, found)
    return Seen(position=end, unhealthy_row=row, tie=tie)


def unhealthy_row(pin: SurfacePin, found: SurfaceEvidence) -> int:
    """How many cycles in a row are degraded or failing at the log's end, as far as is known."""
    row = 0
    for index, cycle in enumerate(found.cycles):
        if index == found.sound_start:
            row = max(row, pin.carried.unhealthy_row)
        row = 0 if cycle.event.health_state is HealthState.HEALTHY else row + 1
    return max(row, pin.carried.unhealthy_row) if len(found.cycles) == found.sound_start else row


def _end_of(pin: SurfacePin, found: SurfaceEvidence, now_unix_ms: int) -> LogPosition:
    """The log's last line; where there never was one, only when that was seen."""
    if found.end is not None:
        return found.end
    had_line = pin.seen is not None and pin.seen.position.event_sha256 is not None
    if found.end_problem is not None or had_line:
        raise RefusedError(
            f"{found.surface}: {found.end_problem or 'the event log is gone'}: it is not known "
            "after which line the phase would start; put the log back, or let the runtime "
            "run a cycle, and try again"
        )
    return LogPosition(cycle_number=None, event_sha256=None, timestamp_unix_ms=now_unix_ms)
