"""What has expired is removed from the disk, and nothing else is."""

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from tau_custom_command.contract.channel import ArtifactEntry
from tau_custom_command.contract.writes import AppendLines
from tau_custom_command.cycle.artifacts import Attempt, index_writes
from tau_custom_command.cycle.execution import MOST_TEXT_BYTES, Ended, Stream
from tau_custom_command.errors import StateDirectoryBusyError, StorageError
from tau_custom_command.storage.artifacts import forget, remove_expired, store
from tau_custom_command.storage.lock import locked
from tau_custom_command.storage.state_directory import write
from tau_custom_command.storage.sync import NOT_TO_DISK, TO_DISK

DAY = 24 * 60 * 60 * 1000
LONG = b"x" * (MOST_TEXT_BYTES + 1)
CYCLE = "0000000000001-00000001-0a1b2c3d"
STORE = "channel-store/custom-command"


def stored(root: Path, channel: str, place: int, *, days: int | None) -> None:
    """Store the output of a run, made on the day of its place, and name it in the index."""
    attempt = Attempt(CYCLE, place, "RUN:x:1", 1)
    ended = Ended(started=True, command_line="x", stdout=Stream(LONG, len(LONG)))
    with locked(root, wait_seconds=0) as lock:
        now_unix_ms = place * DAY
        kept = store(lock, channel, attempt, ended, TO_DISK, now_unix_ms=now_unix_ms, days=days)
        write(lock, index_writes(channel, [kept]), NOT_TO_DISK)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a state directory with artifacts of two commands, each a day younger."""
    root = tmp_path / "state"
    stored(root, "one", 0, days=None)
    stored(root, "two", 1, days=10)
    stored(root, "two", 2, days=10)
    (root / STORE / "three").mkdir()  # it never had any
    return root


def test_an_artifact_is_the_bytes_that_its_line_names(root: Path) -> None:
    """Size and digest are those of the file; both are their owner's alone."""
    found = 0
    for index in root.rglob("index.jsonl"):
        for line in index.read_bytes().splitlines():
            entry = ArtifactEntry.parse(line)
            path = index.parent.parent / entry.relative_path
            assert path.read_bytes() == LONG
            assert (entry.bytes, entry.checksum_sha256) == (len(LONG), sha256(LONG).hexdigest())
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            found += 1
        assert stat.S_IMODE(index.parent.stat().st_mode) == 0o700
    assert found == 3


def test_what_was_cut_off_is_forgotten(root: Path) -> None:
    """The artifacts of an attempt that no index will name go, with what was half written."""
    before = files(root)
    attempt = Attempt(CYCLE, 7, "RUN:x:7", 1)
    for path in (attempt.files("two")[0], attempt.files("two")[3]):
        (root / path).write_bytes(b"half")
    with locked(root, wait_seconds=0) as lock:
        forget(lock, "two", attempt)
        forget(lock, "two", attempt)
        forget(lock, "never", attempt)
        assert files(root) == before
        (root / ".lock").unlink()
        with pytest.raises(StateDirectoryBusyError, match="the lock is lost"):
            forget(lock, "two", attempt)


def test_without_the_lock_nothing_is_stored(root: Path) -> None:
    """It would lie in a directory of another runner, named by no index."""
    before = files(root)
    ended = Ended(started=True, command_line="x", stderr=Stream(LONG, len(LONG)))
    attempt = Attempt(CYCLE, 7, "RUN:x:7", 1)
    with locked(root, wait_seconds=0) as lock:
        (root / ".lock").unlink()
        with pytest.raises(StateDirectoryBusyError, match="the lock is lost"):
            store(lock, "two", attempt, ended, NOT_TO_DISK, now_unix_ms=0, days=1)
        short = ended._replace(stderr=Stream(b"x", 1))
        assert store(lock, "two", attempt, short, NOT_TO_DISK, now_unix_ms=0, days=1) == short
    assert files(root) == before


