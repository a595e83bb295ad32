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
from tests.rollout_gate.fleet.made import MadeFleet, hosts
from tests.rollout_gate.fleet.test_engines import PATIENCE_SECONDS, Asked

TO_ALL = """
import os, signal, sys
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnProcess

start = SpawnProcess.start

def signalled(self):
    start(self)
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        os.kill(self.pid, number)
        os.kill(resource_tracker._resource_tracker._pid, number)

SpawnProcess.start = signalled
from tau_rollout_gate.cli.main import main
main()
"""
"""The program, with what a terminal sends to all of its processes sent to those that help it."""


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
    fleet = MadeFleet(tmp_path, hosts(40))
    fleet.begin()
    fleet.step()
    alone = fleet("evaluate", "--engine", "pool=1", process=True)
    words = ("evaluate", "--engine", "pool=2", "--now-unix-ms", str(fleet.now))
    done = subprocess.run(
        [sys.executable, "-c", TO_ALL, *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (alone.code, "")
    assert done.stdout == alone.out


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
