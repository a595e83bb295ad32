"""What was written reaches the disk: by one call, or by one for each file and folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tau_custom_command.storage import sync
from tests.custom_command.cases import fixture_bytes
from tests.custom_command.running import PATIENCE_SECONDS, environment
from tests.custom_command.tracing import needs_strace, run_traced

PATHS = ("state.json", "a/b/log.jsonl", "a/b/MEMORY.md", "a/c/log.jsonl", "state.json")

SYNC_WITHOUT_SYNCFS = """
import sys
from pathlib import Path
if sys.argv[2] == "no ctypes":
    sys.modules["ctypes"] = None
from tau_custom_command.storage.sync import sync_touched
sync_touched(Path(sys.argv[1]), sys.argv[4:], sys.argv[3].split())
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder with files to sync."""
    for path in PATHS:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    return tmp_path


def synced(root: Path, way: str, *, inject: str = "", made: str = "") -> tuple[int, list[str]]:
    """Sync in a process of its own; return how it ended, and what it synced in which order."""
    trace = root.parent / "trace"
    words: list[str | Path] = ["strace", "-qq", "-y", "-o", trace, "-e", "trace=fsync,syncfs"]
    words += ["-e", f"inject={inject}"] if inject else []
    done = subprocess.run(
        [*words, sys.executable, "-c", SYNC_WITHOUT_SYNCFS, root, way, made, *PATHS],
        env={k: v for k, v in environment().items() if not k.startswith("COVERAGE")},
        capture_output=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    calls = re.findall(r"^(\w+)\(\d+<([^>]*)>", trace.read_text(), re.MULTILINE)
    return done.returncode, [f"{name} {path.replace(str(root), '.')}" for name, path in calls]


@needs_strace
def test_one_syncfs_does_it(root: Path) -> None:
    """However many files there are, the file system is asked once."""
    assert synced(root, "ctypes") == (0, ["syncfs ."])


@needs_strace
@pytest.mark.parametrize(("way", "inject"), [("no ctypes", ""), ("ctypes", "syncfs:error=ENOSYS")])
def test_without_it_each_file_and_folder_is_synced_once(root: Path, way: str, inject: str) -> None:
    """Where the C library or the kernel has no syncfs: first the files, then every folder."""
    code, calls = synced(root, way, inject=inject)
    assert code == 0
    calls = [call for call in calls if not call.startswith("syncfs")]
    assert calls[:4] == [f"fsync ./{path}" for path in PATHS[:4]]
    assert sorted(calls[4:]) == ["fsync .", "fsync ./a", "fsync ./a/b", "fsync ./a/c"]


@needs_strace
def test_so_is_all_that_is_in_a_folder_that_was_made(root: Path) -> None:
    """Its files are not named one by one."""
    (root / "a/made").mkdir()
    (root / "a/made/file").touch()
    _, calls = synced(root, "no ctypes", made="a/made")
    assert calls[4] == "fsync ./a/made/file"
    assert sorted(calls[5:]) == [
        "fsync .",
        *(f"fsync ./a{name}" for name in ("", "/b", "/c", "/made")),
    ]
    assert synced(root, "ctypes", made="a/made") == (0, ["syncfs ."])


@needs_strace
@pytest.mark.parametrize("way", ["ctypes", "no ctypes"])
def test_a_root_that_is_a_link_is_synced(root: Path, tmp_path: Path, way: str) -> None:
    """The operator may name a link: what it leads to is synced."""
    (tmp_path / "link").symlink_to(root)
    plain, linked = synced(root, way), synced(tmp_path / "link", way)
    assert linked[0] == 0
    real = [call.replace(str(root), ".") for call in linked[1]]
    assert sorted(real) == sorted(plain[1])


def test_links_below_the_root_are_not_synced(root: Path) -> None:
    """What a link below the root leads to is none of ours, be it a file or a folder."""
    (root / "link").symlink_to(root / "state.json")
    (root / "linked-folder").symlink_to(root / "a")
    for files, folders in (([f"{root}/link"], []), ([], [f"{root}/linked-folder"])):
        with pytest.raises(OSError, match="symbolic links"):
            sync.sync_each(files, folders)


@needs_strace
def test_a_file_system_that_syncs_no_folders(root: Path) -> None:
    """What says so of a folder (EINVAL) is believed; any other error is one."""
    assert synced(root, "no ctypes", inject="fsync:error=EINVAL:when=5+")[0] == 0
    assert synced(root, "no ctypes", inject="fsync:error=EIO:when=5+")[0] == 1
    assert synced(root, "no ctypes", inject="fsync:error=EINVAL:when=1")[0] == 1


@needs_strace
def test_a_failing_syncfs_is_an_error(root: Path) -> None:
    """What the disk did not take is not taken for written."""
    assert synced(root, "ctypes", inject="syncfs:error=EIO")[0] == 1


def test_that_folders_are_not_synced_is_warned_of(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once, as a file system says so; a pipe stands for one, which the kernel answers the same."""
    os.mkfifo(root / "pipe")
    for _ in range(2):
        sync.sync_folder(root / "pipe")
    warned = "warning: the file system syncs no folders (Invalid argument): a loss of power can"
    assert capsys.readouterr().err == f"{warned} undo what was written last\n"


def test_each_of_what_is_there(root: Path) -> None:
    """A file that is gone is an error here too."""
    sync.sync_each([f"{root}/state.json"], [str(root)])
    with pytest.raises(FileNotFoundError):
        sync.sync_each([f"{root}/gone"], [])
    with pytest.raises(NotADirectoryError):
        sync.sync_folder(root / "state.json" / "below")
    sync.sync_touched(root, PATHS, ())
    sync.sync_touched(root, (), ["a/b"])
    sync.NOT_TO_DISK.touched(root, ["gone"], ())


@needs_strace
def test_no_fsync_waits_for_nothing_and_warns(tmp_path: Path) -> None:
    """For benchmarks: the same files by the same way, without a word to the disk."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "fixture.json").write_bytes(fixture_bytes())
    for options, expected in (((), {"fsync", "syncfs"}), (("--no-fsync",), set())):
        ended, calls = run_traced(folder, *options, calls=["fsync", "fdatasync", "syncfs"])
        assert ended.returncode == 0
        assert {call.name for call in calls} == expected
        assert (b"a loss of power can lose this cycle" in ended.stderr) == bool(options)