def test_what_stands_in_its_way_is_told(root: Path, tmp_path: Path) -> None:
    """And a link there is not followed."""
    before = files(root)
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    link = root / STORE / "two/artifacts" / f"{CYCLE}-7-1-stdout.txt.new"
    link.symlink_to(outside)
    ended = Ended(started=True, command_line="x", stdout=Stream(LONG, len(LONG)))
    attempt = Attempt(CYCLE, 7, "RUN:x:7", 1)
    with (
        locked(root, wait_seconds=0) as lock,
        pytest.raises(StorageError, match=f"{CYCLE}-7-1-stdout.txt.new: cannot write: it is a sym"),
    ):
        store(lock, "two", attempt, ended, NOT_TO_DISK, now_unix_ms=0, days=1)
    link.unlink()
    assert (files(root), outside.read_bytes()) == (before, b"mine")


def test_commands_store_side_by_side(tmp_path: Path) -> None:
    """Also the first ones of a directory, whose folders both make."""
    ended = Ended(started=True, command_line="x", stdout=Stream(LONG, len(LONG)))
    for round_ in range(20):
        root = tmp_path / str(round_)
        with locked(root, wait_seconds=0) as lock, ThreadPoolExecutor(4) as threads:
            jobs = [
                threads.submit(
                    store,
                    lock,
                    f"c{place}",
                    Attempt(CYCLE, place, "RUN:x:1", 1),
                    ended,
                    NOT_TO_DISK,
                    now_unix_ms=0,
                    days=1,
                )
                for place in range(4)
            ]
            assert [len(job.result().artifacts) for job in jobs] == [1] * 4
        assert {*files(root).values()} == {LONG}
        assert len(files(root)) == 4


def removed(root: Path, *, day: int) -> tuple[str, ...]:
    """Remove what has expired on a day; return what was told."""
    with locked(root, wait_seconds=0) as lock:
        return remove_expired(lock, NOT_TO_DISK, now_unix_ms=day * DAY)


def files(root: Path) -> dict[str, bytes]:
    """Return the artifacts on disk and the indexes, by path."""
    store = root / "channel-store/custom-command"
    found = store.rglob("artifacts/*")
    return {str(path.relative_to(store)): path.read_bytes() for path in found if path.is_file()}


def test_the_file_and_its_line_go_on_the_day(root: Path) -> None:
    """Not a day before; other channels, and what never expires, stay."""
    before = files(root)
    assert removed(root, day=10) == ()
    assert files(root) == before
    assert removed(root, day=11) == ()
    first, second = before["two/artifacts/index.jsonl"].splitlines(keepends=True)
    gone = f"two/{ArtifactEntry.parse(first).relative_path}"
    expected = {path: content for path, content in before.items() if path != gone}
    assert files(root) == expected | {"two/artifacts/index.jsonl": second}
    assert removed(root, day=11) == ()
    assert removed(root, day=999) == ()
    assert {path.partition("/")[0] for path in files(root) if path.endswith(".txt")} == {"one"}
    assert files(root)["two/artifacts/index.jsonl"] == b""


def test_what_no_index_names_stays(root: Path) -> None:
    """An operator's own file beside the artifacts, and a copy of one."""
    folder = root / "channel-store/custom-command/two/artifacts"
    (folder / "notes.txt").write_bytes(b"mine")
    (folder / f"{CYCLE}-9-1-stdout.txt").write_bytes(LONG)
    removed(root, day=999)
    assert {path.name for path in folder.iterdir()} == {
        "index.jsonl",
        "notes.txt",
        f"{CYCLE}-9-1-stdout.txt",
    }


def test_a_file_that_is_gone_already_is_no_fault(root: Path) -> None:
    """So what was cut off between the file and its line is completed."""
    for path in root.rglob("*.txt"):
        path.unlink()
    assert removed(root, day=999) == ()
    assert files(root)["two/artifacts/index.jsonl"] == b""


