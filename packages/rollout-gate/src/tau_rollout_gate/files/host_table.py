"""The tables of a fleet's hosts in a rollout directory: one a decision, and what was seen since."""

from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from tau_rollout_gate.contract.fleet import FleetPin
from tau_rollout_gate.errors import FleetRefusedError, StorageError
from tau_rollout_gate.files.storage import read_whole, replace_file, set_aside

SEEN_FILE = "hosts-seen.tsv.gz"
_SEEN_NEXT = "hosts-seen.tsv.gz.next"
_WITHOUT_SEEN = "let 'recover' go on from the last decision, "


def table_name(decision: int) -> str:
    """The name of the table that a decision left."""
    return f"hosts-{decision}.tsv.gz"


def read_table(root: Path, pin: FleetPin) -> tuple[bytes, str] | None:
    """The bytes of the table that counts, and its path; None where there is none yet.

    Raises:
        FleetRefusedError: if it is gone, or is not the one that is pinned.
    """
    names: tuple[str, ...]
    if pin.seen_sha256 is not None:
        names, digest = (SEEN_FILE, _SEEN_NEXT), pin.seen_sha256
    elif pin.table is not None and pin.table_sha256 is not None:
        names, digest = (table_name(pin.table),), pin.table_sha256
    else:
        return None
    for name in names:
        with suppress(StorageError):
            raw = read_whole(name, root)
            if raw is not None and sha256(raw).hexdigest() == digest:
                return raw, str(root / name)
    raise FleetRefusedError(
        f"{root / names[0]}: is gone, or is not the table of hosts that rollout.json names: put it "
        f"back from a copy, {_WITHOUT_SEEN if SEEN_FILE in names else ''}or end the rollout by "
        "'rollback --reason'"
    )


def read_seen(root: Path) -> Iterator[tuple[bytes, str]]:
    """Yield the bytes of what was seen last, and its path, though nothing proves whose it is."""
    for name in (SEEN_FILE, _SEEN_NEXT):
        with suppress(StorageError):
            raw = read_whole(name, root)
            if raw is not None:
                yield raw, str(root / name)


def write_table(root: Path, folder: int, decision: int, raw: bytes) -> None:
    """Write the table of a decision that is about to be recorded.

    Raises:
        StorageError: if the operating system refuses.
    """
    replace_file(table_name(decision), raw, folder, root)


def prepare_seen(root: Path, folder: int, raw: bytes, before: str | None) -> None:
    """Write what was seen beside the file that counts until `rollout.json` names this.

    A crash after that leaves either file with the digest that is named.

    Raises:
        StorageError: if the operating system refuses.
    """
    if before is not None:  # a crash may have left it under the other name
        there = read_whole(_SEEN_NEXT, root)
        if there is not None and sha256(there).hexdigest() == before:
            set_aside(_SEEN_NEXT, SEEN_FILE, folder, root)
    replace_file(_SEEN_NEXT, raw, folder, root)


def finish_seen(root: Path, folder: int) -> None:
    """Give what was seen its name, once `rollout.json` names its digest.

    Raises:
        StorageError: if the operating system refuses.
    """
    set_aside(_SEEN_NEXT, SEEN_FILE, folder, root)
