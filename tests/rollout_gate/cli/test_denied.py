"""A file that is not for this user to read is not lost: whose it is is told, and no mending."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.rollout_gate.making import ENTERED, MINUTE, History
from tests.rollout_gate.recording import ROLLOUT_DIR, Gate

STATE_DIR = ".tau/custom-command"
LOG = f"{STATE_DIR}/runtime-events.jsonl"
SEGMENT = f"{LOG}.1"
NOBODY = 65534
NOW = ("--now-unix-ms", str(ENTERED + 6 * MINUTE))
REPORT = '{"total": 1, "passed": 1, "failed": 0}'


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Return the command in a folder that everybody may look into, in preflight."""
    with TemporaryDirectory() as folder:
        gate = Gate(Path(folder))
        history().write(gate.folder / STATE_DIR)
        (gate.folder / "report.json").write_text(REPORT)
        gate.begin("--surface", f"custom-command={STATE_DIR}", "--now-unix-ms", str(ENTERED))
        yield gate


def history(*minutes: int) -> History:
    """Return a log of a cycle before the entry, and of others so many minutes after it."""
    found = History().add(ENTERED - MINUTE)
    for each in minutes:
        found.add(ENTERED + each * MINUTE)
    return found


@contextmanager
def denied(gate: Gate, name: str) -> Iterator[str]:
    """Have everything readable for everybody but one file or folder; give who may read that.

    Whoever asks is another user, where the tests run as the superuser; else the owner.
    """
    for path in (gate.folder, *gate.folder.rglob("*")):
        path.chmod(0o755)
    (gate.folder / name).chmod(0)
    try:
        if os.geteuid() == 0:
            os.seteuid(NOBODY)
        yield pwd.getpwuid(0 if os.getuid() == 0 else os.geteuid()).pw_name
    finally:
        os.seteuid(os.getuid())
        (gate.folder / name).chmod(0o755)


def what_helps(gate: Gate, name: str, owner: str) -> str:
    """Return what is told where the owner, or whoever asks, is to give the right."""
    if os.getuid() == 0:
        return f"run this as {owner}, whose files these are"
    return f"give yourself the right: chmod -R u+rwX {(gate.folder / name).parent}"


@pytest.mark.parametrize("is_canary", [False, True])
@pytest.mark.parametrize("name", ["state.json", "runtime-events.jsonl", "runtime-events.jsonl.1"])
def test_state_files_are_not_mended_but_asked_for_by_who_may_read(
    gate: Gate, name: str, *, is_canary: bool
) -> None:
    """Neither `recover` nor a copy nor `reenter`: what cannot be read is the user's to read."""
    log = history(1, 5) if is_canary else history()
    if is_canary:
        at = ("--now-unix-ms", str(ENTERED))
        assert gate("advance", "--validation", "report.json", *at).code == 0
        log.write(gate.folder / STATE_DIR)
    if name.endswith(".1"):
        (gate.folder / LOG).rename(gate.folder / SEGMENT)
    words = ("--validation", "report.json", *NOW)
    gate("explain", *words)  # so that what it takes is imported
    with denied(gate, f"{STATE_DIR}/{name}") as owner:
        done = gate("explain", *words)
    told = " ".join(done.out.split())
    assert done.code == 3
    assert what_helps(gate, f"{STATE_DIR}/{name}", owner) in told
    assert f"Permission denied: it is {owner}'s, and this runs as " in told
    for wrong in ("recover", "back from a copy", "reenter", "diagnose"):
        assert wrong not in told
    assert "tau-rollout-gate evaluate" in told


def test_what_one_has_no_right_to_oneself(gate: Gate) -> None:
    """The right is given by the owner, who asks."""
    if os.getuid() == 0:
        os.chown(gate.folder / STATE_DIR / "state.json", NOBODY, -1)
    gate("explain", *NOW)
    with denied(gate, f"{STATE_DIR}/state.json"):
        told = " ".join(gate("explain", *NOW).out.split())
    assert f"give yourself the right: chmod -R u+rwX {gate.folder / STATE_DIR}" in told


@pytest.mark.parametrize("name", ["", "/rollout.json", "/decisions.jsonl"])
def test_nothing_is_rebuilt_of_a_rollout_that_others_may_read(gate: Gate, name: str) -> None:
    """`recover` is refused and advised by nobody; nor is it said that there is no rollout."""
    commands = (("status",), ("history",), ("verify",), ("explain",), ("recover", "--yes"))
    for command in commands:
        gate(*command)
    before = gate.contents()
    for command in commands:
        with denied(gate, ROLLOUT_DIR + name) as owner:
            done = gate(*command)
        assert done.code == (2 if command[0] == "recover" else 5)
        assert f"cannot read: Permission denied: it is {owner}'s, and this runs as " in done.err
        assert "; nothing is lost: run this as a user who may read it" in done.err
        assert "recover'" not in done.err
    assert gate.contents() == before


@pytest.mark.parametrize("command", ["freeze", "rollback", "cancel"])
def test_a_rollout_that_cannot_even_be_looked_at_is_not_said_to_be_none(
    gate: Gate, command: str
) -> None:
    """Whose the directory is is told by what stops a rollout, too."""
    words = (command, "--reason", "x", "--by", "ada")
    with denied(gate, ROLLOUT_DIR) as owner:
        done = gate(*words)
    assert done.code == 5
    assert f"cannot read: Permission denied: it is {owner}'s, and this runs as " in done.err
    assert "there is no rollout" not in done.err
