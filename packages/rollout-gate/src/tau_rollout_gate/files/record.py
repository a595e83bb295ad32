"""The record of a rollout directory, its two files: as they are read, and what remains of them.

Nothing is locked for it, and nothing written.
"""

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os.path import isdir
from pathlib import Path

from tau_rollout_gate.contract.rollout import RolloutFile
from tau_rollout_gate.errors import (
    DeniedError,
    RolloutDeniedError,
    RolloutGateError,
    RolloutUnusableError,
    StorageError,
)
from tau_rollout_gate.files.storage import read_whole
from tau_rollout_gate.rollout.ledger import Entry, completed_last
from tau_rollout_gate.rollout.ledger_check import LedgerReport, Standing, check, standing
from tau_rollout_gate.rollout.remains import remains

ROLLOUT_FILE = "rollout.json"
LEDGER_FILE = "decisions.jsonl"
_READINGS = 4
_PAUSE_SECONDS = 0.05
TO_READ = "run this as a user who may read it"
"""What to do about a file that is not for this user."""


def read_record(root: Path) -> tuple[RolloutFile | None, list[bytes], bool]:
    """Read the two files, the ledger last, so that it is never the older one.

    Gives what `rollout.json` holds, the whole lines of the ledger, and whether a torn one follows.

    Raises:
        RolloutUnusableError: if one cannot be read, or `rollout.json` is not of its form.
    """
    try:
        raw = read_whole(ROLLOUT_FILE, root)
        ledger = read_whole(LEDGER_FILE, root) or b""
    except DeniedError as error:
        raise RolloutDeniedError(f"{error}; nothing is lost: {TO_READ}") from None
    except StorageError as error:
        raise RolloutUnusableError(str(error)) from None
    try:
        file = None if raw is None else RolloutFile.parse(raw)
    except RolloutGateError as error:
        raise RolloutUnusableError(f"{root / ROLLOUT_FILE}: {error}") from None
    *lines, torn = ledger.split(b"\n")
    return file, lines, bool(torn)


def standing_of(root: Path) -> Standing | None:
    """Read the files once, and tell where the directory stands; None where nothing was begun.

    Raises:
        RolloutUnusableError: if they cannot be read or do not belong together.
    """
    file, lines, _ = read_record(root)
    try:
        return standing(file, lines)
    except RolloutUnusableError as error:
        raise RolloutUnusableError(f"{root}: {error}") from None


def find(root: Path) -> Standing | None:
    """Read where a rollout directory stands; None where nothing was begun in it.

    Nothing is locked: while another process writes, the files are read again.

    Raises:
        RolloutUnusableError: if its files cannot be read or do not belong together.
    """
    for _ in range(_READINGS - 1):
        with suppress(RolloutUnusableError):
            return standing_of(root)
        time.sleep(_PAUSE_SECONDS)
    with telling_what_remains(root):
        return standing_of(root)


def load(root: Path) -> Standing:
    """Read where a rollout directory stands, which has to have been begun.

    Raises:
        RolloutUnusableError: if nothing was begun in it, its files cannot be read or do not belong
            together.
    """
    return begun(find(root), root)


def entries(root: Path) -> tuple[Entry, ...]:
    """Read the recorded decisions, oldest first.

    Raises:
        RolloutUnusableError: if nothing was begun in the directory, or a line is not of its form.
    """
    found = []
    for number, line in enumerate(load(root).lines, start=1):
        try:
            found.append(Entry.parse(line))
        except RolloutGateError as error:
            raise RolloutUnusableError(
                f"{root / LEDGER_FILE}: entry {number}: {error}; see 'verify'"
            ) from None
    return tuple(found)


def find_completed(root: Path) -> Entry | None:
    """Find the decision that completed a release in a rollout directory last; None if none did.

    Raises:
        RolloutUnusableError: if a file cannot be read or the ledger is not whole: nobody knows.
    """
    if find(root) is None:
        return None
    if not verified(root).is_whole:
        raise RolloutUnusableError(f"{root / LEDGER_FILE}: is not whole: see 'verify'")
    return completed_last(entries(root))


def verified(root: Path) -> LedgerReport:
    """Check whether the ledger of a rollout directory is whole.

    Raises:
        RolloutUnusableError: if nothing was begun in it, or a file cannot be read.
    """
    report = _checked(root)
    for _ in range(_READINGS - 1):
        if report.is_whole:
            break
        time.sleep(_PAUSE_SECONDS)
        report = _checked(root)
    return report


def _checked(root: Path) -> LedgerReport:
    with telling_what_remains(root):
        file, lines, is_torn = read_record(root)
    if file is None and not lines:
        raise nothing_there(root)
    return check(file, lines, is_torn=is_torn)


def begun(found: Standing | None, root: Path) -> Standing:
    """Give where a directory stands, in which something was begun.

    Raises:
        RolloutUnusableError: if nothing was.
    """
    if found is None:
        raise nothing_there(root)
    return found


def nothing_there(root: Path) -> RolloutUnusableError:
    """Say that nothing was begun in a directory."""
    return RolloutUnusableError(
        f"{root}: there is no rollout: open one with 'start', or name the directory with "
        "--rollout-dir"
    )


@contextmanager
def telling_what_remains(root: Path) -> Iterator[None]:
    """Say of a record that is not sound also what there is, what is lost, and what to type.

    Raises:
        RolloutUnusableError: in the place of one that says only what is wrong.
    """
    try:
        yield
    except RolloutDeniedError:
        raise
    except RolloutUnusableError as error:
        if not isdir(root):  # noqa: PTH112 - no, also where that cannot be told: nothing is lost
            raise
        raise RolloutUnusableError("\n".join((str(error), *what_remains(root)))) from None


def what_remains(root: Path) -> Iterator[str]:
    """Yield what there is of a record that is not sound, what is lost, and what to type."""
    file = lines = None
    with suppress(RolloutGateError):
        file = RolloutFile.parse(read_whole(ROLLOUT_FILE, root) or b"")
    with suppress(StorageError):
        raw = read_whole(LEDGER_FILE, root)
        lines = None if raw is None else raw.split(b"\n")[:-1]
    yield from remains(file, lines, where=shlex.join(["--rollout-dir", str(root)]))
