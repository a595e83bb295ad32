"""A command that is forked for the tests is the command as anyone starts it."""

import os
import subprocess
from pathlib import Path

import pytest

from tests import forking
from tests.contract.running import COMMAND, PATIENCE_SECONDS


@pytest.mark.parametrize("words", [["--version"], ["run", "none.json"], ["nothing"], []], ids=str)
def test_it_says_and_answers_what_a_started_one_does(words: list[str], tmp_path: Path) -> None:
    """Exit code, stdout and stderr are the same to the byte."""
    started = subprocess.run([COMMAND, *words], cwd=tmp_path, capture_output=True, check=False)
    forked = forking.run(COMMAND, *words, cwd=tmp_path, env=os.environ, timeout=PATIENCE_SECONDS)
    assert (forked.returncode, forked.stdout, forked.stderr) == (
        started.returncode,
        started.stdout,
        started.stderr,
    )


def test_one_that_does_not_end_is_killed_and_the_next_one_runs(tmp_path: Path) -> None:
    """What waits for ever for its fixture is given up after the time that was given."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(subprocess.TimeoutExpired):
        forking.run(COMMAND, "validate", "pipe", cwd=tmp_path, env=os.environ, timeout=0.2)
    done = forking.run(COMMAND, "--version", cwd=tmp_path, env=os.environ, timeout=PATIENCE_SECONDS)
    assert done.returncode == 0
