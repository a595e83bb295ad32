"""Looks into the channel store: what there is, what a channel tells, and whether it is sound."""

import os
from collections import deque
from collections.abc import Callable
from hashlib import sha256

from tau_transport_health.contract.channel import (
    LONGEST_LINE_BYTES,
    REGISTRY_CHANNEL,
    ContextEntry,
    LogEntry,
    check_description,
    is_channel_name,
    parse_artifact,
    parse_context_entry,
    parse_log_entry,
    path_parts,
)
from tau_transport_health.errors import TransportHealthError
from tau_transport_health.files.channel_store import (
    ARTIFACTS,
    CONTEXT,
    DESCRIPTION,
    INDEX,
    LOG,
    ChannelStore,
)
from tau_transport_health.files.lines import UnreadLines, WholeLines
from tau_transport_health.health.channels import (
    ChannelEntries,
    ChannelProblem,
    ChannelSummary,
    Entry,
    UnreadFile,
    Verification,
)
from tau_transport_health.services.inspect import Question, directory_of, target_of

PROBLEMS_KEPT = 20
"""How many problems of a file are told with their reason; all are counted."""

_BLOCK_BYTES = 1024 * 1024
_INDEX_PATH = f"{ARTIFACTS}/{INDEX}"
_LONGEST_DESCRIPTION_BYTES = 1024 * 1024


def store_of(question: Question) -> ChannelStore:
    """The channel store of the target that was asked for.

    Raises:
        TargetError: if there is no such target.
    """
    target = target_of(question, question.name or "")
    return ChannelStore(directory_of(target, question), target.name)


def summaries(store: ChannelStore) -> list[ChannelSummary]:
    """Every channel in a few figures, by name, and which files these leave out.

    Raises:
        NoChannelError: if there is no channel store.
    """
    channels, others = store.names()
    unread = [
        ChannelSummary(
            channel=name,
            entries=0,
            invalid_lines=0,
            artifacts=0,
            last=None,
            unread_files=(("", reason),),
        )
        for name, reason in others.items()
        if is_channel_name(name)
    ]
    return [*(_summary(store, channel) for channel in channels), *unread]


def last_entries(store: ChannelStore, channel: str, *, last: int) -> ChannelEntries[LogEntry]:
    """The `last` entries of a channel, and which files of its log could not be read.

    Raises:
        NoChannelError: if there is no such channel.
    """
    return _last(store, channel, LOG, parse_log_entry, last=last)


def last_sentences(store: ChannelStore, channel: str, *, last: int) -> ChannelEntries[ContextEntry]:
    """The same of its `context.jsonl`: what happened, a sentence each.

    Raises:
        NoChannelError: if there is no such channel.
    """
    return _last(store, channel, CONTEXT, parse_context_entry, last=last)


def _last(
    store: ChannelStore, channel: str, log: str, parse: Callable[[bytes], Entry], *, last: int
) -> ChannelEntries[Entry]:
    name = store.checked(channel)
    kept: deque[tuple[str, int, Entry]] = deque(maxlen=last)
    reader = _Reader(store, name)
    total = reader.read_log(
        log, lambda file, number, line: kept.append((file, number, parse(line)))
    )
    return ChannelEntries(
        channel=name,
        path=str(store.path / name / log),
        entries=tuple(kept),
        total=total,
        invalid_lines=reader.invalid,
        is_torn=reader.is_torn,
        unread_files=tuple(reader.unread),
    )


def verify(store: ChannelStore, channel: str | None, *, now_unix_ms: int) -> Verification:
    """What is unsound in a channel, or in all of them; an artifact that has expired may be gone.

    Raises:
        NoChannelError: if there is no channel store, or no such channel.
    """
    names, others = ([store.checked(channel)], {}) if channel is not None else store.names()
    readers = [_verified(store, name, now_unix_ms) for name in names]
    problems = [
        ChannelProblem(channel=name, file="", line=None, reason=reason)
        for name, reason in others.items()
    ]
    for reader in readers:
        problems += reader.problems
    return Verification(
        path=str(store.path),
        state_dir=str(store.state_dir),
        channels=len(names),
        lines=sum(reader.lines for reader in readers),
        artifacts=sum(reader.artifacts for reader in readers),
        problem_count=len(others) + sum(reader.problem_count for reader in readers),
        problems=tuple(problems),
    )


_Take = Callable[[str, int, bytes], object]
"""Takes a line: the file, its number there, its bytes. What it refuses is invalid."""


