"""Threads that run commands side by side.

Each job runs in one thread from its beginning to its end: a sandbox is killed when the thread that
started it ends (prctl(2), PR_SET_PDEATHSIG).
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import NamedTuple

from tau_custom_command.services.execute.prepare import Settling
from tau_custom_command.services.stopping import Stopping

Job = Callable[[], Settling]


class Done(NamedTuple):
    """A job that ended: the place it was given for, and what it returned or raised."""

    place: int
    outcome: Settling | BaseException


class Workers:
    """At most so many jobs at once; made by `working`."""

    def __init__(self, most: int, stopping: Stopping) -> None:
        """Begin without a thread; whoever waits for `stopping` hears of each end too."""
        self._most, self._stopping = most, stopping
        self._jobs: SimpleQueue[tuple[int, Job] | None] = SimpleQueue()
        self._done: deque[Done] = deque()
        self._threads: list[threading.Thread] = []
        self.running = 0

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
            self._stopping.wait(seconds)
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

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            place, call = job
            try:
                done = Done(place, call())
            except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
                done = Done(place, error)
            self._done.append(done)
            self._stopping.wake()


@contextmanager
def working(most: int, stopping: Stopping) -> Iterator[Workers]:
    """Give threads for at most so many jobs at once; their jobs have ended when the block has."""
    workers = Workers(most, stopping)
    try:
        yield workers
    finally:
        workers.end()
