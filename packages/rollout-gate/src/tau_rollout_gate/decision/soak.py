"""The soak of one surface: since when every cycle was clean, without a gap.

Source of the rules: runbooks/rollout-gate-ops.md, "Soak".
"""

from collections.abc import Sequence
from typing import NamedTuple

from tau_rollout_gate.durations import in_words, written
from tau_rollout_gate.evidence.values import Cycle

INTERVALS_TO_A_GAP = 3
"""A gap or an age is too long past so many cycle intervals, plus a cycle's duration."""


class Restart(NamedTuple):
    """Why the soak does not run from the phase's entry, and the cycle that shows it.

    `gaps` counts those in a row, without another cycle between; `gap_ms` is the longest of them.
    """

    cause: str
    cycle: Cycle
    gaps: int = 0
    gap_ms: int = 0

    @property
    def adopt(self) -> str:
        """What to type where gaps keep restarting the soak, since the runner is slower."""
        interval = written(-(-self.gap_ms // 1000) * 1000)
        words = f"policy adopt --cycle-interval {interval} --reason 'HOW OFTEN THE RUNNER RUNS'"
        return words if self.gaps > 1 else ""


class SurfaceSoak(NamedTuple):
    """Since when a surface's cycles are clean; None while the last one is not.

    `last_unix_ms` is the time of the last valid cycle, None where there is none yet; `restart` what
    last moved the start.
    """

    since_unix_ms: int | None
    last_unix_ms: int | None
    restart: Restart | None = None

    def after(
        self,
        cycle: Cycle,
        broken: str | None,
        *,
        entered_unix_ms: int,
        cycle_interval_ms: int,
    ) -> "SurfaceSoak":
        """The soak after the next cycle of the phase.

        It starts at the entry or, if later, with the first clean cycle after one that broke a
        gate, or after a gap. The entry counts as a point for gaps. `broken` names the gate that
        the cycle broke, the first of several; None where it broke none.
        """
        now = cycle.event.timestamp_unix_ms
        pause = now - (entered_unix_ms if self.last_unix_ms is None else self.last_unix_ms)
        since, restart = self.since_unix_ms, self.restart
        longest = longest_pause_ms(cycle_interval_ms, cycle.event.cycle_duration_ms)
        if broken is None and since is not None and pause <= longest:  # as nearly all are
            return SurfaceSoak(since, now, restart)
        if broken is not None:
            since = None
            restart = Restart(cause=f"{broken} broke in one cycle", cycle=cycle)
        elif pause > longest:
            in_row = restart if since == self.last_unix_ms else None
            gaps, gap_ms = (in_row.gaps, in_row.gap_ms) if in_row else (0, 0)
            since = max(now, entered_unix_ms)
            restart = Restart(
                cause=f"a gap of {in_words(pause)} without a cycle"
                + (
                    f", the {gaps + 1}. in a row, at a cycle interval of "
                    f"{in_words(cycle_interval_ms)}"
                    if gaps
                    else ""
                ),
                cycle=cycle,
                gaps=gaps + 1,
                gap_ms=max(gap_ms, pause),
            )
        else:
            since = max(now, entered_unix_ms)
        return SurfaceSoak(since_unix_ms=since, last_unix_ms=now, restart=restart)


class JointSoak(NamedTuple):
    """The soak of all surfaces of a rollout together: since the latest, until the earliest."""

    since_unix_ms: int | None
    held_ms: int
    restart: Restart | None


def longest_pause_ms(cycle_interval_ms: int, duration_ms: int) -> int:
    """How long a gap or an age may be, given the duration of the cycle that ends it."""
    return INTERVALS_TO_A_GAP * cycle_interval_ms + duration_ms


def joint(soaks: Sequence[SurfaceSoak]) -> JointSoak:
    """The soak that all surfaces share: no better than that of any of them; none without any."""
    if not soaks:
        return JointSoak(since_unix_ms=None, held_ms=0, restart=None)
    latest = max(soaks, key=lambda soak: (soak.since_unix_ms is None, soak.since_unix_ms or 0))
    lasts = [soak.last_unix_ms for soak in soaks]
    held = 0
    if latest.since_unix_ms is not None and None not in lasts:
        last = min(last for last in lasts if last is not None)
        held = max(0, last - latest.since_unix_ms)
    return JointSoak(since_unix_ms=latest.since_unix_ms, held_ms=held, restart=latest.restart)
