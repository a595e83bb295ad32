"""A folder that is missing is made as a whole, or not at all."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tau_custom_command.contract.writes import (
    AppendAt,
    AppendLines,
    Change,
    CreateFile,
    ReplaceFile,
    Write,
)
from tau_custom_command.errors import StorageError
from tau_custom_command.storage import apply, journal, locate, whole_folder
from tau_custom_command.storage.sync import NOT_TO_DISK

APPEND = AppendAt(path="a/b/log", offset=0, torn=b"", content=b"one\n")
REPLACE = ReplaceFile(path="a/b/memory", content=b"all")
WRITES: list[Write] = [
    CreateFile(path="a/b/schema.json", content=b"{}"),
    AppendLines(path="a/b/log", lines=(b"one\n", b"two\n")),
    AppendLines(path="a/b/log", lines=(b"three\n",)),
    ReplaceFile(path="a/b/memory", content=b"first"),
    ReplaceFile(path="a/b/memory", content=b"last"),
]
MADE = {"a/b/schema.json": b"{}", "a/b/log": b"one\ntwo\nthree\n", "a/b/memory": b"last"}


def files_in(root: Path) -> dict[str, bytes]:
    """Return each file below a folder, and what it holds."""
    found = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


@pytest.mark.parametrize("folders", [(), ("a",), ("a/b",), ("a/.b.new",)], ids=str)
def test_the_same_files_whatever_is_there(folders: Sequence[str], tmp_path: Path) -> None:
    """Made as a whole or one by one, in folders that are there or not: the files are the same."""
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    brought_up = apply.bring_up(tmp_path, tuple(locate.place(tmp_path, WRITES)))
    assert files_in(tmp_path) == MADE
    assert brought_up.made == (() if "a/b" in folders else ("a/b",))
    assert {*brought_up.paths} == ({*MADE} if "a/b" in folders else set())
    assert brought_up.remarks == ()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


def test_again_it_changes_nothing(tmp_path: Path) -> None:
    """What a journal carries out once more is there already."""
    changes = tuple(locate.place(tmp_path, WRITES))
    for _ in range(2):
        apply.bring_up(tmp_path, changes)
        assert files_in(tmp_path) == MADE


def test_what_a_kill_left_goes(tmp_path: Path) -> None:
    """Also files that the folder is not to have now."""
    left = tmp_path / "a/.b.new"
    left.mkdir(parents=True)
    (left / "log").write_bytes(b"on")
    (left / "other").touch()
    apply.bring_up(tmp_path, tuple(locate.place(tmp_path, WRITES)))
    assert files_in(tmp_path) == MADE


def test_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    """Nothing is removed or written where it leads."""
    (tmp_path / "a").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/log").touch()
    (tmp_path / "a/.b.new").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="is a symbolic link, which is not followed"):
        apply.bring_up(tmp_path, [APPEND])
    assert files_in(tmp_path) == {"elsewhere/log": b""}


def test_one_that_cannot_be_made_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the file that was refused; half of the folder would take room."""

    def full(_descriptor: int, content: bytes, _offset: int) -> int:
        if content == b"all":
            raise OSError(28, os.strerror(28))
        return len(content)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(StorageError, match=r"a/b/memory: cannot write: No space left on device"):
        apply.bring_up(tmp_path, [APPEND, REPLACE])
    assert files_in(tmp_path) == {}
    assert [*(tmp_path / "a").iterdir()] == []


@pytest.mark.parametrize(
    "change",
    [
        APPEND._replace(offset=4),
        APPEND._replace(torn=b"x"),
        APPEND._replace(identity=7),
        APPEND._replace(rotated=7),
        REPLACE._replace(instead_of=7),
    ],
    ids=["offset", "torn", "identity", "rotated", "version"],
)
def test_what_was_placed_in_files_that_are_gone_is_not_for_here(change: Change) -> None:
    """Where a folder went, the lines that belong in it are not begun anew."""
    assert whole_folder.files_of([REPLACE._replace(path="a/b/x"), change]) is None


def test_a_large_batch_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small ones are brought up from memory, others from the journal, to the same files."""
    for root, most, kept in ((tmp_path / "1", 10**6, True), (tmp_path / "2", 1_000, False)):
        root.mkdir()
        monkeypatch.setattr(journal, "_MOST_KEPT_BYTES", most)
        committed = journal.commit(root, locate.place(root, WRITES), NOT_TO_DISK)
        assert (committed is not None) == kept
        journal.finish(root, NOT_TO_DISK, committed=committed)
        assert files_in(root) == MADE


def test_a_batch_after_another_is_read_back(tmp_path: Path) -> None:
    """The one before it, which nobody has finished, is brought up too."""
    assert journal.commit(tmp_path, [ReplaceFile(path="x", content=b"1")], NOT_TO_DISK)
    committed = journal.commit(tmp_path, locate.place(tmp_path, WRITES), NOT_TO_DISK)
    assert committed is None
    journal.finish(tmp_path, NOT_TO_DISK, committed=committed)
    assert files_in(tmp_path) == MADE | {"x": b"1"}
