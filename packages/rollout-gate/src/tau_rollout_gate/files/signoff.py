"""Reads a sign-off and looks at the files that it names; `evidence.signoff` judges them."""

import os
import shlex
from functools import cache
from hashlib import sha256
from pathlib import Path

from tau_rollout_gate.contract.rollout import RecordedInput, Rollout
from tau_rollout_gate.errors import NamedFileError, RefusedError
from tau_rollout_gate.evidence.references import problem_of_path
from tau_rollout_gate.evidence.signoff import FoundFile, judge
from tau_rollout_gate.evidence.signoff_form import blank_signoff, parse_signoff
from tau_rollout_gate.evidence.values import SignoffEvidence
from tau_rollout_gate.files.named import create_named_file, read_named_file
from tau_rollout_gate.files.storage import opened_file
from tau_rollout_gate.versions import is_same_release, parse_version

_LARGEST_CHECKLIST_BYTES = 1024 * 1024
_BLOCK_BYTES = 1024 * 1024


def read_signoff(
    path: Path, rollout: Rollout, *, now_unix_ms: int, judged: dict[str, bytes] | None = None
) -> SignoffEvidence:
    """Read a sign-off and judge it; that something of it is missing is no error.

    Paths in it are those of the repository that the working directory belongs to. Its bytes are
    added to `judged`, by their digest.

    Raises:
        NamedFileError: if the file cannot be read, is not TOML or not of the checklist's form.
    """
    raw = _read(path)
    digest = sha256(raw).hexdigest()
    if judged is not None:
        judged[digest] = raw
    signoff = parse_signoff(raw, path=str(path))
    root = repository_root(Path.cwd())
    return judge(
        signoff,
        rollout,
        cache(lambda text: look_up(root, text)),
        file=RecordedInput(path=str(path), sha256=digest),
        now_unix_ms=now_unix_ms,
    )


def create_signoff(path: Path, rollout: Rollout) -> None:
    """Write the blank checklist of a rollout.

    Raises:
        RefusedError: if something of that name is there already: the text says what to do with the
            checklist of another release. Or if no file can have it.
        StorageError: if the operating system refuses.
    """
    try:
        create_named_file(path, blank_signoff(rollout).encode())
    except RefusedError:
        other = _release_of(path)
        if other is None or is_same_release(other, rollout.release):
            raise
        kept = path.with_name(f"{path.stem}-{other}{path.suffix}")
        raise RefusedError(
            f"{path}: is the checklist of {other}, and this rollout is of {rollout.release}: "
            f"{shlex.join(['mv', str(path), str(kept)])} keeps it, then 'signoff init' once more"
        ) from None


def _release_of(path: Path) -> str | None:
    """The release of the checklist that is there; None where it is none."""
    try:
        release = parse_signoff(_read(path), path=str(path)).release
    except NamedFileError:
        return None
    return release if parse_version(release) is not None else None


def _read(path: Path) -> bytes:
    return read_named_file(path, largest_bytes=_LARGEST_CHECKLIST_BYTES)


def repository_root(folder: Path) -> Path:
    """Find the nearest folder at or above `folder` that git keeps; `folder` if there is none."""
    for candidate in (folder, *folder.parents):
        if os.path.lexists(candidate / ".git"):  # a folder, or a file in a worktree
            return candidate
    return folder


def look_up(root: Path, text: str) -> FoundFile:
    """Look at a path of the repository: the digest of a file, or why it is no evidence.

    A link counts if it ends inside the repository.
    """
    try:
        real = Path(os.path.realpath(root / text, strict=True))
        if problem_of_path(os.path.relpath(real, os.path.realpath(root))) is not None:
            return FoundFile(problem="is a link that leads out of the repository")
        return _digested(real)
    except OSError as error:
        return FoundFile(problem=f"cannot be read from {root}: {error.strerror or error}")


def _digested(path: Path) -> FoundFile:
    digest, is_blank = sha256(), True
    with opened_file(path) as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            is_blank = is_blank and not block.strip()
    return FoundFile(problem="is empty") if is_blank else FoundFile(sha256=digest.hexdigest())
