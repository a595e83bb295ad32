"""Files on a real disk: whole lines, whole files, private, one writer at a time."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tau_custom_command.contract.writes import AppendAt, AppendLines, CreateFile, ReplaceFile, Write
from tau_custom_command.errors import StateDirectoryBusyError, StorageError
from tau_custom_command.storage import apply, locate, lock
from tau_custom_command.storage import read as file_reading
from tests.custom_command.running import PATIENCE_SECONDS, environment, rotate

UMASKS = [0o000, 0o022, 0o277, 0o777]


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Have another umask for a while."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    """Return a file's permissions."""
    return stat.S_IMODE(path.lstat().st_mode)


def write_all(root: Path, writes: Sequence[Write]) -> None:
    """Carry out the writes below `root`, as a cycle's are once they are committed."""
    apply.bring_up(root, tuple(locate.place(root, writes)))


def append(root: Path, *lines: bytes, path: str = "log.jsonl") -> None:
    """Append lines below `root`."""
    write_all(root, [AppendLines(path=path, lines=lines)])


def replace(root: Path, content: bytes, path: str = "state.json") -> None:
    """Replace a file below `root`."""
    write_all(root, [ReplaceFile(path=path, content=content)])


def python(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=PATIENCE_SECONDS,
        check=False,
    )


class TestAppending:
    """Logs grow by whole lines."""

    def test_lines_are_added_in_order(self, tmp_path: Path) -> None:
        """What is there stays, byte for byte, and the new lines follow."""
        append(tmp_path, b"one\n", b"two\n")
        append(tmp_path, b"three\n")
        assert (tmp_path / "log.jsonl").read_bytes() == b"one\ntwo\nthree\n"

    def test_folders_are_made(self, tmp_path: Path) -> None:
        """A channel's folder is made when its first line is written."""
        append(tmp_path, b"one\n", path="a/b/log.jsonl")
        assert (tmp_path / "a/b/log.jsonl").read_bytes() == b"one\n"

    @pytest.mark.parametrize(
        ("before", "kept"),
        [
            (b"one\ntw", b"one\n"),
            (b"tw", b""),
            (b"one\n" + b"x" * 200_000, b"one\n"),
            (b"one\n" + b"x" * 65_536, b"one\n"),
            (b"x" * 65_536, b""),
            (b"one\n\x00\xff", b"one\n"),
        ],
        ids=["short", "only line", "long", "one block", "block without a line", "binary"],
    )
    def test_a_torn_last_line_is_moved_aside_first(
        self, tmp_path: Path, before: bytes, kept: bytes
    ) -> None:
        """Bytes after the last line break go to `.corrupt`; the log goes on with whole lines."""
        log = tmp_path / "log.jsonl"
        log.write_bytes(before)
        append(tmp_path, b"three\n")
        assert log.read_bytes() == kept + b"three\n"
        corrupt = tmp_path / "log.jsonl.corrupt"
        assert corrupt.read_bytes().removesuffix(b"\n") == before.removeprefix(kept)
        assert mode(corrupt) == 0o600

    def test_torn_lines_of_several_times_are_all_kept(self, tmp_path: Path) -> None:
        """Nothing that was torn is lost when another line tears later."""
        for torn in (b"first", b"second"):
            with (tmp_path / "log.jsonl").open("ab") as log:
                log.write(torn)
            append(tmp_path, b"whole\n")
        assert (tmp_path / "log.jsonl").read_bytes() == b"whole\nwhole\n"
        assert (tmp_path / "log.jsonl.corrupt").read_bytes() == b"first\nsecond\n"

    def test_whole_lines_leave_no_corrupt_file(self, tmp_path: Path) -> None:
        """Where nothing is torn, nothing is moved aside."""
        append(tmp_path, b"one\n")
        append(tmp_path, b"two\n")
        assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]

    def test_an_append_that_fails_leaves_no_part_of_a_line(self, tmp_path: Path) -> None:
        """Where the disk takes only part of the lines, those are whole: none is torn."""
        append(tmp_path, b"one\n")
        done = python(WRITE_WITH_A_LIMIT, tmp_path, "append")
        assert "StorageError" in done.stdout, done.stderr
        assert "log.jsonl" in done.stdout
        assert "File too large" in done.stdout
        assert (tmp_path / "log.jsonl").read_bytes() == b"one\n" + b"x" * 700 + b"\n"


