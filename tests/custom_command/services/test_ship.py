"""What cycles left is brought to where a fleet is judged: whole, newest, and of one host only."""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tau_custom_command.errors import ShippingError, StateDirectoryBusyError
from tau_custom_command.services import ship as service
from tau_custom_command.services.clock import Clock
from tau_custom_command.services.ship import LOCK_FILE, AfterCycles, Shipped, ship
from tau_custom_command.shipping.folder import Folder
from tau_custom_command.shipping.location import Location
from tau_custom_command.storage.lock import locked
from tau_custom_command.storage.rotation import RotationLimits
from tests.custom_command.cases import case_object
from tests.custom_command.running import Json, Runtime
from tests.object_store import ObjectStoreServer, object_store


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """Return where the fleet's files go."""
    return tmp_path / "fleet/web-1"


def cycle(runtime: Runtime) -> None:
    """Run a cycle."""
    runtime.run(case_object(), fresh=True)


def shipped(runtime: Runtime, there: Path, *, take_over: str | None = None) -> Shipped:
    """Ship, and hold that what a reader finds is the log up to the state."""
    location = Location(bucket=None, path=str(there))
    found = ship(runtime.state_dir, location, clock=runtime.time.as_clock(), take_over=take_over)
    assert log_of(there) == b"".join(runtime.files.event_lines())
    return found


def log_of(there: Path) -> bytes:
    """Return what a reader takes: of each segment what the state names."""
    return b"".join(
        (there / f"segments/{one['first_cycle']}.jsonl").read_bytes()[: one["bytes"]]
        for one in state_of(there)["segments"]
    )


def state_of(there: Path) -> Json:
    """Return the state that was shipped."""
    value: Json = json.loads((there / "state.json").read_bytes())
    return value


def test_each_cycle_goes_along(runtime: Runtime, there: Path) -> None:
    """Health and last cycle are those of the state; nothing else of it is shipped."""
    for number in range(1, 4):
        cycle(runtime)
        found = shipped(runtime, there)
        assert (found.cycle_number, found.segments, found.took_over) == (number, 1, False)
        state, own = state_of(there), runtime.files.state()
        assert {key: own[key] for key in ("schema_version", "health", "last_cycle")} == {
            key: state[key] for key in own.keys() & state.keys()
        }
    assert shipped(runtime, there).segments == 0


def test_a_rotated_log_is_one_log(runtime: Runtime, there: Path) -> None:
    """The files that it is in here are not those that it is in there."""
    runtime.rotation = RotationLimits(events_bytes=1)
    for _ in range(3):
        cycle(runtime)
    assert shipped(runtime, there).cycle_number == 3
    assert [path.name for path in there.glob("segments/*")] == ["1.jsonl"]


def test_a_clone_is_refused(runtime: Runtime, there: Path, tmp_path: Path) -> None:
    """Two machines of one name: the second one is told so, and changes nothing."""
    cycle(runtime)
    shutil.copytree(runtime.state_dir, tmp_path / "clone/state")
    clone = Runtime(tmp_path / "clone")
    clone.time.now_unix_ms += 99_000
    cycle(runtime)
    cycle(clone)
    shipped(runtime, there)
    before = log_of(there)
    with pytest.raises(ShippingError, match=r"another machine has this name.*--take-over"):
        shipped(clone, there)
    assert log_of(there) == before
    assert shipped(clone, there, take_over="the old one is gone").took_over
    told = state_of(there)["taken_over"]
    assert (told["reason"], told["last_cycle"]["cycle_number"]) == ("the old one is gone", 2)
    cycle(clone)
    assert not shipped(clone, there, take_over="not needed any more").took_over
    assert state_of(there)["taken_over"] == told


def test_a_copy_that_was_put_back_is_refused(runtime: Runtime, there: Path, tmp_path: Path) -> None:
    """What the store has is never lowered."""
    cycle(runtime)
    shutil.copytree(runtime.state_dir, tmp_path / "copy")
    cycle(runtime)
    shipped(runtime, there)
    shutil.rmtree(runtime.state_dir)
    shutil.copytree(tmp_path / "copy", runtime.state_dir)
    with pytest.raises(ShippingError, match="a copy was put back here"):
        shipped(runtime, there)
    assert state_of(there)["last_cycle"]["cycle_number"] == 2


