"""Reads all that `diagnose` needs: the whole log once, and the channels if they matter."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tau_transport_health.channel_folders import LOG, STORE, ChannelStore
from tau_transport_health.diagnosis import Diagnosis, diagnose
from tau_transport_health.errors import NoChannelError
from tau_transport_health.history import History, read_history
from tau_transport_health.inspection import Inspection
from tau_transport_health.reading import EVENT_LOG, read_once
from tau_transport_health.traces import Trace, TraceKind, Traces
from tau_transport_health.whole_lines import WholeLines, open_regular

_ROTATED = re.compile(re.escape(EVENT_LOG) + r"\.([1-9]\d{0,5})")


def diagnosis_of(inspection: Inspection) -> Diagnosis:
    """Return the diagnosis of a target that was just looked at."""
    state_dir = Path(inspection.state_path).parent
    segments, unread = open_segments(state_dir)
    history = read_history(
        segments,
        state=inspection.reading.state,
        state_afterwards=lambda: read_once(state_dir, inspection.target).state,
        chained=inspection.is_chained,
        unread_files=unread,
    )
    return diagnose(inspection, history, _traces(state_dir, inspection, history))


def open_segments(state_dir: Path) -> tuple[list[WholeLines], list[tuple[str, str]]]:
    """Return the files of the log, oldest first, and those that cannot be opened, with the reason.

    The newest is opened first. Should the log be rotated meanwhile, a file is met again under its
    next name, which shows, and none is passed over.
    """
    segments: list[WholeLines] = []
    unread: list[tuple[str, str]] = []
    seen: set[tuple[int, int]] = set()
    for number in _numbers(state_dir):
        name = f"{EVENT_LOG}.{number}" if number else EVENT_LOG
        try:
            file = open_regular(state_dir / name)
        except FileNotFoundError:
            continue
        except OSError as error:
            unread.append((name, f"cannot be opened: {error.strerror or error}"))
            continue
        status = os.fstat(file.fileno())
        if (status.st_dev, status.st_ino) in seen:
            file.close()
            continue
        seen.add((status.st_dev, status.st_ino))
        segments.append(WholeLines(file, name=name, is_rotated=number > 0))
    return segments[::-1], unread


def _numbers(state_dir: Path) -> list[int]:
    """Return 0 for the log itself, then its rotated files' numbers, and one more.

    One more, since the log may be rotated between this look and the opening.
    """
    try:
        names = [path.name for path in state_dir.iterdir()]
    except OSError:
        return [0]
    rotated = {int(match[1]) for name in names if (match := _ROTATED.fullmatch(name))}
    return [0, *sorted(rotated | {max(rotated, default=0) + 1})]


def _traces(
    state_dir: Path, inspection: Inspection, history: History
) -> dict[TraceKind, list[Trace]]:
    """Return what channels tell of the last cycles; none where these had no failure."""
    failing = [
        cycle.event
        for cycle in history.recent
        if cycle.event.failed_cases > 0
        or cycle.event.retry_attempts > 0
        or cycle.event.run_missing_command_failures > 0
        or cycle.event.run_spawn_failures > 0
        or cycle.event.run_timeout_failures > 0
        or cycle.event.run_non_zero_exit_failures > 0
    ]
    if not failing:
        return {}
    since = min(event.timestamp_unix_ms - event.cycle_duration_ms for event in failing)
    traces = Traces(since_unix_ms=since)
    store = ChannelStore(state_dir, inspection.target.name)
    try:
        channels, _ = store.names()
    except NoChannelError:
        return {}
    for channel in channels:
        try:
            lines = store.lines(channel, LOG)
        except OSError:
            continue  # `channels verify` says so
        name = f"{STORE}/{store.transport}/{channel}/{LOG}"
        for number, line in enumerate(lines, start=1):
            traces.take(name, number, line)
    return traces.newest
