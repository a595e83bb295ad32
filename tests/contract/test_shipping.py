"""What the runtime ships is what the gate reads: whole at any moment, the same in either store.

(runbooks/state-files.md, "The shipped form")
"""

import json
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tau_rollout_gate.contract.pin import LogPosition, SurfacePin
from tau_rollout_gate.contract.store.sentinel import Sentinel
from tau_rollout_gate.evidence.values import SurfaceEvidence
from tau_rollout_gate.files.stores.host import read_host
from tau_rollout_gate.files.stores.interface import SENTINEL_FILE, Store
from tau_rollout_gate.files.stores.opening import open_store
from tests.contract.running import COMMAND, CONTRACTS, PATIENCE_SECONDS, run_fixture, start
from tests.object_store import ObjectStoreServer, object_store

FIXTURE = CONTRACTS / "rollout-pass.json"
HOST = "web-1"
KILLS = 25
SENTINEL = Sentinel(name="edge", id="0" * 32)
BEGINNING = LogPosition(cycle_number=None, event_sha256=None)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStoreServer]:
    """Give an object store that has a fleet."""
    with object_store(monkeypatch) as found:
        found.make_bucket("fleet")
        found.write("fleet", f"edge/{SENTINEL_FILE}", SENTINEL.as_document())
        yield found


@pytest.fixture
def tree(tmp_path: Path) -> str:
    """Give a tree that has a fleet."""
    root = tmp_path / "fleet"
    root.mkdir()
    (root / SENTINEL_FILE).write_bytes(SENTINEL.as_document())
    return f"{root}/{{host}}/{{surface}}"


@pytest.fixture(params=["tree", "objects"])
def template(request: pytest.FixtureRequest) -> str:
    """Give where a fleet is, of each kind."""
    if request.param == "tree":
        found: str = request.getfixturevalue("tree")
        return found
    request.getfixturevalue("server")
    return "s3://fleet/edge/{host}/{surface}"


def ship(state_dir: Path, template: str, *more: str) -> tuple[int, str]:
    """Ship a state directory; return the exit code and what was told."""
    done = start(
        "ship", "--state-dir", state_dir, "--to", template, "--host", HOST, "--json", *more
    )
    return done.exit_code, done.stderr


def read(store: Store, template: str, since: LogPosition | None = BEGINNING) -> SurfaceEvidence:
    """Return the evidence that the gate reads of the host."""
    place = template.replace("{host}", HOST).replace("{surface}", "custom-command")
    pin = SurfacePin(
        name="custom-command",
        state_dir=place,
        is_chained=True,
        evidence_from=since,
        sound_from=since,
        phase_from=since,
    )
    return read_host(pin, store)


def cycles(state_dir: Path, count: int) -> None:
    """Run so many cycles."""
    for _ in range(count):
        ended, _ = run_fixture(
            FIXTURE, state_dir, "--fresh", "--no-fsync", "--max-events-bytes", "2000"
        )
        assert ended.exit_code == 0


def test_store_equals_tree(tmp_path: Path, tree: str, server: ObjectStoreServer) -> None:
    """Shipped to a directory or to an object store, or mirrored as it is: the same evidence."""
    objects = "s3://fleet/edge/{host}/{surface}"
    state_dir = tmp_path / "state"
    root = tree.partition("{")[0]
    since: LogPosition | None = None
    for _ in range(3):
        cycles(state_dir, 2)
        found = []
        for template in (tree, objects):
            assert ship(state_dir, template) == (0, "")
            found.append(read(open_store(template), template, since or BEGINNING))
        assert repr(found[1]).replace("s3://fleet/edge/", root) == repr(found[0])
        assert found[0].flaws == ()
        since = found[0].end
    mirrored = f"{root}{{host}}-mirrored/{{surface}}"
    shutil.copytree(state_dir, Path(root, f"{HOST}-mirrored", "custom-command"))
    plain = read(open_store(mirrored), mirrored)
    shipped = read(open_store(tree), tree)
    assert plain.flaws == ()
    assert [(one.sha256, one.event) for one in plain.cycles] == [
        (one.sha256, one.event) for one in shipped.cycles
    ]
    assert plain.snapshot == shipped.snapshot
    text = server.read("fleet", f"edge/{HOST}/custom-command/state.json")
    assert set(json.loads(text)) == {"schema_version", "health", "last_cycle", "segments"}


def test_a_killed_shipment_leaves_what_can_be_read(tmp_path: Path, template: str) -> None:
    """At whatever moment: the log up to some cycle, never an older one; the next one mends it."""
    state_dir = tmp_path / "state"
    cycles(state_dir, 1)
    ship(state_dir, template)
    store, last = open_store(template), 1
    chance = random.Random(7)  # noqa: S311 - moments, not secrets
    words = ["ship", "--state-dir", str(state_dir), "--to", template, "--host", HOST]
    for _ in range(KILLS):
        cycles(state_dir, 1)
        (state_dir / ".shipping.lock").unlink(missing_ok=True)  # it would wait for two seconds
        with subprocess.Popen(
            [COMMAND, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            time.sleep(chance.uniform(0.05, 0.25))
            process.kill()
        found = read(store, template)
        assert found.flaws == ()
        assert len(found.cycles) >= last
        last = len(found.cycles)
    assert ship(state_dir, template) == (0, "")
    found = read(store, template)
    assert (found.flaws, len(found.cycles)) == ((), KILLS + 1)


def test_a_reader_meets_a_runtime_at_work(tmp_path: Path, tree: str) -> None:
    """It ships after each cycle, many a second; each look finds a whole log."""
    place = tree.replace("{host}", HOST)
    words = ["run", str(FIXTURE), "--state-dir", str(tmp_path / "state"), "--every", "20ms"]
    store, counts = open_store(tree), [0]
    with subprocess.Popen(
        [COMMAND, *words, "--no-fsync", "--ship-to", place],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while counts[-1] < 40:
                assert time.monotonic() < deadline
                found = read(store, tree)
                assert found.has_no_files or found.flaws == ()
                counts.append(len(found.cycles))
        finally:
            process.terminate()
        _, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, err) == (
        0,
        "warning: --no-fsync: a loss of power can lose this cycle\n",
    )
    assert counts == sorted(counts)


def test_a_clone_never_reads_as_the_host(tmp_path: Path, template: str) -> None:
    """It is refused; once it has taken over, the gate finds another log."""
    state_dir, clone = tmp_path / "state", tmp_path / "clone"
    cycles(state_dir, 2)
    shutil.copytree(state_dir, clone)
    cycles(state_dir, 1)
    cycles(clone, 2)
    assert ship(state_dir, template)[0] == 0
    store = open_store(template)
    end = read(store, template).end
    code, told = ship(clone, template)
    assert (code, "another machine has this name" in told) == (5, True)
    assert read(store, template).end == end
    assert ship(clone, template, "--take-over", "--reason", "a new disk") == (0, "")
    assert read(store, template).flaws == ()
    assert not read(store, template, end).is_same_log
    assert read(store, template, end).flaws != ()
