"""The record of a rollout directory, its two files: as they are read, and what remains of them."""

import shlex
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
from tau_rollout_gate.rollout.ledger_check import Standing, standing
from tau_rollout_gate.rollout.remains import remains

ROLLOUT_FILE = "rollout.json"
LEDGER_FILE = "decisions.jsonl"
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
