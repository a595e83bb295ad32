"""A rollout directory on a real disk: private, locked, whole or as it was."""

import os
import resource
import signal
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tau_rollout_gate.contract.pin import Seen
from tau_rollout_gate.contract.rollout import DecisionCount, Rollout, RolloutStatus
from tau_rollout_gate.decision.answer import Verdict
from tau_rollout_gate.errors import BusyError, RolloutUnusableError, StorageError
from tau_rollout_gate.files.record import entries, find, load, verified
from tau_rollout_gate.files.rollout_directory import Change, changing
from tau_rollout_gate.rollout.ledger import Action, Entry
from tests.rollout_gate import making
from tests.rollout_gate.recording import answer, decided, frozen_by

OPENED = making.rollout("preflight")
FROZEN = making.rollout("preflight", frozen=frozen_by("ada"))
CLOSED = making.rollout("preflight", frozen=frozen_by("ada"), status=RolloutStatus.ROLLED_BACK)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Have another umask for a while."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Have the operating system refuse to write files beyond a size, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def made(after: Rollout, before: DecisionCount | None, action: Action | None = None) -> Entry:
    """Return the decision that leaves a rollout so, the action that does it unless it is told."""
    if action is None and after.frozen is None:
        said = answer(Verdict.HOLD, phase=after.phase)
        return decided(after, Action.RESUME, before=before, answer=said)
    closes = Action.FREEZE if after.is_open else Action.ROLLBACK
    return decided(after, action or closes, before=before)


def commit(root: Path, after: Rollout, action: Action | None = None) -> Entry:
    """Record a decision."""
    with changing(root, may_begin=True) as change:
        return change.commit(made(after, change.count, action))


def begun(root: Path) -> Path:
    """Return the directory with two decisions in it."""
    commit(root, OPENED, Action.START)
    commit(root, FROZEN)
    return root


def contents(root: Path) -> dict[str, bytes]:
    """Return every file's bytes by its name, but for the lock."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def mode(path: Path) -> int:
    """Return a file's permissions."""
    return stat.S_IMODE(path.lstat().st_mode)


class TestReading:
    """What is there is used whole, or not at all."""

    def test_nothing_begun(self, tmp_path: Path) -> None:
        """`find` says so, `load` says what to do, and neither makes the directory."""
        root = tmp_path / "r"
        assert find(root) is None
        for ask in (load, entries, verified):
            with pytest.raises(RolloutUnusableError, match="open one with 'start'"):
                ask(root)
        with pytest.raises(RolloutUnusableError, match="there is no rollout"), changing(root):
            pass
        assert not root.exists()

    def test_what_was_committed_is_read(self, tmp_path: Path) -> None:
        """The last rollout, the decisions in order, a whole chain."""
        root = begun(tmp_path / "a" / "r")
        assert load(root).rollout == FROZEN
        assert [one.action for one in entries(root)] == [Action.START, Action.FREEZE]
        assert verified(root).is_whole

    @pytest.mark.parametrize("content", [b"", b"{}", b"{", b"\xff", b'{"a":1,"a":2}'])
    def test_an_unreadable_rollout_file_is_refused(self, tmp_path: Path, content: bytes) -> None:
        """It is left as it is; the message says what there is, and the ways out."""
        root = begun(tmp_path)
        (root / "rollout.json").write_bytes(content)
        for ask in (load, verified):
            with pytest.raises(
                RolloutUnusableError, match=r"put it back from a copy(?s:.*)recover --rollout-dir"
            ):
                ask(root)
        assert (root / "rollout.json").read_bytes() == content

    @pytest.mark.parametrize("name", ["rollout.json", "decisions.jsonl"])
    def test_a_missing_file_is_refused(self, tmp_path: Path, name: str) -> None:
        """One without the other decides nothing, and nothing begins anew over it."""
        root = begun(tmp_path)
        (root / name).unlink()
        with pytest.raises(RolloutUnusableError, match=r"there is: .*\nlost: .* back from a copy"):
            load(root)
        with pytest.raises(RolloutUnusableError), changing(root, may_begin=True):
            pass
        assert not verified(root).is_whole

    @pytest.mark.parametrize("name", ["rollout.json", "decisions.jsonl"])
    @pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
    def test_what_is_no_file_is_refused(self, tmp_path: Path, name: str, kind: str) -> None:
        """A symbolic link is not followed, a pipe is not waited for."""
        root = begun(tmp_path / "r")
        (root / name).rename(tmp_path / name)
        if kind == "link":
            (root / name).symlink_to(tmp_path / name)
        elif kind == "pipe":
            os.mkfifo(root / name)
        else:
            (root / name).mkdir()
        with pytest.raises(RolloutUnusableError, match="cannot read: "):
            load(root)

    def test_an_altered_entry_in_the_middle_is_told_by_history(self, tmp_path: Path) -> None:
        """The message names the entry and `verify`."""
        root = begun(tmp_path)
        ledger = root / "decisions.jsonl"
        ledger.write_bytes(ledger.read_bytes().replace(b'"start"', b'"stray"', 1))
        with pytest.raises(RolloutUnusableError, match=r"entry 1: .* see 'verify'"):
            entries(root)

    def test_while_another_process_commits_it_is_read_again(self, tmp_path: Path) -> None:
        """A reader between two commits never sees files that do not belong together."""
        root = begun(tmp_path)
        is_done = threading.Event()

        def write() -> None:
            for number in range(60):
                commit(root, OPENED if number % 2 else FROZEN)
            is_done.set()

        writer = threading.Thread(target=write)
        writer.start()
        try:
            while not is_done.is_set():
                load(root)
                assert verified(root).is_whole
        finally:
            writer.join()
        assert load(root).decisions.count == 62


