"""The live view in a real pseudo-terminal, its screen read by a terminal emulator."""

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyte
import pytest

from tests.transport_health.running import COMMAND, PATIENCE_SECONDS, Inspector, environment
from tests.transport_health.state_files import (
    StateDirectory,
    chain,
    failed,
    minimal_state,
    record,
    state_of,
)

CONTROL_C = b"\x03"
HIDE_CURSOR, SHOW_CURSOR = b"\x1b[?25l", b"\x1b[?25h"
ENTER_SCREEN, LEAVE_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"
HOME = b"\x1b[H"
"""What every frame begins with."""


HALF_TAKEN = """
import signal, sys
from rich.console import Console
from tau_transport_health.cli import main

take = Console.set_alt_screen

def signalled(self, enable=True):
    taken = take(self, enable)
    if enable:
        signal.raise_signal(signal.SIGTERM)
    return taken

Console.set_alt_screen = signalled
sys.argv = ["tau-transport-health", *sys.argv[1:]]
main.main()
"""
"""The program, to which a signal comes while it takes the terminal for its view."""


class Terminal:
    """A pseudo-terminal with `watch` in it, and the screen as a person would see it."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        columns: int = 100,
        rows: int = 30,
        program: tuple[str | Path, ...] = (COMMAND,),
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self._shown = 0
        self._keyboard, self._terminal = pty.openpty()
        self._set_size(columns, rows)
        self.modes = termios.tcgetattr(self._terminal)
        self.process = subprocess.Popen(
            [*program, "watch", *arguments],
            cwd=folder,
            env=environment({"TERM": "xterm-256color"}, now_unix_ms=None)
            | {"COLUMNS": "", "LINES": ""},
            stdin=self._terminal,
            stdout=self._terminal,
            stderr=self._terminal,
            start_new_session=True,
            # So that Ctrl-C reaches it as from a keyboard.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no threads
        )

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._keyboard, keys)

    def resize(self, columns: int, rows: int) -> None:
        """Change the window's size, as a terminal emulator does."""
        self.screen.resize(rows, columns)
        self._set_size(columns, rows)
        self.process.send_signal(signal.SIGWINCH)

    def read(self, seconds: float = 0.05) -> bool:
        """Let the program write for a moment; return whether it did. Only whole frames are shown.

        However fast it writes, this reads once: it could write for as long as it is read.
        """
        if not select.select([self._keyboard], [], [], seconds)[0]:
            return False
        try:
            self.raw += os.read(self._keyboard, 65536)
        except OSError:  # Linux's way of saying that nobody holds the other end
            return False
        self._show(self.raw.rfind(HOME))
        return True

    def text(self) -> str:
        """Return what stands on the screen."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def wait_for(self, seen: Callable[[str], bool]) -> str:
        """Return the screen as soon as it shows what is waited for."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not seen(self.text()):
            assert time.monotonic() < deadline, self.text() or self.raw
            self.read()
        return self.text()

    def wait_for_drawing(self) -> None:
        """Wait until a frame begun from here on is drawn: a loaded machine may take its time."""
        begun = self.raw.count(HOME)
        self.wait_for(lambda _: self.raw.count(HOME) > begun + 1)

    def end(self) -> int:
        """Return the exit code, the rest of the output read."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.text()
            self.read()
        while self.read(0):
            pass
        self._show(len(self.raw))
        return self.process.returncode

    def modes_now(self) -> object:
        """Return the terminal's modes."""
        return termios.tcgetattr(self._terminal)

    def close(self) -> None:
        """End what is left."""
        self.process.terminate()
        try:
            self.end()
        finally:
            self.process.kill()
            self.process.wait()
        os.close(self._keyboard)
        os.close(self._terminal)

    def _show(self, end: int) -> None:
        if end > self._shown:
            self.stream.feed(self.raw[self._shown : end])
            self._shown = end

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@contextmanager
def watching(
    folder: Path, *arguments: str, columns: int = 100, rows: int = 30
) -> Iterator[Terminal]:
    """Have `watch` run in a terminal until the end of the block."""
    terminal = Terminal(
        folder, "--interval=100ms", "--max-age=none", *arguments, columns=columns, rows=rows
    )
    try:
        yield terminal
    finally:
        terminal.close()


@pytest.fixture
def directory(inspector: Inspector) -> StateDirectory:
    """Return the command runtime's state directory."""
    return inspector.directory()


def assert_restored(terminal: Terminal) -> None:
    """Hold the terminal against what it was before."""
    assert terminal.raw.count(ENTER_SCREEN) == terminal.raw.count(LEAVE_SCREEN) == 1
    assert terminal.raw.rindex(SHOW_CURSOR) > terminal.raw.rindex(HIDE_CURSOR)
    assert not terminal.screen.cursor.hidden
    assert terminal.modes_now() == terminal.modes


