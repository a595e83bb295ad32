"""Jobs run side by side, and whoever waits hears of an end and of a signal."""

import os
import select
import signal
import threading
from pathlib import Path

import pytest

from tau_custom_command.services.clock import Clock
from tau_custom_command.services.execute.patience import Patience
from tau_custom_command.services.execute.prepare import Settling
from tau_custom_command.services.execute.workers import Alone, Workers, working
from tau_custom_command.services.stopping import STOPPING, Stopping, noted

NOTHING = Settling([])


def patient(stopping: Stopping, milliseconds: int = 60_000) -> Patience:
    """Wait so long after the first signal."""
    return Patience(stopping, milliseconds, Clock.of_this_machine(now_unix_ms=None))


def outcomes(workers: Workers | Alone, count: int) -> dict[int, Settling | BaseException]:
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

    with noted() as stopping, working(3, patient(stopping)) as workers:
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

    with noted() as stopping, working(8, patient(stopping)) as workers:
        for place in range(20):
            workers.start(place, remembered)
            assert outcomes(workers, 1) == {place: NOTHING}
    assert len(used) == 1


@pytest.mark.parametrize("most", [1, 2])
def test_an_error_is_told_where_it_is_waited_for(most: int) -> None:
    """It ends nothing else."""

    def failing() -> Settling:
        raise OSError("no")

    with noted() as stopping, working(most, patient(stopping)) as workers:
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

    with noted() as stopping, working(2, patient(stopping)) as workers:
        workers.start(0, waiting)
        threading.Timer(0.05, os.kill, (os.getpid(), number)).start()
        assert workers.wait() is None
        assert (stopping.stopped_by, stopping.is_impatient) == (number, False)
        os.kill(os.getpid(), number)
        assert workers.wait() is None
        assert stopping.is_impatient
        end.set()
        assert outcomes(workers, 1) == {0: NOTHING}
    assert signal.signal(number, before) == signal.SIG_DFL


def test_what_was_ignored_at_the_start_is_ignored() -> None:
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with noted() as stopping, working(2, patient(stopping)):
            os.kill(os.getpid(), signal.SIGHUP)
            assert stopping.stopped_by is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_one_at_a_time_is_run_where_it_is_asked_for() -> None:
    """No thread hands it over, and there is room again once its end was heard of."""
    with noted() as stopping, working(1, patient(stopping)) as workers:
        for place in range(2):
            assert (workers.has_room, workers.running) == (True, 0)
            ran_in: list[int] = []

            def remembered(ran_in: list[int] = ran_in) -> Settling:
                ran_in.append(threading.get_ident())
                return NOTHING

            workers.start(place, remembered)
            assert ran_in == [threading.get_ident()]
            assert (workers.has_room, workers.running) == (False, 1)
            assert outcomes(workers, 1) == {place: NOTHING}


@pytest.mark.parametrize("signals", [1, 2])
def test_a_signal_is_heard_while_the_only_one_runs(signals: int) -> None:
    """What runs ends when patience does: at once at a second signal, else after its time."""
    patience_ms = 50 if signals == 1 else 60_000

    with noted() as stopping:
        patience = patient(stopping, patience_ms)

        def until_cancelled() -> Settling:
            for number in range(1, signals + 1):
                os.kill(os.getpid(), signal.SIGTERM)
                while not (stopping.is_impatient if number > 1 else stopping.stopped_by):
                    pass
            assert select.select([patience.cancelled], [], [], 60)[0]
            return NOTHING

        with working(1, patience) as workers:
            workers.start(0, until_cancelled)
            assert outcomes(workers, 1) == {0: NOTHING}
    assert stopping.stopped_by is signal.SIGTERM
    assert stopping.is_impatient == (signals == 2)


def test_a_signal_that_comes_just_before_a_wait_is_heard_in_another_thread() -> None:
    """Python calls the handler only once the main thread comes back from what it waits for."""
    with noted() as stopping:
        patience = patient(stopping, 0)
        with working(1, patience) as workers:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # of this thread alone
            try:
                workers.start(0, lambda: kill_and_wait(patience))
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            assert outcomes(workers, 1) == {0: NOTHING}


def kill_and_wait(patience: Patience) -> Settling:
    """Send a signal that another thread takes, and wait for what comes of it."""
    os.kill(os.getpid(), signal.SIGTERM)
    assert select.select([patience.cancelled], [], [], 60)[0]
    return NOTHING


def test_the_end_waits_for_what_runs(tmp_path: Path) -> None:
    """Also where something goes wrong meanwhile: no thread is left at work."""
    begun, end = threading.Event(), threading.Event()

    def slow() -> Settling:
        begun.set()
        end.wait(0.2)
        (tmp_path / "done").touch()
        return NOTHING

    def fails_meanwhile() -> None:
        with noted() as stopping, working(2, patient(stopping)) as workers:
            workers.start(0, slow)
            begun.wait(60)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails_meanwhile()
    assert (tmp_path / "done").exists()
