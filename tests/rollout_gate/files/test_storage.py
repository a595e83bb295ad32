"""What the gate writes is on the disk, or it is said that nobody can tell."""

import os
from pathlib import Path

import pytest

from tau_rollout_gate.errors import StorageError
from tau_rollout_gate.files.disk.sync import sync_folder
from tau_rollout_gate.files.storage import opened_folder


def test_a_folder_that_cannot_be_synced_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    """Once, and no error: the record is written. A pipe stands for such a folder."""
    readable, writable = os.pipe()
    for _ in range(2):
        sync_folder(readable)
    os.close(readable)
    os.close(writable)
    warned = "warning: the file system syncs no folders (Invalid argument): a loss of power can"
    assert capsys.readouterr().err == f"{warned} undo what was written last\n"
    with pytest.raises(OSError, match="Bad file descriptor"):
        sync_folder(readable)


def test_an_error_names_what_is_in_the_way(tmp_path: Path) -> None:
    """As a path that is there, and once: a file where a folder is to be made."""
    (tmp_path / "f").touch()
    for below in ("f", "f/x", "f/x/y"):
        with (
            pytest.raises(StorageError, match=rf"^{tmp_path}/f(/x)?: cannot open: "),
            opened_folder(tmp_path / below),
        ):
            pass
