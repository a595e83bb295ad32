"""`--output` of two programs, each with its copy: what is replaced, what is written to, what stays.

The rules are the runbooks' (rollout-gate-ops.md and transport-health-ops.md).
"""

import os
import stat
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

PACKAGES = ("tau_rollout_gate", "tau_transport_health")


@pytest.fixture(scope="module", params=PACKAGES)
def output(request: pytest.FixtureRequest) -> ModuleType:
    """Return each package's copy of the module."""
    return import_module(f"{request.param}.files.output")


def refusal(output: ModuleType, path: Path) -> str:
    """Return how it is refused to write to `path`."""
    with pytest.raises(output.OutputError) as refused:
        output.write_output(path, b"new")
    return str(refused.value).removeprefix(f"{path}: ")


def names_in(folder: Path) -> list[str]:
    """Return what lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_at_once(output: ModuleType, tmp_path: Path) -> None:
    """Whoever reads the old one reads on; folders are made; nothing else is left beside it."""
    path = tmp_path / "new/folder/tau.prom"
    output.write_output(path, b"old")
    with path.open("rb") as reading:
        output.write_output(path, b"new")
        assert (reading.read(), path.read_bytes()) == (b"old", b"new")
    assert names_in(path.parent) == ["tau.prom"]


def test_mode_and_group_and_link_stay(output: ModuleType, tmp_path: Path) -> None:
    """A collector may read on what it could read, by the name it knows, a link of links too."""
    (tmp_path / "real").mkdir()
    path, link = tmp_path / "real/tau.prom", tmp_path / "link"
    path.write_bytes(b"old")
    path.chmod(0o640)
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(path, 1, 2)
    (tmp_path / "between").symlink_to("real/tau.prom")
    link.symlink_to("between")
    output.write_output(link, b"new")
    after = path.stat()
    assert (path.read_bytes(), stat.S_IMODE(after.st_mode)) == (b"new", 0o640)
    assert not is_root or (after.st_uid, after.st_gid) == (1, 2)
    assert link.is_symlink()
    path.unlink()
    output.write_output(link, b"again")  # it leads to nothing, which is made
    assert (path.read_bytes(), link.is_symlink()) == (b"again", True)


def test_a_pipe_is_written_to(output: ModuleType, tmp_path: Path) -> None:
    """All of it, however little a pipe holds; and it stays a pipe."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = b"x" * 1_000_000
    script = f"import sys; sys.stdout.write(str(len(open({str(pipe)!r}, 'rb').read())))"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as reader:
        while True:
            try:
                output.write_output(pipe, content)
            except output.OutputError:  # it does not read yet
                continue
            break
        assert reader.communicate(timeout=60)[0] == b"1000000"
    assert pipe.is_fifo()


def test_what_cannot_be_written_is_refused_at_once(output: ModuleType, tmp_path: Path) -> None:
    """A pipe that nobody reads, a folder, a loop of links, a full device; each stays what it is."""
    pipe, loop, full = tmp_path / "pipe", tmp_path / "loop", tmp_path / "full"
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    full.symlink_to("/dev/full")
    assert refusal(output, pipe) == "cannot be written: nobody reads from it"
    assert refusal(output, tmp_path) == "cannot be written: Is a directory"
    assert refusal(output, loop) == "cannot be written: Too many levels of symbolic links"
    assert refusal(output, full) == "cannot be written: No space left on device"
    assert pipe.is_fifo()
    assert full.is_char_device()
    assert names_in(tmp_path) == ["full", "loop", "pipe"]


def test_what_is_in_the_way_is_named(output: ModuleType, tmp_path: Path) -> None:
    """What is made beside the file that it replaces, not that file."""
    new = tmp_path / ".tau.prom.new"
    new.mkdir()
    assert refusal(output, tmp_path / "tau.prom") == f"{new}: cannot be written: Is a directory"


def test_nothing_is_written_beside_a_state(output: ModuleType, tmp_path: Path) -> None:
    """Not through a link either: a state directory is its runtime's alone."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state/state.json").touch()
    (tmp_path / "link").symlink_to("state/tau.prom")
    for name in ("state/tau.prom", "link", "state/channel-store/a/tau.prom"):
        assert "lies in a state directory" in refusal(output, tmp_path / name)
    assert names_in(tmp_path / "state") == ["state.json"]
    (tmp_path / "state/state.json").rename(tmp_path / "state/runtime-events.jsonl")
    (tmp_path / "state/.lock").touch()
    assert "lies in a state directory" in refusal(output, tmp_path / "state/runtime-events.jsonl")
    output.write_output(tmp_path / "state/reports/tau.prom", b"new")


@pytest.mark.parametrize("kept", [["decisions.jsonl"], ["rollout.json", ".lock"]])
def test_nothing_is_written_over_the_record_of_a_rollout(
    output: ModuleType, tmp_path: Path, kept: list[str]
) -> None:
    """Neither its files nor what is kept of it, also where one of them is lost."""
    for name in kept:
        (tmp_path / name).write_bytes(b"mine")
    before = names_in(tmp_path)
    for name in ("rollout.json", "decisions.jsonl", ".lock", "inputs/x", "evidence/a/b"):
        assert "is of the record of a rollout" in refusal(output, tmp_path / name)
    assert names_in(tmp_path) == before
    output.write_output(tmp_path / "report.html", b"new")


def test_a_file_may_be_called_like_one_of_a_record(output: ModuleType, tmp_path: Path) -> None:
    """Where there is no record: it is replaced as any other."""
    for content in (b"old", b"new"):
        output.write_output(tmp_path / "rollout.json", content)
    assert (tmp_path / "rollout.json").read_bytes() == b"new"


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/proc/self/fd/1"])
def test_stdout_by_any_name(output: ModuleType, tmp_path: Path, name: str) -> None:
    """Also where it is a file that is appended to: what stands there stays."""
    log = tmp_path / "log"
    log.write_bytes(b"before\n")
    script = (
        f"from pathlib import Path; from {output.__name__} import write_output;"
        f"write_output(Path({name!r}), b'after\\n')"
    )
    with log.open("ab") as stdout:
        subprocess.run([sys.executable, "-c", script], stdout=stdout, cwd=tmp_path, check=True)
    assert log.read_bytes() == b"before\nafter\n"
    assert names_in(tmp_path) == ["log"]


def test_what_a_killed_run_left_is_used_again(output: ModuleType, tmp_path: Path) -> None:
    """So that killed runs do not fill the folder."""
    (tmp_path / ".tau.prom.new").write_bytes(b"half a file that is longer")
    output.write_output(tmp_path / "tau.prom", b"new")
    assert (tmp_path / "tau.prom").read_bytes() == b"new"
    assert names_in(tmp_path) == ["tau.prom"]


def test_writers_at_once_leave_one_whole_file(output: ModuleType, tmp_path: Path) -> None:
    """Never a mixture, and nothing beside it."""
    script = (
        f"import sys; from pathlib import Path; from {output.__name__} import write_output\n"
        "for _ in range(100): write_output(Path('tau.prom'), sys.argv[1].encode() * 100_000)"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", script, letter], cwd=tmp_path) for letter in "abc"
    ]
    while any(writer.poll() is None for writer in writers):
        if (tmp_path / "tau.prom").exists():
            seen = (tmp_path / "tau.prom").read_bytes()
            assert len(seen) == 100_000
            assert len(set(seen)) == 1
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert names_in(tmp_path) == ["tau.prom"]