class _Reader:
    """Reads the files of one channel and collects what is unsound, the first few of each."""

    def __init__(self, store: ChannelStore, channel: str) -> None:
        self.store = store
        self.channel = channel
        self.problems: list[ChannelProblem] = []
        self.problem_count = 0
        self.lines = 0
        self.artifacts = 0
        self.missing: list[str] = []
        self.unread: list[UnreadFile] = []
        self.invalid = 0
        self.is_torn = False

    def read_log(self, log: str, take: _Take) -> int:
        """Hand every whole line of a log, over its files, to `take`; return how many it took."""
        segments = self.store.segments(self.channel, log)
        if not segments:
            self.missing.append(log)
        return sum(self._read(segment, take) for segment in segments)

    def read_index(self, take: _Take) -> int:
        """Hand every whole line of the artifacts' index to `take`; return how many it took."""
        try:
            lines = self.store.lines(self.channel, ARTIFACTS, INDEX)
        except FileNotFoundError:
            return 0
        except OSError as error:
            self.add_unread(_INDEX_PATH, f"cannot be opened: {error.strerror or error}")
            return 0
        return self._read(lines, take)

    def _read(self, lines: WholeLines | UnreadLines, take: _Take) -> int:
        taken = 0
        for number, line in enumerate(lines, start=1):
            self.lines += 1
            try:
                if len(line) > LONGEST_LINE_BYTES:
                    raise TransportHealthError("the line is too long")  # noqa: TRY301 - one handler
                take(lines.name, number, line)
                taken += 1
            except TransportHealthError as error:
                self.invalid += 1
                self.add(lines.name, number, str(error))
        if lines.is_torn:
            # Of a rotated file it is an invalid line: nobody will cut it off any more.
            self.invalid += lines.is_rotated
            self.is_torn |= not lines.is_rotated
            self.add(lines.name, None, "its last line is torn: it has no line break")
        if lines.problem is not None:
            self.add_unread(lines.name, lines.problem)
        return taken

    def add_unread(self, file: str, reason: str) -> None:
        self.unread.append((file, reason))
        self.add(file, None, reason)

    def add(self, file: str, line: int | None, reason: str) -> None:
        self.problem_count += 1
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(
                ChannelProblem(channel=self.channel, file=file, line=line, reason=reason)
            )


def _summary(store: ChannelStore, channel: str) -> ChannelSummary:
    reader = _Reader(store, channel)
    last: deque[LogEntry] = deque(maxlen=1)
    entries = reader.read_log(LOG, lambda _file, _number, line: last.append(parse_log_entry(line)))
    invalid = reader.invalid + reader.is_torn
    artifacts = reader.read_index(lambda _file, _number, line: parse_artifact(line))
    return ChannelSummary(
        channel=channel,
        entries=entries,
        invalid_lines=invalid,
        artifacts=artifacts,
        last=last[0] if last else None,
        unread_files=tuple(reader.unread),
    )


def _verified(store: ChannelStore, channel: str, now_unix_ms: int) -> _Reader:
    reader = _Reader(store, channel)
    reader.read_log(LOG, lambda _file, _number, line: parse_log_entry(line))
    reader.read_log(CONTEXT, lambda _file, _number, line: parse_context_entry(line))
    # The registry's channel alone is made before its first entry, for its MEMORY.md.
    if channel != REGISTRY_CHANNEL or len(reader.missing) == 1:
        for log in reader.missing:
            reader.add(log, None, "is missing")
    reader.artifacts = reader.read_index(
        lambda _file, number, line: _check_artifact(reader, number, line, now_unix_ms)
    )
    _check_description(reader)
    return reader


def _check_description(reader: _Reader) -> None:
    try:
        with reader.store.opened(reader.channel, DESCRIPTION) as file:
            raw = file.read(_LONGEST_DESCRIPTION_BYTES)
        check_description(raw, channel=reader.channel, transport=reader.store.transport)
    except FileNotFoundError:
        reader.add(DESCRIPTION, None, "is missing")
    except OSError as error:
        reader.add(DESCRIPTION, None, f"cannot be opened: {error.strerror or error}")
    except TransportHealthError as error:
        reader.add(DESCRIPTION, None, str(error))


def _check_artifact(reader: _Reader, number: int, line: bytes, now_unix_ms: int) -> None:
    """Check a line of the index, and the file that it names."""
    artifact = parse_artifact(line)
    parts = path_parts(artifact.relative_path)
    if parts is None:
        raise TransportHealthError("relative_path: leads out of the channel's artifacts")
    try:
        with reader.store.opened(reader.channel, *parts) as file:
            size = os.fstat(file.fileno()).st_size
            digest = sha256()
            # A file of another size need not be read to know that it is another one.
            while size == artifact.size_bytes and (block := file.read(_BLOCK_BYTES)):
                digest.update(block)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and artifact.has_expired(now_unix_ms):
            return  # its writer removes the file first, and then the line
        reader.add(
            _INDEX_PATH,
            number,
            f"the artifact {artifact.relative_path!r:.80}: {error.strerror or error}",
        )
        return
    if size != artifact.size_bytes:
        found = f"has {size} bytes, not {artifact.size_bytes}"
    elif digest.hexdigest() != artifact.checksum_sha256:
        found = "has another checksum than its line says"
    else:
        return
    reader.add(_INDEX_PATH, number, f"the artifact {artifact.relative_path!r:.80} {found}")
