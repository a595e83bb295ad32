"""A lock that is lost while its holder is at work: whoever held it commits nothing any more."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tau_custom_command.contract.writes import AppendLines, Write
from tau_custom_command.errors import StateDirectoryBusyError, StorageError
from tau_custom_command.services import recover, repair_channels
from tau_custom_command.storage.lock import locked
from tau_custom_command.storage.rotation import RotationLimits
from tau_custom_command.storage.state_directory import write
from tau_custom_command.storage.sync import NOT_TO_DISK
from tests.custom_command.cases import case_object, fixture_object, retryable
from tests.custom_command.running import (
    PATIENCE_SECONDS,
    Command,
    Runtime,
    StandingClock,
    StateFiles,
)
from tests.custom_command.scenarios import assert_chain_is_whole

SLOW = case_object("slow", simulate_retryable_failure=True, expected=retryable())
LOG = "channel-store/custom-command/greet/log.jsonl"

Lose = Callable[[Path], object]
"""Takes the lock of a state directory from its holder."""


def remove(root: Path) -> None:
    """Remove the lock file, as somebody does who takes it for a left-over."""
    (root / ".lock").unlink()


def replace(root: Path) -> None:
    """Put another lock file in the place of the held one."""
    remove(root)
    (root / ".lock").touch()


def link(root: Path) -> None:
    """Have the lock file's name lead to the held one, which is no longer in its place."""
    (root / ".lock").rename(root / "elsewhere")
    (root / ".lock").symlink_to("elsewhere")


def move(root: Path) -> None:
    """Move the directory away."""
    root.rename(root.with_name("old"))


def put_another(root: Path) -> None:
    """Move the directory away, and make another of its name."""
    move(root)
    root.mkdir()


def put_a_file(root: Path) -> None:
    """Move the directory away, and put a file in its place."""
    move(root)
    root.touch()


LOSSES = [remove, replace, link, move, put_another, put_a_file]


@dataclass(slots=True)
class Meanwhile(StandingClock):
    """A clock that has something happen during the first wait."""

    happens: Callable[[], object] = time.monotonic

    def _sleep_ms(self, duration_ms: int) -> None:
        happens, self.happens = self.happens, time.monotonic
        happens()
        self.waits_ms.append(duration_ms)


