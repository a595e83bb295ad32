"""The start of each program, and what it does where there is little to do."""

from collections.abc import Iterator

from scripts.bench.made import creates, write_fixture
from scripts.bench.measure import Row, Side
from scripts.bench.place import (
    GATE,
    INSPECTOR,
    PYTHON,
    RUNTIME,
    Place,
    always,
    fresh_runs,
    runtime_wrote,
)
from scripts.bench.rollout import Rollout


def start_up(place: Place) -> Iterator[Row]:
    """The start of each program, and what it does where there is little to do."""
    state_dir, bare = runtime_wrote(place.folder), Side(lambda: PYTHON)
    fixture = write_fixture(place.folder / "ten.json", creates(10))
    rollout = Rollout(place.folder / "rollout", state_dir, before=100, window=100)
    where = ("custom-command", "--state-dir", state_dir)
    small = {
        "inspect --json, small state": (4.5, always(INSPECTOR, "inspect", *where, "--json")),
        "check, small state": (4.5, always(INSPECTOR, "check", *where, "--max-age", "none")),
        "run, 10 cases": (9, Side(fresh_runs(place.folder, fixture, 10))),
        "evaluate, small window": (9, Side(lambda: rollout.evaluation)),
    }
    versions = {
        f"{program.name} --version": (4, always(program, "--version"))
        for program in (RUNTIME, INSPECTOR, GATE)
    }
    for name, (most, ours) in (small | versions).items():
        yield Row(name, "python -c pass", most, ours, bare, rounds=25)
