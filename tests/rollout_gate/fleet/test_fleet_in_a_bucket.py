"""A fleet whose hosts ship to an object store; what the store does not answer is no host's."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.object_store import ObjectStoreServer, object_store
from tests.rollout_gate.files.stores.shipping import shipped
from tests.rollout_gate.fleet.made import MadeFleet, fleet_toml, hosts
from tests.rollout_gate.making import SURFACE
from tests.rollout_gate.recording import Finished

COUNT = 12


def in_bucket(folder: Path, server: ObjectStoreServer) -> MadeFleet:
    """Return a fleet in a bucket, its roster there, too; in canary-1."""

    def put(name: str, _files: Mapping[str, bytes]) -> None:
        log = fleet.logs[name]
        for key, content in shipped(log.lines, log.state()).items():
            server.write("fleet", f"edge/{name}/{SURFACE}/{key}", content)

    server.make_bucket("fleet")
    fleet = MadeFleet.__new__(MadeFleet)
    fleet.__init__(folder, hosts(COUNT), put=lambda *_: None)  # type: ignore[misc] # `put` needs it
    fleet.put = put
    for name in fleet.names:
        fleet.write(name)
    server.write("fleet", "edge/roster.tsv", (folder / "roster.tsv").read_bytes())
    text = fleet_toml("s3://fleet/edge/{host}/{surface}/", roster="s3://fleet/edge/roster.tsv")
    (folder / "fleet.toml").write_text(text)
    fleet.begin()
    return fleet


def test_a_bucket_gives_what_a_tree_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same verdict, counts, gates and triggers, through the phases and a rollback."""
    answers = []
    with object_store(monkeypatch) as server:
        (tmp_path / "tree").mkdir()
        (tmp_path / "bucket").mkdir()
        tree = MadeFleet(tmp_path / "tree", hosts(COUNT))
        tree.begin()
        for fleet in (tree, in_bucket(tmp_path / "bucket", server)):
            fleet.step(4)
            fleet.advance(code=0)
            fleet.upgrade()
            assert len(fleet.cohort()) == 3
            fleet.step(bad=tuple(fleet.cohort()[:1]))
            answers.append(fleet.advance(code=4))
            assert json.loads(fleet("hosts", "--state", "failed", "--format", "json").out)["hosts"]
    for answer in answers:
        for host in answer["fleet"]["worst"]:
            host["file"] = None
        for trigger in answer["triggers"]:
            trigger["evidence"] = None
        for gate in answer["gates"]:
            gate["evidence"] = None
        del answer["fleet"]["root_sha256"]
    assert answers[0] == answers[1]


def test_a_store_that_cannot_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """5 with the cause, and no host is silent for it; `rollback` does without."""

    def refused(done: Finished, words: str) -> None:
        assert done.code == 5, done
        assert words in done.err
        assert "silent" not in done.out + done.err

    with object_store(monkeypatch) as server:
        fleet = in_bucket(tmp_path, server)
        fleet.step()
        fleet.evaluate(code=3)
        content = server.read("fleet", "edge/_fleet.json")
        server.delete("fleet", "edge/_fleet.json")
        refused(fleet("evaluate"), "_fleet.json is not there")
        server.write("fleet", "edge/_fleet.json", content)
        server.check_credentials(after=0)
        refused(fleet("evaluate"), "403")
        refused(fleet("advance"), "403")
        server.kill()
        refused(fleet("evaluate"), "nobody answers there")
        done = fleet("rollback", "--reason", "the store is down", "--by", "ada")
        assert done.code == 0, done
        assert "lock is not released" in done.err


def test_a_bucket_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not a bucket in which every host is silent."""
    with object_store(monkeypatch) as server:
        fleet = in_bucket(tmp_path, server)
        server.remove_bucket("fleet")
        roster = tmp_path / "roster.tsv"
        done = fleet("evaluate")
        assert done.code == 5
        assert "NoSuchBucket" in done.err
        assert roster.exists()