def test_the_view_shows_all_there_is_to_know(
    directory: StateDirectory, inspector: Inspector
) -> None:
    """State, gate, reason, what to do, age, numbers, and the last events with their codes."""
    lines = directory.good(3, **failed(streak=3))
    directory.write(None, [lines[0], b"{broken\n", *lines[1:]])
    with watching(inspector.folder, "custom-command") as terminal:
        text = terminal.wait_for(lambda text: "Ctrl-C ends" in text)
        for words in (
            "FAILING   gate hold  custom-command (no-code-command-registry)",
            "2 cases failed in the last cycle",
            "[unhealthy]",
            "diagnose",
            "5 discovered, 3 completed, 2 failed, 1 duplicates, 1 left over",
            "case_processing_failed",
            "command_registry_mutated, command_runs_recorded",
            "INVALID",
            "state.json",
        ):
            assert words in text, words
        assert "ago" in text


def test_it_redraws_in_place_as_the_files_change(
    directory: StateDirectory, inspector: Inspector
) -> None:
    """A new cycle changes the screen; nothing scrolls, nothing of the old one is left."""
    directory.good(3)
    with watching(inspector.folder, "custom-command") as terminal:
        terminal.wait_for(lambda text: "HEALTHY   gate pass" in text)
        directory.good(4, **failed(streak=1))
        text = terminal.wait_for(lambda text: "DEGRADED  gate hold" in text)
        assert text.count("gate ") == 1
        assert text.splitlines()[0].startswith("DEGRADED")
        terminal.wait_for_drawing()
        assert terminal.text().splitlines()[0].startswith("DEGRADED")


def written(text: str) -> str | None:
    """Return the seconds since the state was written that a screen shows, if it does."""
    found = re.search(r"age +(\d+) s ago", text)
    return found and found[1]


