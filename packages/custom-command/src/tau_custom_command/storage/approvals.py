"""`approvals.json` on disk: private, replaced as a whole, and never guessed at."""

import os
from functools import lru_cache
from itertools import chain, count
from pathlib import Path

from tau_custom_command.contract.forms import read_document
from tau_custom_command.contract.json_values import encode_document
from tau_custom_command.contract.paths import APPROVALS
from tau_custom_command.errors import FormRefusedError, StorageError
from tau_custom_command.hint import hint
from tau_custom_command.limits import LARGEST_STATE_FILE_BYTES
from tau_custom_command.policy.approvals import (
    NO_APPROVALS,
    Approvals,
    BrokenApprovals,
    as_values,
    problem,
)
from tau_custom_command.storage import apply, read
from tau_custom_command.storage.folders import NO_LINK
from tau_custom_command.storage.lock import HeldLock
from tau_custom_command.storage.signals import interruptions_held

_WRITABLE_BY_OTHERS = 0o022


def read_approvals(root: Path) -> Approvals | BrokenApprovals:
    """Read the approvals in the state directory `root`; none where there is no file.

    A file that cannot be read, is of another form, or that others than its user and root could have
    written, approves nothing.
    """
    path = root / APPROVALS
    try:
        with read.storage_errors(path, "read"):
            raw = _read(path)
        if raw is None:
            return NO_APPROVALS
        approvals, reason = _parsed(raw)
    except StorageError as error:
        return BrokenApprovals(f"{error}; {_ways_out(root)}")
    except FormRefusedError as error:
        return BrokenApprovals(f"{path}: {error}; {_ways_out(root)}")
    if reason is not None:
        return BrokenApprovals(f"{path}: {reason}; {_ways_out(root)}")
    return approvals


def write_approvals(lock: HeldLock, approvals: Approvals) -> None:
    """Replace the approvals of a state directory, on the disk once this returns.

    Raises:
        StateDirectoryBusyError: if the lock was lost meanwhile; nothing was written.
        StorageError: if the operating system refuses; the earlier ones then still hold.
    """
    content = encode_document(as_values(approvals))
    lock.check()
    with read.storage_errors(lock.root / APPROVALS, "write"), interruptions_held():
        apply.replace_now(lock.root, APPROVALS, content)


def put_aside(lock: HeldLock) -> str:
    """Rename a broken file of approvals to a name that is free, and return that.

    Raises:
        StateDirectoryBusyError: if the lock was lost meanwhile; nothing was renamed.
        StorageError: if the operating system refuses.
    """
    names = chain([f"{APPROVALS}.corrupt"], (f"{APPROVALS}.{n}.corrupt" for n in count(2)))
    kept = next(name for name in names if not os.path.lexists(lock.root / name))
    lock.check()
    path = lock.root / APPROVALS
    with read.storage_errors(path, f"rename to {kept}"):
        path.rename(lock.root / kept)
    return kept


@lru_cache(maxsize=1)  # the file is read twice for each RUN; its digests are worked out once
def _parsed(raw: bytes) -> tuple[Approvals, str | None]:
    """The approvals that a file holds, and what is wrong with them, if anything."""
    approvals = read_document(raw, Approvals)
    return approvals, problem(approvals)


def _read(path: Path) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | NO_LINK)
    except FileNotFoundError:
        return None
    try:
        read.refuse_what_is_no_file(descriptor)
        status = os.fstat(descriptor)
        if status.st_uid not in {0, os.geteuid()}:
            raise OSError(f"it belongs to the user {status.st_uid}, who may have approved anything")
        if status.st_mode & _WRITABLE_BY_OTHERS:
            raise OSError("other users may write to it, and may have approved anything")
        read.refuse_size(status.st_size, LARGEST_STATE_FILE_BYTES)
        with open(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


def _ways_out(root: Path) -> str:
    approve = hint("approve", "NAME", "--by", "WHO", state_dir=str(root))
    return f"put it back from a copy, or approve anew with '{approve}', which keeps it beside"
