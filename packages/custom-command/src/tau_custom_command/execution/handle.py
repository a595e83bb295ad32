"""A hold on a process: by a descriptor, so that its number cannot pass on to another meanwhile."""

import contextlib
import os
import select
import signal
from types import TracebackType
from typing import Self

LONGEST_DEATH_MS = 10_000
"""How long a killed process may take to be gone: one that waits for a dead disk is not waited for.
"""


class Handle:
    """A process that is running, or has ended; a context manager that lets go of it."""

    def __init__(self, pid: int) -> None:
        """Take hold of a process.

        Raises:
            ProcessLookupError: where there is none of that number.
            OSError: where there are no more descriptors.
        """
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let go of it."""
        os.close(self._descriptor)

    def fileno(self) -> int:
        """A descriptor that is readable once it has ended."""
        return self._descriptor

    def has_ended(self, *, within_ms: int = 0) -> bool:
        """Tell whether it has ended, at the latest after `within_ms`."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(within_ms))

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, unless it is gone."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._descriptor, number)

    def kill(self) -> bool:
        """Kill it, and tell whether it is gone."""
        self.send(signal.SIGKILL)
        return self.has_ended(within_ms=LONGEST_DEATH_MS)
