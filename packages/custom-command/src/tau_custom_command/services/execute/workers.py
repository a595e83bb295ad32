"""Runs commands side by side, each in a thread, or one after the other.

Each job runs in one thread from its beginning to its end: a sandbox is killed when the thread that
started it ends (prctl(2), PR_SET_PDEATHSIG).
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import NamedTuple

from tau_custom_command.services.execute.patience import Patience
from tau_custom_command.services.execute.prepare import Settling

Job = Callable[[], Settling]


class Done(NamedTuple):
    """A job that ended: the place it was given for, and what it returned or raised."""

    place: int
    outcome: Settling | BaseException


class Workers:
    """At most so many jobs at once; made by `working`."""

    def __init__(self, most: int, patience: Patience) -> None:
        """Begin without a thread; whoever waits for a wish to stop hears of each end too."""
        self._most, self._patience, self._stopping = most, patience, patience.stopping
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

    def wait(self) -> Done | None:
        """Wait for the next job to end; None where a signal came, or patience is over, first."""
        if not self._done:
            self._stopping.wait(self._patience.seconds())
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
            self._done.append(_done(*job))
            self._stopping.wake()


class Alone:
    """One job at a time, in the thread that asks for it, so that none is handed over.

    Another thread waits for signals meanwhile.
    """

    def __init__(self, patience: Patience) -> None:
        """Begin to wait for signals."""
        self._patience = patience
        self._done: Done | None = None
        self._has_ended = False
        self._thread = threading.Thread(target=self._wait_for_signals, name="signals")
        self._thread.start()

    @property
    def running(self) -> int:
        """How many jobs there are whose end was not heard of yet."""
        return 0 if self._done is None else 1

    @property
    def has_room(self) -> bool:
        """Whether another job may be started."""
        return self._done is None

    def start(self, place: int, job: Job) -> None:
        """Run a job to its end."""
        self._done = _done(place, job)

    def wait(self) -> Done | None:
        """Hear of the end of the job."""
        done, self._done = self._done, None
        return done

    def end(self) -> None:
        """Wait for signals no more."""
        self._has_ended = True
        self._patience.stopping.wake()
        self._thread.join()

    def _wait_for_signals(self) -> None:
        while not self._has_ended:
            self._patience.stopping.wait(self._patience.seconds())


def _done(place: int, job: Job) -> Done:
    try:
        return Done(place, job())
    except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
        return Done(place, error)


@contextmanager
def working(most: int, patience: Patience) -> Iterator[Workers | Alone]:
    """Give what runs at most so many jobs at once; they have ended when the block has."""
    workers = Alone(patience) if most == 1 else Workers(most, patience)
    try:
        yield workers
    finally:
        workers.end()
