"""What a deployment asks `cohort` for: which hosts, for this very version, and who goes back."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tau_rollout_gate.fleet.chunk import Job
from tau_rollout_gate.fleet.engines import pool
from tau_rollout_gate.fleet.plan import Host
from tests.rollout_gate.fleet.made import MadeFleet, hosts
from tests.rollout_gate.making import MINUTE, SURFACE
from tests.rollout_gate.recording import Gate


@pytest.fixture
def fleet(tmp_path: Path) -> MadeFleet:
    """Return forty hosts, in canary-1: two have 1.4.0, which may go back to 1.3.2."""
    found = MadeFleet(tmp_path, hosts(40))
    found.begin()
    return found


def roll_back(fleet: MadeFleet) -> None:
    """End the rollout."""
    assert fleet("rollback", "--reason", "they fail", "--by", "ada").code == 0


def test_what_is_installed_is_the_release_under_rollout(fleet: MadeFleet) -> None:
    """Whoever brings another version gets no host: such as a timer of the rollout before."""
    assert len(fleet.cohort("--install", "v1.4.0")) == 2
    assert len(fleet.cohort("--install", "1.4.0", "--phase", "canary-2")) == 10
    other = fleet("cohort", "--install", "1.2.0", "--format", "ansible")
    assert (other.code, other.out) == (2, "")
    assert "the rollout of 1.4.0 has 1.4.0 installed there" in other.err
    roll_back(fleet)
    assert fleet("cohort", "--install", "1.4.0").code == 4
    fleet.now += MINUTE
    done = fleet(
        *("start", "--release", "1.5.0", "--rollback-to", "1.3.2", "--by", "ada"),
        *("--fleet", "fleet.toml", "--policy", "policy.toml"),
    )
    assert done.code == 0, done
    left_over = fleet("cohort", "--install", "1.4.0", "--phase", "canary-1")
    assert (left_over.code, left_over.out) == (2, "")


def test_what_goes_back_is_the_rollback_target(fleet: MadeFleet) -> None:
    """And only of a rollout that went back: the canaries of the next one are left alone."""
    early = fleet("cohort", "--carrying", "--install", "1.3.2")
    assert (early.code, early.out) == (2, "")
    assert "did not go back" in early.err
    roll_back(fleet)
    assert len(fleet.cohort("--carrying", "--install", "1.3.2")) == 2
    wrong = fleet("cohort", "--carrying", "--install", "1.4.0")
    assert (wrong.code, wrong.out) == (2, "")
    assert "has 1.3.2 installed there" in wrong.err


def test_files_put_back_from_a_copy_are_no_reverted_host(fleet: MadeFleet) -> None:
    """They tell the version of before, and that it had the release was seen."""
    late, other = fleet.cohort()
    files = fleet.folder / "srv" / late
    fleet.carrying.discard(late)
    fleet.step()
    copy = shutil.copytree(files, fleet.folder / "copy")
    fleet.carrying.add(late)
    fleet.step()
    fleet.advance(code=3)
    roll_back(fleet)
    shutil.rmtree(files)
    shutil.copytree(copy, files)
    assert fleet.cohort("--carrying") == sorted([late, other])
    fleet.carrying.clear()
    fleet.step()
    assert fleet("cohort", "--carrying").out == ""


def test_a_dead_host_is_left_out_once_the_roster_retires_it(fleet: MadeFleet) -> None:
    """Else the list would never end: nothing of it can be seen, and nobody can revert it."""
    dead, other = fleet.cohort()
    roll_back(fleet)
    fleet.carrying.clear()
    del fleet.logs[dead]
    shutil.rmtree(fleet.folder / "srv" / dead)
    fleet.step()
    assert fleet.cohort("--carrying") == [dead]
    fleet.write_roster(
        f"{dead}\tdefault\tretired", f"{other}\tdefault\tretired", without=(dead, other)
    )
    done = fleet("cohort", "--carrying")
    assert (done.code, done.out) == (2, "")
    assert f"left out: {dead}\n" in done.err  # the other one was seen without it


def test_who_carries_it_is_asked_of_the_engine(
    fleet: MadeFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which reads many hosts at once, and chunk by chunk: of those alone that were given it."""
    asked: list[list[str]] = []
    run = pool.run

    def noted(
        job: Job, chunks: Mapping[int, Sequence[Host]], *, workers: int | None = None
    ) -> Iterator[tuple[int, object]]:
        asked.extend([host.name for host in hosts] for hosts in chunks.values())
        return run(job, chunks, workers=workers)

    monkeypatch.setattr(pool, "run", noted)
    given = fleet.cohort()
    roll_back(fleet)
    assert fleet.cohort("--carrying", "--engine", "pool=1") == given
    assert asked == [given]


