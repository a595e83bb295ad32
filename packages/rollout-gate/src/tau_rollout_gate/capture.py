"""Captures evidence before a rollback: one `tar.gz` that plain `tar` and `sha256sum -c` read.

Each file is read once, as far as it reached when it was opened, since logs may grow meanwhile.
Below a folder nothing is opened but folders and regular files, and no link is followed; what was
left out is told in the archive's notes.
"""

from __future__ import annotations

import errno
import gzip
import io
import os
import stat
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from tau_rollout_gate.errors import StorageError
from tau_rollout_gate.harmless import printable
from tau_rollout_gate.storage import opened_subfolder, prepared, refuse_what_is_no_file

EVIDENCE_FOLDER = "evidence"
MANIFEST = "SHA256SUMS"
NOTES = "NOTES.txt"

_LATEST_UNIX_MS = 253_402_300_799_999
_DEEPEST_FOLDER = 64
_FILE_MODE = 0o600
_FOLDER_MODE = 0o700


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file or a folder to capture.

    Args:
        path: Where it is.
        name: Its name in the archive: relative, of this program's making.
        may_be_missing: Whether a capture without it is whole; the notes then say that it was not
            there.
        private: The names of what is left out right below it: its writer's own files.
    """

    path: Path
    name: str
    may_be_missing: bool = False
    private: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """An archive that is in its place: its incident's name, its path and digest.

    `left_out` tells what is not in it, and what is not as it was; the archive's notes say the same.
    """

    incident: str
    path: Path
    sha256: str
    left_out: tuple[str, ...]


def safe_name(name: str) -> str:
    """Return a file's name with all that does not print, `%` and backslashes percent-encoded.

    So a name takes one line of the manifest, needs no quoting there, and no two become one.
    """
    return "".join(
        character
        if character.isprintable() and character not in "%\\"
        else "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))
        for character in name
    )


def capture(
    root: Path, folder: int, sources: Sequence[Source], *, release: str, now_unix_ms: int
) -> Captured:
    """Write the sources into a new archive below `evidence/` of a rollout directory.

    Args:
        root: The rollout directory's path.
        folder: The same, open.
        sources: What to capture. The folder `evidence/` itself is left out wherever it is met.
        release: The release that goes back, for the archive's name.
        now_unix_ms: The time of the incident, for the archive's name.

    Raises:
        StorageError: if a source cannot be read or the archive not be written; none is left then.
    """
    place = root / EVIDENCE_FOLDER
    with opened_subfolder(place, folder) as evidence:
        seconds = min(now_unix_ms, _LATEST_UNIX_MS) // 1000
        incident = _incident(release, seconds, taken=_names_in(evidence))
        path = place / f"{incident}.tar.gz"
        try:
            _remove_left_behind(evidence)
            with prepared(path.name, evidence) as (descriptor, put):
                left_out = _written(descriptor, incident, sources, seconds, left_out=evidence)
                digest = _digest(descriptor)
                os.fsync(descriptor)
                put()
            os.fsync(evidence)
        except OSError as error:
            what = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
            raise StorageError(
                f"{path}: the evidence cannot be captured: {what}{error.strerror or error}"
            ) from None
    return Captured(incident=incident, path=path, sha256=digest, left_out=left_out)


def _incident(release: str, seconds: int, *, taken: Iterable[str]) -> str:
    """Return a name that no archive has yet: when, and what release."""
    first = incident = f"{datetime.fromtimestamp(seconds, UTC):%Y%m%dT%H%M%SZ}-{release}"
    names, number = set(taken), 1
    while f"{incident}.tar.gz" in names:
        number += 1
        incident = f"{first}-{number}"
    return incident


def _remove_left_behind(evidence: int) -> None:
    """Remove what a capture that was killed had written; the lock is held, so none is under way."""
    for name in _names_in(evidence):
        if name.endswith(".tar.gz.new"):
            os.unlink(name, dir_fd=evidence)


def _names_in(folder: int) -> list[str]:
    return sorted(os.listdir(folder))


def _written(
    descriptor: int, incident: str, sources: Sequence[Source], seconds: int, *, left_out: int
) -> tuple[str, ...]:
    """Write the archive into an open file, and return what is left out of it."""
    with (
        os.fdopen(os.dup(descriptor), "wb") as file,
        gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.GNU_FORMAT) as tar,
    ):
        archive = _Archive(tar=tar, top=incident, seconds=seconds, left_out=os.fstat(left_out))
        archive.add_folder("", seconds)
        for source in sources:
            archive.add_source(source)
        notes = (*archive.about, *archive.notes)
        archive.add_text(NOTES, "".join(f"{note}\n" for note in notes))
        archive.add_text(MANIFEST, "".join(archive.manifest))
    return tuple(archive.notes)


@dataclass(slots=True, kw_only=True)
class _Archive:
    """An archive that grows, with its manifest, what it is of, and notes on what is missing."""

    tar: tarfile.TarFile
    top: str
    seconds: int
    left_out: os.stat_result
    manifest: list[str] = field(default_factory=list)
    about: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add_source(self, source: Source) -> None:
        """Add a file, or a folder with all that is below it; the operator's own links count."""
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            opened = os.open(source.path, flags)
        except (FileNotFoundError, NotADirectoryError):
            if not source.may_be_missing:
                raise
            self._note(source.name, f"was not there: {source.path}")
            return
        self.about.append(f"{source.name} is {printable(str(source.path))}")
        try:
            if stat.S_ISDIR(os.fstat(opened).st_mode):
                self._add_tree(source.name, opened, depth=0, private=source.private)
            else:
                with _blaming(str(source.path)):
                    self._add_opened(source.name, opened)
        finally:
            os.close(opened)

    def add_folder(self, name: str, seconds: float) -> None:
        """Add a folder as such, so that an empty one shows."""
        info = self._info(name, seconds)
        info.type, info.mode = tarfile.DIRTYPE, _FOLDER_MODE
        self.tar.addfile(info)

    def add_text(self, name: str, text: str) -> None:
        """Add a file of the archive's own."""
        content = text.encode()
        self._add(name, io.BytesIO(content), len(content), self.seconds)

    def _add_tree(
        self, name: str, folder: int, *, depth: int, private: frozenset[str] = frozenset()
    ) -> None:
        if depth > _DEEPEST_FOLDER:
            raise OSError(errno.ELOOP, f"folders are nested deeper than {_DEEPEST_FOLDER}", name)
        self.add_folder(name, os.fstat(folder).st_mtime)
        for each in _names_in(folder):
            inside = f"{name}/{safe_name(each)}"
            if each in private:
                self.about.append(f"{inside} is left out: it is private to its writer")
                continue
            try:
                with _blaming(inside):
                    self._add_found(inside, each, folder, depth=depth)
            except FileNotFoundError:
                self._note(inside, "is left out: it went away meanwhile")

    def _add_found(self, name: str, each: str, above: int, *, depth: int) -> None:
        found = os.stat(each, dir_fd=above, follow_symlinks=False)
        if stat.S_ISLNK(found.st_mode):
            target = os.readlink(each, dir_fd=above)
            self._note(name, f"is a symbolic link, not followed, to {target}")
        elif os.path.samestat(found, self.left_out):
            self.about.append(f"{name} is left out: it holds the evidence of rollbacks")
        elif stat.S_ISDIR(found.st_mode):
            with _opened(each, above, os.O_DIRECTORY) as folder:
                self._add_tree(name, folder, depth=depth + 1)
        elif stat.S_ISREG(found.st_mode):
            with _opened(each, above, os.O_NONBLOCK) as file:
                self._add_opened(name, file)
        else:
            self._note(name, "is left out: it is neither a file nor a folder")

    def _add_opened(self, name: str, descriptor: int) -> None:
        refuse_what_is_no_file(descriptor)
        found = os.fstat(descriptor)
        reading = _Reading(descriptor)
        self._add(name, reading, found.st_size, found.st_mtime)
        if reading.missing:
            self._note(name, f"shrank while it was read: its last {reading.missing} bytes are 0")

    def _add(self, name: str, content: io.BytesIO | _Reading, size: int, seconds: float) -> None:
        info = self._info(name, seconds)
        info.size = size
        hashed = _Hashing(content)
        self.tar.addfile(info, hashed)  # type: ignore[arg-type] # it calls nothing but read()
        self.manifest.append(f"{hashed.digest()}  {name}\n")

    def _info(self, name: str, seconds: float) -> tarfile.TarInfo:
        info = tarfile.TarInfo(f"{self.top}/{name}".rstrip("/"))
        info.mode, info.mtime = _FILE_MODE, max(int(seconds), 0)
        return info

    def _note(self, name: str, what: str) -> None:
        self.notes.append(f"{name} {printable(what)}")