WRITE_WITH_A_LIMIT = """
import resource, sys
from pathlib import Path
from tau_custom_command.storage import apply, locate, lock, read
from tau_custom_command.errors import StorageError
from tau_custom_command.contract.writes import AppendLines, ReplaceFile
root, kind = Path(sys.argv[1]), sys.argv[2]
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
write = {
    "append": AppendLines(path="log.jsonl", lines=(b"x" * 700 + b"\\n",) * 2),
    "replace": ReplaceFile(path="state.json", content=b"y" * 2_000),
}
outcome = "no error"
try:
    if kind == "own":
        apply.create_file(root / "mine.json", b"z" * 2_000)
    else:
        apply.bring_up(root, tuple(locate.place(root, [write[kind]])))
except StorageError as error:
    outcome = f"StorageError: {error}"
finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
print(outcome)
"""


class TestReplacing:
    """Whole files are replaced by rename."""

    def test_a_file_is_replaced_whole(self, tmp_path: Path) -> None:
        """The new content is all there is, and nothing is left beside it."""
        replace(tmp_path, b"a long first content")
        replace(tmp_path, b"short")
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
            "state.json": b"short"
        }

    def test_who_has_the_file_open_still_reads_the_earlier_one(self, tmp_path: Path) -> None:
        """A replacement is another file under the same name, so no reader sees a mixture."""
        replace(tmp_path, b"earlier")
        with (tmp_path / "state.json").open("rb") as opened:
            replace(tmp_path, b"later!!")
            assert opened.read() == b"earlier"

    def test_a_reader_never_sees_a_partial_file(self, tmp_path: Path) -> None:
        """While one writes again and again, each reading is one of the contents, whole."""
        contents = {letter * 300_000 for letter in (b"a", b"b")}
        replace(tmp_path, b"a" * 300_000)
        stop = threading.Event()

        def write() -> None:
            while not stop.is_set():
                for content in contents:
                    replace(tmp_path, content)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            seen = {(tmp_path / "state.json").read_bytes() for _ in range(200)}
        finally:
            stop.set()
            writer.join()
        assert seen <= contents

    def test_a_write_that_fails_leaves_the_earlier_file(self, tmp_path: Path) -> None:
        """Where the disk takes only part of it, the earlier file stands as it was."""
        replace(tmp_path, b"earlier")
        done = python(WRITE_WITH_A_LIMIT, tmp_path, "replace")
        assert "StorageError" in done.stdout, done.stderr
        assert (tmp_path / "state.json").read_bytes() == b"earlier"

    def test_after_a_failed_write_the_next_one_succeeds(self, tmp_path: Path) -> None:
        """What a failed write leaves does not stand in the way of the next."""
        python(WRITE_WITH_A_LIMIT, tmp_path, "replace")
        replace(tmp_path, b"later")
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
            "state.json": b"later"
        }

    def test_create_leaves_what_is_there(self, tmp_path: Path) -> None:
        """A file that is only to be created is not touched where there is one."""
        for content in (b"first", b"second"):
            write_all(tmp_path, [CreateFile(path="a/schema.json", content=content)])
        assert (tmp_path / "a/schema.json").read_bytes() == b"first"
        assert mode(tmp_path / "a/schema.json") == 0o600


class TestPermissions:
    """Output may hold secrets: nobody else reads it, whatever the umask."""

    @pytest.mark.parametrize("mask", UMASKS, ids=oct)
    def test_files_are_0600_and_folders_0700(self, tmp_path: Path, mask: int) -> None:
        """Every file and folder that is made is the owner's alone, and usable by the owner."""
        root = tmp_path / "new" / "state"
        with umask(mask), lock.locked(root, wait_seconds=0):
            append(root, b"one\n", path="a/b/log.jsonl")
            replace(root, b"{}", path="c/state.json")
            write_all(root, [CreateFile(path="d/schema.json", content=b"{}")])
        found = {path: mode(path) for path in (tmp_path / "new").rglob("*")}
        assert {path.name: m for path, m in found.items() if path.is_file()} == {
            ".lock": 0o600,
            "log.jsonl": 0o600,
            "state.json": 0o600,
            "schema.json": 0o600,
        }
        folders = [tmp_path / "new", *(path for path in found if path.is_dir())]
        assert {mode(path) for path in folders} == {0o700}

    @pytest.mark.parametrize("mask", UMASKS, ids=oct)
    def test_the_umask_does_not_lock_out_an_ordinary_user(self, mask: int) -> None:
        """Also one who is not root, and whom permissions bind, can write and write again."""
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o777)
            done = python(WRITE_AS_NOBODY, folder, mask)
            assert done.stdout == "b'one\\ntwo\\n' b'{}'\n", done.stderr
            written = [path for path in Path(folder).rglob("*") if path.is_file()]
            assert {mode(path) for path in written} == {0o600}
            assert len(written) == 3

    def test_a_log_that_others_could_read_is_made_private(self, tmp_path: Path) -> None:
        """Appending to a log of wider permissions narrows them."""
        log = tmp_path / "log.jsonl"
        log.touch(mode=0o644)
        log.chmod(0o644)
        append(tmp_path, b"one\n")
        assert mode(log) == 0o600

    def test_the_operators_own_file_has_ordinary_permissions(self, tmp_path: Path) -> None:
        """A starter fixture is a file like any other: the umask decides."""
        with umask(0o022):
            apply.create_file(tmp_path / "fixture.json", b"{}")
        assert mode(tmp_path / "fixture.json") == 0o644


