"""Jobs run side by side, and whoever waits hears of an end and of a signal."""

import os
import signal
import threading
from pathlib import Path

import pytest

from tau_custom_command.services.execute.prepare import Settling
from tau_custom_command.services.execute.workers import Workers, working
from tau_custom_command.services.stopping import STOPPING, noted

NOTHING = Settling([])


def outcomes(workers: Workers, count: int) -> dict[int, Settling | BaseException]:
    """Wait for so many jobs; return what came of each, by its place."""
    found: dict[int, Settling | BaseException] = {}
    while len(found) < count:
        if (done := workers.wait()) is not None:
            found[done.place] = done.outcome
    return found


def test_jobs_run_at_once_and_no_more_than_asked() -> None:
    """Three meet where none can go on without the others; then there is room again."""
    meeting = threading.Barrier(3, timeout=60)

    def meet() -> Settling:
        meeting.wait()
        return NOTHING

    with noted() as stopping, working(3, stopping) as workers:
        for place in range(3):
            assert workers.has_room
            workers.start(place, meet)
        assert not workers.has_room
        assert outcomes(workers, 3) == dict.fromkeys(range(3), NOTHING)
        assert workers.has_room


def test_a_thread_is_used_again() -> None:
    """One job after another makes no second thread: starting one takes longer than many a job."""
    used: set[int] = set()

    def remembered() -> Settling:
        used.add(threading.get_ident())
        return NOTHING

    with noted() as stopping, working(8, stopping) as workers:
        for place in range(20):
            workers.start(place, remembered)
            assert outcomes(workers, 1) == {place: NOTHING}
    assert len(used) == 1


def test_an_error_is_told_where_it_is_waited_for() -> None:
    """It ends nothing else."""

    def failing() -> Settling:
        raise OSError("no")

    with noted() as stopping, working(1, stopping) as workers:
        workers.start(0, failing)
        assert isinstance(outcomes(workers, 1)[0], OSError)
        workers.start(1, lambda: NOTHING)
        assert outcomes(workers, 1) == {1: NOTHING}


@pytest.mark.parametrize("number", STOPPING, ids=lambda number: number.name)
def test_a_signal_wakes_whoever_waits_and_ends_nothing(number: signal.Signals) -> None:
    """The first one asks to stop, the second is impatient; afterwards all is as it was."""
    # One that is ignored stays so; and what a shell starts in the background ignores two of them.
    before, end = signal.signal(number, signal.SIG_DFL), threading.Event()

    def waiting() -> Settling:
        end.wait(60)
        return NOTHING

    with noted() as stopping, working(1, stopping) as workers:
        workers.start(0, waiting)
        threading.Timer(0.05, os.kill, (os.getpid(), number)).start()
        assert workers.wait(60) is None
        assert (stopping.stopped_by, stopping.is_impatient) == (number, False)
        os.kill(os.getpid(), number)
        assert workers.wait(60) is None
        assert stopping.is_impatient
        end.set()
        assert outcomes(workers, 1) == {0: NOTHING}
    assert signal.signal(number, before) == signal.SIG_DFL


def test_what_was_ignored_at_the_start_is_ignored() -> None:
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with noted() as stopping, working(1, stopping) as workers:
            os.kill(os.getpid(), signal.SIGHUP)
            assert workers.wait(0.01) is None
            assert stopping.stopped_by is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_end_waits_for_what_runs(tmp_path: Path) -> None:
    """Also where something goes wrong meanwhile: no thread is left at work."""
    begun, end = threading.Event(), threading.Event()

    def slow() -> Settling:
        begun.set()
        end.wait(0.2)
        (tmp_path / "done").touch()
        return NOTHING

    def fails_meanwhile() -> None:
        with noted() as stopping, working(1, stopping) as workers:
            workers.start(0, slow)
            begun.wait(60)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails_meanwhile()
    assert (tmp_path / "done").exists()
