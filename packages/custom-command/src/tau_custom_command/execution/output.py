"""Takes in what a command writes, in constant memory: masked first, and cut then."""

from collections.abc import Iterable
from typing import Literal

from tau_custom_command.cycle.execution import MOST_KEPT_BYTES, Stream
from tau_custom_command.execution.masking import Masker

BLOCK_BYTES = 64 * 1024
"""As much as a pipe of Linux holds: more is never read at once."""

STDOUT: Literal[1] = 1
STDERR: Literal[2] = 2


class Capture:
    """The beginning of what a command writes to stdout and stderr, and how much it was in all."""

    def __init__(self, secrets: Iterable[bytes]) -> None:
        """Begin with nothing; the values of these secrets are masked."""
        values = tuple(secrets)
        self._of = {STDOUT: _Beginning(Masker(values)), STDERR: _Beginning(Masker(values))}

    def feed(self, descriptor: Literal[1, 2], chunk: bytes) -> None:
        """Take in what was read of the command's stdout (1) or stderr (2)."""
        self._of[descriptor].feed(chunk)

    def streams(self) -> tuple[Stream, Stream]:
        """End both: what the command wrote to stdout, and to stderr. To be called once."""
        return self._of[STDOUT].ended(), self._of[STDERR].ended()


class _Beginning:
    """The first bytes of a stream, masked; the rest is counted."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._kept = bytearray()
        self._size = self._left_out = 0

    def feed(self, chunk: bytes) -> None:
        self._size += len(chunk)
        self._keep(self._masker.feed(chunk))

    def ended(self) -> Stream:
        self._keep(self._masker.end())
        kept = bytes(self._kept)
        self._kept.clear()  # else both were in memory twice
        return Stream(kept=kept, size=self._size, left_out=self._left_out)

    def _keep(self, masked: bytes) -> None:
        room = MOST_KEPT_BYTES - len(self._kept)
        if room:
            self._kept += masked[:room]
        self._left_out += max(0, len(masked) - room)
