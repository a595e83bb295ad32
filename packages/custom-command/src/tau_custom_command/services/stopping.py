"""The wish to stop: signals that ask for it are noted, and end nothing by themselves."""

import os
import select
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Stopping:
    """Whether a signal has asked to stop, and waiting that such a signal ends; see `noted`.

    Python calls a handler in the main thread alone, and only once that comes back from what it
    waits for. So what counts is the number that the kernel's handler writes into a pipe at once:
    whoever waits, or looks, reads it there, in any thread.
    """

    def __init__(self) -> None:
        """Open three pipes: of signals, of `wake`, and one that is readable from a wish on."""
        self._signals, self.signalled = _pipe()
        self._woken, self._waking = _pipe()
        self._wished, self._wishing = _pipe()
        self._lock = threading.RLock()  # a handler may come while its own thread is at it
        self._stopped_by: signal.Signals | None = None
        self._is_impatient = self._is_closed = False

    @property
    def stopped_by(self) -> signal.Signals | None:
        """The first signal that asked to stop; None while there is none."""
        self._hear()
        return self._stopped_by

    @property
    def is_impatient(self) -> bool:
        """Whether a second signal has asked for it."""
        self._hear()
        return self._is_impatient

    def fileno(self) -> int:
        """A descriptor that is readable once a signal has asked to stop."""
        return self._wished

    def wake(self) -> None:
        """Have whoever waits go on; from any thread."""
        _write(self._waking)

    def wait(self, seconds: float | None = None) -> None:
        """Wait until a signal comes, somebody wakes, or the time is over."""
        select.select([self._signals, self._woken], [], [], seconds)
        _read(self._woken)
        self._hear()

    def heard(self, _number: int, _frame: FrameType | None = None) -> None:
        """Take in the signals that came, as a handler of them."""
        self._hear()

    def _hear(self) -> None:
        with self._lock:
            if self._is_closed:
                return
            for number in _read(self._signals):
                if number not in STOPPING:
                    continue
                self._is_impatient = self._stopped_by is not None
                self._stopped_by = self._stopped_by or signal.Signals(number)
                _write(self._wishing)
                self.wake()  # who waits would not hear of what another has read

    def close(self) -> None:
        """Close the pipes; what was heard by then stays known."""
        self._hear()
        self._is_closed = True
        pipes = (self._signals, self.signalled, self._woken, self._waking)
        for descriptor in (*pipes, self._wished, self._wishing):
            os.close(descriptor)


@contextmanager
def noted() -> Iterator[Stopping]:
    """Note signals that ask to stop, for as long as the block takes; for the main thread."""
    stopping = Stopping()
    # The kernel gives a signal to any thread; by the pipe the one that waits hears of it.
    woken_before = signal.set_wakeup_fd(stopping.signalled, warn_on_full_buffer=False)
    before = {
        number: signal.signal(number, stopping.heard)
        for number in STOPPING
        if signal.getsignal(number) is not signal.SIG_IGN  # as under nohup
    }
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(woken_before)
        stopping.close()


def _pipe() -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except BlockingIOError:
        return b""


def _write(descriptor: int) -> None:
    with suppress(BlockingIOError):  # a full pipe is readable as well
        os.write(descriptor, b"\0")
