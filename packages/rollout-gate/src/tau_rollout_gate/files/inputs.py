"""What was judged, kept by digest: policies, reports and sign-offs, as they were then.

So a rollout does not depend on a file that somebody edits, nor on the built-in policy of a newer
version (runbooks/state-files.md, "`inputs/`").
"""

from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from tau_rollout_gate.errors import StorageError
from tau_rollout_gate.files.storage import opened_file, opened_subfolder, read_whole, replace_file

INPUTS_FOLDER = "inputs"
_BLOCK_BYTES = 1024 * 1024


def keep(contents: Mapping[str, bytes], folder: int, root: Path) -> None:
    """Keep files by their names; what is there already stays.

    Raises:
        StorageError: if the operating system refuses.
    """
    place = root / INPUTS_FOLDER
    for name, content in contents.items():
        if _kept(name, root) != content:
            with opened_subfolder(place, folder) as inputs:
                replace_file(name, content, inputs, place)


def kept_file(root: Path, digest: str) -> Path | None:
    """Find a report or a sign-off by the digest of its bytes; None if it was not kept whole."""
    content = _kept(digest, root)
    if content is None or sha256(content).hexdigest() != digest:
        return None
    return root / INPUTS_FOLDER / digest


def digest_of(path: Path) -> str | None:
    """The digest of a file's bytes as they are now; None if it cannot be read."""
    digest = sha256()
    with suppress(OSError, ValueError), opened_file(path) as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
        return digest.hexdigest()
    return None


def policy_name(digest: str) -> str:
    """The name by which a policy is kept: its digest is over what it says, not over its bytes."""
    return f"{digest}.toml"


def _kept(name: str, root: Path) -> bytes | None:
    with suppress(StorageError):
        return read_whole(name, root / INPUTS_FOLDER)
    return None