WRITE_AS_NOBODY = """
import os, sys
from pathlib import Path
from tau_custom_command.storage import apply, locate, lock, read
from tau_custom_command.contract.writes import AppendLines, ReplaceFile
root, mask = Path(sys.argv[1]) / "new" / "state", int(sys.argv[2])
is_root = os.geteuid() == 0
before = os.umask(mask)
if is_root:
    os.seteuid(65534)
try:
    for line in (b"one\\n", b"two\\n"):
        with lock.locked(root, wait_seconds=0):
            apply.bring_up(root, tuple(locate.place(root, [
                AppendLines(path="a/b/log.jsonl", lines=(line,)),
                ReplaceFile(path="c/state.json", content=b"{}"),
            ])))
    read = [(root / name).read_bytes() for name in ("a/b/log.jsonl", "c/state.json")]
finally:
    os.umask(before)
    if is_root:
        os.seteuid(0)
print(*read)
"""


class TestSymbolicLinks:
    """Nobody can lead the runtime to write elsewhere."""

    def test_a_log_that_is_a_link_is_refused(self, tmp_path: Path) -> None:
        """The file that the link points at is not appended to."""
        victim = tmp_path / "victim"
        victim.write_bytes(b"precious\n")
        (tmp_path / "log.jsonl").symlink_to(victim)
        with pytest.raises(StorageError, match=r"log\.jsonl: cannot write"):
            append(tmp_path, b"one\n")
        assert victim.read_bytes() == b"precious\n"

    def test_a_dangling_link_makes_no_file_elsewhere(self, tmp_path: Path) -> None:
        """A link to nothing is not followed either."""
        (tmp_path / "log.jsonl").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(StorageError):
            append(tmp_path, b"one\n")
        assert not (tmp_path / "elsewhere").exists()

    @pytest.mark.parametrize("name", ["state.json", "state.json.new"])
    def test_replacing_never_writes_through_a_link(self, tmp_path: Path, name: str) -> None:
        """Whichever name is a link, what it points at stays as it is."""
        victim = tmp_path / "victim"
        victim.write_bytes(b"precious")
        (tmp_path / name).symlink_to(victim)
        try:
            replace(tmp_path, b"new")
        except StorageError:
            assert not (tmp_path / "state.json").exists()
        else:
            assert (tmp_path / "state.json").read_bytes() == b"new"
            assert not (tmp_path / "state.json").is_symlink()
        assert victim.read_bytes() == b"precious"

    @pytest.mark.parametrize("link", ["a", "a/b"])
    def test_a_folder_that_is_a_link_is_refused(self, tmp_path: Path, link: str) -> None:
        """No folder on the way below the state directory may lead elsewhere."""
        elsewhere, root = tmp_path / "elsewhere", tmp_path / "root"
        (elsewhere / "b").mkdir(parents=True)
        (root / link).parent.mkdir(parents=True)
        (root / link).symlink_to(elsewhere)
        for write in (
            AppendLines(path="a/b/log.jsonl", lines=(b"one\n",)),
            ReplaceFile(path="a/b/MEMORY.md", content=b"one\n"),
            CreateFile(path="a/b/schema.json", content=b"one\n"),
        ):
            with pytest.raises(StorageError, match="cannot write"):
                write_all(root, [write])
        assert [path for path in elsewhere.rglob("*") if path.is_file()] == []

    def test_a_corrupt_file_that_is_a_link_is_refused(self, tmp_path: Path) -> None:
        """Torn bytes are not moved through a link, and are not lost either."""
        victim = tmp_path / "victim"
        victim.write_bytes(b"precious\n")
        (tmp_path / "log.jsonl").write_bytes(b"one\ntorn")
        (tmp_path / "log.jsonl.corrupt").symlink_to(victim)
        with pytest.raises(StorageError):
            append(tmp_path, b"two\n")
        assert victim.read_bytes() == b"precious\n"
        assert (tmp_path / "log.jsonl").read_bytes() == b"one\ntorn"

    def test_a_lock_that_is_a_link_is_refused(self, tmp_path: Path) -> None:
        """The process id is not written into another file."""
        victim = tmp_path / "victim"
        victim.write_bytes(b"precious")
        (tmp_path / ".lock").symlink_to(victim)
        with (
            pytest.raises(StorageError, match=f"{tmp_path}.*: cannot open: "),
            lock.locked(tmp_path, wait_seconds=0),
        ):
            pass
        assert victim.read_bytes() == b"precious"


