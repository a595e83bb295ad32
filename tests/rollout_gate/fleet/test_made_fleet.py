"""A fleet of made hosts on disk, by the command line: from a roster to the end of a rollout."""

import gzip
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tau_rollout_gate.contract.rollout import RolloutStatus
from tau_rollout_gate.errors import StorageError
from tau_rollout_gate.files.rollout_directory import Change
from tau_rollout_gate.fleet.chunk import Job
from tau_rollout_gate.fleet.engines import dask, pool
from tau_rollout_gate.fleet.engines.worker import judge_chunk
from tau_rollout_gate.fleet.plan import Host
from tau_rollout_gate.policy.fleet import Compare, FleetRules
from tests.rollout_gate.fleet.made import MadeFleet, fleet_toml, hosts
from tests.rollout_gate.making import ENTERED, MINUTE, SURFACE
from tests.rollout_gate.recording import ROLLOUT_DIR, Gate


@pytest.fixture
def fleet(tmp_path: Path) -> MadeFleet:
    """Return forty hosts in two zones, in canary-1."""
    names = hosts(40)
    groups = {name: f"zone-{index % 2}" for index, name in enumerate(names)}
    found = MadeFleet(tmp_path, names, groups, FleetRules(tolerate=1))
    found.begin()
    return found


def test_a_good_release_goes_through_every_phase(tmp_path: Path) -> None:
    """The cohorts nest, each is exact, and at the end the fleet's lock is let go."""
    fleet = MadeFleet(tmp_path, hosts(40))
    fleet.begin()
    seen: list[list[str]] = []
    for phase, count in (("canary-1", 2), ("canary-2", 10), ("canary-3", 20)):
        present = fleet.cohort()
        assert (fleet.rollout.phase, len(present)) == (phase, count)
        seen.append(present)
        assert fleet.advance(code=3)["fleet"]["cohort"]["not_clean"] == count
        fleet.step(4)
        fleet.advance(code=0)
        fleet.upgrade()
    assert set(seen[0]) <= set(seen[1]) <= set(seen[2])
    assert len(fleet.cohort()) == 40
    lock = tmp_path / "srv/_rollout.json"
    assert json.loads(lock.read_bytes())["release"] == "1.4.0"
    fleet.step(5)
    assert fleet.advance(code=0)["verdict"] == "complete"
    assert fleet.rollout.status is RolloutStatus.COMPLETE
    assert not lock.exists()
    assert Gate(tmp_path)("verify").code == 0


def test_failed_canaries_roll_it_back(fleet: MadeFleet) -> None:
    """As soon as more failed than are tolerated, and once they did, for good."""
    one, two = fleet.cohort()
    fleet.step(bad=(one,))
    answer = fleet.advance(code=3)
    worst = answer["fleet"]["worst"][0]
    assert (worst["host"], worst["state"], worst["line"]) == (one, "failed", 4)
    shutil.rmtree(fleet.folder / "srv" / one)  # what was seen once is not to be unseen
    del fleet.logs[one]
    fleet.step(bad=(two,))
    answer = fleet.advance(code=4)
    assert answer["fleet"]["canaries"] == [{"state": "failed", "hosts": 2}]
    fired = [one["name"] for one in answer["triggers"] if one["fired"]]
    assert fired == ["failed_hosts", "failed_hosts_in_group"][: len(fired)]
    assert fleet.cohort() == sorted([one, two])  # frozen: the present one
    done = fleet("rollback", "--reason", "two failed", "--by", "ada")
    assert done.code == 0, done
    assert fleet("cohort").code == 4
    assert fleet("cohort").out == ""
    assert fleet.cohort("--carrying") == sorted([one, two])
    fleet.carrying.clear()
    fleet.step()
    assert fleet.cohort("--carrying") == [one]  # of which nothing is known any more
    assert "2 hosts were given it" in fleet("status").out
    fleet.now += MINUTE
    assert "2 hosts were given it" in fleet.start("--allow-downgrade").err


