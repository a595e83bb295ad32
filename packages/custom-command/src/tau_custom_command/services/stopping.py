"""The wish to stop: signals that ask for it are noted, and end nothing by themselves."""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Stopping:
    """Whether a signal has asked to stop, and waiting that such a signal ends; see `noted`.

    `stopped_by` is the first one's number; it `is_impatient` from a second one on.
    """

    def __init__(self) -> None:
        """Open two pipes: one that wakes whoever waits, one that is readable from a wish on."""
        self._awake, self.waking = _pipe()
        self._wished, self._wishing = _pipe()
        self.stopped_by: signal.Signals | None = None
        self.is_impatient = False

    def fileno(self) -> int:
        """A descriptor that is readable once a signal has asked to stop."""
        return self._wished

    def wake(self) -> None:
        """Have whoever waits go on; from any thread."""
        with suppress(BlockingIOError):  # a full pipe wakes as well
            os.write(self.waking, b"\0")

    def wait(self, seconds: float | None = None) -> None:
        """Wait until a signal comes, somebody wakes, or the time is over."""
        select.select([self._awake], [], [], seconds)
        with suppress(BlockingIOError):
            os.read(self._awake, 4096)

    def note(self, number: int, _frame: FrameType | None = None) -> None:
        """Take in a signal."""
        self.is_impatient = self.stopped_by is not None
        self.stopped_by = self.stopped_by or signal.Signals(number)
        with suppress(BlockingIOError):
            os.write(self._wishing, b"\0")

    def close(self) -> None:
        """Close the pipes."""
        for descriptor in (self._awake, self.waking, self._wished, self._wishing):
            os.close(descriptor)


@contextmanager
def noted() -> Iterator[Stopping]:
    """Note signals that ask to stop, for as long as the block takes; for the main thread."""
    stopping = Stopping()
    # The kernel gives a signal to any thread; by the pipe the one that waits hears of it.
    woken_before = signal.set_wakeup_fd(stopping.waking, warn_on_full_buffer=False)
    before = {
        number: signal.signal(number, stopping.note)
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
