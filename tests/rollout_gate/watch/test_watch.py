"""The live view: what it draws, and in a real pseudo-terminal that it follows and puts back."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pyte
import pytest
from rich.console import Console

from tau_rollout_gate.contract.rollout import RolloutStatus
from tau_rollout_gate.decision.answer import Answer, Verdict
from tau_rollout_gate.files.policy import built_in_policy_text
from tau_rollout_gate.policy.policy import parse_policy
from tau_rollout_gate.rollout.ledger import Action
from tau_rollout_gate.services.report import Sight
from tau_rollout_gate.watch.view import problem, view
from tests.rollout_gate.answers import HOSTILE, answer, around, filled_with, over
from tests.rollout_gate.making import rollout
from tests.rollout_gate.recording import COMMAND, PATIENCE_SECONDS, Gate, decided, environment

POLICY = parse_policy(built_in_policy_text().encode(), source="built-in")
SWALLOWING = """
import sys, time
from tau_rollout_gate.watch import loop
from tau_rollout_gate.errors import NamedFileError
look, looks = loop.look, []

def swallowing(*words, **options):
    looks.append(1)
    if len(looks) == 1:
        return look(*words, **options)
    try:
        time.sleep(60)
    except BaseException as error:
        raise NamedFileError("a library says so") from error

loop.look = swallowing
from tau_rollout_gate.cli import main
sys.argv = ["tau-rollout-gate", *sys.argv[1:]]
main.main()
"""
"""The program, whose looks make an error that is shown of a signal that comes meanwhile."""

HALF_TAKEN = """
import signal, sys
from rich.console import Console
from tau_rollout_gate.cli import main

take = Console.set_alt_screen

def signalled(self, enable=True):
    taken = take(self, enable)
    if enable:
        signal.raise_signal(signal.SIGTERM)
    return taken

Console.set_alt_screen = signalled
sys.argv = ["tau-rollout-gate", *sys.argv[1:]]
main.main()
"""
"""The program, to which a signal comes while it takes the terminal for its view."""

LEAVE_SCREEN = b"\x1b[?1049l"


def drawn(one: Answer, status: RolloutStatus = RolloutStatus.OPEN) -> str:
    """Return what is drawn of an answer on a wide screen, in one line."""
    where = around(rollout=rollout(status=status))
    opened = decided(rollout("preflight"), Action.START)
    console = Console(width=300, record=True, file=StringIO())
    console.print(view(Sight(one, where, POLICY, [opened], {}), interval_seconds=5))
    return " ".join(console.export_text().split())


def test_it_shows_where_the_rollout_stands() -> None:
    """The track, how much of the soak is served, the answer, what to type, the last decisions."""
    said = drawn(answer())
    assert "judged at 2026-01-01T00:18:00Z, looks every 5 s; Ctrl-C ends" in said
    assert "✓ preflight (0 %) ▶ canary-1 (5 %) ○ canary-2 (25 %)" in said
    assert "━" in said
    assert "HOLD 1.4.0 stays in canary-1 (5 %)" in said
    assert "tau-rollout-gate advance NUMBER TIME" in said
    assert "1 2026-01-01T00:00:00Z 1.4.0 preflight start ada" in said


def test_a_rollout_that_is_over_has_no_soak() -> None:
    """Where it stopped is marked, and the next one goes back to what it went back to."""
    said = drawn(over(Verdict.ROLLBACK), RolloutStatus.ROLLED_BACK)
    assert "■ canary-1 (5 %)" in said
    assert "━" not in said
    assert "start --release VERSION --rollback-to 1.3.2" in said


def test_what_a_look_fails_for_stands_on_its_lines() -> None:
    """What there is, what was lost and what to type, a line each."""
    console = Console(file=StringIO(), width=100, record=True)
    console.print(problem("wrong\nto type: x", interval_seconds=5))
    assert "\nwrong\nto type: x\n" in console.export_text()


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_text_from_the_files_does_not_act(hostile: str) -> None:
    """Neither as markup nor as an escape sequence."""
    console = Console(width=300, record=True, force_terminal=True, file=StringIO())
    sight = Sight(filled_with(answer(), hostile), around(), POLICY, [], {})
    console.print(view(sight, interval_seconds=5))
    console.print(problem(hostile, interval_seconds=5))
    lines = console.export_text().replace("\N{NO-BREAK SPACE}", " ").split("\n")
    assert all(line.isprintable() for line in lines)


class Terminal:
    """A pseudo-terminal with `watch` in it."""

    def __init__(self, folder: Path, *program: str | Path) -> None:
        """Start it, looking ten times a second."""
        self.screen = pyte.Screen(100, 40)
        self.raw = b""
        self._stream = pyte.ByteStream(self.screen)
        self._keyboard, self._terminal = pty.openpty()
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        self.modes = termios.tcgetattr(self._terminal)
        self.process = subprocess.Popen(
            [*(program or (COMMAND,)), "watch", "--interval", "100ms"],
            cwd=folder,
            env=environment() | {"TERM": "xterm-256color", "COLUMNS": "", "LINES": ""},
            stdin=self._terminal,
            stdout=self._terminal,
            stderr=self._terminal,
            start_new_session=True,
        )

    def read(self, seconds: float = 0.05) -> bool:
        """Let it write for a moment; tell whether it did."""
        if not select.select([self._keyboard], [], [], seconds)[0]:
            return False
        written = os.read(self._keyboard, 65536)
        self.raw += written
        self._stream.feed(written)
        return True

    def wait_for(self, words: str) -> None:
        """Wait until the screen shows some words."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while words not in "\n".join(self.screen.display):
            assert time.monotonic() < deadline, self.screen.display
            self.read()

    def end(self, number: int) -> int:
        """Send a signal; return the exit code, all output read."""
        self.process.send_signal(number)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.process.poll() is None or self.read(0):
            assert time.monotonic() < deadline
            self.read()
        return self.process.returncode

    def modes_now(self) -> list[object]:
        """Return the terminal's modes."""
        return termios.tcgetattr(self._terminal)

    def close(self) -> None:
        """End what is left."""
        self.process.kill()
        self.process.wait()
        os.close(self._keyboard)
        os.close(self._terminal)