def test_the_same_log_read_by_evaluate_and_explain(fleet: MadeFleet) -> None:
    """In sentences, in Markdown of a bounded size, and as metrics without the name of a host."""
    one, _ = fleet.cohort()
    fleet.step(bad=(one,))
    text = fleet("explain").out
    assert "1 of 2 hosts failed; 1 of 1 tolerated: one more rolls back." in text
    assert f"{one} in zone-" in text
    assert f"srv/{one}/{SURFACE}/runtime-events.jsonl:4" in text
    assert "GROUPS THAT STAND OUT" in text
    metrics = fleet("evaluate", "--format", "openmetrics").out
    assert 'tau_rollout_fleet_hosts{arm="canary",state="failed"} 1\n' in metrics
    assert 'tau_rollout_fleet_group_hosts{group="zone-0",count="cohort"}' in metrics
    assert "web-" not in "".join(line for line in metrics.splitlines() if "reason_info" not in line)
    markdown = fleet("evaluate", "--format", "markdown").out
    assert markdown.startswith("## HOLD")
    assert one.replace("-", r"\-") in markdown
    assert "web" in fleet("evaluate").out


def test_hosts_and_one_host(fleet: MadeFleet) -> None:
    """The worst first, filtered, in each form; and the whole answer of one."""
    one, two = fleet.cohort()
    fleet.step(bad=(one,))
    lines = fleet("hosts", "--limit", "2").out.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == [one, two]
    assert lines[-1] == "and 38 more"
    assert fleet("hosts", "--state", "damaged").out == "no host is so\n"
    listed = json.loads(fleet("hosts", "--state", "failed", "--format", "json").out)
    assert [(host["host"], host["part"]) for host in listed["hosts"]] == [(one, "canary")]
    table = fleet("hosts", "--group", "zone-0", "--format", "tsv").out.splitlines()
    assert len(table) == 20
    alone = fleet("explain", "--host", one)
    assert alone.code == 4
    assert "hard_runtime_errors" in alone.out
    assert json.loads(fleet("explain", "--host", two, "--json").out)["verdict"] == "hold"
    assert fleet("explain", "--host", "nobody").code == 2


def test_a_cohort_in_each_form(fleet: MadeFleet) -> None:
    """And why a host is in it, with a line that anyone can run."""
    one, two = fleet.cohort()
    assert fleet("cohort", "--format", "tsv").out.startswith(f"{one}\tzone-")
    assert [each["host"] for each in json.loads(fleet("cohort", "--format", "json").out)["hosts"]]
    inventory = json.loads(fleet("cohort", "--format", "ansible").out)
    assert inventory == {"canary": {"hosts": [one, two]}, "_meta": {"hostvars": {}}}
    later = fleet("cohort", "--phase", "canary-2")
    assert len(later.out.split()) == 10
    assert "a preview" in later.err
    assert fleet("cohort", "--phase", "canary-9").code == 2
    why = fleet("cohort", "--why", one).out
    check = why.rpartition("to check the score: ")[2].strip()
    done = subprocess.run(["sh", "-c", check], check=True, capture_output=True, text=True)  # noqa: S607 - what is printed to be run
    assert done.stdout.split()[0] in why
    assert "2 hosts were given it\n" in fleet("status").out
    fleet("freeze", "--reason", "look first", "--by", "ada")
    assert fleet.cohort("--phase", "canary-2") == [one, two]


def test_no_host_is_no_list(tmp_path: Path) -> None:
    """Before the first canary phase nothing is printed, and it is an error."""
    fleet = MadeFleet(tmp_path, hosts(4))
    assert Gate(tmp_path)("fleet", "init").code == 0
    fleet.start()
    done = fleet("cohort", "--format", "json")
    assert (done.code, done.out) == (2, "")
    assert len(fleet.cohort("--phase", "general-availability")) == 4
    assert fleet("cancel", "--reason", "not today", "--by", "ada").code == 0
    assert fleet("hosts").code == 2


def test_the_roster_changes(fleet: MadeFleet) -> None:
    """Who joined and left is told; a host that left is not clean, unless it was and is excused."""
    one, two = fleet.cohort()
    fleet.step(1)
    fleet.advance(code=3)
    fleet.write_roster("new-1\tzone-0", without=(one,))
    answer = fleet.evaluate(code=3)
    assert any("left the roster" in warning and one in warning for warning in answer["warnings"])
    assert any("new-1" in warning for warning in answer["warnings"])
    done = fleet("leave", "--gone", "--reason", "sold", "--by", "ada")
    assert done.code == 0, done
    assert "1 goes on counting" in done.err  # it had not soaked yet
    fleet.write_roster()
    fleet.step(3)
    fleet.advance(code=0)
    fleet.upgrade()
    fleet.step(4)
    fleet.evaluate(code=0)
    assert fleet("leave", two, "--reason", "sold", "--by", "ada").code == 0
    assert fleet("leave", "web-99", "--reason", "sold", "--by", "ada").code == 2
    assert fleet("leave", "--reason", "sold", "--by", "ada").code == 2
    assert Gate(fleet.folder)("verify").code == 0


