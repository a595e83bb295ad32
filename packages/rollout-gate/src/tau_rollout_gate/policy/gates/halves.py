"""From when on the first half of a window can have what it lacks so far.

The middle moves on with every cycle, so that what was shown late comes to be in the first half with
time (runbooks/rollout-gate-ops.md, "Soak").
"""

from tau_rollout_gate.durations import in_words, utc
from tau_rollout_gate.policy.gates.interface import REENTER, Finding, Window
from tau_rollout_gate.policy.gates.series import Series


def in_first_half(
    finding: Finding, series: Series, window: Window, now_unix_ms: int, *, what: str
) -> Finding:
    """A finding that does not pass, with when the first half has `what` of a series, if not yet.

    The window runs from its entry E to its last cycle L, and a cycle at the middle belongs to the
    first half: so what a cycle at W showed is there from L = 2 W - E on. Where none showed it yet
    the next one, now at the earliest, has to. Where the phase is left sooner if it is entered
    anew, that is said, and is what to type unless something else has to be typed first.
    """
    if series.first:
        return finding
    entered, shown = window.entered_unix_ms, series.shown
    shown_unix_ms = now_unix_ms if shown is None else shown.event.timestamp_unix_ms
    from_unix_ms = 2 * max(shown_unix_ms, entered) - entered
    begun = "begins now" if shown is None else f"began at {utc(shown_unix_ms)}"
    # Up to a full second, so that nobody comes too early.
    when = utc(-(-from_unix_ms // 1000) * 1000)
    words = f"{finding.remedy}; {what} that {begun} is in the first half from {when} on"
    is_sooner_anew = now_unix_ms + window.soak_ms < from_unix_ms
    if is_sooner_anew:
        words += f"; sooner is 'reenter --reason': {in_words(window.soak_ms)} from then"
    return finding._replace(
        remedy=words,
        command=finding.command or (REENTER if is_sooner_anew else ""),
        from_unix_ms=from_unix_ms,
    )
