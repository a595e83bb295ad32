"""What `run` tells on a terminal: as elsewhere, and no word cut in two at its edge."""

import os
import pty
import re
import subprocess

from tests.custom_command.cases import case_object, fixture_bytes
from tests.custom_command.running import COMMAND, PATIENCE_SECONDS, Command, environment

COLUMNS = 60


def on_a_terminal(command: Command, *options: str) -> tuple[int, str]:
    """Run the fixture with stdout and stderr on a terminal; return its code and what is shown."""
    shown, terminal = pty.openpty()
    ran = subprocess.run(
        [COMMAND, "run", "fixture.json", *options],
        cwd=command.folder,
        env=environment({"COLUMNS": str(COLUMNS), "TERM": "xterm"}),
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    text = os.read(shown, 65_536).decode()
    os.close(terminal)
    os.close(shown)
    return ran.returncode, text


def test_lines_break_between_words_on_a_terminal(command: Command) -> None:
    """They go on indented; what is told is the same as in a pipe."""
    (command.folder / "fixture.json").write_bytes(
        fixture_bytes(case_object("010-run", "RUN", "none"), case_object("020-run", "RUN", "nine"))
    )
    piped = command("run", "fixture.json", "--state-dir", "one")
    code, shown = on_a_terminal(command, "--state-dir", "two")
    lines = shown.splitlines()
    assert code == piped.code == 3
    (command_line,) = [line for line in lines if "'tau-custom-command accept " in line]
    assert "accept fixture.json --state-dir two'" in command_line  # to be pasted
    assert max(map(len, lines)) <= COLUMNS
    assert " ".join(lines).split() == re.sub(r" one\b", " two", piped.out).split()
    assert sum(line.startswith("✗  ") for line in lines) == 2
    assert sum(line.startswith("   ") for line in lines) >= 4


def test_the_bar_of_a_cycle_that_executes_comes_to_its_end(command: Command) -> None:
    """It says 100 % when all cases are done, as in record mode."""
    policy = {"sandbox_profile": "unrestricted"}
    create = case_object("0", "CREATE", "a", template="sleep 0.6", execution_policy=policy)
    runs = [case_object(f"{number}", "RUN", "a") for number in range(1, 5)]
    (command.folder / "fixture.json").write_bytes(fixture_bytes(create, *runs))
    options = ("--policy-sandbox-profile=unrestricted", "--no-policy-require-approval")
    code, shown = on_a_terminal(command, "--run-mode=execute", *options)
    assert code == 0
    assert "100%" in shown
