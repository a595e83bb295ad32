"""Reads all that `diagnose` needs: the whole log once, and the channels if they matter."""

from pathlib import Path

from tau_transport_health.errors import NoChannelError
from tau_transport_health.files.channel_store import LOG, STORE, ChannelStore
from tau_transport_health.files.lines import UnreadLines, WholeLines, open_regular
from tau_transport_health.files.segments import open_segments
from tau_transport_health.files.state_directory import EVENT_LOG, read_once
from tau_transport_health.health.assessment import Inspection
from tau_transport_health.health.diagnosis import Diagnosis, diagnose
from tau_transport_health.health.symptoms import RUN_FAILURES
from tau_transport_health.log.history import History, read_history
from tau_transport_health.log.timeline import Timeline
from tau_transport_health.log.traces import Trace, TraceKind, Traces

_TRACED = (
    "failed_cases",
    "retry_attempts",
    *(counter for _, counter, _, _ in RUN_FAILURES),
)
"""The counters of what the channels can tell more of."""


def diagnosis_of(
    inspection: Inspection, *, with_runs: bool = False, timeline: Timeline | None = None
) -> Diagnosis:
    """The diagnosis of a target that was just looked at.

    Args:
        inspection: The look.
        with_runs: Whether to read what channels say of runs where none failed, too.
        timeline: What is given the lines of the log, if anything is.
    """
    state_dir = Path(inspection.state_path).parent
    history = read_history(
        open_event_log(state_dir),
        state=inspection.reading.state,
        state_afterwards=lambda: read_once(state_dir, inspection.target).state,
        chained=inspection.is_chained,
        timeline=timeline,
    )
    return diagnose(
        inspection, history, _traces(state_dir, inspection, history, with_runs=with_runs)
    )


def open_event_log(state_dir: Path) -> list[WholeLines | UnreadLines]:
    """The files of the event log, oldest first."""
    try:
        names = [path.name for path in state_dir.iterdir()]
    except OSError:
        names = []
    return open_segments(EVENT_LOG, names, lambda name: open_regular(state_dir / name))


def _traces(
    state_dir: Path, inspection: Inspection, history: History, *, with_runs: bool
) -> dict[TraceKind, list[Trace]]:
    """What channels tell of the last cycles; none where these had nothing to tell."""
    failing = [
        cycle.event
        for cycle in history.recent
        if any(getattr(cycle.event, counter) > 0 for counter in _TRACED)
        or (with_runs and cycle.event.run_mode == "execute" and cycle.event.executed_runs > 0)
    ]
    if not failing:
        return {}
    since = min(event.began_unix_ms for event in failing)
    traces = Traces(since_unix_ms=since, cycles=[cycle.event for cycle in history.recent])
    store = ChannelStore(state_dir, inspection.target.name)
    try:
        channels, _ = store.names()
    except NoChannelError:
        return {}
    for channel in channels:
        for segment in store.segments(channel, LOG):  # `channels verify` tells of the others
            name = f"{STORE}/{store.transport}/{channel}/{segment.name}"
            for number, line in enumerate(segment, start=1):
                traces.take(name, number, line)
    return traces.newest
