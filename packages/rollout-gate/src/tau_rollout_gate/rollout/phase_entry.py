"""Enters a phase of a surface: after which line of its log evidence counts, and what is kept."""

from tau_rollout_gate.contract.event import HealthState
from tau_rollout_gate.contract.rollout import Carried, LogPosition, SurfacePin
from tau_rollout_gate.errors import RefusedError
from tau_rollout_gate.evidence.values import UNHEALABLE, SurfaceEvidence


def entered(
    pin: SurfacePin, found: SurfaceEvidence, *, is_first_canary: bool, now_unix_ms: int
) -> SurfacePin:
    """Start a surface's phase after the last line that was decided on.

    Args:
        pin: The surface as it was.
        found: What its files said.
        is_first_canary: Whether its evidence starts there, too.
        now_unix_ms: When the phase is entered.

    Raises:
        RefusedError: if it is not known how its log ends.
    """
    end = _end_of(pin, found, now_unix_ms)
    return pin.model_copy(
        update={
            "is_chained": pin.is_chained or found.is_chained,
            "evidence_from": end if is_first_canary else pin.evidence_from,
            "phase_from": end,
        }
    )


def left_behind(pin: SurfacePin, found: SurfaceEvidence, *, now_unix_ms: int) -> SurfacePin:
    """Enter a surface's phase anew, damaged evidence left behind.

    Where it has what no further cycle mends, its evidence starts after the log's last line, and
    what its valid cycles had shown is carried on.

    Raises:
        RefusedError: if it is not known how its log ends.
    """
    anew = entered(pin, found, is_first_canary=False, now_unix_ms=now_unix_ms)
    if not any(one.flaw in UNHEALABLE for one in found.flaws):
        return anew
    return anew.model_copy(
        update={"evidence_from": anew.phase_from, "carried": _carried(pin.carried, found)}
    )


def _carried(before: Carried, found: SurfaceEvidence) -> Carried:
    codes = dict.fromkeys(before.reason_codes)
    for cycle in found.cycles:
        codes.update(dict.fromkeys(cycle.event.reason_codes))
    if not found.cycles:
        return before
    last = found.cycles[-1].event
    return Carried(
        reason_codes=tuple(codes),
        is_last_unhealthy=last.health_state is not HealthState.HEALTHY,
    )


def _end_of(pin: SurfacePin, found: SurfaceEvidence, now_unix_ms: int) -> LogPosition:
    """The log's last line; where there never was one, only when that was seen."""
    if found.end_sha256 is None:
        positions = (pin.evidence_from, pin.phase_from)
        had_line = any(one is not None and one.event_sha256 is not None for one in positions)
        if found.end_problem is not None or had_line:
            raise RefusedError(
                f"{found.surface}: {found.end_problem or 'the event log is gone'}: it is not known "
                "after which line the phase would start; put the log back, or let the runtime "
                "run a cycle, and try again"
            )
        return LogPosition(cycle_number=None, event_sha256=None, timestamp_unix_ms=now_unix_ms)
    return LogPosition(
        cycle_number=found.end_cycle_number,
        event_sha256=found.end_sha256,
        timestamp_unix_ms=found.end_timestamp_unix_ms,
    )
