"""Captures the evidence of a rollback: one new `tar.gz` below `evidence/`, or none."""

import gzip
import os
import tarfile
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import file_digest
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple

from tau_rollout_gate.errors import StorageError
from tau_rollout_gate.files.disk.aside import is_in_the_way
from tau_rollout_gate.files.disk.sync import sync_folder
from tau_rollout_gate.files.incident.archive import Archive, Source
from tau_rollout_gate.files.storage import opened_subfolder, prepared

EVIDENCE_FOLDER = "evidence"

_LATEST_UNIX_MS = 253_402_300_799_999


class Captured(NamedTuple):
    """An archive that is in its place: its incident's name, its path and digest.

    `left_out` tells what is not in it, and what is not as it was; `lacking` what could not be read,
    and why. The archive's notes say the same.
    """

    incident: str
    path: Path
    sha256: str
    left_out: tuple[str, ...]
    lacking: tuple[str, ...]


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
        StorageError: if the archive cannot be written; none is left then.
    """
    place = root / EVIDENCE_FOLDER
    with opened_subfolder(place, folder) as evidence:
        seconds = min(now_unix_ms, _LATEST_UNIX_MS) // 1000
        incident = _incident(release, seconds, evidence)
        path = place / f"{incident}.tar.gz"
        try:
            _remove_left_behind(evidence)
            with prepared(path.name, evidence) as (descriptor, put):
                archive = _written(descriptor, path, sources, seconds, left_out=evidence)
                digest = _digest(descriptor)
                os.fsync(descriptor)
                put()
            sync_folder(evidence)
        except OSError as error:
            raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from None
    return Captured(
        incident=incident,
        path=path,
        sha256=digest,
        left_out=tuple(archive.notes),
        lacking=tuple(archive.lacking),
    )


def _incident(release: str, seconds: int, evidence: int) -> str:
    """Make a name that no archive has yet: when, and what release."""
    first = f"{datetime.fromtimestamp(seconds, UTC):%Y%m%dT%H%M%SZ}-{release}"
    names = chain([first], (f"{first}-{number}" for number in count(2)))
    taken = os.listdir(evidence)
    return next(name for name in names if f"{name}.tar.gz" not in taken)


def _remove_left_behind(evidence: int) -> None:
    """Remove what a capture that was killed had written; the lock is held, so none is under way."""
    for name in sorted(os.listdir(evidence)):
        if name.endswith(".tar.gz.new") and not is_in_the_way(name, evidence):
            os.unlink(name, dir_fd=evidence)


def _written(
    descriptor: int, path: Path, sources: Sequence[Source], seconds: int, *, left_out: int
) -> Archive:
    """Write the archive into an open file."""
    with (
        os.fdopen(os.dup(descriptor), "wb") as file,
        gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.GNU_FORMAT) as tar,
    ):
        archive = Archive(
            path=path,
            tar=tar,
            top=path.name.removesuffix(".tar.gz"),
            seconds=seconds,
            left_out=os.fstat(left_out),
        )
        archive.add_folder("", seconds)
        for source in sources:
            archive.add_source(source)
        archive.add_notes_and_manifest()
    return archive


def _digest(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    with os.fdopen(os.dup(descriptor), "rb") as file:
        return file_digest(file, "sha256").hexdigest()
