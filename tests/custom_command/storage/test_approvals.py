"""`approvals.json` on disk: private, replaced as a whole, and unknown is no."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tau_custom_command.errors import StateDirectoryBusyError, StorageError
from tau_custom_command.policy.approvals import NO_APPROVALS, Approvals, BrokenApprovals, as_values
from tau_custom_command.storage.approvals import put_aside, read_approvals, write_approvals
from tau_custom_command.storage.lock import locked
from tests.custom_command.approving import SUBJECT, approval_of

WHOLE = NO_APPROVALS.with_(approval_of(pins={"path": "é\n"}, expires_unix_ms=1)).with_(
    approval_of(replace(SUBJECT, command_name="other", program=SUBJECT.program))
)
is_root = os.geteuid() == 0


def written(root: Path, approvals: Approvals = WHOLE) -> Path:
    """Write approvals into a state directory; return their file."""
    with locked(root, wait_seconds=0) as lock:
        write_approvals(lock, approvals)
    return root / "approvals.json"


def why_broken(root: Path) -> str:
    """Return why nothing is approved."""
    found = read_approvals(root)
    assert isinstance(found, BrokenApprovals)
    assert f"approve NAME --by WHO --state-dir {root}" in found.reason
    return found.reason


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """In a file that is its owner's alone, whatever the umask; without one nothing is approved."""
    root = tmp_path / "state"
    assert read_approvals(root) == NO_APPROVALS
    before = os.umask(0)
    try:
        path = written(root)
    finally:
        os.umask(before)
    assert read_approvals(root) == WHOLE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_bytes()) == json.loads(json.dumps(as_values(WHOLE)))
    written(root, NO_APPROVALS)
    assert read_approvals(root) == NO_APPROVALS
    assert {each.name for each in root.iterdir()} == {".lock", "approvals.json"}


def _edited(**changes: Any) -> Callable[[Path], object]:  # noqa: ANN401 - JSON
    """Change the first approval in a file of them."""

    def edit(path: Path) -> None:
        value = json.loads(path.read_bytes())
        value["approvals"][0] |= changes
        path.write_text(json.dumps(value), encoding="utf-8")

    return edit


def _made_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _twice(path: Path) -> None:
    value = json.loads(path.read_bytes())
    value["approvals"] *= 2
    path.write_text(json.dumps(value), encoding="utf-8")


def _without_a_digest(path: Path) -> None:
    program = replace(SUBJECT.program, sha256=None) if SUBJECT.program else None
    subject = replace(SUBJECT, program=program)
    value = as_values(NO_APPROVALS.with_(approval_of(subject)))
    path.write_text(json.dumps(value), encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda path: path.write_bytes(b""), "not JSON"),
        (lambda path: path.write_bytes(path.read_bytes()[:-5]), "not JSON"),
        (lambda path: path.write_bytes(b"[]"), "must be an object"),
        (lambda path: path.write_bytes(b'{"schema_version": 2}'), "2 is not known"),
        (lambda path: path.write_bytes(b'{"schema_version": true}'), "true is not known"),
        (lambda path: path.write_bytes(b'{"schema_version": 1}'), "approvals: is missing"),
        (lambda path: path.write_bytes(b'{"approvals": []}'), "schema_version: is missing"),
        (_edited(allow_everything=True), "allow_everything: is not a known key"),
        (_edited(approved_by=None), "approved_by: must be a string"),
        (_edited(subject=as_values(WHOLE)["approvals"][1]["subject"]), "was edited"),
        (_twice, "stands there twice"),
        (_without_a_digest, "cannot be held against anything"),
        (lambda path: path.chmod(0o620), "other users may write to it"),
        (lambda path: path.chmod(0o602), "other users may write to it"),
        (lambda path: (path.unlink(), path.mkdir()), "Is a directory"),
        (_made_a_pipe, "not a regular file"),
        (
            lambda path: (path.rename(path.with_name("x")), path.symlink_to("x")),
            "is a symbolic link, which is not followed",
        ),
        (lambda path: (path.unlink(), path.symlink_to("/nowhere")), "is a symbolic link"),
    ],
)
def test_what_is_broken_approves_nothing(
    tmp_path: Path, damage: Callable[[Path], object], told: str
) -> None:
    """The reason is told, and the command out; put aside, it is kept, and others can be given."""
    path = written(tmp_path)
    damage(path)
    reason = why_broken(tmp_path)
    assert reason.startswith(f"{path}: ")
    assert told in reason
    status = path.lstat()
    with locked(tmp_path, wait_seconds=0) as lock:
        assert put_aside(lock) == "approvals.json.corrupt"
        write_approvals(lock, NO_APPROVALS)
    assert os.path.samestat(status, (tmp_path / "approvals.json.corrupt").lstat())
    assert read_approvals(tmp_path) == NO_APPROVALS


@pytest.mark.skipif(not is_root, reason="only root can give a file away")
def test_what_another_user_owns_approves_nothing(tmp_path: Path) -> None:
    """Who owns the file could have approved anything to be run by root."""
    path = written(tmp_path)
    os.chown(path, 65534, -1)
    assert "it belongs to the user 65534" in why_broken(tmp_path)


def test_nothing_that_was_put_aside_is_overwritten(tmp_path: Path) -> None:
    """Each has a name of its own."""
    kept = []
    for content in (b"1", b"1", b"2"):
        (tmp_path / "approvals.json").write_bytes(content)
        with locked(tmp_path, wait_seconds=0) as lock:
            kept.append(put_aside(lock))
    assert kept == [f"approvals.json{n}.corrupt" for n in ("", ".2", ".3")]
    assert [(tmp_path / name).read_bytes() for name in kept] == [b"1", b"1", b"2"]


def test_a_lost_lock_writes_nothing(tmp_path: Path) -> None:
    """Whoever took the lock meanwhile may have read the approvals."""
    path = written(tmp_path)
    before = path.read_bytes()
    with locked(tmp_path, wait_seconds=0) as lock:
        (tmp_path / ".lock").unlink()
        with pytest.raises(StateDirectoryBusyError):
            write_approvals(lock, NO_APPROVALS)
        with pytest.raises(StateDirectoryBusyError):
            put_aside(lock)
    assert path.read_bytes() == before


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    """A folder stands where the new file would be made: the earlier approvals still hold."""
    path = written(tmp_path)
    before = path.read_bytes()
    path.with_name("approvals.json.new").mkdir()
    with locked(tmp_path, wait_seconds=0) as lock, pytest.raises(StorageError, match="write"):
        write_approvals(lock, NO_APPROVALS)
    assert path.read_bytes() == before