class TestReadingTheTail:
    """The end of a log is found from its end."""

    @pytest.mark.parametrize(
        ("content", "last_line", "torn"),
        [
            (b"", None, b""),
            (b"torn", None, b"torn"),
            (b"one\n", b"one\n", b""),
            (b"one\ntwo\n", b"two\n", b""),
            (b"one\ntwo\nto", b"two\n", b"to"),
            (b"one\n\n", b"\n", b""),
            (b"\n", b"\n", b""),
            (b"a\n" + b"x" * 200_000 + b"\n", b"x" * 200_000 + b"\n", b""),
            (b"a\nb\n" + b"x" * 200_000, b"b\n", b"x" * 200_000),
            (b"a" * 65_535 + b"\n" + b"b" * 65_535 + b"\n", b"b" * 65_535 + b"\n", b""),
            (b"a\n" + b"b" * 65_536 + b"\n", b"b" * 65_536 + b"\n", b""),
        ],
        ids=[
            "empty",
            "only torn",
            "one",
            "two",
            "torn",
            "blank last",
            "only blank",
            "long",
            "torn long",
            "at a block's edge",
            "across a block's edge",
        ],
    )
    def test_the_last_whole_line_and_what_follows(
        self, tmp_path: Path, content: bytes, last_line: bytes | None, torn: bytes
    ) -> None:
        """A final line without a line break is torn: it is not the last line."""
        log = tmp_path / "log"
        log.write_bytes(content)
        assert next(file_reading.lines_backwards(log), None) == last_line
        with log.open("rb") as file:
            assert file_reading.torn_end(file.fileno()) == torn

    @pytest.mark.parametrize("ending", [b"", b"torn", b"t" * 100_000], ids=["", "torn", "long"])
    @pytest.mark.parametrize("longest", [3, 70_000, 300_000])
    def test_all_lines_from_the_last_to_the_first(
        self, tmp_path: Path, longest: int, ending: bytes
    ) -> None:
        """Read backwards in blocks, a log gives just the lines that it has."""
        lines = [b"%d " % number + b"x" * (number * 977 % longest) + b"\n" for number in range(50)]
        log = tmp_path / "log"
        log.write_bytes(b"".join(lines) + ending)
        assert list(file_reading.lines_backwards(log)) == lines[::-1]

    def test_no_log_has_no_tail(self, tmp_path: Path) -> None:
        """A log that is not there reads as empty."""
        assert list(file_reading.lines_backwards(tmp_path / "none")) == []


