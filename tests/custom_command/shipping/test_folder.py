"""A directory that is shipped to: readers find whole files, whoever may read them."""

import os
import threading
import time
from pathlib import Path

import pytest

from tau_custom_command.errors import ShippingError
from tau_custom_command.shipping.destination import destination_at
from tau_custom_command.shipping.folder import Folder
from tau_custom_command.shipping.location import Location


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Folders are made, and nothing else is left there."""
    folder = destination_at(Location(bucket=None, path=str(tmp_path / "fleet/a")))
    assert folder.url == str(tmp_path / "fleet/a")
    assert folder.get("state.json") is None
    for content in (b"1", b"2"):
        folder.put("segments/1.jsonl", content)
        folder.put("state.json", content)
    assert folder.get("state.json") == b"2"
    names = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert names == ["1.jsonl", "state.json"]


def test_who_may_read_it_is_what_the_umask_says(tmp_path: Path) -> None:
    """The gate of a fleet runs as another user, and a cycle narrows the umask meanwhile."""
    before = os.umask(0o027)
    try:
        folder = Folder(str(tmp_path / "fleet"))
        os.umask(0o077)
        folder.put("a/state.json", b"1")
    finally:
        os.umask(before)
    assert (tmp_path / "fleet/a").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "fleet/a/state.json").stat().st_mode & 0o777 == 0o640


def test_what_a_kill_left_long_ago_is_removed(tmp_path: Path) -> None:
    """What another one writes just now is not."""
    (tmp_path / ".state.json.0.new").write_bytes(b"old")
    (tmp_path / ".state.json.1.new").write_bytes(b"new")
    hours_ago = time.time() - 7200
    os.utime(tmp_path / ".state.json.0.new", (hours_ago, hours_ago))
    Folder(str(tmp_path)).put("state.json", b"1")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".state.json.1.new", "state.json"]


def test_what_the_operating_system_refuses_is_told(tmp_path: Path) -> None:
    """And what was there is as it was, with nothing beside it."""
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "state.json").mkdir()
    folder = Folder(str(tmp_path))
    with pytest.raises(ShippingError, match=r"cannot write: Not a directory|File exists"):
        folder.put("file/state.json", b"1")
    with pytest.raises(ShippingError, match="cannot write"):
        folder.put("state.json", b"1")
    with pytest.raises(ShippingError, match="cannot read"):
        folder.get("state.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "state.json"]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """A runtime that ships after each cycle would stand still as long as somebody likes."""
    pipe = tmp_path / "state.json"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"",))
    writer.start()
    try:
        with pytest.raises(ShippingError, match="it is not a regular file"):
            Folder(str(tmp_path)).get("state.json")
    finally:
        end = os.open(pipe, os.O_RDWR)
        writer.join()
        os.close(end)


def test_a_folder_that_another_one_makes_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hosts that begin at once make the folder above them both."""
    real = Path.mkdir

    def mkdir(self: Path) -> None:
        real(self)
        real(self)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    Folder(str(tmp_path / "a")).put("state.json", b"1")
    assert (tmp_path / "a/state.json").read_bytes() == b"1"
