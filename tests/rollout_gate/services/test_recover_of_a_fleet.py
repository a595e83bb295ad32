"""`recover` of a fleet: its phase is entered anew on every host, and no failure is lost."""

import json
import shutil
from pathlib import Path

import pytest

from tau_rollout_gate.fleet.table import parse_table
from tau_rollout_gate.policy.fleet import FleetRules
from tests.rollout_gate.fleet.made import MadeFleet, hosts
from tests.rollout_gate.making import MINUTE, History
from tests.rollout_gate.recording import ROLLOUT_DIR, Finished, Gate


@pytest.fixture
def fleet(tmp_path: Path) -> MadeFleet:
    """Return forty hosts in canary-1; a hold is recorded, and what was seen since is beside it."""
    found = MadeFleet(tmp_path, hosts(40), rules=FleetRules(tolerate=1))
    found.begin()
    found.step()
    found.advance(code=3)
    return found


def recover(fleet: MadeFleet, *arguments: str) -> Finished:
    """Recover, for good unless told otherwise."""
    return fleet("recover", "--by", "ada", *(arguments or ("--yes",)))


def test_its_phase_is_entered_anew_on_every_host(fleet: MadeFleet) -> None:
    """Cycles from before count for no soak any more; then it goes on as any other."""
    root = fleet.folder / ROLLOUT_DIR
    fleet.step()
    fleet.advance(code=3)
    (root / "rollout.json").unlink()
    assert "would come back" in recover(fleet, "--now-unix-ms", str(fleet.now)).out
    assert not (root / "hosts-4.tsv.gz").exists()
    done = recover(fleet)
    assert done.code == 0, done
    assert "1.4.0 in canary-1, frozen, its phase entered anew" in done.out
    assert fleet("resume", "--reason", "it is whole", "--by", "ada").code == 0
    fleet.step()
    answer = fleet.advance(code=3)
    assert answer["soak"]["held_ms"] == 5 * MINUTE
    fleet.step(2)
    fleet.advance(code=0)
    assert Gate(fleet.folder)("verify").code == 0


def test_what_canaries_failed_of_since_is_not_forgotten(fleet: MadeFleet) -> None:
    """Also where their logs are gone by now: it was seen, and stands beside the decisions."""
    one, _ = fleet.cohort()
    fleet.step(bad=(one, "web-00"))
    fleet.advance(code=3)
    for name in (one, "web-00"):  # a canary, and one without the release
        shutil.rmtree(fleet.folder / "srv" / name)
        del fleet.logs[name]
    (fleet.folder / ROLLOUT_DIR / "rollout.json").unlink()
    assert recover(fleet).code == 0
    answer = fleet.evaluate(code=3)
    states = {one["state"]: one["hosts"] for one in answer["fleet"]["canaries"]}
    assert states["failed"] == 1
    assert "failed" not in {one["state"] for one in answer["fleet"]["control"]}


@pytest.mark.parametrize("is_recorded", [False, True])
def test_nor_what_a_new_host_failed_of(fleet: MadeFleet, *, is_recorded: bool) -> None:
    """Whether a decision has seen it before or not; what it left is not asked for."""
    names = (f"new-{number}" for number in range(1000))
    for name in names:
        fleet.write_roster(f"{name}\tdefault")
        if name in fleet.cohort():
            break
    fleet.logs[name] = History()
    fleet.carrying.add(name)
    fleet.step()
    if is_recorded:
        assert fleet("freeze", "--reason", "look", "--by", "ada").code == 0
        assert fleet("resume", "--reason", "looked", "--by", "ada").code == 0
        fleet.advance(code=3)
    pin = fleet.rollout.fleet
    assert pin is not None
    recorded = parse_table(
        (fleet.folder / ROLLOUT_DIR / f"hosts-{pin.table}.tsv.gz").read_bytes(), source=""
    )
    assert (name in recorded.rows) is is_recorded
    fleet.step(bad=(name,))
    fleet.advance(code=3)
    shutil.rmtree(fleet.folder / "srv" / name)
    (fleet.folder / ROLLOUT_DIR / "rollout.json").unlink()
    assert recover(fleet).code == 0
    assert fleet.evaluate(code=3)["fleet"]["canaries"][0] == {"state": "failed", "hosts": 1}


def test_a_table_that_is_not_the_one_that_is_named(fleet: MadeFleet) -> None:
    """As where rollout.json was put back from a copy that is older than what was seen."""
    root = fleet.folder / ROLLOUT_DIR
    fleet.step()
    fleet.advance(code=3)
    copy = (root / "rollout.json").read_bytes()
    assert "nothing is lost" in recover(fleet).err
    one, _ = fleet.cohort()
    fleet.step(bad=(one,))
    fleet.advance(code=3)
    (root / "rollout.json").write_bytes(copy)
    refused = fleet("evaluate")
    assert refused.code == 5
    assert "let 'recover' go on from the last decision" in refused.err
    done = recover(fleet)
    assert done.code == 0, done
    assert "wrong: " in done.out
    assert "hosts-seen.tsv.gz: is gone, or is not the table" in done.out
    assert fleet.evaluate(code=3)["fleet"]["canaries"][0] == {"state": "failed", "hosts": 1}
    assert Gate(fleet.folder)("verify").code == 0
    last = json.loads((root / "decisions.jsonl").read_bytes().splitlines()[-1])
    assert "hosts-seen.tsv.gz" in last["reasons"][0]


def test_a_table_that_is_none_is_no_help(fleet: MadeFleet) -> None:
    """What the last decision left is enough; without that there is no way but `rollback`."""
    root = fleet.folder / ROLLOUT_DIR
    fleet.step()
    fleet.advance(code=3)
    (root / "hosts-seen.tsv.gz").write_bytes(b"\x1f\x8b")
    (root / "hosts-3.tsv.gz").rename(root / "aside")
    refused = recover(fleet)
    assert refused.code == 5
    assert "hosts-3.tsv.gz: is gone" in refused.err
    (root / "aside").rename(root / "hosts-3.tsv.gz")
    assert recover(fleet).code == 0
    fleet.evaluate(code=3)


def test_before_the_first_draw_there_is_no_table(tmp_path: Path) -> None:
    """But that of hosts which were taken out of it, if any."""
    fleet = MadeFleet(tmp_path, hosts(4))
    assert Gate(tmp_path)("fleet", "init").code == 0
    fleet.start()
    (tmp_path / ROLLOUT_DIR / "rollout.json").unlink()
    fleet("freeze", "--reason", "look", "--by", "ada")  # two decisions: one alone is none yet
    done = recover(fleet)
    assert done.code == 0, done
    assert not list((tmp_path / ROLLOUT_DIR).glob("hosts-*"))
    assert fleet.rollout.fleet is not None
    assert fleet("cancel", "--reason", "not today", "--by", "ada").code == 0
    (tmp_path / ROLLOUT_DIR / "rollout.json").unlink()
    assert "'start' the next one" in recover(fleet).out