class TestErrors:
    """What the operating system refuses is said with the path and the action."""

    def test_reading_a_folder(self, tmp_path: Path) -> None:
        """A folder in the place of a file is named."""
        with pytest.raises(StorageError, match=f"{tmp_path}: cannot read: Is a directory"):
            file_reading.read_file(tmp_path, most_bytes=10)

    def test_reading_the_tail_of_a_folder(self, tmp_path: Path) -> None:
        """A folder in the place of a log is named."""
        with pytest.raises(StorageError, match=f"{tmp_path}: cannot read: Is a directory"):
            list(file_reading.lines_backwards(tmp_path))

    def test_a_missing_file_is_none(self, tmp_path: Path) -> None:
        """That there is no file is an answer, not an error."""
        assert file_reading.read_file(tmp_path / "none", most_bytes=10) is None

    @pytest.mark.parametrize("kind", ["append", "replace", "create"])
    def test_a_file_in_the_place_of_a_folder(self, tmp_path: Path, kind: str) -> None:
        """Where a folder should be and a file is, each way of writing says so."""
        (tmp_path / "a").write_bytes(b"")
        kinds: dict[str, Write] = {
            "append": AppendLines(path="a/x", lines=(b"\n",)),
            "replace": ReplaceFile(path="a/x", content=b""),
            "create": CreateFile(path="a/x", content=b""),
        }
        with pytest.raises(StorageError, match="cannot write: Not a directory"):
            write_all(tmp_path, [kinds[kind]])

    def test_an_error_without_words_of_its_own(self) -> None:
        """An error that the operating system gives no text for still says where and what."""
        with pytest.raises(StorageError, match=r"^a/log: cannot read: out of luck$"):
            raise_within_storage_errors(OSError("out of luck"))

    def test_creating_on_a_full_disk(self, tmp_path: Path) -> None:
        """A file that the disk has no room for is not left half written, in the way of the next."""
        done = python(WRITE_WITH_A_LIMIT, tmp_path, "own")
        assert "mine.json: cannot create: File too large" in done.stdout, done.stderr
        assert list(tmp_path.iterdir()) == []

    def test_creating_over_a_file(self, tmp_path: Path) -> None:
        """An operator's file is never overwritten."""
        (tmp_path / "mine.json").write_bytes(b"mine")
        with pytest.raises(StorageError, match=r"mine\.json: is there already; name another"):
            apply.create_file(tmp_path / "mine.json", b"theirs")
        assert (tmp_path / "mine.json").read_bytes() == b"mine"


def raise_within_storage_errors(error: OSError) -> None:
    """Raise an error where the runtime touches the disk."""
    with file_reading.storage_errors(Path("a/log"), "read"):
        raise error


HOLD = """
import sys, time
from pathlib import Path
from tau_custom_command.storage.lock import locked
with locked(Path(sys.argv[1]), wait_seconds=0):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(root: Path) -> Iterator[subprocess.Popen[str]]:
    """Have another process hold the lock; it lets go when its stdin is closed, and ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            if process.poll() is None:
                process.communicate(timeout=PATIENCE_SECONDS)


class TestTheLock:
    """One runner at a time; a crash frees the lock."""

    def test_a_second_runner_is_told_who_holds_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The one that comes second fails at once, with the holder's process id and advice."""
        with holder(tmp_path) as first:
            expected = f"{tmp_path}: locked by the process {first.pid}; .*--wait 30s"
            naps: list[float] = []
            monkeypatch.setattr(time, "sleep", naps.append)
            with (
                pytest.raises(StateDirectoryBusyError, match=expected),
                lock.locked(tmp_path, wait_seconds=0),
            ):
                pass
            monkeypatch.undo()
            assert naps == []

    def test_waiting_gives_up_after_its_time(self, tmp_path: Path) -> None:
        """Who waits for a lock that is not freed is told so after that time, not before."""
        started = time.monotonic()
        with (
            holder(tmp_path),
            pytest.raises(StateDirectoryBusyError),
            lock.locked(tmp_path, wait_seconds=0.3),
        ):
            pass
        assert time.monotonic() - started >= 0.3

    def test_waiting_gets_it_when_the_holder_ends(self, tmp_path: Path) -> None:
        """Who waits has the lock soon after the holder lets go."""
        with holder(tmp_path) as first:
            assert first.stdin is not None
            release = threading.Timer(0.2, first.stdin.close)
            release.start()
            with lock.locked(tmp_path, wait_seconds=PATIENCE_SECONDS):
                assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"
            release.join()
            first.wait(PATIENCE_SECONDS)
            first.stdin = None

    def test_a_killed_holder_frees_it(self, tmp_path: Path) -> None:
        """After kill -9 of the holder the lock is free at once, without any cleaning up."""
        with holder(tmp_path) as first:
            first.send_signal(signal.SIGKILL)
            first.wait(PATIENCE_SECONDS)
            with lock.locked(tmp_path, wait_seconds=0):
                pass

    def test_a_lock_without_a_name_in_it(self, tmp_path: Path) -> None:
        """Where the holder has not yet written who it is, the message does without."""
        with holder(tmp_path):
            (tmp_path / ".lock").write_bytes(b"")
            with (
                pytest.raises(StateDirectoryBusyError, match="locked by another runner"),
                lock.locked(tmp_path, wait_seconds=0),
            ):
                pass

    def test_an_error_inside_frees_it(self, tmp_path: Path) -> None:
        """The lock is let go however the cycle ends."""
        with pytest.raises(KeyError), lock.locked(tmp_path, wait_seconds=0):
            raise KeyError
        with lock.locked(tmp_path, wait_seconds=0):
            pass

    def test_a_longer_process_id_before_leaves_nothing(self, tmp_path: Path) -> None:
        """The file holds the present holder alone."""
        (tmp_path / ".lock").write_text("99999999999999\n")
        with lock.locked(tmp_path, wait_seconds=0):
            assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"


