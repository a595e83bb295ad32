"""Evidence as plain `tar` and `sha256sum -c` read it: whole, safe, private, once."""

import os
import socket
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tau_rollout_gate.errors import StorageError
from tau_rollout_gate.files.incident.archive import MANIFEST, NOTES, Source, safe_name
from tau_rollout_gate.files.incident.capture import Captured, capture
from tests.rollout_gate.files.test_rollout_directory import contents, largest_file, mode, umask
from tests.rollout_gate.making import ENTERED


@contextmanager
def opened(root: Path) -> Iterator[int]:
    """Give the open descriptor of a folder, which is made if it is not there."""
    root.mkdir(exist_ok=True)
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def captured(root: Path, *sources: Source) -> Captured:
    """Capture the sources into a rollout directory."""
    with opened(root) as folder:
        return capture(root, folder, sources, release="1.4.0", now_unix_ms=ENTERED)


def unpacked(archive: Captured, folder: Path) -> Path:
    """Unpack an archive with `tar`, hold it against its manifest, and return its top folder."""
    folder.mkdir()
    subprocess.run(["tar", "-xzf", archive.path, "-C", folder], check=True)  # noqa: S607 - found by PATH as people have it
    top = folder / archive.incident
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", MANIFEST],  # noqa: S607 - as above
        cwd=top,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in folder.iterdir()] == [archive.incident]
    lines = (top / MANIFEST).read_text().splitlines()
    listed = {line.partition("  ")[2] for line in lines if not line.startswith("#")}
    assert listed == contents(top).keys() - {MANIFEST}
    return top


def state_dir(tmp_path: Path) -> Path:
    """Return a state directory with files of several kinds."""
    state = tmp_path / "state"
    (state / "store" / "empty").mkdir(parents=True)
    (state / "state.json").write_bytes(b"{}")
    (state / "store" / "log.jsonl").write_bytes(os.urandom(300_000))
    (state / "nothing").write_bytes(b"")
    return state


def poured(writing: int, content: bytes) -> None:
    """Write content into a pipe, and close it."""
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(content)