def test_the_age_ticks_without_a_new_look(directory: StateDirectory, inspector: Inspector) -> None:
    """The age grows by the clock, however seldom the files are looked at."""
    directory.good(2, timestamp_unix_ms=time.time_ns() // 1_000_000)
    with watching(inspector.folder, "custom-command", "--interval=1h") as terminal:
        first = written(terminal.wait_for(lambda text: written(text) is not None))
        terminal.wait_for(lambda text: written(text) not in {None, first})


@pytest.mark.parametrize("sizes", [[(60, 15), (140, 50)], [(10, 3), (1, 1), (100, 30)]])
def test_it_survives_a_resize(
    sizes: list[tuple[int, int]], directory: StateDirectory, inspector: Inspector
) -> None:
    """Larger, smaller, tiny: it draws for the new size at once, and goes on."""
    directory.good(3)
    with watching(inspector.folder, "custom-command") as terminal:
        terminal.wait_for(lambda text: "HEALTHY" in text)
        for columns, rows in sizes:
            terminal.resize(columns, rows)
            terminal.wait_for_drawing()
            assert terminal.process.poll() is None
        text = terminal.wait_for(lambda text: "HEALTHY" in text)
        assert text.splitlines()[0].startswith("HEALTHY   gate pass  custom-command")
        terminal.type(CONTROL_C)
        assert terminal.end() == 130
        assert_restored(terminal)


@pytest.mark.parametrize("arguments", [["custom-command"], ["--all"]])
def test_a_directory_may_vanish_and_come_back(
    arguments: list[str], directory: StateDirectory, inspector: Inspector
) -> None:
    """What is gone is said to be gone, and seen again when it is there again."""
    directory.good()
    with watching(inspector.folder, *arguments) as terminal:
        terminal.wait_for(lambda text: "HEALTHY" in text)
        shutil.rmtree(directory.root)
        gone = ("there is no such directory", "no target has a state directory")
        terminal.wait_for(lambda text: "HEALTHY" not in text and any(one in text for one in gone))
        directory.good(2, **failed(streak=1))
        terminal.wait_for(lambda text: "DEGRADED" in text)


def test_all_targets_stand_in_one_table(directory: StateDirectory, inspector: Inspector) -> None:
    """A row each, with state, gate and the reason."""
    directory.good(2, **failed(streak=3))
    inspector.directory("voice").write(minimal_state(), None)
    inspector.directory("memory").write(b"{", None)
    with watching(inspector.folder, "--all", columns=120) as terminal:
        text = terminal.wait_for(lambda text: "voice" in text)
        rows = {line.split()[0]: line.split()[1:3] for line in text.splitlines() if line.strip()}
        assert rows["custom-command"] == ["FAILING", "hold"]
        assert rows["voice"] == ["HEALTHY", "pass"]
        assert rows["memory"] == ["UNKNOWN", "hold"]
        assert "not JSON" in text


def test_ctrl_c_restores_the_terminal(directory: StateDirectory, inspector: Inspector) -> None:
    """Exit 130, since only an answer may be 0; screen, cursor and modes are as they were."""
    directory.good()
    with watching(inspector.folder, "custom-command") as terminal:
        terminal.wait_for(lambda text: "HEALTHY" in text)
        assert terminal.screen.cursor.hidden
        assert terminal.modes_now() != terminal.modes, "what is typed is not shown"
        terminal.type(b"qqq\x1b[A")
        terminal.type(CONTROL_C)
        assert terminal.end() == 130
        assert_restored(terminal)
        assert b"Traceback" not in terminal.raw
        assert b"qqq" not in terminal.raw
        assert b"interrupted" in terminal.raw.rpartition(LEAVE_SCREEN)[2]


def test_termination_restores_the_terminal_too(
    directory: StateDirectory, inspector: Inspector
) -> None:
    """A supervisor's SIGTERM leaves no terminal behind in which nothing can be seen."""
    directory.good()
    with watching(inspector.folder, "custom-command") as terminal:
        terminal.wait_for(lambda text: "HEALTHY" in text)
        terminal.process.terminate()
        assert terminal.end() == 128 + signal.SIGTERM
        assert_restored(terminal)


def test_a_signal_while_the_terminal_is_taken_leaves_it_as_before(
    directory: StateDirectory, inspector: Inspector
) -> None:
    """What is taken by half is put back as well."""
    directory.good()
    program = (sys.executable, "-c", HALF_TAKEN)
    terminal = Terminal(inspector.folder, "custom-command", program=program)
    try:
        assert terminal.end() == 128 + signal.SIGTERM
        assert_restored(terminal)
    finally:
        terminal.close()


def test_hostile_text_does_not_act(directory: StateDirectory, inspector: Inspector) -> None:
    """Escape sequences, markup and marks in the files are text on the screen, and nothing else."""
    hostile = "[bold red]x[/] \x1b[2J\x1b]0;title\x07 \u202e\x00\x9b31m [link=http://a]y[/link]"
    lines = chain(3, health_reason=hostile, reason_codes=[hostile, "[/]", "z" * 100_000])
    directory.write(state_of(lines[-1], commands=[record(command_name=hostile)]), lines)
    with watching(inspector.folder, "custom-command", rows=50) as terminal:
        text = terminal.wait_for(lambda text: "Ctrl-C ends" in text)
        assert r"[bold red]x[/] \x1b[2J\x1b]0;title\x07 \u202e\x00\x9b31m [link=" in text
        for raw in (b"\x1b[2J", b"\x1b]0;", b"\x07", b"\x00", "\u202e".encode(), b"\x1b]8"):
            assert raw not in terminal.raw, raw
        assert len(terminal.raw) < 200_000


def test_a_target_that_is_none_is_said_outside_of_the_view(inspector: Inspector) -> None:
    """Wrong usage never opens the view: exit 2."""
    with watching(inspector.folder, "nope") as terminal:
        assert terminal.end() == 2
        assert b"'nope' is not a target" in terminal.raw
        assert ENTER_SCREEN not in terminal.raw
        assert terminal.modes_now() == terminal.modes


def test_it_waits_for_the_first_target(inspector: Inspector) -> None:
    """`--all` before anything ever ran shows that, and then what comes."""
    with watching(inspector.folder, "--all") as terminal:
        terminal.wait_for(lambda text: "no target has a state directory" in text)
        inspector.directory().good()
        terminal.wait_for(lambda text: "HEALTHY" in text)


def test_a_broken_targets_file_is_shown_while_it_is_broken(
    directory: StateDirectory, inspector: Inspector
) -> None:
    """An editor's half-saved file ends no view."""
    directory.good()
    targets = inspector.folder / ".tau/targets.toml"
    with watching(inspector.folder, "--all") as terminal:
        terminal.wait_for(lambda text: "HEALTHY" in text)
        targets.write_text("[[[", encoding="utf-8")
        terminal.wait_for(lambda text: "not TOML" in text)
        targets.unlink()
        terminal.wait_for(lambda text: "HEALTHY" in text)


def test_without_a_terminal_it_says_so(directory: StateDirectory, inspector: Inspector) -> None:
    """Exit 2 and what to use instead, at once."""
    directory.good()
    done = inspector("watch", "custom-command")
    assert (done.code, done.out) == (2, "")
    assert done.err == "error: watch needs a terminal to draw in; for one look use inspect\n"


@pytest.mark.parametrize("interval", ["none", "0", "99ms", "x"])
def test_an_interval_is_a_duration(interval: str, inspector: Inspector) -> None:
    """Nothing that would never look, or look without a pause."""
    done = inspector("watch", "custom-command", "--interval", interval)
    assert done.code == 2
    assert "error" in done.err.lower()


def test_rich_is_imported_by_watch_alone() -> None:
    """The other commands start without it: their modules import no rich."""
    program = "import sys, tau_transport_health.cli.app; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