class TestWhatIsNoFile:
    """A pipe in the place of a state file is refused: opening it would wait for ever."""

    @pytest.mark.parametrize("name", ["state.json", "state.json.new", "log.jsonl"])
    def test_it_is_not_written(self, tmp_path: Path, name: str) -> None:
        """Neither the file nor its new content nor a log may be a pipe."""
        os.mkfifo(tmp_path / name)
        append = AppendLines(path=name, lines=(b"1\n",))
        replace = ReplaceFile(path="state.json", content=b"{}")
        writes = (append,) if name == "state.json" else (replace, append)
        with pytest.raises(StorageError, match="cannot write"):
            write_all(tmp_path, writes)

    def test_what_is_in_the_way_is_named(self, tmp_path: Path) -> None:
        """A file is made beside the one that it replaces; not that one is a folder, or a link."""
        (tmp_path / "a").mkdir()
        new = tmp_path / "a/state.json.new"
        replace = ReplaceFile(path="a/state.json", content=b"{}")
        new.mkdir()
        with pytest.raises(StorageError, match=rf"^{new}: cannot write: Is a directory$"):
            write_all(tmp_path, [replace])
        new.rmdir()
        new.symlink_to("nowhere")
        with pytest.raises(StorageError, match=rf"^{new}: cannot write: it is a symbolic link"):
            write_all(tmp_path, [replace])
        os.mkfifo(tmp_path / ".lock")
        with (
            pytest.raises(StorageError, match="open: it is not a regular file"),
            lock.locked(tmp_path, wait_seconds=0),
        ):
            pass

    def test_it_is_not_read(self, tmp_path: Path) -> None:
        """Reading says what is wrong, by the path."""
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        for read in (
            file_reading.read_state_file,
            lambda p: list(file_reading.lines_backwards(p)),
        ):
            with pytest.raises(StorageError, match="pipe: cannot read: it is not a regular file"):
                read(pipe)


