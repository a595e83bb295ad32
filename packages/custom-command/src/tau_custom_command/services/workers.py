"""Threads that run commands side by side, and the wish to stop, told to the thread that waits.

Each job runs in one thread from its beginning to its end: a sandbox is killed when the thread that
started it ends (prctl(2), PR_SET_PDEATHSIG).
"""

import os
import select
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from types import FrameType
from typing import NamedTuple

from tau_custom_command.execution.cancellation import Cancellation
from tau_custom_command.services.attempts import Settling

Job = Callable[[], Settling]

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Done(NamedTuple):
    """A job that ended: the place it was given for, and what it returned or raised."""

    place: int
    outcome: Settling | BaseException


class Workers:
    """At most so many jobs at once; made by `working`."""

    def __init__(self, most: int, *, readable: int, writable: int) -> None:
        """Begin without a thread; a byte in the pipe wakes whoever waits."""
        self._most, self._readable, self._writable = most, readable, writable
        self._jobs: SimpleQueue[tuple[int, Job] | None] = SimpleQueue()
        self._done: deque[Done] = deque()
        self._threads: list[threading.Thread] = []
        self.running = 0
        self.stopping = Cancellation()
        self.stopped_by: signal.Signals | None = None
        self.is_impatient = False

    @property
    def has_room(self) -> bool:
        """Whether another job would start at once."""
        return self.running < self._most

    def start(self, place: int, job: Job) -> None:
        """Run a job in a thread that has nothing to do, or a new one."""
        self.running += 1
        if self.running > len(self._threads):
            thread = threading.Thread(target=self._work, name=f"run-{len(self._threads) + 1}")
            thread.start()
            self._threads.append(thread)
        self._jobs.put((place, job))

    def wait(self, seconds: float | None = None) -> Done | None:
        """Wait for the next job to end; None where a signal came, or the time is over, first."""
        if not self._done:
            select.select([self._readable], [], [], seconds)
            with suppress(BlockingIOError):
                os.read(self._readable, 4096)
        if not self._done:
            return None
        self.running -= 1
        return self._done.popleft()

    def end(self) -> None:
        """End the threads, once their jobs have ended."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def stop(self, number: int, _frame: FrameType | None = None) -> None:
        """Note that the run is to stop; a second wish cannot wait for what runs."""
        self.is_impatient = self.stopped_by is not None
        self.stopped_by = signal.Signals(number)
        self.stopping.set()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            place, call = job
            try:
                done = Done(place, call())
            except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
                done = Done(place, error)
            self._done.append(done)
            with suppress(BlockingIOError):  # a full pipe wakes as well
                os.write(self._writable, b"\0")


@contextmanager
def working(most: int) -> Iterator[Workers]:
    """Give threads for at most so many jobs at once; their jobs have ended when the block has.

    Meanwhile a signal that asks to stop is noted, and ends nothing by itself.
    """
    readable, writable = os.pipe()
    os.set_blocking(readable, False)
    os.set_blocking(writable, False)
    workers = Workers(most, readable=readable, writable=writable)
    # The kernel gives a signal to any thread; by the pipe the one that waits hears of it.
    woken_before = signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    before = {number: signal.signal(number, workers.stop) for number in _not_ignored()}
    try:
        yield workers
    finally:
        try:
            workers.end()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(woken_before)
            os.close(readable)
            os.close(writable)


def _not_ignored() -> Iterator[signal.Signals]:
    """Yield the signals that stop, but for those that were ignored at the start (nohup)."""
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            yield number
