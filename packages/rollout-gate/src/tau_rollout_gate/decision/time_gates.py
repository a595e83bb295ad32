"""The gates of a surface's times, which no policy can leave out."""

from tau_rollout_gate.decision.answer import GateResult
from tau_rollout_gate.decision.integrity import reference
from tau_rollout_gate.decision.soak import INTERVALS_TO_A_GAP, Restart, longest_pause_ms
from tau_rollout_gate.durations import in_words
from tau_rollout_gate.evidence.values import CLOCK_TOLERANCE_MS
from tau_rollout_gate.policy.findings import (
    CYCLE_IN_WINDOW,
    EVIDENCE_FRESH,
    EVIDENCE_NOT_IN_FUTURE,
    GateStatus,
)
from tau_rollout_gate.policy.gates.interface import Window

_LONG_CYCLE_MS = 1000


def time_gates(
    surface: str,
    window: Window,
    restart: Restart | None,
    *,
    cycle_interval_ms: int,
    now_unix_ms: int,
) -> list[GateResult]:
    """The gates of a surface's times: a cycle since the entry, recent, not in the future."""
    last = window.last
    point = window.entered_unix_ms if last is None else last.event.timestamp_unix_ms
    duration = 0 if last is None else last.event.cycle_duration_ms
    longest = longest_pause_ms(cycle_interval_ms, duration)
    age = now_unix_ms - point
    where = None if last is None else reference(last, now_unix_ms)
    future = window.latest
    if future is not None and future.event.timestamp_unix_ms <= now_unix_ms + CLOCK_TOLERANCE_MS:
        future = None
    return [
        GateResult(
            name=CYCLE_IN_WINDOW,
            surface=surface,
            status=GateStatus.UNKNOWN if last is None else GateStatus.PASS,
            observed="none" if last is None else f"{window.count}",
            required="at least one cycle since the phase was entered",
            evidence=where,
            remedy="wait for the next cycle; if none comes, see whether the runtime runs"
            if last is None
            else "",
            cycles_help=True,
        ),
        GateResult(
            name=EVIDENCE_FRESH,
            surface=surface,
            status=GateStatus.FAIL if age > longest else GateStatus.PASS,
            observed=("the phase was entered " if last is None else "the last cycle ended ")
            + (f"{in_words(age)} ago" if age >= 0 else f"{in_words(-age)} ahead of the clock"),
            required=f"a cycle at least every {in_words(longest)} ({INTERVALS_TO_A_GAP} x the "
            f"cycle interval of {in_words(cycle_interval_ms)}"
            + (", plus what the last one took)" if duration >= _LONG_CYCLE_MS else ")"),
            evidence=where,
            remedy="the runtime is not running, or less often than the interval says: see its "
            "timer or service, or correct that by 'policy adopt --cycle-interval'"
            if age > longest
            else "",
            command=(restart.adopt if restart else "") or "run FIXTURE",
        ),
        GateResult(
            name=EVIDENCE_NOT_IN_FUTURE,
            surface=surface,
            status=GateStatus.PASS if future is None else GateStatus.FAIL,
            observed="none is"
            if future is None
            else "a cycle is dated "
            f"{in_words(future.event.timestamp_unix_ms - now_unix_ms)} ahead of the clock",
            required=f"no cycle more than {in_words(CLOCK_TOLERANCE_MS)} ahead of the clock",
            evidence=None if future is None else reference(future, now_unix_ms),
            remedy=""
            if future is None
            else "set the clock of the machine that wrote the log, or of this one",
            passes_from_unix_ms=None
            if future is None
            else future.event.timestamp_unix_ms - CLOCK_TOLERANCE_MS,
        ),
    ]