def test_a_link_or_a_folder_in_the_place_of_a_file_stays(root: Path, tmp_path: Path) -> None:
    """It is told once, and what the link leads to is as it was."""
    outside = tmp_path / "outside.txt"
    outside.write_bytes(b"mine")
    one, other = sorted((root / "channel-store/custom-command/two/artifacts").glob("*.txt"))
    one.unlink()
    one.symlink_to(outside)
    other.unlink()
    other.mkdir()
    assert sorted(removed(root, day=999)) == [
        f"{one}: is no file, so it was not removed",
        f"{other}: is no file, so it was not removed",
    ]
    assert (outside.read_bytes(), one.is_symlink(), other.is_dir()) == (b"mine", True, True)
    assert removed(root, day=999) == ()


@pytest.mark.parametrize("linked", ["two/artifacts", "two/artifacts/index.jsonl"])
def test_a_link_on_the_way_is_not_followed(root: Path, tmp_path: Path, linked: str) -> None:
    """Nothing behind it is removed, and it is told as what it is."""
    path = root / "channel-store/custom-command" / linked
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    before = {each: each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()}
    with pytest.raises(StorageError, match="is a symbolic link, which is not followed"):
        removed(root, day=999)
    assert {each: each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()} == before


def test_an_index_that_is_no_file_is_refused(root: Path) -> None:
    """It is told, and nothing is removed."""
    path = root / "channel-store/custom-command/two/artifacts/index.jsonl"
    path.unlink()
    path.mkdir()
    with pytest.raises(StorageError, match=r"index[.]jsonl: cannot remove what has expired: Is a"):
        removed(root, day=999)


@pytest.mark.parametrize("path", ["notes", "three/artifacts"])
def test_a_file_among_the_folders_stops_nothing(root: Path, path: str) -> None:
    """What has no index has no artifacts; it stays, and the others go."""
    (root / STORE / path).write_bytes(b"mine")
    assert removed(root, day=999) == ()
    assert (root / STORE / path).read_bytes() == b"mine"
    assert files(root)["two/artifacts/index.jsonl"] == b""


def test_without_the_lock_nothing_is_removed(root: Path) -> None:
    """Another runner may be at work there."""
    before = files(root)
    with locked(root, wait_seconds=0) as lock:
        (root / ".lock").unlink()
        with pytest.raises(StateDirectoryBusyError, match="the lock is lost"):
            remove_expired(lock, NOT_TO_DISK, now_unix_ms=999 * DAY)
    assert files(root) == before


def test_an_index_grows_by_whole_lines(root: Path) -> None:
    """A torn line is moved aside before the next one is added, as in every log."""
    path = root / "channel-store/custom-command/two/artifacts/index.jsonl"
    with path.open("ab") as file:
        file.write(b'{"id"')
    removed(root, day=11)
    assert path.read_bytes().endswith(b'{"id"')
    with locked(root, wait_seconds=0) as lock:
        again = AppendLines(path=str(path.relative_to(root)), lines=(b"{}\n",))
        assert len(write(lock, [again], NOT_TO_DISK)) == 1
    assert path.read_bytes().endswith(b"\n{}\n")
    assert path.with_name("index.jsonl.corrupt").read_bytes() == b'{"id"\n'


IN_A_PROCESS = """
import sys
from pathlib import Path
from tau_custom_command.cycle.artifacts import Attempt
from tau_custom_command.cycle.execution import MOST_KEPT_BYTES, Ended, Stream
from tau_custom_command.storage.artifacts import store
from tau_custom_command.storage.lock import locked
from tau_custom_command.storage.sync import TO_DISK

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))

with locked(Path(sys.argv[1]), wait_seconds=0) as lock:
    for size in (20_000, MOST_KEPT_BYTES):
        streams = [Stream(letter * size, size) for letter in (b"x", b"y")]
        ended = Ended(started=True, command_line="x", stdout=streams[0], stderr=streams[1])
        before = peak()
        attempt = Attempt("cycle", size, "RUN:x:1", 1)
        store(lock, "one", attempt, ended, TO_DISK, now_unix_ms=1, days=1)
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_two_artifacts_of_a_mib_are_stored_in_no_memory(tmp_path: Path) -> None:
    """They are written as they are held."""
    done = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS, tmp_path / "state"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 500_000
    sizes = sorted(path.stat().st_size for path in tmp_path.rglob("*.txt"))
    assert sizes == [20_000, 20_000, 1024 * 1024, 1024 * 1024]
