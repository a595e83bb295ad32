"""Fills an archive of evidence: a `tar` whose manifest `sha256sum -c` reads.

Each file is read once, as far as it reached when it was opened, since logs may grow meanwhile.
Below a folder nothing is opened but folders and regular files, and no link is followed; what was
left out is told in the archive's notes. What cannot be read is passed over, and told with the
reason: the rest is captured all the same.
"""

import io
import os
import re
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

from tau_rollout_gate.files.storage import closing, refuse_what_is_no_file, storage_errors
from tau_rollout_gate.printable import printable

MANIFEST = "SHA256SUMS"
NOTES = "NOTES.txt"

_ASIDE = re.compile(r"(\.\d+)?\.corrupt$|\.new$")
_BLOCK = 1024 * 1024
_DEEPEST_FOLDER = 64
_FILE_MODE = 0o600
_FOLDER_MODE = 0o700


class Source(NamedTuple):
    """A file or a folder to capture.

    Args:
        path: Where it is.
        name: Its name in the archive: relative, of this program's making.
        may_be_missing: Whether a capture without it is whole; the notes then say that it was not
            there.
        private: The names of what is left out right below it: its writer's own files, also where
            they are kept aside (`.corrupt`, numbered or not) or were being replaced (`.new`).
        note: What is to be known of it; empty for nothing.
        pipe_bytes: How much of a pipe is read, as a file of that content; of one below a folder
            nothing ever is.
    """

    path: Path
    name: str
    may_be_missing: bool = False
    private: frozenset[str] = frozenset()
    note: str = ""
    pipe_bytes: int = 0


def safe_name(name: str) -> str:
    """Percent-encode in a file's name all that does not print, `%` and backslashes.

    So a name takes one line of the manifest, needs no quoting there, and no two become one.
    """
    return "".join(
        character
        if character.isprintable() and character not in "%\\"
        else "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))
        for character in name
    )


