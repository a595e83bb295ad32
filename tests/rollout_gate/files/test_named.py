"""Files that the command line names: read whole, pipes too, or refused."""

import os
import resource
import signal
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tau_rollout_gate.errors import ExitCode, NamedFileError, RefusedError, StorageError
from tau_rollout_gate.files import named
from tau_rollout_gate.files.named import (
    LARGEST_BYTES,
    create_named_file,
    read_named_blocks,
    read_named_file,
)
from tau_rollout_gate.files.storage import opened_file


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    """All of its bytes, also through a link, and an empty one as empty."""
    path = tmp_path / "report.json"
    path.write_bytes(b"\x00\xff\r\n")
    link = tmp_path / "link"
    link.symlink_to(path)
    assert read_named_file(path) == read_named_file(link) == b"\x00\xff\r\n"
    path.write_bytes(b"")
    assert read_named_file(path) == b""


def test_the_size_limit_is_exact(tmp_path: Path) -> None:
    """A file of the limit is read; one byte more is refused, and the limit is named."""
    path = tmp_path / "big"
    path.write_bytes(b"x" * 100)
    assert len(read_named_file(path, largest_bytes=100)) == 100
    with pytest.raises(NamedFileError, match=r"big: is larger than 99 bytes; is it the file"):
        read_named_file(path, largest_bytes=99)


def test_a_file_without_end_is_refused_at_the_limit(tmp_path: Path) -> None:
    """Only the limit is read of a file far larger than it."""
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(NamedFileError, match=f"is larger than {LARGEST_BYTES} bytes"):
        read_named_file(path)


def lines_of(path: Path, content: bytes) -> tuple[list[bytes], bytes]:
    """Return the lines of a file of up to 20 bytes, each of up to 4, and no more than 11."""
    path.write_bytes(content)
    return read_named_blocks(path, largest_bytes=20, longest_line_bytes=4, most_lines=11)


def test_lines_are_read_some_together(tmp_path: Path) -> None:
    """With their line breaks; what follows the last one apart."""
    path = tmp_path / "log"
    assert lines_of(path, b"") == ([], b"")
    assert lines_of(path, b"a\n\n1234\n") == ([b"a\n\n1234\n"], b"")
    assert lines_of(path, b"a\r\nbc") == ([b"a\r\n"], b"bc")
    assert lines_of(path, b"a\n1234") == ([b"a\n"], b"1234")
    assert lines_of(path, b"1\n" * 10) == ([b"1\n" * 10], b"")


def test_long_lines_are_read_apart(tmp_path: Path) -> None:
    """As many together as come to a block; each line is in one."""
    path, lines = tmp_path / "log", [b"x" * size + b"\n" for size in (30_000, 30_000, 90_000, 7, 8)]
    path.write_bytes(b"".join(lines))
    found, torn = read_named_blocks(
        path, largest_bytes=200_000, longest_line_bytes=99_999, most_lines=9
    )
    assert [block.count(b"\n") for block in found] == [2, 1, 2]
    assert (b"".join(found), torn) == (b"".join(lines), b"")


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_that_is_too_long_is_refused(tmp_path: Path, end: bytes) -> None:
    """It is named by its number."""
    with pytest.raises(NamedFileError, match=r"log: line 2 is longer than 4 bytes; is it the file"):
        lines_of(tmp_path / "log", b"a\n12345" + end)