@pytest.mark.parametrize("content", [b"", b"{}", b'{"schema_version": 1}'])
def test_a_state_that_was_not_shipped_is_not_replaced(
    runtime: Runtime, there: Path, content: bytes
) -> None:
    """As where a mirror leaves a whole state directory, or somebody else's file is there."""
    cycle(runtime)
    there.mkdir(parents=True)
    (there / "state.json").write_bytes(content)
    with pytest.raises(ShippingError, match=r"its state\.json is none that was shipped"):
        shipped(runtime, there)
    assert (there / "state.json").read_bytes() == content
    assert shipped(runtime, there, take_over="it was a test").took_over
    assert "last_cycle" not in state_of(there)["taken_over"]


def test_there_is_nothing_to_ship(runtime: Runtime, there: Path) -> None:
    """No directory, no cycle, a state that is none: each is told."""
    with pytest.raises(ShippingError, match="no such directory"):
        shipped(runtime, there)
    runtime.state_dir.mkdir()
    with pytest.raises(ShippingError, match="run a cycle first"):
        shipped(runtime, there)
    (runtime.state_dir / "state.json").write_bytes(b"{}")
    with pytest.raises(ShippingError, match=r"state\.json: schema_version"):
        shipped(runtime, there)
    assert not there.exists()


def test_a_log_that_does_not_end_with_the_state_is_looked_at_again(
    runtime: Runtime, there: Path
) -> None:
    """A cycle may have been written meanwhile; else nothing is shipped."""
    cycle(runtime)
    log = runtime.state_dir / "runtime-events.jsonl"
    content = log.read_bytes()
    log.write_bytes(b"{}\n")
    with pytest.raises(ShippingError, match="does not end with the cycle"):
        ship(
            runtime.state_dir,
            Location(bucket=None, path=str(there)),
            clock=runtime.time.as_clock(),
        )
    assert runtime.time.waits_ms == [50, 50, 50]
    assert not there.exists()

    def put_back(_: int) -> None:
        log.write_bytes(content)

    clock = runtime.time.as_clock()._replace(sleep_ms=put_back)
    location = Location(bucket=None, path=str(there))
    assert ship(runtime.state_dir, location, clock=clock).cycle_number == 1