def test_who_is_silent_already_is_seen_before_anything_changed(tmp_path: Path) -> None:
    """Hosts that have files and run no more among them; that holds nothing before the draw."""
    fleet = MadeFleet(tmp_path, hosts(10))
    assert Gate(tmp_path)("fleet", "init").code == 0
    fleet.start()
    fleet.step(5, silent=("web-03", "web-07"))
    shutil.rmtree(tmp_path / "srv/web-05")
    listed = fleet("hosts", "--state", "silent", "--format", "tsv").out.splitlines()
    assert [(line.split("\t")[0], line.split("\t")[4]) for line in listed] == [
        ("web-03", "silent_before"),
        ("web-05", "never_seen"),
        ("web-07", "silent_before"),
    ]
    answer = fleet.advance("--validation", "report.json", code=0)
    assert answer["fleet"]["control"][0]["state"] == "silent"


def test_a_host_that_died_at_100_percent_is_left_behind_by_entering_it_anew(tmp_path: Path) -> None:
    """Once it is off the roster: neither to retire it nor to take it out helps one never clean."""
    fleet = MadeFleet(tmp_path, hosts(4))
    fleet.begin()
    for _ in range(3):
        fleet.step(5)
        fleet.advance(code=0)
        fleet.upgrade()
    dead = "web-03"
    del fleet.logs[dead]
    fleet.step(5)
    (gate,) = [one for one in fleet.evaluate(code=3)["gates"] if one["name"] == "hosts_clean"]
    assert "else take its line off the roster, and 'reenter --reason'" in gate["remedy"]
    done = fleet("leave", dead, "--reason", "its disk broke", "--by", "ada")
    assert "'reenter --reason' draws without those that are not on the roster" in done.err
    fleet.write_roster(f"{dead}\tdefault\tretired", without=(dead,))
    assert fleet("reenter", "--reason", "it is retired", "--by", "ada").code == 0
    fleet.step(5)
    fleet.evaluate(code=3)
    fleet.write_roster(without=(dead,))
    assert fleet("reenter", "--reason", "it is dead", "--by", "ada").code == 0
    fleet.step(5)
    assert fleet.advance(code=0)["verdict"] == "complete"


def test_a_clock_that_is_behind_is_told_by_when_its_files_came(fleet: MadeFleet) -> None:
    """They came to the store just now, and are dated two hours ago."""
    one, other = fleet.cohort()
    fleet.step()
    for _ in range(24):
        fleet.step(silent=(one, other))
    os.utime(fleet.folder / f"srv/{one}/{SURFACE}/state.json", (0, fleet.now / 1000))
    os.utime(fleet.folder / f"srv/{other}/{SURFACE}/state.json", (0, fleet.now / 1000 - 7200))
    listed = fleet("hosts", "--limit", "2", "--format", "tsv").out.splitlines()
    states = {line.split("\t")[0]: line.split("\t")[3:5] for line in listed}
    assert states == {one: ["holding", "clock"], other: ["silent", "silent_after"]}
    assert "its clock is behind" in fleet("explain", "--host", one).out