def test_a_log_that_is_too_large_is_refused(tmp_path: Path) -> None:
    """In bytes, also where it grows while it is read, and in lines, since short ones cost most."""
    with pytest.raises(NamedFileError, match="is larger than 20 bytes"):
        lines_of(tmp_path / "log", b"1\n" * 10 + b"1")
    assert lines_of(tmp_path / "log", b"\n" * 11) == ([b"\n" * 11], b"")
    with pytest.raises(NamedFileError, match="or has more than 11 lines"):
        lines_of(tmp_path / "log", b"\n" * 12)
    growing = Path("/proc/self/status")  # its size is told as 0, as of a file that grows later
    if growing.exists():
        with pytest.raises(NamedFileError, match="is larger than 20 bytes"):
            read_named_blocks(growing, largest_bytes=20, longest_line_bytes=99, most_lines=99)


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    """A missing file, a folder, a loop of links."""
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for path, words in (
        (tmp_path / "missing", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (loop, "Too many levels of symbolic links"),
    ):
        with pytest.raises(NamedFileError, match=words) as raised:
            read_named_file(path)
        assert str(raised.value).startswith(f"{path}: cannot be read: ")
        assert raised.value.exit_code is ExitCode.CANNOT_ANSWER


def test_a_pipe_is_read_to_its_end_as_often_as_it_is_asked_for() -> None:
    """As `<(zcat report.json.gz)` gives one: what it held is remembered, up to the same limit."""
    readable, writable = os.pipe()
    path = Path(f"/dev/fd/{readable}")
    with closing(os.fdopen(readable, "rb")):
        os.write(writable, b"one\ntwo")
        os.close(writable)
        assert read_named_file(path) == read_named_file(path) == b"one\ntwo"
    with pytest.raises(NamedFileError, match=f"zero: is larger than {LARGEST_BYTES} bytes"):
        read_named_file(Path("/dev/zero"))


def test_the_lines_of_a_pipe_are_read(tmp_path: Path) -> None:
    """As those of a file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["/bin/sh", "-c", 'printf "a\nb" >"$0"', pipe]):
        read = read_named_blocks(pipe, largest_bytes=20, longest_line_bytes=4, most_lines=11)
    assert read == ([b"a\n"], b"b")


def test_a_pipe_that_nobody_writes_into_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds nothing; one whose writer is slow is read to its end."""
    monkeypatch.setattr(named, "PATIENCE_MS", 50)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    limits = {"largest_bytes": 20, "longest_line_bytes": 5, "most_lines": 11}
    assert read_named_blocks(pipe, **limits) == ([], b"")
    readable, writable = os.pipe()
    with closing(os.fdopen(readable, "rb")):
        slow = subprocess.Popen(["/bin/sh", "-c", "sleep 0.3; echo late"], stdout=writable)
        os.close(writable)
        with slow:
            found = read_named_blocks(Path(f"/dev/fd/{readable}"), **limits)
    assert found == ([b"late\n"], b"")


def test_a_name_that_no_file_can_have_is_refused() -> None:
    """A zero byte ends in the error of the command, not in Python's."""
    with pytest.raises(NamedFileError, match="is not the name of a file"):
        read_named_file(Path("a\0b"))


def test_nothing_stays_open(tmp_path: Path) -> None:
    """Whatever came of it, the descriptor is closed."""
    path = tmp_path / "file"
    path.write_bytes(b"x")
    spare = os.dup(0)  # the lowest free descriptor: again the lowest if nothing stays open
    os.close(spare)
    with opened_file(path) as file:
        assert file.read() == b"x"
    for refused in (tmp_path, tmp_path / "missing"):
        with pytest.raises(NamedFileError):
            read_named_file(refused)
    again = os.dup(0)
    os.close(again)
    assert again == spare


def test_a_file_is_created_but_never_replaced(tmp_path: Path) -> None:
    """What is there stays, also a link that leads nowhere; the rest is refused by name."""
    path = tmp_path / "new"
    create_named_file(path, b"mine")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    for taken in (path, link, tmp_path):
        with pytest.raises(RefusedError, match="is there already") as raised:
            create_named_file(taken, b"other")
        assert raised.value.exit_code is ExitCode.USAGE
    assert path.read_bytes() == b"mine"
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(RefusedError, match="is not the name of a file"):
        create_named_file(Path("a\0b"), b"")
    with pytest.raises(StorageError, match="missing/new: cannot be created: No such file"):
        create_named_file(tmp_path / "missing" / "new", b"")
    (tmp_path / "state.json").touch()
    with pytest.raises(RefusedError, match="lies in a state directory"):
        create_named_file(tmp_path / "policy.toml", b"")
    assert not (tmp_path / "policy.toml").exists()


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """Half a file would be taken for one that somebody wrote."""
    path = tmp_path / "new"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(StorageError, match="new: cannot be created: File too large"):
            create_named_file(path, b"x" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert not path.exists()
