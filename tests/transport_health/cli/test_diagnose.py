"""`diagnose` in a terminal: what is told fits into it."""

import fcntl
import os
import pty
import struct
import subprocess
import termios

import pytest

from tests.transport_health.running import COMMAND, environment
from tests.transport_health.state_files import StateDirectory


def told_in_a_terminal(directory: StateDirectory, columns: int) -> list[str]:
    """Return the lines of a diagnosis that is shown in a terminal of so many columns."""
    keyboard, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    asked = [str(COMMAND), "diagnose", "custom-command", "--state-dir", str(directory.root)]
    with subprocess.Popen(
        asked, stdout=terminal, env=environment({"COLUMNS": ""}, now_unix_ms=None)
    ) as process:
        os.close(terminal)
        shown = b""
        while block := _read(keyboard):
            shown += block
        os.close(keyboard)
    assert process.returncode == 3
    return shown.decode().splitlines()


def _read(keyboard: int) -> bytes:
    try:
        return os.read(keyboard, 65536)
    except OSError:  # the terminal is closed: how Linux says that all was read
        return b""


@pytest.mark.parametrize(
    ("columns", "widest"), [(60, range(50, 61)), (300, range(90, 101)), (0, range(90, 101))]
)
def test_lines_are_as_wide_as_the_terminal_up_to_100_columns(
    directory: StateDirectory, columns: int, widest: range
) -> None:
    """But for the first, and for what is to be pasted; a terminal that does not say has 100."""
    directory.good()
    directory.log.write_bytes(b"not one line of it is an event, as it should be\n" * 3)
    first, *lines = told_in_a_terminal(directory, columns)
    assert first.startswith("custom-command")
    prose = [line for line in lines if "`" not in line and str(directory.root) not in line]
    assert max(map(len, prose)) in widest, prose
