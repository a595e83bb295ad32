"""Reads a host in the shipped form: the state first, then the segments that it names.

Of the newest segment no more is taken than the state knows of: what an uploader adds meanwhile is
left for the next time. The chain of the lines, which ends with the state's, is what tells that they
belong together. Only where something is odd the state is looked at again, and if it changed, all of
it is.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import BinaryIO, NamedTuple

from tau_rollout_gate.contract.event import LONGEST_LINE_BYTES, line_digest
from tau_rollout_gate.contract.pin import LogPosition, SurfacePin
from tau_rollout_gate.contract.store.shipped import SEGMENTS, ShippedSegment, parse_segments, wanted
from tau_rollout_gate.errors import FormRefusedError, TooLargeError
from tau_rollout_gate.evidence.lines import ReadLog, Segment
from tau_rollout_gate.evidence.surface import ReadState, assemble, read_state
from tau_rollout_gate.evidence.values import SurfaceEvidence
from tau_rollout_gate.files.stores.interface import Store
from tau_rollout_gate.files.surface.lines import last_line_digest
from tau_rollout_gate.files.surface.search import LINES_FOR_AGREEMENT, LONGEST_EVIDENCE_BYTES
from tau_rollout_gate.files.surface.segments import Look, look_at
from tau_rollout_gate.files.surface.state_directory import (
    LOOKS,
    PAUSE_SECONDS,
    STATE_FILE,
    pinned_lines,
    read_files,
)


def read_shipped(
    pin: SurfacePin, store: Store, key: str, *, sleep: Callable[[float], None]
) -> SurfaceEvidence:
    """Read what a host shipped, since `pin.evidence_from`; as `read_surface` reads a directory.

    Args:
        pin: The surface.
        store: The store.
        key: What the keys of this host and surface begin with, without a slash at the end.
        sleep: Waits so many seconds.

    Raises:
        StoreError: if the store cannot answer. What is missing or damaged of the host is a flaw in
            the answer.
    """
    seen = _state(store, key)
    evidence = _look(pin, store, key, seen)
    for _ in range(LOOKS - 1):
        if not evidence.flaws:
            break
        before, seen = seen, _state(store, key)
        if before == seen:
            break
        evidence = _look(pin, store, key, seen)
        sleep(PAUSE_SECONDS)
    return evidence


def _state(store: Store, key: str) -> bytes | TooLargeError | None:
    try:
        return store.get(f"{key}/{STATE_FILE}")
    except TooLargeError as error:
        return error


def _look(
    pin: SurfacePin, store: Store, key: str, raw: bytes | TooLargeError | None
) -> SurfaceEvidence:
    """Read the segments that belong to a state, once."""
    path = f"{store.root}{key}/{STATE_FILE}"
    folder = f"{store.root}{key}/{SEGMENTS}"
    if not isinstance(raw, bytes):
        problem = None if raw is None else "is too large"
        return assemble(pin, ReadState(path=path, problem=problem), ReadLog(path=folder, parts=()))
    state = read_state(path, [raw])
    last = None if state.snapshot is None else state.snapshot.last_cycle
    if last is None:
        none = f"{path} does not tell which segments there are"
        return assemble(pin, state, ReadLog(path=folder, parts=(), problem=none))
    try:
        segments = parse_segments(raw, last.cycle_number)
    except FormRefusedError as error:
        state = state._replace(snapshot=None, problem=str(error))
        return assemble(pin, state, ReadLog(path=folder, parts=(), problem=str(error)))
    origin = pin.evidence_from
    needed = wanted(
        segments,
        last.cycle_number,
        since_cycle=None if origin is None else origin.cycle_number,
        is_all=origin is not None and origin.event_sha256 is None,
        lines=LINES_FOR_AGREEMENT,
    )
    with ExitStack() as stack:
        log = _read_log(pin, store, key, folder, needed, stack)
    return assemble(pin, state, log)


def _read_log(  # noqa: PLR0913, PLR0917 - where from, what for, and what is to be closed after
    pin: SurfacePin,
    store: Store,
    key: str,
    folder: str,
    needed: Sequence[ShippedSegment],
    closing: ExitStack,
) -> ReadLog:
    """Read the segments that are needed, newest first, as the files of a log are read."""
    files: dict[str, BinaryIO] = {}
    looks: list[Look] = []
    left_bytes = LONGEST_EVIDENCE_BYTES
    for segment in needed:
        look, file = _fetched(store, key, segment, pin.evidence_from)
        looks.append(look)
        if file is not None:
            files[look.path] = closing.enter_context(file)
        left_bytes -= segment.bytes
        if left_bytes < 0:
            break  # the reading ends there, too, and says so

    @contextmanager
    def opened(look: Look) -> Iterator[BinaryIO]:
        yield files[look.path]

    return read_files(folder, looks, pin.evidence_from, pinned_lines(pin), opened=opened)


def _fetched(
    store: Store, key: str, segment: ShippedSegment, origin: LogPosition | None
) -> tuple[Look, BinaryIO | None]:
    """Fetch a segment into a file without a name, and look at it."""
    path = f"{store.root}{key}/{segment.key}"
    try:
        found = _from_origin(store, key, segment, origin)
        content = store.get(f"{key}/{segment.key}") if found is None else found[1]
    except TooLargeError:
        return Look(path=path, segment=Segment(path=path, problem="is too large")), None
    if content is None:
        return Look(path=path, segment=Segment(path=path, problem="does not exist")), None
    if found is None:
        file = _file_of(content[: segment.bytes])
        return look_at(file.fileno(), path, origin), file
    pinned, content = found
    file = _file_of(content[: segment.bytes - pinned.offset], after=pinned.offset)
    status = os.fstat(file.fileno())
    looked = Segment(
        path=path,
        first_sha256=pinned.segment_sha256,
        first_number=segment.first_cycle,
        last_sha256=last_line_digest(file.fileno(), status.st_size, longest=LONGEST_LINE_BYTES),
    )
    return Look(path=path, segment=looked, inode=status.st_ino, origin=pinned.offset), file


class _Pinned(NamedTuple):
    """A line that is pinned, in a segment."""

    offset: int
    segment_sha256: str


def _from_origin(
    store: Store, key: str, segment: ShippedSegment, origin: LogPosition | None
) -> tuple[_Pinned, bytes] | None:
    """What a segment has from the line on after which the evidence starts, if that is in it.

    Its digest is that of all lines before it, too, since each names the one before: they need not
    be fetched to know them. None where it is elsewhere, or the segment does not have it there.
    """
    if origin is None or not origin.offset or origin.segment_sha256 is None:
        return None
    number = origin.cycle_number or 0
    if not segment.first_cycle <= number or origin.offset >= segment.bytes:
        return None
    content = store.get(f"{key}/{segment.key}", origin.offset)
    line, line_break, _ = (content or b"").partition(b"\n")
    if not line_break or line_digest(line) != origin.event_sha256:
        return None
    return _Pinned(origin.offset, origin.segment_sha256), content or b""


def _file_of(content: bytes, *, after: int = 0) -> BinaryIO:
    """A file without a name that holds bytes, behind so many others that nobody reads."""
    file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - the caller closes it
    if after:
        os.pwrite(file.fileno(), b"\n", after - 1)
    written = 0
    while written < len(content):
        written += os.pwrite(file.fileno(), content[written:], after + written)
    return file