class TestWriting:
    """Private files, whole lines, and what a crash left is completed."""

    @pytest.mark.parametrize("mask", [0o000, 0o077, 0o777])
    def test_modes_whatever_the_umask(self, tmp_path: Path, mask: int) -> None:
        """Folders are 0700 and files 0600."""
        root = tmp_path / "a" / "r"
        with umask(mask):
            begun(root)
            commit(root, CLOSED)
            commit(root, OPENED, Action.START)
        assert {mode(path) for path in root.rglob("*") if path.is_file()} == {0o600}
        assert {mode(path) for path in (root.parent, root, root / "archive")} == {0o700}

    def test_a_torn_end_is_moved_aside(self, tmp_path: Path) -> None:
        """The ledger goes on with whole lines; the torn bytes are kept."""
        root = begun(tmp_path)
        with (root / "decisions.jsonl").open("ab") as ledger:
            ledger.write(b'{"schema')
        assert verified(root).remarks == (
            "the last line is torn: that decision was never recorded",
        )
        commit(root, OPENED)
        assert verified(root).is_whole
        assert verified(root).remarks == ()
        assert load(root).decisions.count == 3
        assert (root / "decisions.jsonl.corrupt").read_bytes() == b'{"schema\n'
        assert mode(root / "decisions.jsonl.corrupt") == 0o600

    def test_a_ledger_one_ahead_is_completed_by_the_next_decision(self, tmp_path: Path) -> None:
        """Nobody loses the decision, and the file is never two behind."""
        root = begun(tmp_path)
        commit(root, OPENED)
        behind = (root / "rollout.json").read_bytes()
        commit(root, FROZEN)
        (root / "rollout.json").write_bytes(behind)
        assert load(root).is_ahead
        assert load(root).rollout == FROZEN
        assert "ahead of rollout.json: the next decision completes it" in verified(root).remarks[0]
        commit(root, OPENED)
        assert not load(root).is_ahead
        assert load(root).decisions.count == 5
        assert verified(root).is_whole

    def test_what_does_not_hold_back_is_decided_again(self, tmp_path: Path) -> None:
        """One ahead, it was told to nobody: it counts for nothing, and is kept aside."""
        root = begun(tmp_path)
        behind = (root / "rollout.json").read_bytes()
        resumed = commit(root, OPENED)
        (root / "rollout.json").write_bytes(behind)
        assert load(root).rollout == FROZEN
        assert [entry.decision_number for entry in entries(root)] == [1, 2]
        assert "the next decision moves it aside" in verified(root).remarks[0]
        again = commit(root, OPENED)
        assert again.decision_number == 3
        assert verified(root).is_whole
        assert verified(root).remarks == ()
        assert (root / "decisions.jsonl.corrupt").read_bytes() == resumed.as_line()

    def test_a_start_that_was_cut_off_began_nothing(self, tmp_path: Path) -> None:
        """The next one begins anew."""
        commit(tmp_path, OPENED, Action.START)
        (tmp_path / "rollout.json").unlink()
        assert find(tmp_path) is None
        commit(tmp_path, OPENED, Action.START)
        assert load(tmp_path).decisions.count == 1
        assert verified(tmp_path).is_whole

    def test_what_was_seen_is_noted_without_a_decision(self, tmp_path: Path) -> None:
        """Only rollout.json changes, in nothing but that; it is no edit."""
        root = begun(tmp_path)
        ledger = (root / "decisions.jsonl").read_bytes()
        seen = Seen(position=making.History().every(1, 1).position())
        noted = FROZEN.replaced(surfaces=(FROZEN.surfaces[0].replaced(seen=seen),))
        with changing(root) as change:
            change.note(noted)
        assert load(root).rollout == noted
        assert (root / "decisions.jsonl").read_bytes() == ledger
        assert verified(root).is_whole

    def test_a_start_archives_the_closed_rollout(self, tmp_path: Path) -> None:
        """Its file is kept as it was; rollout.json is the new one."""
        root = begun(tmp_path)
        commit(root, CLOSED)
        closed = (root / "rollout.json").read_bytes()
        commit(root, making.rollout("preflight", release="1.5.0"), Action.START)
        assert (root / "archive" / "000003-1.4.0.json").read_bytes() == closed
        assert load(root).rollout.release == "1.5.0"

    def test_what_a_killed_process_left_is_no_obstacle(self, tmp_path: Path) -> None:
        """A half-written new file is written over, a link in its place not followed."""
        root = begun(tmp_path / "r")
        (tmp_path / "victim").write_bytes(b"mine")
        (root / "rollout.json.new").symlink_to(tmp_path / "victim")
        commit(root, OPENED)
        assert (tmp_path / "victim").read_bytes() == b"mine"
        assert load(root).rollout == OPENED
        assert not (root / "rollout.json.new").exists()

    @pytest.mark.parametrize("name", [".lock", "decisions.jsonl.corrupt"])
    def test_links_are_set_aside(self, tmp_path: Path, name: str) -> None:
        """Nothing is written outside the directory, and they are kept."""
        root = begun(tmp_path / "r")
        with (root / "decisions.jsonl").open("ab") as ledger:
            ledger.write(b"torn")
        (root / name).unlink(missing_ok=True)
        (root / name).symlink_to(tmp_path / "victim")
        (tmp_path / "victim").write_bytes(b"mine")
        commit(root, OPENED)
        assert load(root).rollout == OPENED
        assert (tmp_path / "victim").read_bytes() == b"mine"
        assert (root / f"{name}.1.corrupt").is_symlink()
        assert not (root / name).is_symlink()

    @pytest.mark.parametrize("name", ["archive"])
    def test_links_are_not_followed(self, tmp_path: Path, name: str) -> None:
        """Nothing is written outside the directory; both files are as they were."""
        root = begun(tmp_path / "r")
        commit(root, CLOSED)
        with (root / "decisions.jsonl").open("ab") as ledger:
            ledger.write(b"torn")
        before = contents(root)
        (root / name).unlink(missing_ok=True)
        (root / name).symlink_to(tmp_path / "victim")
        (tmp_path / "victim").mkdir()
        with pytest.raises(StorageError, match=f"{name}: cannot open: it is a symbolic link"):
            commit(root, OPENED, Action.START)
        (root / name).unlink()
        assert {n: raw for n, raw in contents(root).items() if "archive" not in n} == before
        assert not list((tmp_path / "victim").iterdir())

    @pytest.mark.parametrize("size", [0, 1_000, 2_000])
    def test_a_full_disk_changes_nothing(self, tmp_path: Path, size: int) -> None:
        """Whichever of the two files has no room, both are as they were, and the next is fine."""
        root = begun(tmp_path)
        before = contents(root)
        assert 1_000 < len(before["rollout.json"]) < 2_000 < len(before["decisions.jsonl"])
        with largest_file(size), pytest.raises(StorageError, match="cannot write: File too large"):
            commit(root, OPENED)
        assert contents(root) == before
        commit(root, OPENED)
        assert load(root).decisions.count == 3

    def test_a_rename_that_is_refused_takes_the_line_back(self, tmp_path: Path) -> None:
        """What was not acknowledged does not count."""
        root = begun(tmp_path)
        before = contents(root)
        with changing(root) as change:
            (root / "rollout.json").unlink()
            (root / "rollout.json").mkdir()
            with pytest.raises(StorageError, match=r"rollout\.json: cannot write"):
                change.commit(made(OPENED, change.count))
            assert (root / "decisions.jsonl").read_bytes() == before["decisions.jsonl"]
        assert not (root / "rollout.json.new").exists()

    def test_a_folder_that_cannot_be_made_is_told(self, tmp_path: Path) -> None:
        """Where something is in the way, the message names it."""
        (tmp_path / "file").write_bytes(b"")
        (tmp_path / "link").symlink_to(tmp_path / "nowhere")
        with (
            pytest.raises(RolloutUnusableError, match=r"file/rollout\.json: cannot read"),
            changing(tmp_path / "file", may_begin=True),
        ):
            pass
        with (
            pytest.raises(StorageError, match="link: cannot open"),
            changing(tmp_path / "link", may_begin=True),
        ):
            pass