class TestArchive:
    """What went in comes out."""

    @pytest.mark.parametrize("size", [0, 5, 300_000])
    def test_a_pipe_that_is_attached_is_a_file_of_its_content(
        self, tmp_path: Path, size: int
    ) -> None:
        """Read to its end, however much it holds at a time; an empty one is noted."""
        content = os.urandom(size)
        reading, writing = os.pipe()
        writer = Thread(target=poured, args=(writing, content))
        writer.start()
        piped = Source(path=Path(f"/dev/fd/{reading}"), name="attached/1-x", pipe_bytes=1_000_000)
        archive = captured(tmp_path / "r", piped)
        writer.join()
        os.close(reading)
        top = unpacked(archive, tmp_path / "out")
        assert (top / "attached" / "1-x").read_bytes() == content
        assert archive.lacking == ()
        assert archive.left_out == (() if size else ("attached/1-x is a pipe that held nothing",))

    def test_a_pipe_without_an_end_is_cut(self, tmp_path: Path) -> None:
        """Its beginning is there, and that it is one is told."""
        reading, writing = os.pipe()
        os.write(writing, b"x" * 1001)
        piped = Source(path=Path(f"/dev/fd/{reading}"), name="attached/1-x", pipe_bytes=1000)
        archive = captured(tmp_path / "r", piped)
        os.close(writing)
        os.close(reading)
        assert (unpacked(archive, tmp_path / "out") / "attached/1-x").read_bytes() == b"x" * 1000
        assert archive.lacking == (
            "attached/1-x: is a pipe with more than 1000 bytes, which are its beginning",
        )

    def test_plain_tools_read_it(self, tmp_path: Path) -> None:
        """Byte for byte, with empty folders and files, each listed in the manifest."""
        state = state_dir(tmp_path)
        (tmp_path / "report.json").write_bytes(b"report")
        archive = captured(
            tmp_path / "r",
            Source(path=state, name="state/custom-command"),
            Source(path=tmp_path / "report.json", name="attached/1-report.json"),
        )
        top = unpacked(archive, tmp_path / "out")
        assert contents(top / "state" / "custom-command") == contents(state)
        assert (top / "state" / "custom-command" / "store" / "empty").is_dir()
        assert (top / "attached" / "1-report.json").read_bytes() == b"report"
        assert archive.left_out == ()
        assert f"state/custom-command is {state}" in (top / NOTES).read_text()
        digest = subprocess.run(["sha256sum", archive.path], capture_output=True, check=True)  # noqa: S607 - as above
        assert digest.stdout.decode().startswith(archive.sha256)

    @pytest.mark.parametrize("mask", [0o000, 0o077, 0o777])
    def test_it_is_private(self, tmp_path: Path, mask: int) -> None:
        """Archive and what comes out of it, whatever the umask and the modes before."""
        state = state_dir(tmp_path)
        (state / "state.json").chmod(0o4777)
        with umask(mask):
            archive = captured(tmp_path / "r", Source(path=state, name="state/s"))
        assert mode(archive.path) == 0o600
        assert mode(archive.path.parent) == 0o700
        with tarfile.open(archive.path) as tar:
            modes = {(member.isdir(), member.mode) for member in tar}
            assert modes == {(True, 0o700), (False, 0o600)}
            assert {(member.uid, member.gid, member.uname) for member in tar} == {(0, 0, "")}

    def test_paths_are_relative_and_safe(self, tmp_path: Path) -> None:
        """Every member lies below the incident's name and is a file or a folder: no link."""
        state = state_dir(tmp_path)
        (state / "-rf").write_bytes(b"")
        (state / "link").symlink_to("/etc/passwd")
        archive = captured(tmp_path / "r", Source(path=state, name="state/s"))
        with tarfile.open(archive.path) as tar:
            for member in tar:
                assert member.name.split("/")[0] == archive.incident
                assert ".." not in member.name.split("/")
                assert member.isreg() or member.isdir()
        unpacked(archive, tmp_path / "out")

    def test_links_are_recorded_not_followed(self, tmp_path: Path) -> None:
        """Neither to files nor to folders; what they point to is told."""
        state = state_dir(tmp_path)
        (tmp_path / "secret").mkdir()
        (tmp_path / "secret" / "key").write_bytes(b"key")
        (state / "file-link").symlink_to("../secret/key")
        (state / "folder-link").symlink_to(tmp_path / "secret")
        (state / "dead\x1b-link").symlink_to("no\nwhere")
        archive = captured(tmp_path / "r", Source(path=state, name="state/s"))
        top = unpacked(archive, tmp_path / "out")
        assert not any("link" in name for name in contents(top))
        notes = (top / NOTES).read_text()
        assert "state/s/file-link is a symbolic link, not followed, to ../secret/key\n" in notes
        assert f"state/s/folder-link is a symbolic link, not followed, to {tmp_path}/s" in notes
        assert r"state/s/dead%1B-link is a symbolic link, not followed, to no\nwhere" in notes
        assert len(archive.left_out) == 3

    def test_pipes_and_sockets_are_skipped_and_told(self, tmp_path: Path) -> None:
        """Opening a pipe would wait for ever."""
        state = state_dir(tmp_path)
        os.mkfifo(state / "pipe")
        with socket.socket(socket.AF_UNIX) as listener:
            here = Path.cwd()
            os.chdir(state)  # a socket's path is short
            try:
                listener.bind("socket")
            finally:
                os.chdir(here)
            archive = captured(tmp_path / "r", Source(path=state, name="state/s"))
        assert archive.left_out == (
            "state/s/pipe is left out: it is neither a file nor a folder",
            "state/s/socket is left out: it is neither a file nor a folder",
        )
        unpacked(archive, tmp_path / "out")

    @pytest.mark.parametrize(
        "name",
        ["a b", "a\nb", "a\\b", "a\rb", "%41", "naïve", "\u202ex", "x" * 200, "*", "a\udcff"],
    )
    def test_any_name_is_kept_apart_and_readable(self, tmp_path: Path, name: str) -> None:
        """The manifest has one line a file, and sha256sum finds each."""
        state = tmp_path / "state"
        state.mkdir()
        (state / name).write_bytes(b"1")
        (state / "plain").write_bytes(b"2")
        archive = captured(tmp_path / "r", Source(path=state, name="state/s"))
        top = unpacked(archive, tmp_path / "out")
        assert sorted(contents(top / "state" / "s").values()) == [b"1", b"2"]

    @given(first=st.text(max_size=5), second=st.text(max_size=5))
    @example(first="\n", second="%0A")
    @example(first="\\", second="%5C")
    def test_no_two_names_become_one(self, first: str, second: str) -> None:
        """Encoding keeps names apart, and prints."""
        assert (safe_name(first) == safe_name(second)) == (first == second)
        assert safe_name(first).isprintable()

    def test_earlier_evidence_is_left_out(self, tmp_path: Path) -> None:
        """Wherever the rollout directory is met, its folder of evidence is not packed again."""
        root = tmp_path / "state" / "r"
        root.mkdir(parents=True)
        (root / "rollout.json").write_bytes(b"{}")
        captured(root, Source(path=root, name="rollout"))
        archive = captured(
            root, Source(path=tmp_path / "state", name="state/s"), Source(path=root, name="rollout")
        )
        top = unpacked(archive, tmp_path / "out")
        assert not list(top.rglob("*.tar.gz"))
        assert (top / "rollout" / "rollout.json").exists()
        assert archive.left_out == ()
        notes = (top / NOTES).read_text()
        for place in ("state/s/r/evidence", "rollout/evidence"):
            assert f"{place} is left out: it holds the evidence of rollbacks\n" in notes

    def test_incidents_have_names_of_their_own(self, tmp_path: Path) -> None:
        """Two rollbacks of one second keep their evidence apart."""
        names = [captured(tmp_path / "r").incident for _ in range(3)]
        assert names == [f"20260101T000000Z-1.4.0{end}" for end in ("", "-2", "-3")]

    def test_a_time_that_no_calendar_has_is_no_obstacle(self, tmp_path: Path) -> None:
        """Evidence is captured at any time that can be given."""
        with opened(tmp_path / "r") as folder:
            archive = capture(tmp_path / "r", folder, (), release="1.4.0", now_unix_ms=2**63 - 1)
        unpacked(archive, tmp_path / "out")