@contextmanager
def watching(folder: Path, *program: str | Path) -> Iterator[Terminal]:
    """Have `watch` run in a terminal until the end of the block."""
    terminal = Terminal(folder, *program)
    try:
        yield terminal
    finally:
        terminal.close()


def test_it_follows_the_rollout_and_survives_what_cannot_be_read(tmp_path: Path) -> None:
    """What others decide is shown at the next look; an error is shown, and may be over later."""
    gate = Gate(tmp_path)
    gate.begin()
    with watching(tmp_path) as terminal:
        terminal.wait_for("HOLD  1.4.0 stays in preflight (0 %)")
        assert gate("freeze", "--reason", "the hall is moved").code == 0
        terminal.wait_for("the hall is moved")
        (gate.root / "rollout.json").rename(gate.root / "away")
        terminal.wait_for("rollout.json")
        terminal.wait_for("there is: decisions.jsonl")  # on a line of its own
        (gate.root / "away").rename(gate.root / "rollout.json")
        terminal.wait_for("HOLD  1.4.0 stays in preflight (0 %)")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_however_it_ends_the_terminal_is_as_before(tmp_path: Path, number: int) -> None:
    """The screen, the cursor and what is typed; the exit code says which signal it was."""
    Gate(tmp_path).begin()
    with watching(tmp_path) as terminal:
        terminal.wait_for("preflight")
        assert terminal.modes_now() != terminal.modes
        assert terminal.end(number) == 128 + number
        assert terminal.modes_now() == terminal.modes
        assert terminal.raw.rfind(LEAVE_SCREEN) > terminal.raw.rfind(b"preflight")
        assert b"\x1b[?25h" in terminal.raw
        assert b"Traceback" not in terminal.raw


def test_a_signal_of_which_a_library_makes_an_error_ends_it_too(tmp_path: Path) -> None:
    """Not only the error is shown: the loop asks whether it is to end."""
    Gate(tmp_path).begin()
    with watching(tmp_path, sys.executable, "-c", SWALLOWING) as terminal:
        terminal.wait_for("preflight")
        time.sleep(0.3)  # by then it looks a second time
        assert terminal.end(signal.SIGTERM) == 128 + signal.SIGTERM
        assert terminal.modes_now() == terminal.modes


def test_a_signal_while_the_terminal_is_taken_leaves_it_as_before(tmp_path: Path) -> None:
    """What is taken by half is put back as well."""
    Gate(tmp_path).begin()
    with watching(tmp_path, sys.executable, "-c", HALF_TAKEN) as terminal:
        assert terminal.end(0) == 128 + signal.SIGTERM  # 0 is no signal
        assert terminal.modes_now() == terminal.modes
        assert terminal.raw.count(LEAVE_SCREEN) == 1
        assert not terminal.screen.cursor.hidden


@pytest.mark.parametrize("interval", ["50ms", "5", "0s"])
def test_what_is_refused(tmp_path: Path, interval: str) -> None:
    """An interval without a unit or too short, and an output that is no terminal: exit 2."""
    gate = Gate(tmp_path)
    gate.begin()
    assert gate("watch", "--interval", interval).code == 2
    done = gate("watch")
    assert done.code == 2
    assert "watch needs a terminal" in done.err
