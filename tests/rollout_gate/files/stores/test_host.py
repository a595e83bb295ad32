"""A host's files are read where they are, plain or shipped; trouble of the store is no health."""

import errno
import os
import threading
from pathlib import Path

import pytest

from tau_rollout_gate.contract.pin import SurfacePin
from tau_rollout_gate.errors import StoreError
from tau_rollout_gate.evidence.values import Flaw, SurfaceEvidence
from tau_rollout_gate.files.stores import host
from tau_rollout_gate.files.stores.host import read_host
from tau_rollout_gate.files.stores.interface import SENTINEL_FILE
from tau_rollout_gate.files.stores.opening import open_store
from tau_rollout_gate.files.surface.state_directory import read_surface
from tests.object_store import object_store
from tests.rollout_gate.files.stores.shipping import SENTINEL, shipped, write, write_sentinel
from tests.rollout_gate.making import MINUTE, History, pin


@pytest.fixture
def history() -> History:
    """Return ten cycles."""
    return History().every(MINUTE, 10)


def place(template: str, name: str = "web-1") -> SurfacePin:
    """Return the pin of a host's surface."""
    return pin(state_dir=template.replace("{host}", name))


def read(template: str, name: str = "web-1") -> SurfaceEvidence:
    """Return the evidence of a host."""
    return read_host(place(template, name), open_store(template), sleep=lambda _: None)


def test_a_plain_tree_is_read_as_on_the_host(tmp_path: Path, history: History) -> None:
    """By the same reader, with the same answer; what a mirror has yet to finish is left out."""
    template = f"{write_sentinel(tmp_path / 'fleet')}/{{host}}/custom-command"
    state_dir = history.write(tmp_path / "fleet/web-1/custom-command")
    expected = read_surface(place(template), state_dir, sleep=lambda _: None)
    for name in (".runtime-events.jsonl.Xa1b2c", "runtime-events.jsonl.tmp", ".state.json.x"):
        (state_dir / name).write_bytes(b"half of a li")
    assert read(template) == expected
    assert len(expected.cycles) == 10


def test_the_same_host_shipped_to_a_tree_and_to_an_object_store(
    tmp_path: Path, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte for byte the same evidence, but for where it is."""
    objects = shipped(history.lines, history.state(), cuts=[4])
    root = write_sentinel(tmp_path / "fleet")
    write(root / "web-1/custom-command", objects)
    tree = read(f"{root}/{{host}}/custom-command/")
    with object_store(monkeypatch) as server:
        server.make_bucket("fleet")
        server.write("fleet", f"edge/{SENTINEL_FILE}", SENTINEL.as_document())
        for key, content in objects.items():
            server.write("fleet", f"edge/web-1/custom-command/{key}", content)
        found = read("s3://fleet/edge/{host}/custom-command/")
        assert read("s3://fleet/edge/{host}/custom-command/", "web-2").has_no_files
    assert repr(found).replace("s3://fleet/edge/", f"{root}/") == repr(tree)
    assert (tree.flaws, len(tree.cycles)) == ((), 10)
    assert tree.cycles[4].file == f"{root}/web-1/custom-command/segments/5.jsonl"


def test_an_uploader_that_replaces_all_the_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look finds a whole log, never an older one than the look before; in either store."""
    history = History().every(MINUTE, 60)
    root = write_sentinel(tmp_path / "fleet")
    with object_store(monkeypatch) as server:
        server.make_bucket("fleet")
        server.write("fleet", f"edge/{SENTINEL_FILE}", SENTINEL.as_document())
        stop = threading.Event()

        def upload() -> None:
            for count in range(1, 61):
                lines = history.lines[:count]
                objects = shipped(lines, History(lines=lines).state(), cuts=range(7, 60, 7))
                newest = list(objects)[-2]
                for key in (newest, "state.json"):
                    path = root / "web-1/custom-command" / key
                    write(path.parent, {f".{path.name}.new": objects[key]})
                    path.with_name(f".{path.name}.new").replace(path)
                    server.write("fleet", f"edge/web-1/custom-command/{key}", objects[key])
            stop.set()

        uploading = threading.Thread(target=upload)
        uploading.start()
        seen = {
            f"{root}/{{host}}/custom-command": [0],
            "s3://fleet/edge/{host}/custom-command": [0],
        }
        while not stop.is_set():
            for template, counts in seen.items():
                found = read(template)
                if not found.has_no_files:
                    assert found.flaws == ()
                    counts.append(len(found.cycles))
        uploading.join()
        for template, counts in seen.items():
            assert counts == sorted(counts)
            assert len(set(counts)) > 2
            assert len(read(template).cycles) == 60


def test_a_host_without_files_is_silent(tmp_path: Path) -> None:
    """As long as the sentinel says that the store is there."""
    root = write_sentinel(tmp_path / "fleet")
    assert read(f"{root}/{{host}}/custom-command").has_no_files
    (root / "web-1/custom-command/segments").mkdir(parents=True)
    assert read(f"{root}/{{host}}/custom-command").has_no_files
    (root / SENTINEL_FILE).unlink()
    for name in ("web-1", "web-2"):
        with pytest.raises(StoreError, match="is it mounted"):
            read(f"{root}/{{host}}/custom-command", name)


def test_a_host_that_ships_for_the_first_time_just_now(
    tmp_path: Path, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looked like a plain tree, which a state without a log would be damage of."""
    root = write_sentinel(tmp_path / "fleet")
    write(root / "web-1/custom-command", shipped(history.lines, history.state()))
    answers = iter([False, True])
    monkeypatch.setattr(host, "_is_shipped", lambda *_: next(answers))
    found = read(f"{root}/{{host}}/custom-command")
    assert (found.flaws, len(found.cycles)) == ((), 10)


def test_damage_of_a_plain_tree_holds_as_on_the_host(tmp_path: Path, history: History) -> None:
    """It says nothing of the store."""
    root = write_sentinel(tmp_path / "fleet")
    state_dir = history.write(root / "web-1/custom-command")
    (state_dir / "state.json").write_bytes(b"{}")
    assert read(f"{root}/{{host}}/custom-command").flaws[0].flaw is Flaw.INVALID_STATE


@pytest.mark.parametrize("looks", [1, 3, 4, 5])
def test_a_file_that_is_stale_is_read_again(
    tmp_path: Path, history: History, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    """Three times; then nobody can tell how the host is."""
    root = write_sentinel(tmp_path / "fleet")
    history.write(root / "web-1/custom-command")
    real, left = os.pread, looks

    def pread(descriptor: int, size: int, offset: int) -> bytes:
        nonlocal left
        left -= 1
        if left >= 0:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return real(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", pread)
    if looks < 4:
        assert read(f"{root}/{{host}}/custom-command").flaws == ()
        return
    with pytest.raises(StoreError, match=os.strerror(errno.ESTALE)):
        read(f"{root}/{{host}}/custom-command")