def test_one_at_a_time_ships(
    runtime: Runtime, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one of them read could be older than what the other one wrote."""
    cycle(runtime)
    monkeypatch.setattr(service, "_LOCK_SECONDS", 0.0)
    with (
        locked(runtime.state_dir, wait_seconds=0, file=LOCK_FILE),
        pytest.raises(StateDirectoryBusyError, match="locked by the process"),
    ):
        shipped(runtime, there)
    shipped(runtime, there)


def test_a_cycle_may_run_meanwhile(runtime: Runtime, there: Path) -> None:
    """Shipping does not take the lock of the cycles."""
    cycle(runtime)
    with locked(runtime.state_dir, wait_seconds=0):
        shipped(runtime, there)


class Refusing(Folder):
    """A destination that refuses for a while."""

    refusals = 0

    def put(self, key: str, content: bytes) -> None:
        """Refuse, or write."""
        if Refusing.refusals:
            Refusing.refusals -= 1
            raise ShippingError("s3://b/a: 503 Slow Down")
        super().put(key, content)


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Refusing]]:
    """Give a destination that refuses as often as it is told to."""
    monkeypatch.setattr(service, "destination_at", lambda location, **_: Refusing(location.path))
    yield Refusing
    Refusing.refusals = 0


def test_what_was_not_shipped_goes_along_with_the_next_cycle(
    runtime: Runtime, there: Path, refusing: type[Refusing]
) -> None:
    """It is told once as long as it stays the same, and nothing is kept for it."""
    told: list[str] = []
    location = Location(bucket=None, path=str(there))
    after = AfterCycles(
        runtime.state_dir, location, clock=runtime.time.as_clock(), complain=told.append
    )
    refusing.refusals = 2
    for _ in range(2):
        cycle(runtime)
        after.shipped()
    assert told == ["not shipped, and tried again with the next cycle: s3://b/a: 503 Slow Down"]
    cycle(runtime)
    after.shipped()
    assert log_of(there) == b"".join(runtime.files.event_lines())
    refusing.refusals = 1
    cycle(runtime)
    after.shipped()
    assert len(told) == 2
    after.end()
    assert state_of(there)["last_cycle"]["cycle_number"] == 3


def test_an_object_is_replaced_every_two_seconds_at_most(
    runtime: Runtime, there: Path, refusing: type[Refusing]
) -> None:
    """Quick cycles go along with a later one; the last ones at the end."""
    assert refusing.refusals == 0
    location = Location(bucket="s3://b", path=str(there))
    told: list[str] = []
    after = AfterCycles(
        runtime.state_dir, location, clock=runtime.time.as_clock(), complain=told.append
    )
    seen = []
    for wait_ms in (0, 1999, 1, 10):
        runtime.time.monotonic_ms += wait_ms
        cycle(runtime)
        os.utime(ensured(runtime.state_dir / LOCK_FILE), (0, 0))
        after.shipped()
        seen.append(state_of(there)["last_cycle"]["cycle_number"])
    assert seen == [1, 1, 3, 3]
    os.utime(runtime.state_dir / LOCK_FILE, (0, 0))
    after.end()
    after.end()
    assert state_of(there)["last_cycle"]["cycle_number"] == 4
    assert told == []


def ensured(path: Path) -> Path:
    """Return a file, which is there."""
    path.touch()
    return path


def test_another_process_waits_for_these_seconds_too(
    runtime: Runtime, there: Path, refusing: type[Refusing]
) -> None:
    """Whoever shipped last has left the time of it."""
    assert refusing.refusals == 0
    cycle(runtime)
    location = Location(bucket="s3://b", path=str(there))
    ship(runtime.state_dir, location, clock=runtime.time.as_clock())
    assert runtime.time.waits_ms == []
    ship(runtime.state_dir, location, clock=runtime.time.as_clock())
    assert len(runtime.time.waits_ms) == 1
    assert 0 < runtime.time.waits_ms[0] <= 2000


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStoreServer]:
    """Give an object store with a bucket."""
    with object_store(monkeypatch) as found:
        found.make_bucket("fleet")
        yield found


def test_an_object_store_gets_what_a_directory_gets(
    runtime: Runtime, there: Path, server: ObjectStoreServer
) -> None:
    """Byte for byte; and what goes wrong there is told, whatever it is."""
    location = Location(bucket="s3://fleet", path="edge/web-1")
    clock = runtime.time.as_clock()
    for _ in range(2):
        cycle(runtime)
        shipped(runtime, there)
        ship(runtime.state_dir, location, clock=clock)
    for key in ("state.json", "segments/1.jsonl"):
        assert server.read("fleet", f"edge/web-1/{key}") == (there / key).read_bytes()
    cycle(runtime)
    missing = Location(bucket="s3://nowhere", path="edge/web-1")
    with pytest.raises(ShippingError, match="404 Not Found: NoSuchBucket"):
        ship(runtime.state_dir, missing, clock=clock)
    server.check_credentials(after=0)
    with pytest.raises(ShippingError, match="403 Forbidden"):
        ship(runtime.state_dir, location, clock=clock)


@pytest.mark.unmeasured
def test_a_kill_at_any_moment_leaves_what_readers_can_read(
    runtime: Runtime, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each system call that changes a file is the last one once; the next time mends it."""
    location = Location(bucket=None, path=str(there))
    clock = runtime.time.as_clock()
    monkeypatch.setattr(service, "_LOCK_SECONDS", 5.0)
    for last in range(1, 60):
        cycle(runtime)
        if not _killed_at(last, runtime.state_dir, location, clock):
            break
        if (there / "state.json").exists():
            assert b"".join(runtime.files.event_lines()).startswith(log_of(there))
    else:
        raise AssertionError("it never came to its end")
    assert last > 8
    shipped(runtime, there)


def _killed_at(last: int, state_dir: Path, location: Location, clock: Clock) -> bool:
    """Ship in a process that is killed before its so many-th call; tell whether it was."""
    child = os.fork()
    if child == 0:
        left = last

        def counting(event: str, _arguments: object) -> None:
            nonlocal left
            if event in {"open", "os.rename", "os.mkdir", "os.remove", "os.chmod", "os.utime"}:
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        import sys  # noqa: PLC0415 - of the child alone

        sys.addaudithook(counting)
        ship(state_dir, location, clock=clock)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status in {0, signal.SIGKILL}
    return status != 0


def test_the_clock_of_this_machine(runtime: Runtime, there: Path) -> None:
    """Waiting is real where nobody passes another clock."""
    cycle(runtime)
    clock = Clock.of_this_machine(now_unix_ms=None)
    began = time.monotonic()
    ship(runtime.state_dir, Location(bucket=None, path=str(there)), clock=clock)
    assert time.monotonic() - began < 1.5
