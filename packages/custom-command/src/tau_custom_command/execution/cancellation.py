"""Tells commands that run to stop, at once and from any thread or signal handler."""

import os


class Cancellation:
    """An event that can be waited for together with a command's output, without looking again.

    Like `threading.Event`, with a descriptor that is readable from `set` on.
    """

    def __init__(self) -> None:
        """Open the descriptor."""
        self._descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._is_set = False

    def set(self) -> None:
        """Have every command that runs stop, and every one that is about to start not do so."""
        self._is_set = True
        os.eventfd_write(self._descriptor, 1)

    def is_set(self) -> bool:
        """Whether commands are to stop."""
        return self._is_set

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def __del__(self) -> None:
        """Close it."""
        os.close(self._descriptor)
