"""What decides of a fleet: many hosts, each with a short log."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.bench.made import Log
from scripts.bench.measure import Row, Side, Words, take
from scripts.bench.place import GATE, HERE, Place, always, runtime_wrote
from scripts.bench.rollout import POLICY

CYCLES = 157
"""So many are a day's window of the first phases, at a cycle every five minutes and some more."""

DIFFERENT = 100
"""So many different logs there are; each host has a copy of one."""


def fleet(place: Place) -> Iterator[Row]:
    """The judging of all hosts of a fleet."""
    folder, hosts = place.folder, max(512, place.scaled(10_000))
    evaluate, lines = _made(folder, runtime_wrote(folder), hosts)
    decoded: Words = (sys.executable, HERE / "bare_decode.py", lines)
    alone = always(*evaluate, "--engine", "pool=1")
    yield Row(
        f"evaluate, {hosts:,} hosts of {CYCLES} cycles",
        "msgspec decodes the lines",
        4,
        alone,
        Side(lambda: (*decoded, "1"), lambda: (*decoded, "0")),
        most_megabytes=150,
        rounds=2,
    )
    two = always(*evaluate, "--engine", "pool=2")
    yield Row("the same by two workers", "by one", 1 / 1.8, two, alone, rounds=2, by_clock=True)


def _made(folder: Path, example: Path, hosts: int) -> tuple[Words, Path]:
    """Make a fleet in its first canary phase; return how it is asked, and a file of all lines."""
    logs = [
        Log(folder / f"log-{number}", example, seed=number).grow(1) for number in range(DIFFERENT)
    ]
    names = [f"host-{number:06d}" for number in range(hosts)]
    roster, policy, plan = folder / "roster.tsv", folder / "policy.toml", folder / "fleet.toml"
    roster.write_text("".join(f"{name}\tzone-{i % 10}\n" for i, name in enumerate(names)))
    policy.write_text(POLICY + "[fleet]\ntolerate = 0\n")
    store = folder / "store"
    plan.write_text(
        f'schema_version = 1\nname = "bench"\nsurfaces = ["custom-command"]\n'
        f'roster = "{roster}"\nstore = "{store}/{{host}}/{{surface}}/"\n'
    )
    _copy(logs, names, store)
    rollout: Words = ("--rollout-dir", folder / "rollout")
    common = (*rollout, "--now-unix-ms", str(logs[0].now_unix_ms))
    release = ("--release", "1.4.0", "--rollback-to", "1.3.2", "--policy", policy)
    take((GATE, "fleet", "init", "--fleet", plan))
    take((GATE, "start", *common, *release, "--fleet", plan))
    take((GATE, "advance", *common))
    for log in logs:
        log.grow(CYCLES)
    _copy(logs, names, store)
    lines = folder / "lines.jsonl"
    with lines.open("wb") as file:
        for number in range(hosts):
            file.writelines(
                logs[number % DIFFERENT].path.read_bytes().splitlines(keepends=True)[1:]
            )
    now = ("--now-unix-ms", str(logs[0].now_unix_ms))
    return (GATE, "evaluate", *rollout, *now), lines


def _copy(logs: list[Log], names: list[str], store: Path) -> None:
    for number, name in enumerate(names):
        state_dir = store / name / "custom-command"
        shutil.copytree(logs[number % DIFFERENT].state_dir, state_dir, dirs_exist_ok=True)