def everything(folder: Path) -> dict[str, bytes]:
    """Return what the files below a folder hold, and what links lead to."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def used(runtime: Runtime) -> Runtime:
    """Return a runtime after a cycle, whose next cycles would rotate every log."""
    runtime.run(case_object("a"), case_object("b", "RUN"))
    runtime.rotation = RotationLimits(events_bytes=1, channel_log_bytes=1)
    runtime.retry_base_delay_ms = 1
    return runtime


class TestTheHeldLock:
    """The lock itself knows whether it still keeps others out."""

    def test_it_is_held_while_nobody_touches_it(self, tmp_path: Path) -> None:
        """Looking again and again is no loss, nor is a directory that came back."""
        root = tmp_path / "state"
        with locked(root, wait_seconds=0) as lock:
            lock.check()
            move(root)
            root.with_name("old").rename(root)
            lock.check()

    @pytest.mark.parametrize("lose", LOSSES)
    def test_each_way_to_lose_it_is_seen(self, tmp_path: Path, lose: Lose) -> None:
        """The message says where, what happened, and what to do."""
        root = tmp_path / "state"
        with locked(root, wait_seconds=0) as lock:
            lose(root)
            with pytest.raises(StateDirectoryBusyError) as refused:
                lock.check()
        assert str(refused.value).startswith(f"{root}: the lock is lost: .lock was removed, or ")
        assert "run it again" in str(refused.value)

    def test_a_link_above_that_leads_elsewhere(self, tmp_path: Path) -> None:
        """The directory that is locked is no longer the one that would be written to."""
        for name in ("first", "second"):
            (tmp_path / name / "state").mkdir(parents=True)
        current = tmp_path / "current"
        current.symlink_to("first")
        with locked(current / "state", wait_seconds=0) as lock:
            current.unlink()
            current.symlink_to("second")
            with locked(current / "state", wait_seconds=0) as other:
                other.check()
                with pytest.raises(StateDirectoryBusyError):
                    lock.check()

    def test_what_cannot_be_looked_at(self, tmp_path: Path) -> None:
        """What the operating system refuses is said as it says it."""
        root = tmp_path / "state"
        with locked(root, wait_seconds=0) as lock:
            move(root)
            root.symlink_to(root)
            with pytest.raises(StorageError, match=r"\.lock: cannot check: Too many levels"):
                lock.check()


class TestRun:
    """A cycle that was decided on what may no longer be so is not written."""

    @pytest.mark.parametrize("lose", LOSSES)
    def test_nothing_is_written(self, used: Runtime, lose: Lose) -> None:
        """Neither here nor where the directory has gone, and no log is rotated."""
        left: dict[str, bytes] = {}

        def happens() -> None:
            lose(used.state_dir)
            left.update(everything(used.folder))

        used.time = Meanwhile(happens=happens)
        with pytest.raises(StateDirectoryBusyError, match="the lock is lost"):
            used.run(SLOW)
        assert left
        assert everything(used.folder) == left

    @pytest.mark.parametrize("lose", [remove, move])
    def test_the_cycle_of_another_runner_stays(self, used: Runtime, lose: Lose) -> None:
        """Where another one ran meanwhile, its cycle is there, and the chain is whole."""
        left: dict[str, bytes] = {}

        def happens() -> None:
            lose(used.state_dir)
            used.run(case_object("c"))
            left.update(used.files.contents())

        used.time = Meanwhile(happens=happens)
        with pytest.raises(StateDirectoryBusyError):
            used.run(SLOW)
        assert used.files.contents() == left
        assert_chain_is_whole(used.state_dir)

    @pytest.mark.parametrize("lose", [remove, put_another])
    def test_what_takes_long_to_write_is_checked_at_its_end(
        self, tmp_path: Path, lose: Lose
    ) -> None:
        """Also while the batch is being made the lock can be lost; the batch then has no end."""
        root = tmp_path / "state"

        def writes() -> Iterator[Write]:
            yield AppendLines(path="log.jsonl", lines=(b"x" * 3_000_000 + b"\n",))
            lose(root)

        with locked(root, wait_seconds=0) as lock, pytest.raises(StateDirectoryBusyError):
            write(lock, writes(), NOT_TO_DISK)
        assert not list(tmp_path.rglob("log.jsonl"))
        assert [path.stat().st_size for path in tmp_path.rglob(".journal")] == [0]

    def test_as_an_operator_meets_it(self, command: Command) -> None:
        """Of two real runners, of which somebody let the second in, only the second writes."""
        command.write("slow.json", fixture_object(SLOW))
        command.write("quick.json", fixture_object(case_object("quick")))
        root = command.folder / ".tau/custom-command"
        words = ["--retry-max-attempts", "2", "--retry-base-delay-ms", "3000"]
        first = command.start("run", "slow.json", *words)
        try:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not ((root / ".lock").exists() and (root / ".lock").read_bytes()):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            (root / ".lock").unlink()
            assert command("run", "quick.json").code == 0
            out, err = first.communicate(timeout=PATIENCE_SECONDS)
        finally:
            first.kill()
            first.communicate()
        assert (first.returncode, out) == (5, "")
        assert err.startswith("error: .tau/custom-command: the lock is lost: ")
        (event,) = StateFiles(root).events()
        assert event["applied_cases"] == 1
        assert_chain_is_whole(root)


class TestRepairing:
    """What mends a state directory commits by the same way."""

    @pytest.mark.parametrize("lose", [remove, put_another])
    def test_recover(self, used: Runtime, monkeypatch: pytest.MonkeyPatch, lose: Lose) -> None:
        """A state beside which another runner may have written a newer one is not written."""
        (used.state_dir / "state.json").write_bytes(b"{")
        left: dict[str, bytes] = {}

        def lose_then(*_: object) -> bool:
            lose(used.state_dir)
            left.update(everything(used.folder))
            return True

        monkeypatch.setattr("tau_custom_command.services.recover.ends_with", lose_then)
        with pytest.raises(StateDirectoryBusyError, match="the lock is lost"):
            recover.recover(used.state_dir, carry_out=True, wait_seconds=0)
        assert everything(used.folder) == left

    def test_channels_repair(self, used: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
        """A log that may have grown since it was read is not replaced."""
        log = used.state_dir / LOG
        log.write_bytes(log.read_bytes() + b"no entry\n")
        before = log.read_bytes()
        journal_recovered = recover.journal_recovered

        def recovered(root: Path, *, carry_out: bool) -> tuple[str, ...]:
            steps = journal_recovered(root, carry_out=carry_out)
            remove(root)
            return steps

        monkeypatch.setattr(
            "tau_custom_command.services.repair_channels.journal_recovered", recovered
        )
        with pytest.raises(StateDirectoryBusyError, match="the lock is lost"):
            repair_channels.repair(used.state_dir, None, carry_out=True, wait_seconds=0)
        assert log.read_bytes() == before
        assert not log.with_name("log.jsonl.corrupt").exists()