class TestSignals:
    """Who interrupts gets both files or neither."""

    @pytest.mark.parametrize(
        "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]
    )
    def test_a_signal_waits_for_the_record(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
    ) -> None:
        """Sent between the append and the replacement, it comes after both."""
        root = begun(tmp_path)
        heard: list[int] = []
        rename = os.rename

        def interrupted(old: str, new: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
            assert (root / "decisions.jsonl").read_bytes().count(b"\n") == 3
            # To this thread: one that runs tests beside it would hear what it holds.
            signal.pthread_kill(threading.get_ident(), number)
            time.sleep(0.01)
            assert heard == []
            rename(old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

        def hear(*_: object) -> None:
            heard.append((root / "rollout.json").read_bytes().count(b'"count": 3'))

        monkeypatch.setattr(os, "rename", interrupted)
        before = signal.signal(number, hear)
        try:
            commit(root, OPENED)
        finally:
            signal.signal(number, before)
        assert heard == [1]
        assert verified(root).is_whole


class TestTwoAtOnce:
    """One changes, the other waits and sees what became of it."""

    def test_the_other_sees_that_it_moved(self, tmp_path: Path) -> None:
        """What it knew before it waited is compared with what it finds."""
        root = begun(tmp_path)
        moved: list[bool] = []
        found: list[int] = []

        def wait() -> None:
            with changing(root) as change:
                moved.append(change.has_moved)
                found.append(change.current.decisions.count)

        with changing(root) as change:
            assert not change.has_moved
            other = threading.Thread(target=wait)
            other.start()
            time.sleep(0.3)
            assert found == []
            change.commit(made(OPENED, change.count))
        other.join()
        assert (moved, found) == ([True], [3])

    def test_waiting_ends(self, tmp_path: Path) -> None:
        """A change that never ends is told of."""
        root = begun(tmp_path)
        with (
            changing(root),
            pytest.raises(BusyError, match="another tau-rollout-gate"),
            changing(root, wait_seconds=0.05),
        ):
            pass

    def test_a_change_of_nothing_has_no_standing(self, tmp_path: Path) -> None:
        """Before the first decision there is none."""
        with changing(tmp_path, may_begin=True) as change:
            assert isinstance(change, Change)
            assert change.standing is None
            with pytest.raises(RolloutUnusableError):
                _ = change.current
