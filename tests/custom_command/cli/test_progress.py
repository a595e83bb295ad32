"""The progress bar: for people at a terminal, and only for what takes long."""

import os
import pty
import subprocess
import sys
import time
from collections.abc import Sequence

import pytest

from tau_custom_command.cli.progress import track
from tests.custom_command.running import PATIENCE_SECONDS, environment

SCRIPT = """
import sys, time
from tau_custom_command.cli.progress import track
seconds = [float(word) for word in sys.argv[1:]]
for pause in track("working", seconds):
    time.sleep(pause)
"""


def in_a_terminal(*arguments: str) -> tuple[int, str, str]:
    """Run a script with stderr as a terminal; return its code, what that shows, and stdout."""
    shown, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=terminal,
        env=environment({"TERM": "xterm"}),
    )
    os.close(terminal)
    parts = []
    while True:
        try:
            part = os.read(shown, 65_536)
        except OSError:  # how Linux says that the last process closed the terminal
            part = b""
        if not part:
            break
        parts.append(part)
    os.close(shown)
    out, _ = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, b"".join(parts).decode(), out.decode()


def test_a_bar_appears_for_what_takes_longer_than_a_second() -> None:
    """From one second on there is a bar on stderr, which ends at 100 %; stdout stays clean."""
    code, shown, out = in_a_terminal(*["0.4"] * 4)
    assert code == 0
    assert "working" in shown
    assert "75%" in shown, "the bar begins where the work is"
    assert "100%" in shown.rpartition("75%")[2]
    assert out == ""


@pytest.mark.parametrize("seconds", [["0.1"] * 3, []], ids=["quick", "nothing to do"])
def test_what_is_quick_shows_nothing(seconds: Sequence[str]) -> None:
    """Within a second there is no flicker on the terminal."""
    assert in_a_terminal(*seconds) == (0, "", "")


def test_no_bar_where_stderr_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a stderr at all, every item still comes through."""
    monkeypatch.setattr(sys, "stderr", None)
    assert list(track("working", [1, 2, 3])) == [1, 2, 3]


def test_no_bar_without_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    """Where stderr is a file or a pipe, long work draws nothing, and passes every item through."""
    items = list(range(5))
    passed = []
    for item in track("working", items):
        passed.append(item)
        time.sleep(0.3)
    assert passed == items
    assert capfd.readouterr() == ("", "")