@pytest.mark.parametrize("is_retired", [False, True])
def test_an_excused_host_counts_no_more(tmp_path: Path, *, is_retired: bool) -> None:
    """It was recorded clean in this phase, while another still soaked; then it went."""
    fleet = MadeFleet(tmp_path, hosts(40))
    fleet.begin()
    one, two = fleet.cohort()
    fleet.step(2, silent=(two,))
    fleet.step(2)
    fleet.advance(code=3)  # one of them is clean, and that is recorded
    if is_retired:
        fleet.write_roster(f"{one}\tdefault\tretired", without=(one,))
        fleet.step(2, silent=(one,))
        fleet.advance(code=0)
        return
    fleet.write_roster(without=(one,))
    fleet.step(2, silent=(one,))
    fleet.evaluate(code=3)
    done = fleet("leave", "--gone", "--reason", "sold", "--by", "ada")
    assert "1 host counts no more" in done.err
    assert fleet("leave", "--gone", "--reason", "sold", "--by", "ada").code == 2
    answer = fleet.advance(code=0)
    assert answer["fleet"]["cohort"]["excused"] == 1


def test_hosts_that_are_absent_are_taken_out_of_the_draw(tmp_path: Path) -> None:
    """Before it, and recorded; one that comes later is as any new one."""
    fleet = MadeFleet(tmp_path, hosts(10))
    absent = ("web-03", "web-07")
    for name in absent:
        shutil.rmtree(tmp_path / "srv" / name)
        del fleet.logs[name]
    assert Gate(tmp_path)("fleet", "init").code == 0
    fleet.start()
    done = fleet("leave", "--absent", "--reason", "not built yet", "--by", "ada")
    assert done.code == 0, done
    assert "2 hosts count no more: web-03, web-07" in done.err
    assert fleet("leave", "--absent", "--reason", "again", "--by", "ada").code == 2
    fleet.now = ENTERED
    fleet.advance("--validation", "report.json", code=0)
    for _ in range(3):
        fleet.upgrade()
        fleet.step(5)
        answer = fleet.advance(code=0)
        assert answer["fleet"]["cohort"]["not_clean"] == 0
    assert fleet("leave", "--absent", "--reason", "late", "--by", "ada").code == 2


def test_a_host_made_anew_soaks_anew_alone(fleet: MadeFleet) -> None:
    """Its log is another one, which no cycle mends; the others go on."""
    one, two = fleet.cohort()
    fleet.step(2)
    fleet.advance(code=3)
    fleet.logs[one].lines.clear()
    fleet.step(2)
    assert fleet.evaluate(code=0)["fleet"]["worst"][0]["state"] == "damaged"
    words = ("reenter", "--host", one, "--reason", "a new disk", "--by", "ada")
    assert fleet(*words).code == 2
    done = fleet(*words, "--accept-lost-evidence")
    assert done.code == 0, done
    assert fleet("reenter", "--host", "web-39", "--reason", "x", "--by", "ada").code == 2
    fleet.step(4)
    assert fleet.evaluate(code=0)["fleet"]["cohort"]["not_clean"] == 0
    assert fleet.cohort() == [one, two]


def test_reenter_draws_anew(tmp_path: Path) -> None:
    """Where a canary is gone for good and nothing is tolerated, another way there is not."""
    fleet = MadeFleet(tmp_path, hosts(20))
    fleet.begin()
    (one,) = fleet.cohort()
    fleet.step()
    fleet.write_roster(without=(one,))
    fleet.step(4, silent=(one,))
    assert fleet.advance(code=3)["fleet"]["canaries"] == [{"state": "left", "hosts": 1}]
    assert fleet("reenter", "--reason", "it was sold", "--by", "ada").code == 0
    (other,) = fleet.cohort()
    assert other != one
    fleet.upgrade()
    fleet.step(4)
    fleet.advance(code=0)
    assert Gate(tmp_path)("verify").code == 0


def test_worse_than_control_rolls_back(tmp_path: Path) -> None:
    """Canaries fail and the rest do not: the comparison fires below what is tolerated."""
    rules = FleetRules(tolerate="100%", compare=Compare(alpha="0.2"))
    fleet = MadeFleet(tmp_path, hosts(80), rules=rules)
    fleet.begin()
    fleet.step(4)
    fleet.advance(code=0)
    fleet.upgrade()
    fleet.step(bad=tuple(fleet.cohort())[:5])
    answer = fleet.advance(code=4)
    fired = [one["name"] for one in answer["triggers"] if one["fired"]]
    assert fired == ["worse_than_control"]
    assert "of the 5 failed hosts are canaries" in fleet("explain").out


