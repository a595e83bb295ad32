"""What `run` tells on a terminal: as elsewhere, and no word cut in two at its edge."""

import os
import pty
import subprocess

from tests.custom_command.cases import case_object, fixture_bytes
from tests.custom_command.running import COMMAND, PATIENCE_SECONDS, Command, environment

COLUMNS = 60


def test_lines_break_between_words_on_a_terminal(command: Command) -> None:
    """They go on indented; what is told is the same as in a pipe."""
    (command.folder / "fixture.json").write_bytes(
        fixture_bytes(case_object("010-run", "RUN", "none"), case_object("020-run", "RUN", "nine"))
    )
    piped = command("run", "fixture.json", "--state-dir", "one")
    shown, terminal = pty.openpty()
    ran = subprocess.run(
        [COMMAND, "run", "fixture.json", "--state-dir", "two"],
        cwd=command.folder,
        env=environment({"COLUMNS": str(COLUMNS)}),
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    lines = os.read(shown, 65_536).decode().splitlines()
    os.close(terminal)
    os.close(shown)
    assert ran.returncode == piped.code == 3
    assert max(map(len, lines)) <= COLUMNS
    assert " ".join(lines).split() == piped.out.replace(" one:", " two:").split()
    assert sum(line.startswith("✗  ") for line in lines) == 2
    assert sum(line.startswith("   ") for line in lines) >= 4
