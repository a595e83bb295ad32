"""Masks the values of secrets in what is written, in a stream too. Pure.

The rule is the runbook's (custom-command-ops.md, "Secrets"): every byte of every occurrence is
masked, also where occurrences overlap; values are looked for as they stand, not in other encodings.
"""

from collections.abc import Collection, Iterable, Iterator

MASK = b"***"
"""What stands for an occurrence, or for several that overlap."""

SHORTEST_BYTES = 6
"""Of a value, and of a line of one: what is shorter is found everywhere, and says nothing."""


class Masker:
    """Masks the values of secrets in a stream that comes in chunks of any size.

    What it gives is the same however the stream is cut. It holds back at most one byte less than
    the longest value has.
    """

    def __init__(self, secrets: Iterable[bytes]) -> None:
        """Mask these values: without the line breaks at their ends, and line by line too."""
        self._parts = tuple(dict.fromkeys(part for value in secrets for part in _parts(value)))
        self._held_back = max(map(len, self._parts), default=1) - 1
        self._held = b""
        self._covered = 0  # so many bytes at the beginning of `_held` are masked already

    def feed(self, chunk: bytes) -> bytes:
        """Take in a chunk, and give the masked bytes that are certain by now."""
        if not self._parts:
            return chunk
        return self._masked(self._held + chunk, held_back=self._held_back)

    def end(self) -> bytes:
        """Give the masked bytes that were held back; the masker is then as new."""
        return self._masked(self._held, held_back=0) if self._parts else b""

    def _masked(self, content: bytes, *, held_back: int) -> bytes:
        end = max(0, len(content) - held_back)  # what begins before it is in `content` whole
        masked, position = bytearray(), self._covered
        for start, stop in sorted(found for part in self._parts for found in _runs(part, content)):
            if start >= end:
                break
            if start >= position:
                masked += content[position:start] + MASK
            position = max(position, stop)
        masked += content[position:end]
        self._covered = max(0, position - end)
        self._held = content[end:]
        return bytes(masked)


def masked(content: bytes, secrets: Iterable[bytes]) -> bytes:
    """Mask the values of secrets in `content`, which is all there is."""
    masker = Masker(secrets)
    return masker.feed(content) + masker.end()


def masked_text(text: str, secrets: Collection[bytes]) -> str:
    """Mask the values of secrets in a text: a word of a command line, an explanation."""
    if not secrets:
        return text
    content = text.encode(errors="surrogateescape")
    return masked(content, secrets).decode(errors="surrogateescape")


def _parts(value: bytes) -> Iterator[bytes]:
    """What is looked for of a value: all of it, and each line that is long enough."""
    whole = value.rstrip(b"\r\n")
    if whole:
        yield whole
    if b"\n" in whole:
        lines = (line.strip() for line in whole.split(b"\n"))
        yield from (line for line in lines if len(line) >= SHORTEST_BYTES)


def _runs(part: bytes, content: bytes) -> Iterator[tuple[int, int]]:
    """Where `part` stands in `content`, from and to; as one where it overlaps itself."""
    found = content.find(part)
    while found >= 0:
        start, size, stop = found, len(part), found + len(part)
        while (found := content.rfind(part, found + 1, stop + size - 1)) >= 0:
            stop = found + size  # the last one that overlaps: those between are within the two
        yield start, stop
        found = content.find(part, stop)