@dataclass(slots=True, kw_only=True)
class Archive:
    """An archive that grows, with its manifest, what it is of, and notes on what is missing.

    What cannot be written raises a StorageError.

    Args:
        path: Where the archive will be.
        tar: The same, open.
        top: The folder that everything in it is in.
        seconds: The time of what it writes of its own, in Unix seconds.
        left_out: The folder that is left out wherever it is met.
        manifest: The lines of the manifest.
        about: What was captured from where, and what is left out by its nature.
        notes: What is not there, or not as it was.
        lacking: What could not be read, and why.
    """

    path: Path
    tar: tarfile.TarFile
    top: str
    seconds: int
    left_out: os.stat_result
    manifest: list[str] = field(default_factory=list)
    about: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)

    def add_source(self, source: Source) -> None:
        """Add a file, or a folder with all that is below it; the operator's own links count."""
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
        self.about.append(f"{source.name} is {printable(str(source.path))}")
        if source.note:
            self._note(source.name, source.note)
        with self._passing_over(source.name):
            try:
                opened = os.open(source.path, flags)
            except (FileNotFoundError, NotADirectoryError):
                if not source.may_be_missing:
                    raise
                self._note(source.name, f"was not there: {source.path}")
                return
            with closing(opened):
                mode = os.fstat(opened).st_mode
                if stat.S_ISDIR(mode):
                    self._add_tree(source.name, opened, depth=0, private=source.private)
                elif source.pipe_bytes and stat.S_ISFIFO(mode):
                    self._add_piped(source.name, opened, source.pipe_bytes)
                else:
                    self._add_opened(source.name, opened)

    def add_notes_and_manifest(self) -> None:
        """Add what is to be known of the rest, last of all."""
        notes = (*self.about, *self.notes, *self.lacking)
        self.add_text(NOTES, "".join(f"{note}\n" for note in notes))
        # A line that begins so is passed over by 'sha256sum -c'.
        lacking = (f"# not captured: {one}\n" for one in self.lacking)
        self.add_text(MANIFEST, "".join((*lacking, *self.manifest)))

    def add_folder(self, name: str, seconds: float) -> None:
        """Add a folder as such, so that an empty one shows."""
        info = self._info(name, seconds)
        info.type, info.mode = tarfile.DIRTYPE, _FOLDER_MODE
        with storage_errors(self.path, "write"):
            self.tar.addfile(info)

    def add_text(self, name: str, text: str) -> None:
        """Add a file of the archive's own."""
        content = text.encode()
        self._add(name, _Reading(io.BytesIO(content).read), len(content), self.seconds)

    def _add_tree(
        self, name: str, folder: int, *, depth: int, private: frozenset[str] = frozenset()
    ) -> None:
        if depth > _DEEPEST_FOLDER:
            self._lack(name, f"is nested deeper than {_DEEPEST_FOLDER} folders")
            return
        self.add_folder(name, os.fstat(folder).st_mtime)
        for each in sorted(os.listdir(folder)):
            inside = f"{name}/{safe_name(each)}"
            if _ASIDE.sub("", each) in private:
                self.about.append(f"{inside} is left out: it is private to writer or volume")
                continue
            with self._passing_over(inside):
                try:
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
        reading = _Reading(partial(os.read, descriptor))
        self._add(name, reading, found.st_size, found.st_mtime)
        if reading.problem is not None:
            self._lack(name, f"{reading.problem}; its last {reading.missing} bytes are 0")
        elif reading.missing:
            self._note(name, f"shrank while it was read: its last {reading.missing} bytes are 0")

    def _add_piped(self, name: str, descriptor: int, most_bytes: int) -> None:
        """Add what a pipe holds. Its length is known only at its end, so that it is kept so far."""
        os.set_blocking(descriptor, True)
        with TemporaryFile() as kept:
            while kept.tell() <= most_bytes and (piece := os.read(descriptor, _BLOCK)):
                kept.write(piece)
            size = min(kept.tell(), most_bytes)
            if kept.tell() > size:
                self._lack(name, f"is a pipe with more than {size} bytes, which are its beginning")
            elif size == 0:
                self._note(name, "is a pipe that held nothing")
            kept.seek(0)
            self._add(name, _Reading(kept.read), size, self.seconds)

    def _add(self, name: str, reading: "_Reading", size: int, seconds: float) -> None:
        info = self._info(name, seconds)
        info.size = size
        with storage_errors(self.path, "write"):
            self.tar.addfile(info, reading)  # type: ignore[arg-type] # it calls nothing but read()
        self.manifest.append(f"{reading.digest.hexdigest()}  {name}\n")

    def _info(self, name: str, seconds: float) -> tarfile.TarInfo:
        info = tarfile.TarInfo(f"{self.top}/{name}".rstrip("/"))
        info.mode, info.mtime = _FILE_MODE, max(int(seconds), 0)
        return info

    def _note(self, name: str, what: str) -> None:
        self.notes.append(f"{name} {printable(what)}")

    def _lack(self, name: str, why: str) -> None:
        self.lacking.append(f"{name}: {printable(why)}")

    @contextmanager
    def _passing_over(self, name: str) -> Iterator[None]:
        """Note what cannot be read, and go on without it."""
        try:
            yield
        except OSError as error:
            self._lack(name, f"cannot be read: {error.strerror or error}")


class _Reading:
    """Reads as much as is asked for and knows its digest; what a file has lost is read as zeros."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self.digest = sha256()
        self.missing = 0
        self.problem: str | None = None

    def read(self, size: int) -> bytes:
        pieces, wanted = [], size
        try:
            while wanted and (piece := self._read(wanted)):
                pieces.append(piece)
                wanted -= len(piece)
        except OSError as error:
            self.problem = f"cannot be read: {error.strerror or error}"
        self.missing += wanted
        whole = b"".join(pieces).ljust(size, b"\0")
        self.digest.update(whole)
        return whole


def _opened(name: str, above: int, flags: int) -> AbstractContextManager[int]:
    return closing(os.open(name, flags | os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=above))
