"""What reads a long event log: the inspector, the gate, and a replay."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.bench.made import AS_WRITTEN, OTHER_LAYOUTS, Layout, Log
from scripts.bench.measure import Row, Side, Words
from scripts.bench.place import GATE, HERE, INSPECTOR, Place, always, runtime_wrote
from scripts.bench.rollout import Rollout, write_patient_policy

JQ = "jq -r '.reason_codes[]' \"$1\" | LC_ALL=C sort | LC_ALL=C uniq -c"


def _status(log: Log, *more: str | Path) -> Side:
    return _asked("status", log, "--json", *more)


def _asked(command: str, log: Log, *more: str | Path) -> Side:
    where = ("custom-command", "--state-dir", log.state_dir, "--max-age", "none")
    return always(INSPECTOR, command, *where, *more)


def long_log(place: Place) -> Iterator[Row]:
    """What reads a long event log whole, in every layout that a writer may have."""
    folder, events = place.folder, place.scaled(1_000_000)
    example = runtime_wrote(folder)
    log = Log(folder / "log", example, AS_WRITTEN).grow(events)
    status = _status(log)
    jq = always("sh", "-c", JQ, "sh", log.path)
    yield Row(f"status --json, {events:,} events", "jq, sort, uniq", 0.12, status, jq, 40, rounds=3)
    for layout in OTHER_LAYOUTS:
        yield from _in_layout(layout, folder, example, events, status)
    page = ("--output", folder / "page.html")
    for name, side in (
        ("diagnose", _asked("diagnose", log, "--json")),
        ("report", _asked("report", log, *page)),
    ):
        yield Row(f"{name}, {events:,} events", "status of the same", 2.5, side, status, rounds=3)
    short = Log(folder / "short", example).grow(1_000)
    yield Row(
        f"check, {events:,} events",
        "check, 1,000",
        1.1,
        _asked("check", log),
        _asked("check", short),
    )


def _in_layout(
    layout: Layout, folder: Path, example: Path, events: int, status: Side
) -> Iterator[Row]:
    log = Log(folder / "other", example, layout).grow(events)
    name = f"status, {layout.name}"
    yield Row(name, "as the runtime writes them", 2, _status(log), status, rounds=3)
    shutil.rmtree(log.state_dir)


def deciding(place: Place) -> Iterator[Row]:
    """What decides of a rollout by a long event log."""
    folder, events = place.folder, place.scaled(1_000_000)
    example = runtime_wrote(folder)
    day = 24 * 60
    long = Rollout(folder / "long", example, before=events - day, window=day)
    short = Rollout(folder / "short", example, before=place.scaled(10_000), window=day)
    yield Row(
        f"evaluate, a day of {events:,} events",
        "a day of 10,000",
        1.1,
        Side(lambda: long.evaluation),
        Side(lambda: short.evaluation),
        rounds=9,
    )
    cycles = max(2_000, place.scaled(10_000))  # fewer are lost beside the start-up
    wide = Rollout(folder / "wide", example, before=100, window=cycles)
    narrow = Rollout(folder / "narrow", example, before=100, window=1)
    lines = wide.log.path
    decoded: Words = (sys.executable, HERE / "bare_decode.py", lines)
    yield Row(
        f"evaluate, a window of {cycles:,} cycles",
        "msgspec decodes the lines ten times",  # once is lost beside the start-up
        0.4,
        Side(lambda: wide.evaluation, lambda: narrow.evaluation),
        Side(lambda: (*decoded, "10"), lambda: (*decoded, "0")),
        rounds=9,
    )


def replaying(place: Place) -> Iterator[Row]:
    """A long log stepped through a policy, cycle by cycle: one that holds to the end.

    The built-in one goes back at the first case that failed, and what follows is not looked at.
    """
    events = place.scaled(250_000)  # a larger file is refused
    log = Log(place.folder / "log", runtime_wrote(place.folder)).grow(events)
    policy = write_patient_policy(place.folder)
    yield Row(
        f"replay, {events:,} events",
        "status of the same",
        4,
        always(GATE, "replay", "--events", log.path, "--policy", policy, "--json"),
        _status(log),
        rounds=3,
    )