class TestReading:
    """Files may change while they are read."""

    def test_a_log_that_grows_is_read_to_its_size_at_opening(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is appended meanwhile is not in it, and each file is read once."""
        state = state_dir(tmp_path)
        log = state / "store" / "log.jsonl"
        before, read, pieces = log.read_bytes(), os.read, list[bytes]()

        def growing(descriptor: int, size: int) -> bytes:
            piece = read(descriptor, size)
            if os.path.samestat(os.fstat(descriptor), log.stat()):
                pieces.append(piece)
                with log.open("ab") as file:
                    file.write(b"more")
            return piece

        monkeypatch.setattr(os, "read", growing)
        archive = captured(tmp_path / "r", Source(path=state, name="state/s"))
        monkeypatch.undo()
        top = unpacked(archive, tmp_path / "out")
        assert log.stat().st_size > len(before)
        assert (top / "state" / "s" / "store" / "log.jsonl").read_bytes() == before
        assert b"".join(pieces) == before

    def test_a_file_that_shrinks_is_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The archive stays readable; what is missing is zeros, and said."""
        state = state_dir(tmp_path)
        log = state / "store" / "log.jsonl"
        before, read = log.read_bytes(), os.read

        def shrinking(descriptor: int, size: int) -> bytes:
            piece = read(descriptor, size)
            if os.path.samestat(os.fstat(descriptor), log.stat()):
                os.truncate(log, len(piece))
            return piece

        monkeypatch.setattr(os, "read", shrinking)
        archive = captured(tmp_path / "r", Source(path=state, name="state/s"))
        monkeypatch.undo()
        top = unpacked(archive, tmp_path / "out")
        found = (top / "state" / "s" / "store" / "log.jsonl").read_bytes()
        assert len(found) == len(before)
        assert any("shrank while it was read" in note for note in archive.left_out)

    def test_a_file_that_goes_away_is_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between the listing and the opening a runtime may replace a file."""
        state = state_dir(tmp_path)
        listdir = os.listdir

        def and_gone(folder: int) -> list[str]:
            return [*listdir(folder), "gone"]

        monkeypatch.setattr(os, "listdir", and_gone)
        archive = captured(tmp_path / "r", Source(path=state, name="state/s"))
        assert "state/s/gone is left out: it went away meanwhile" in archive.left_out

    def test_what_may_be_missing_is_told(self, tmp_path: Path) -> None:
        """A surface whose files are lost goes back all the same."""
        source = Source(path=tmp_path / "no\nwhere", name="state/s", may_be_missing=True)
        archive = captured(tmp_path / "r", source)
        assert archive.left_out == (rf"state/s was not there: {tmp_path}/no\nwhere",)
        unpacked(archive, tmp_path / "out")


class TestLacking:
    """What cannot be read is told by name and reason; the rest is captured all the same."""

    def lacking(self, tmp_path: Path, source: Source) -> tuple[str, ...]:
        """Return what the archive of a source and a whole file lacks, as it says three times."""
        whole = tmp_path / "whole"
        whole.write_text("w")
        archive = captured(tmp_path / "r", source, Source(path=whole, name="attached/2"))
        top = unpacked(archive, tmp_path / "out")
        assert (top / "attached" / "2").read_text() == "w"
        manifest = (top / MANIFEST).read_text().splitlines()
        assert [f"# not captured: {one}" for one in archive.lacking] == [
            line for line in manifest if line.startswith("#")
        ]
        assert (top / NOTES).read_text().splitlines()[-1:] == list(archive.lacking[-1:])
        return archive.lacking

    def test_a_missing_attachment(self, tmp_path: Path) -> None:
        """It was named, so it is missed."""
        source = Source(path=tmp_path / "gone", name="attached/1")
        assert self.lacking(tmp_path, source) == (
            "attached/1: cannot be read: No such file or directory",
        )

    def test_an_attachment_that_is_no_file(self, tmp_path: Path) -> None:
        """A pipe is not waited for."""
        os.mkfifo(tmp_path / "pipe")
        (why,) = self.lacking(tmp_path, Source(path=tmp_path / "pipe", name="attached/1"))
        assert "it is not a regular file" in why

    def test_an_unreadable_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its neighbours are there."""
        state = state_dir(tmp_path)
        fail_to_open(monkeypatch, "log.jsonl")
        assert self.lacking(tmp_path, Source(path=state, name="state/s")) == (
            "state/s/store/log.jsonl: cannot be read: Permission denied",
        )

    def test_a_disk_that_fails_in_the_middle(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was read before is kept, the rest is 0."""
        path = tmp_path / "half"
        path.write_bytes(b"x" * 100)
        reader = os.read

        def failing(descriptor: int, size: int) -> bytes:
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                if os.lseek(descriptor, 0, os.SEEK_CUR) >= 40:
                    raise OSError(5, "Input/output error")
                size = 40
            return reader(descriptor, size)

        monkeypatch.setattr(os, "read", failing)
        (why,) = self.lacking(tmp_path, Source(path=path, name="attached/1"))
        assert why == ("attached/1: cannot be read: Input/output error; its last 60 bytes are 0")

    def test_folders_that_are_nested_too_deeply(self, tmp_path: Path) -> None:
        """Somebody's trap does not end in a traceback."""
        deep = tmp_path / "state"
        for _ in range(70):
            deep /= "d"
        deep.mkdir(parents=True)
        (why,) = self.lacking(tmp_path, Source(path=tmp_path / "state", name="state/s"))
        assert "nested deeper than 64" in why


class TestFailing:
    """An archive that cannot be written leaves nothing, and says why."""

    def failed(self, root: Path, *sources: Source) -> str:
        """Return the message of a capture that fails and leaves nothing."""
        with pytest.raises(StorageError) as error:
            captured(root, *sources)
        assert list((root / "evidence").iterdir()) == []
        return str(error.value)

    def test_a_full_disk(self, tmp_path: Path) -> None:
        """Half an archive is none."""
        source = Source(path=state_dir(tmp_path), name="state/s")
        with largest_file(100_000):
            message = self.failed(tmp_path / "r", source)
        assert "File too large" in message

    def test_a_link_in_place_of_the_folder(self, tmp_path: Path) -> None:
        """Evidence is not written elsewhere."""
        (tmp_path / "r").mkdir()
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "r" / "evidence").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(StorageError, match="evidence: cannot open"):
            captured(tmp_path / "r")
        assert list((tmp_path / "elsewhere").iterdir()) == []

    def test_what_a_killed_capture_left_is_removed(self, tmp_path: Path) -> None:
        """Half an archive takes no room for ever."""
        evidence = tmp_path / "r" / "evidence"
        evidence.mkdir(parents=True)
        (evidence / "20250101T000000Z-1.3.0.tar.gz.new").write_bytes(b"half")
        archive = captured(tmp_path / "r")
        assert [path.name for path in evidence.iterdir()] == [archive.path.name]
        assert stat.S_ISREG(archive.path.lstat().st_mode)


def fail_to_open(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Have the operating system refuse a file, as it does to all users but root."""
    opener = os.open

    def refusing(path: str | Path, flags: int, *rest: int, dir_fd: int | None = None) -> int:
        if Path(path).name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return opener(path, flags, *rest, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", refusing)
