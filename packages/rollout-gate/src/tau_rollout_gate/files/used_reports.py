"""Which validation reports earlier releases of a rollout directory were judged by.

A rollout keeps its own alone, so that decisions do not grow with the number of releases: those of
the others stand in the last decision of each, and in `archive/`.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from tau_rollout_gate.contract.event import line_digest
from tau_rollout_gate.contract.rollout import RolloutFile, UsedReport
from tau_rollout_gate.errors import (
    NamedFileError,
    RolloutGateError,
    RolloutUnusableError,
    StorageError,
)
from tau_rollout_gate.files.record import LEDGER_FILE
from tau_rollout_gate.files.rollout_directory import ARCHIVE_FOLDER
from tau_rollout_gate.files.storage import read_whole
from tau_rollout_gate.rollout.ledger import Entry

_START = b'"action":"start"'


def reports_used_before(root: Path) -> tuple[UsedReport, ...]:
    """Find the reports that serve no release any more but their own.

    Raises:
        NamedFileError: if what tells of them is not whole: no report can be used then.
    """
    try:
        found = dict.fromkeys([*_in_ledger(root), *_in_archive(root)])
    except RolloutGateError as error:
        raise NamedFileError(
            f"{root}: which reports earlier releases were judged by is not known: {error}; see "
            "'verify', and put the file back from a copy, or end the rollout by 'rollback' or "
            "'cancel' and use another rollout directory"
        ) from None
    return tuple(found)


def _in_ledger(root: Path) -> Iterator[UsedReport]:
    lines = (read_whole(LEDGER_FILE, root) or b"").split(b"\n")[:-1]
    for number, (line, following) in enumerate(pairwise(lines), start=1):
        if b'"previous_sha256":"%b"' % line_digest(line).encode() not in following:
            raise RolloutUnusableError(f"{LEDGER_FILE}: entry {number} was altered, or the next")
        if _START in following:
            yield from Entry.parse(line).rollout_after.used_reports


def _in_archive(root: Path) -> Iterator[UsedReport]:
    folder = root / ARCHIVE_FOLDER
    try:
        names = sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"{folder}: cannot be read: {error.strerror or error}") from None
    for name in names:
        if name.endswith(".json"):
            yield from RolloutFile.parse(read_whole(name, folder) or b"").used_reports