class _Reading:
    """Reads an open file; what it has lost since its size was asked for is read as zeros."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.missing = 0

    def read(self, size: int) -> bytes:
        piece = b"".join(_pieces(self._descriptor, size))
        self.missing += size - len(piece)
        return piece.ljust(size, b"\0")


class _Hashing:
    """Passes what is read through, and knows its digest."""

    def __init__(self, content: io.BytesIO | _Reading) -> None:
        self._content = content
        self._hash = sha256()

    def read(self, size: int) -> bytes:
        piece = self._content.read(size)
        self._hash.update(piece)
        return piece

    def digest(self) -> str:
        return self._hash.hexdigest()


def _pieces(descriptor: int, wanted: int) -> Iterator[bytes]:
    while wanted > 0 and (piece := os.read(descriptor, wanted)):
        yield piece
        wanted -= len(piece)


def _digest(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    with os.fdopen(os.dup(descriptor), "rb") as file:
        digest = sha256()
        while piece := file.read(1 << 20):
            digest.update(piece)
        return digest.hexdigest()


@contextmanager
def _opened(name: str, above: int, flags: int) -> Iterator[int]:
    flags |= os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(name, flags, dir_fd=above)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _blaming(name: str) -> Iterator[None]:
    """Have what is refused inside name the file by its place in the archive, the innermost one."""
    try:
        yield
    except OSError as error:
        if error.filename is None or "/" not in str(error.filename):
            error.filename = name
        raise