def test_what_is_recorded(fleet: MadeFleet) -> None:
    """A table a decision, one of what was seen since, each by its digest; no ledger line grows."""
    root = fleet.folder / ROLLOUT_DIR
    fleet.step()
    fleet.advance(code=3)
    fleet.step()
    fleet.advance(code=3)
    tables = sorted(path.name for path in root.glob("hosts-*"))
    assert tables == ["hosts-2.tsv.gz", "hosts-3.tsv.gz", "hosts-seen.tsv.gz"]
    text = gzip.decompress((root / "hosts-seen.tsv.gz").read_bytes()).decode()
    assert len([line for line in text.splitlines() if not line.startswith("#")]) == 40
    longest = max(map(len, (root / "decisions.jsonl").read_bytes().splitlines()))
    assert longest < 4000
    (root / "hosts-seen.tsv.gz").rename(root / "hosts-seen.tsv.gz.next")  # a crash between the two
    fleet.evaluate(code=3)
    fleet.advance(code=3)
    assert not (root / "hosts-seen.tsv.gz.next").exists()
    (root / "hosts-seen.tsv.gz").write_bytes(b"\x1f\x8b")
    done = fleet("evaluate")
    assert done.code == 5
    assert "hosts-seen.tsv.gz: is gone, or is not the table" in done.err
    assert fleet("rollback", "--reason", "the record is gone", "--by", "ada").code == 0


