"""Signals that come while the processes of the pool begin, to them or to their parent."""

import multiprocessing
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType

import pytest

from tau_rollout_gate.fleet.engines import pool
from tests.rollout_gate.fleet.test_engines import CHUNK, COUNT, PATIENCE_SECONDS, Asked

ROOT = Path(__file__).parents[3]

TO_ALL = """
import os, signal, sys
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnProcess
from pathlib import Path
from tau_rollout_gate.fleet.engines import pool
from tests.rollout_gate.fleet.test_engines import Asked

start = SpawnProcess.start

def signalled(self):
    start(self)
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        os.kill(self.pid, number)
        os.kill(resource_tracker._resource_tracker._pid, number)

SpawnProcess.start = signalled
asked = Asked(Path(sys.argv[1]))
print(len(dict(pool.run(asked.job, asked.chunks, workers=2))))
"""
"""Judges with processes, to which and to whose helper all is sent that a terminal sends to all."""


class EndedError(Exception):
    """What the handler of a signal raises."""


@contextmanager
def ending_at(number: signal.Signals) -> Iterator[None]:
    """Have a signal raise, as the program does."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise EndedError

    before = signal.signal(number, end)
    try:
        yield
    finally:
        signal.signal(number, before)


def test_a_signal_while_a_worker_begins_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that the pool did not know of yet would be waited for without end, when all is over."""
    asked, start = Asked(tmp_path), SpawnProcess.start

    def signalled(process: SpawnProcess) -> None:
        start(process)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(SpawnProcess, "start", signalled)
    with ending_at(signal.SIGTERM), pytest.raises(EndedError):
        list(pool.run(asked.job, asked.chunks, workers=2))
    left = multiprocessing.active_children()
    for process in left:
        process.kill()
    assert left == []


def test_what_a_terminal_sends_to_all_is_the_programs_alone(tmp_path: Path) -> None:
    """No worker ends by it, nor shows a traceback: the program ends them, if it ends."""
    done = subprocess.run(
        [sys.executable, "-c", TO_ALL, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{COUNT // CHUNK}\n", "")


def test_a_worker_that_is_asked_to_end_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its parent has held while it began is not held in it for ever: another takes over."""
    asked = Asked(tmp_path)
    alone = dict(pool.run(asked.job, asked.chunks, workers=1))
    started: list[SpawnProcess] = []
    start = SpawnProcess.start

    def noting(process: SpawnProcess) -> None:
        start(process)
        started.append(process)
        if len(started) == 1:
            process.terminate()

    monkeypatch.setattr(SpawnProcess, "start", noting)
    assert dict(pool.run(asked.job, asked.chunks, workers=2)) == alone
    assert len(started) > 2
