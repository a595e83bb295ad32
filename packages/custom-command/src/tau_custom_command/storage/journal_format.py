"""The journal's form: batches of changes as bytes, each there whole or not at all.

A batch begins with a line that names form and kind, goes on with its changes, each a line with its
lengths and then its bytes, and ends with the SHA-256 of all of that. A batch that was cut off, or
is not what was written, has no such end: nothing from there on was ever committed.

A cycle that executes commands writes down how far it is in notes, which begin and end alike: that
it began, that a process is about to start, what came of a case. A batch settles those before it.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from itertools import chain
from typing import NamedTuple, assert_never

from tau_custom_command.contract.writes import AppendAt, Change, ReplaceFile
from tau_custom_command.errors import StateUnusableError

_FORM = b"tau-custom-command journal "
_BATCH = _FORM + b"1 batch\n"
_FIRST_LINE = re.compile(re.escape(_FORM) + rb"[\x20-\x7e]{1,40}\n")
_LENGTH = rb"(0|[1-9]\d{0,17})"
_NOTE = re.compile(re.escape(_FORM) + rb"1 (began|starts|settled) %b\n" % _LENGTH)
# No path that leads out of the state directory is a path, so no journal can lead there.
_NAME = rb"(?!\.{1,2}[/\n])[\w.-]+"
_PATH = rb"(%b(?:/%b)*)" % (_NAME, _NAME)
_PATH_LINE = re.compile(_PATH + rb"\n")
_CHANGE = re.compile(rb"(?:append %b %b %b|replace) %b %b %b\n" % (*(_LENGTH,) * 5, _PATH))
_LONGEST_HEAD = 512
_PIECE_BYTES = 1024 * 1024
_END = re.compile(rb"end ([0-9a-f]{64})\n")

Read = Callable[[int, int], bytes]
"""Gives so many bytes of a journal from a position on; fewer at its end."""


class NoteKind(StrEnum):
    """What a note of a cycle that executes commands says."""

    BEGAN = "began"
    STARTS = "starts"
    SETTLED = "settled"


class Journal(NamedTuple):
    """What a journal holds: where its committed batches begin and end; `size` is all of it.

    `noted` are the notes that no batch has settled, each its kind, and where its content is.
    """

    read: Read
    batches: tuple[tuple[int, int], ...]
    noted: tuple[tuple[NoteKind, int, int], ...]
    end: int
    size: int

    def notes(self) -> Iterator[tuple[NoteKind, bytes]]:
        """Yield the notes that no batch has settled, in their order."""
        for kind, start, end in self.noted:
            yield kind, self.read(start, end - start)

    def changes(self) -> Iterator[Change]:
        """Yield the changes of all batches in their order."""
        for head, start, end in chain.from_iterable(_heads(self.read, *b) for b in self.batches):
            middle = end - int(head[5])
            content, path = self.read(middle, end - middle), head[6].decode()
            if head[1] is None:
                yield ReplaceFile(path=path, content=content, instead_of=int(head[4]))
            else:
                torn = self.read(start, middle - start)
                yield AppendAt(
                    path=path,
                    offset=int(head[1]),
                    torn=torn,
                    rotated=int(head[3]),
                    identity=int(head[4]),
                    content=content,
                )

    def content_of(self, path: str) -> bytes | None:
        """What the last batch that replaces a file puts there; None if none does."""
        content = None
        for change in self.changes():
            if isinstance(change, ReplaceFile) and change.path == path:
                content = change.content
        return content


def encode(changes: Iterable[Change]) -> Iterator[bytes]:
    """Yield the bytes of a batch in few pieces, since a batch may be large.

    Raises:
        ValueError: for a path that could lead out of the state directory.
    """
    digest, small, size = sha256(), [_BATCH], 0
    for change in changes:
        small += _head(change)
        size += len(change.content)
        if size < _PIECE_BYTES:
            small.append(change.content)
            continue
        for piece in (b"".join(small), change.content):
            digest.update(piece)
            yield piece
        small, size = [], 0
    last = b"".join(small)
    digest.update(last)
    yield b"%bend %b\n" % (last, digest.hexdigest().encode())


def note(kind: NoteKind, content: bytes) -> bytes:
    """The bytes of a note."""
    head = b"%b1 %b %d\n" % (_FORM, kind.encode(), len(content))
    digest = sha256(head + content).hexdigest().encode()
    return b"%b%bend %b\n" % (head, content, digest)


def parse(read: Read, size: int) -> Journal:
    """Find what was committed to a journal of `size` bytes, which `read` gives.

    Raises:
        StateUnusableError: for a record of another form or kind, which a newer version wrote.
    """
    batches: list[tuple[int, int]] = []
    noted: list[tuple[NoteKind, int, int]] = []
    position = 0
    while (first := _FIRST_LINE.match(read(position, _LONGEST_HEAD))) is not None:
        start = position + first.end()
        if (head := _NOTE.fullmatch(first[0])) is not None:
            end = start + int(head[2])
        elif first[0] == _BATCH:
            end = max((end for _, _, end in _heads(read, start, size)), default=start)
        else:
            line = first[0].decode().strip()
            raise StateUnusableError(f"this version does not know its {line!r}")
        ending = _END.match(read(end, _LONGEST_HEAD)) if end <= size else None
        if ending is None or _digest(read, position, end) != ending[1]:
            break
        if head is not None:
            noted.append((NoteKind(head[1].decode()), start, end))
        else:
            batches.append((start, end))
            noted.clear()
        position = end + ending.end()
    return Journal(read=read, batches=tuple(batches), noted=tuple(noted), end=position, size=size)


def _head(change: Change) -> tuple[bytes, bytes]:
    """The line that stands before the content of a change, and the torn end, if any."""
    path, size = change.path, len(change.content)
    match change:
        case AppendAt(offset=offset, torn=torn, identity=identity, rotated=rotated):
            head = f"append {offset} {len(torn)} {rotated} {identity} {size} {path}\n"
        case ReplaceFile(instead_of=identity):
            head, torn = f"replace {identity} {size} {path}\n", b""
        case _:
            assert_never(change)
    if not _is_path(change.path) or len(head) > _LONGEST_HEAD:
        raise ValueError(f"no path in a state directory: {change.path!r}")
    return head.encode(), torn


def _is_path(path: str) -> bool:
    folder, slash, name = path.rpartition("/")
    return _is_sound(name) and (not slash or _is_sound(folder))


@lru_cache  # the files of a folder stand together, and have the same names in the next one
def _is_sound(path: str) -> bool:
    return _PATH_LINE.fullmatch(path.encode() + b"\n") is not None


def _digest(read: Read, position: int, end: int) -> bytes:
    digest = sha256()
    for start in range(position, end, _PIECE_BYTES):
        digest.update(read(start, min(_PIECE_BYTES, end - start)))
    return digest.hexdigest().encode()


def _heads(read: Read, position: int, last: int) -> Iterator[tuple[re.Match[bytes], int, int]]:
    """Yield the first line of each change up to `last`, where that line and the change end."""
    while (head := _CHANGE.match(read(position, _LONGEST_HEAD))) is not None:
        start = position + head.end()
        position = start + int(head[2] or 0) + int(head[5])
        if position > last:
            return
        yield head, start, position
