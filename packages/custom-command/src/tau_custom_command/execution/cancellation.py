"""Tells commands that run to stop, at once and from any thread or signal handler."""

import os


class Cancellation:
    """An event that can be waited for together with a command's output, without looking again.

    Like `threading.Event`, with a descriptor that is readable from `set` on.
    """

    def __init__(self) -> None:
        """Open the descriptor."""
        self._reader, self._writer = os.pipe()
        self._is_set = False

    def set(self) -> None:
        """Have every command that runs stop, and every one that is about to start not do so."""
        if not self._is_set:
            self._is_set = True
            os.write(self._writer, b"x")

    def is_set(self) -> bool:
        """Whether commands are to stop."""
        return self._is_set

    def fileno(self) -> int:
        """The descriptor."""
        return self._reader

    def __del__(self) -> None:
        """Close it."""
        os.close(self._reader)
        os.close(self._writer)