def test_one_rollout_a_fleet(fleet: MadeFleet, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Another one is refused by name, until it takes the lock over, with a reason."""
    other = ("--rollout-dir", str(tmp_path_factory.mktemp("other")))
    assert "the rollout of 1.4.0 in" in fleet.start(*other, code=2).err
    fleet.start(*other, "--take-over", code=2)
    fleet.start(*other, "--take-over", "--reason", "the other machine is gone")
    assert fleet("cancel", *other, "--reason", "x", "--by", "ada").code == 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (fleet_toml(store="srv/{surface}/"), "has no {host}"),
        (fleet_toml(store="srv/{host}/{rack}/"), "of what stands in braces"),
        (fleet_toml(store="srv/{host}", surfaces=["a", "b"]), "has no {surface}"),
        (fleet_toml(surfaces=["a", "a"]), "named twice"),
        (fleet_toml(surfaces=[]), "surfaces"),
        (fleet_toml(roster="{host}.tsv"), "one file"),
        (fleet_toml(name="a\nb"), "name: has line breaks"),
        (fleet_toml(store="ftp://x/{host}"), "store: "),
        (fleet_toml(more=1), "more"),
        ("schema_version = 2\n", "schema_version"),
        ("name =", "not TOML"),
    ],
)
def test_a_fleet_file_that_cannot_be_used(tmp_path: Path, text: str, problem: str) -> None:
    """It is refused with what is wrong, and nothing is written."""
    MadeFleet(tmp_path, hosts(1))
    (tmp_path / "fleet.toml").write_text(text)
    done = Gate(tmp_path)("fleet", "init")
    assert done.code == 5, done
    assert problem in done.err


@pytest.mark.parametrize(
    ("roster", "problem"),
    [
        (b"", "names no host"),
        (b"a\nA\n", "stands in line 1 already"),
        (b"a\r\n", "carriage return"),
        (b"\xef\xbb\xbfa\n", "byte order mark"),
        (b"../a\n", "is no host's name"),
        (b"a/b\n", "is no host's name"),
        (b"a\x1b[2J\n", "is no host's name"),
        (b"a\na.example\n", "shorter name"),
    ],
)
def test_a_hostile_roster_is_refused_by_its_line(
    tmp_path: Path, roster: bytes, problem: str
) -> None:
    """At the start, and at any later look."""
    fleet = MadeFleet(tmp_path, hosts(2))
    assert Gate(tmp_path)("fleet", "init").code == 0
    good = (tmp_path / "roster.tsv").read_bytes()
    (tmp_path / "roster.tsv").write_bytes(roster)
    assert problem in fleet.start(code=5).err
    assert not (tmp_path / ROLLOUT_DIR).exists()
    (tmp_path / "roster.tsv").write_bytes(good)
    fleet.start()
    (tmp_path / "roster.tsv").write_bytes(roster)
    done = fleet("evaluate")
    assert done.code == 5
    assert problem in done.err


def test_a_store_that_is_another_one_is_no_evidence(fleet: MadeFleet) -> None:
    """Not mounted, or one that was made anew: no host of it is silent, and there is no answer."""
    sentinel = fleet.folder / "srv/_fleet.json"
    content = sentinel.read_bytes()
    sentinel.unlink()
    for command in ("evaluate", "advance", "hosts", "explain"):
        done = fleet(command)
        assert (done.code, "_fleet.json is not there" in done.err) == (5, True), done
    assert Gate(fleet.folder)("fleet", "init").code == 0
    done = fleet("evaluate")
    assert done.code == 5
    assert "is another store than at the start" in done.err
    sentinel.write_bytes(content.replace(b"edge", b"core"))
    assert "of another fleet" in Gate(fleet.folder)("fleet", "init").err
    assert fleet("rollback", "--reason", "the store is gone", "--by", "ada").code == 0


def test_a_surface_is_not_named_beside_a_fleet(fleet: MadeFleet) -> None:
    """Nor is a lock taken where there is none, nor anything of a fleet asked of one host."""
    given = ("--surface", f"{SURFACE}=x")
    assert "the rollout is of a fleet" in fleet("evaluate", *given).err
    fleet.start("--rollout-dir", "other", *given, code=2)
    alone = ("start", "--release", "1.4.0", "--rollback-to", "1.3.2", "--rollout-dir", "alone")
    assert fleet(*alone, "--take-over", "--reason", "x", "--by", "ada").code == 2
    assert fleet(*alone, "--by", "ada").code == 0
    assert fleet("cohort", "--rollout-dir", "alone").code == 5


@pytest.mark.parametrize("engine", ["pools", "pool=0", "pool=x", "dask=", "dask=tcp://10.0.0.1:1"])
def test_an_engine_that_is_none_is_refused(fleet: MadeFleet, engine: str) -> None:
    """Before anything is read."""
    assert fleet("evaluate", "--engine", engine).code == 2


def test_the_installed_program_with_processes(fleet: MadeFleet) -> None:
    """Byte for byte the same answer."""
    fleet.step()
    one = fleet("evaluate", "--json", "--engine", "pool=1", process=True)
    two = fleet("evaluate", "--json", "--engine", "pool=2", process=True)
    assert (one.code, one.err) == (3, "")
    assert one == two


@pytest.mark.parametrize(("bad_at", "last"), [(None, 0), (7, 4)])
def test_one_host_as_a_fleet(tmp_path: Path, bad_at: int | None, last: int) -> None:
    """It is decided as a rollout of that host alone is, cycle by cycle."""
    fleet = MadeFleet(tmp_path, ("only",))
    alone = ("--rollout-dir", "alone")
    assert Gate(tmp_path)("fleet", "init").code == 0
    fleet.start()
    begun = fleet(
        *("start", "--release", "1.4.0", "--rollback-to", "1.3.2", "--by", "ada", *alone),
        *("--policy", "policy.toml", "--surface", f"{SURFACE}={tmp_path}/srv/only/{SURFACE}"),
    )
    assert begun.code == 0, begun
    fleet.now = ENTERED
    given: tuple[str, ...] = ("--validation", "report.json", "--by", "ada")
    verdicts = []
    for number in range(20):
        codes = fleet("advance", *given).code, fleet("advance", *given, *alone).code
        assert codes[0] == codes[1]
        verdicts.append(int(codes[0]))
        fleet.carrying = {"only"}
        given = ("--by", "ada")
        fleet.step(bad=("only",) if number == bad_at else ())
    assert set(verdicts[:8]) == {0, 3}
    assert verdicts[-1] == last


def test_other_commands_know_of_a_fleet(fleet: MadeFleet) -> None:
    """`report` and `watch` do not fall over it; `freeze`, `resume` and `policy adopt` work."""
    one, _ = fleet.cohort()
    fleet.step()
    assert fleet("report", "--output", "page.html").code == 3
    assert fleet("freeze", "--reason", "look first", "--by", "ada").code == 0
    assert fleet("resume", "--reason", "seen", "--by", "ada").code == 0
    text = (fleet.folder / "policy.toml").read_text()
    adopt = ("policy", "adopt", "--policy", "other.toml", "--reason", "as agreed", "--by", "ada")
    (fleet.folder / "other.toml").write_text(text.replace('salt = "release"', 'salt = "ours"'))
    assert "another lot" in fleet(*adopt).err
    (fleet.folder / "other.toml").write_text(text.replace("tolerate = 1", "tolerate = 0"))
    assert fleet(*adopt).code == 0
    fleet.step(bad=(one,))
    done = fleet("advance", "--validation", "missing.json", "--by", "ada")
    assert done.code == 4, done
    assert "missing.json" in done.out
    assert fleet("reenter", "--reason", "x", "--by", "ada").code == 2
    assert fleet("rollback", "--reason", "failed", "--by", "ada").code == 0
    archive = json.loads(fleet("status", "--json").out)
    assert archive["hosts_with_release"] == 2
    assert fleet("evaluate").code == 4
    assert fleet("advance", "--by", "ada").code == 4
    assert Gate(fleet.folder)("verify").code == 0


def test_a_report_that_cannot_be_read_holds_nothing_back(fleet: MadeFleet) -> None:
    """Where no trigger fired it is an error, and nothing is written."""
    fleet.step()
    before = fleet.rollout
    assert fleet("advance", "--validation", "missing.json", "--by", "ada").code == 5
    assert fleet.rollout == before


def test_another_decision_meanwhile(fleet: MadeFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look takes time, in which anybody can freeze: then nothing is advanced."""

    def judge(job: Job, index: int, chunk: Sequence[Host]) -> bytes:
        assert fleet("freeze", "--reason", "wait", "--by", "bob").code == 0
        return judge_chunk(job, index, chunk)

    fleet.step(4)
    monkeypatch.setattr(pool, "judge_chunk", judge)
    done = fleet("advance", "--by", "ada")
    assert done.code == 2
    assert "moved meanwhile" in done.err


def test_where_nothing_can_be_recorded_the_lock_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the next `start` does not need to take it over."""
    fleet = MadeFleet(tmp_path, hosts(2))
    assert Gate(tmp_path)("fleet", "init").code == 0

    def refuse(*_: object, **__: object) -> None:
        raise StorageError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Change, "commit", refuse)
        assert "the disk is full" in fleet.start(code=5).err
    fleet.start()


def test_previews_say_what_people_have_to_know(tmp_path: Path) -> None:
    """Where it is more than the share and why, groups without a canary, phases that add nobody."""
    names = hosts(8)
    groups = {name: f"zone-{index % 4}" for index, name in enumerate(names)}
    fleet = MadeFleet(tmp_path, names, groups, FleetRules(min_hosts=2))
    assert Gate(tmp_path)("fleet", "init").code == 0
    fleet.start()
    first = fleet("cohort", "--phase", "canary-1").err
    assert "it is 2 hosts, more than 5 %, for min_hosts" in first
    assert "groups without a canary: zone-" in first
    assert "it adds no host to the phase before" in fleet("cohort", "--phase", "canary-2").err
    later = fleet("cohort", "--phase", "canary-3").err
    assert re.search(r"exactly 4 hosts|is [5-8] hosts, and the share is 4", later)
    fleet.write_roster("new\tzone-0")
    assert any("has changed since the start" in one for one in fleet.evaluate()["warnings"])
    assert fleet("explain", "--host", "new").code == 3


def test_a_cluster_is_asked_for_by_its_address(
    fleet: MadeFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the answer is the same to the byte."""
    asked = []

    def run(
        job: Job, chunks: Mapping[int, Sequence[Host]], **options: object
    ) -> Iterator[tuple[int, object]]:
        asked.append(options)
        return pool.run(job, chunks, workers=1)

    monkeypatch.setattr(dask, "run", run)
    fleet.step()
    address = "tls://scheduler.example:8786"
    found = fleet("evaluate", "--json", "--engine", f"dask={address}")
    assert found == fleet("evaluate", "--json")
    assert asked == [{"address": address, "is_insecure": False}]


def test_a_store_of_another_fleet(tmp_path: Path) -> None:
    """What `fleet.toml` calls itself is what the store says."""
    fleet = MadeFleet(tmp_path, hosts(2))
    assert Gate(tmp_path)("fleet", "init").code == 0
    (tmp_path / "fleet.toml").write_text(fleet_toml(name="core"))
    assert "is of the fleet 'core'" in fleet.start(code=2).err


def test_a_table_that_is_gone_does_not_stop_the_next_start(fleet: MadeFleet) -> None:
    """Who still has the release is not known then, which is said."""
    assert fleet("rollback", "--reason", "x", "--by", "ada").code == 0
    for path in (fleet.folder / ROLLOUT_DIR).glob("hosts-*"):
        path.unlink()
    assert "is not known" in fleet.start().err