class TestCarriedOutAgain:
    """What was cut off is carried out again, whatever of it, and of others', stands there."""

    CHANGE = AppendAt(path="a/log", offset=4, torn=b"tor", content=b"two\nthree\n")

    @pytest.mark.parametrize("after", [b"", b"tor", b"t", b"two\nth", b"two\nthree\n"], ids=repr)
    def test_any_part_of_it_becomes_all_of_it(self, tmp_path: Path, after: bytes) -> None:
        """A second time makes no difference, nor does how far the first had come."""
        (tmp_path / "a").mkdir()
        (tmp_path / "a/log").write_bytes(b"one\n" + after)
        for is_torn in (after == b"tor", False):
            remarks = apply.bring_up(tmp_path, [self.CHANGE]).remarks
            assert ["its last line is torn" in remark for remark in remarks] == [True] * is_torn
            assert (tmp_path / "a/log").read_bytes() == b"one\ntwo\nthree\n"
        assert [path.name for path in (tmp_path / "a").iterdir()] == ["log"]

    def test_what_was_added_after_it_stays(self, tmp_path: Path) -> None:
        """Lines behind ours are nobody's to cut, as those of the next batch."""
        (tmp_path / "a").mkdir()
        (tmp_path / "a/log").write_bytes(b"one\ntwo\nthree\nfour\nfi")
        assert apply.bring_up(tmp_path, [self.CHANGE]).remarks == ()
        assert (tmp_path / "a/log").read_bytes() == b"one\ntwo\nthree\nfour\nfi"

    @pytest.mark.parametrize("foreign", [b"other\n", b"two\n\0\0\0", b"torn and more"])
    def test_what_somebody_else_wrote_is_kept_aside(self, tmp_path: Path, foreign: bytes) -> None:
        """Its bytes are never lost, and people are told where they are."""
        (tmp_path / "a").mkdir()
        (tmp_path / "a/log").write_bytes(b"one\n" + foreign)
        done = apply.bring_up(tmp_path, [self.CHANGE])
        assert (tmp_path / "a/log").read_bytes() == b"one\ntwo\nthree\n"
        kept = (tmp_path / "a/log.corrupt").read_bytes()
        assert kept.removesuffix(b"\n") == foreign.removesuffix(b"\n")
        assert "a/log.corrupt" in done.paths
        assert ["somebody else wrote to log" in remark for remark in done.remarks] == [True]

    @pytest.mark.parametrize("left", [b"", b"on", b"two\n", b"longer than it\nwas\n"])
    @pytest.mark.parametrize("is_another", [True, False])
    def test_a_log_that_was_cut_short_or_replaced_is_refused(
        self, tmp_path: Path, left: bytes, *, is_another: bool
    ) -> None:
        """Where its lines belong is never guessed from what it holds; it stays as it is."""
        log = tmp_path / "log"
        log.write_bytes(b"some lines\n")
        changes = tuple(locate.place(tmp_path, [AppendLines(path="log", lines=(b"two\n",))]))
        if is_another:
            log.rename(tmp_path / "elsewhere")
        log.write_bytes(left)
        with pytest.raises(StorageError, match=r"log: cannot write: it was cut short or replaced"):
            apply.bring_up(tmp_path, changes)
        assert log.read_bytes() == left

    def test_a_log_that_is_gone_is_refused(self, tmp_path: Path) -> None:
        """None is made in its place: the lines before these would be missing."""
        log = tmp_path / "log"
        log.write_bytes(b"one\n")
        changes = tuple(locate.place(tmp_path, [AppendLines(path="log", lines=(b"two\n",))]))
        log.unlink()
        with pytest.raises(StorageError, match="log: cannot write: it was cut short or replaced"):
            apply.bring_up(tmp_path, changes)
        assert not log.exists()

    def test_a_new_log_whose_older_one_is_gone_is_told_by_its_beginning(
        self, tmp_path: Path
    ) -> None:
        """As where logrotate keeps but one: no line is doubled, and none goes to a newer file."""
        (tmp_path / "log.1").write_bytes(b"one\n")
        changes = tuple(locate.place(tmp_path, [AppendLines(path="log", lines=(b"two\n",))]))
        apply.bring_up(tmp_path, changes)
        (tmp_path / "log").replace(tmp_path / "log.1")
        apply.bring_up(tmp_path, changes)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"log.1": b"two\n"}
        (tmp_path / "log.1").write_bytes(b"of others\n")
        (tmp_path / "log").write_bytes(b"of others, too\n")
        with pytest.raises(StorageError, match="away to give that cycle up"):
            apply.bring_up(tmp_path, changes)

    @pytest.mark.parametrize("is_first", [True, False])
    def test_a_number_that_another_file_has_by_now_is_not_believed(
        self, tmp_path: Path, *, is_first: bool
    ) -> None:
        """As where a directory was put back: older lines are no room for newer ones."""
        log, older = tmp_path / "log", tmp_path / "log.1"
        older.write_bytes(b"1\n2\n")
        if not is_first:
            log.write_bytes(b"3\n")
        changes = tuple(locate.place(tmp_path, [AppendLines(path="log", lines=(b"4\n",))]))
        (tmp_path / "log.2").write_bytes(b"0\n")
        if is_first:  # the number of `.1` is that of an older file now
            older.rename(tmp_path / "swap")
            (tmp_path / "log.2").rename(older)
            (tmp_path / "swap").rename(tmp_path / "log.2")
            older.write_bytes(b"1\n2\n")
            (tmp_path / "log.2").write_bytes(b"0\n")
        else:  # the number of the log is that of `.1` now
            log.rename(tmp_path / "swap")
            older.rename(log)
            (tmp_path / "swap").rename(older)
            log.write_bytes(b"3\n")
            older.write_bytes(b"1\n2\n")
        apply.bring_up(tmp_path, changes)
        assert older.read_bytes() == b"1\n2\n"
        assert log.read_bytes() == (b"4\n" if is_first else b"3\n4\n")
        assert not list(tmp_path.glob("*.corrupt"))

    @pytest.mark.parametrize("come", [None, b"", b"t", b"two\n"])
    def test_a_copy_made_after_a_rotation_is_completed(
        self, tmp_path: Path, come: bytes | None
    ) -> None:
        """The log was rotated just before, so that there was none yet; in the copy all is other."""
        here, there = tmp_path / "here", tmp_path / "there"
        for folder in (here, there):
            folder.mkdir()
            (folder / "log.1").write_bytes(b"one\n")
        write = AppendLines(path="log", lines=(b"two\n",))
        changes = tuple(locate.place(here, [write, AppendLines(path="log", lines=(b"three\n",))]))
        (there / "log.1").rename(tmp_path / "kept")
        (there / "log.1").write_bytes(b"one\n")
        if come is not None:
            (there / "log").write_bytes(come)
        for _ in range(2):
            apply.bring_up(there, changes)
            assert (there / "log").read_bytes() == b"two\nthree\n"
            assert (there / "log.1").read_bytes() == b"one\n"

    @pytest.mark.parametrize("come", [0, 2, 4, 10])
    def test_a_directory_that_was_copied_is_completed(self, tmp_path: Path, come: int) -> None:
        """There each file is another one: the one of the same name, as long as it was, will do."""
        here, there = tmp_path / "here", tmp_path / "there"
        here.mkdir()
        (here / "log").write_bytes(b"one\n")
        write = AppendLines(path="log", lines=(b"two\n", b"three\n"))
        changes = tuple(locate.place(here, [write]))
        there.mkdir()
        (there / "log").write_bytes(b"one\n" + b"two\nthree\n"[:come])
        for _ in range(2):
            apply.bring_up(there, changes)
            assert (there / "log").read_bytes() == b"one\ntwo\nthree\n"

    @pytest.mark.parametrize("there", [None, b"", b"one\n"], ids=repr)
    @pytest.mark.parametrize("come", [0, 2, 4, 7, None], ids=repr)
    @pytest.mark.parametrize("new", [None, b"", b"four\n"], ids=repr)
    @pytest.mark.parametrize("rotations", [1, 2])
    @pytest.mark.parametrize("older", [True, False])
    def test_lines_are_in_one_file_however_often_it_was_rotated(  # noqa: PLR0913 - a table
        self,
        tmp_path: Path,
        there: bytes | None,
        come: int | None,
        new: bytes | None,
        rotations: int,
        *,
        older: bool,
    ) -> None:
        """Cut off after so many bytes, rotated by somebody else, and then carried out, often."""
        log = tmp_path / "log"
        if there is not None:
            log.write_bytes(there)
        if older:
            (tmp_path / "log.1").write_bytes(b"two\n")
        changes = tuple(locate.place(tmp_path, [AppendLines(path="log", lines=(b"two\n", b"3\n"))]))
        if come != 0:
            apply.bring_up(tmp_path, changes)
            end = len(there or b"") + (come or len(b"two\n3\n"))
            os.truncate(log, min(end, log.stat().st_size))
        for _ in range(rotations):
            log.touch()  # no rotation without a log
            rotate(log)
        if new is not None:
            log.write_bytes(new)
        for _ in range(3):
            apply.bring_up(tmp_path, changes)
        there_now = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        expected = [b"two\n"] * older + [there or b"", b"two\n3\n", new or b""]
        assert b"".join(there_now[name] for name in sorted(there_now, reverse=True)) == b"".join(
            expected
        )

    @pytest.mark.parametrize("come", [True, False])
    @pytest.mark.parametrize("rotations", [0, 1, 2])
    @pytest.mark.parametrize("new", [None, b"four\n"])
    def test_a_log_that_is_replaced_may_be_rotated(
        self, tmp_path: Path, rotations: int, new: bytes | None, *, come: bool
    ) -> None:
        """The file itself is, under whatever name; no other one, and not twice."""
        log = tmp_path / "log"
        log.write_bytes(b"one\nbad\ntwo\n")
        change = ReplaceFile(
            path="log", content=b"one\ntwo\n", instead_of=locate.version_of_file(log)
        )
        if come:
            apply.bring_up(tmp_path, [change])
        for _ in range(rotations):
            log.open("ab").close()  # no rotation without a log
            rotate(log)
        if new is not None:
            with log.open("ab") as file:
                file.write(new)
        for _ in range(3):
            apply.bring_up(tmp_path, [change])
        there = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        lines = b"".join(there[name] for name in sorted(there, reverse=True))
        if (rotations, come, new) == (0, False, b"four\n"):  # written to meanwhile: left alone
            assert lines == b"one\nbad\ntwo\nfour\n"
        else:
            assert lines == b"one\ntwo\n" + (new or b"")

    def test_two_appends_to_one_log_follow_each_other(self, tmp_path: Path) -> None:
        """Where a batch has a log twice, the second goes where the first ends."""
        log = [AppendLines(path="log", lines=(line,)) for line in (b"one\n", b"two\n")]
        write_all(tmp_path, log)
        assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"


def test_a_lock_file_that_was_removed_locks_nothing(tmp_path: Path) -> None:
    """Whoever waits for a lock file that is then removed takes the new one, not the old one."""
    with lock.locked(tmp_path, wait_seconds=0):
        (tmp_path / ".lock").unlink()
        with lock.locked(tmp_path, wait_seconds=0):
            assert (tmp_path / ".lock").exists()
