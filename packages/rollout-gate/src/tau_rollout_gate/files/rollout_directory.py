"""A rollout directory: what is read from it, and how a decision is written to it."""

import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tau_rollout_gate.contract.rollout import DecisionCount, Rollout, RolloutFile
from tau_rollout_gate.errors import RolloutGateError, RolloutUnusableError
from tau_rollout_gate.files.inputs import keep
from tau_rollout_gate.files.lock import locked
from tau_rollout_gate.files.record import (
    LEDGER_FILE,
    ROLLOUT_FILE,
    nothing_there,
    read_record,
    standing_of,
    telling_what_remains,
)
from tau_rollout_gate.files.storage import (
    append_and_replace,
    opened_folder,
    opened_subfolder,
    replace_file,
)
from tau_rollout_gate.rollout.ledger import Action, Entry, completed_last
from tau_rollout_gate.rollout.ledger_check import LedgerReport, Standing, check

ARCHIVE_FOLDER = "archive"

WAIT_SECONDS = 30.0
_READINGS = 4
_PAUSE_SECONDS = 0.05
_HELD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@dataclass(slots=True, kw_only=True)
class Change:
    """A change of a rollout directory, under its lock.

    Attributes:
        root: The directory's path.
        folder: The same, open.
        standing: Where the directory stands now; None where nothing was begun.
        has_moved: Whether another process recorded a decision while this one waited for the lock.
    """

    root: Path
    folder: int
    standing: Standing | None
    has_moved: bool

    @property
    def current(self) -> Standing:
        """Where the directory stands.

        Raises:
            RolloutUnusableError: if nothing was begun in it.
        """
        return _begun(self.standing, self.root)

    @property
    def count(self) -> DecisionCount | None:
        """Count what was decided so far, for the next entry; None before the first."""
        return None if self.standing is None else self.standing.decisions

    def commit(self, entry: Entry, *, judged: Mapping[str, bytes] | None = None) -> Entry:
        """Record a decision, which follows `count`: append it, then replace `rollout.json`.

        Before that, what was `judged` for it is kept, by name. A signal that would end the process
        waits until all is done.

        Raises:
            StorageError: if the operating system refuses; both files are then as they were.
        """
        before = self.standing
        lines = [] if before is None else before.lines
        with signals_held():
            keep(judged or {}, self.folder, self.root)
            if before is not None:
                self._complete(before)
                if entry.action is Action.START:
                    self._archive(before)
            append_and_replace(
                self.folder,
                self.root,
                log=(LEDGER_FILE, entry.as_line()),
                after=sum(len(line) + 1 for line in lines),
                file=(
                    ROLLOUT_FILE,
                    RolloutFile.after(entry.rollout_after, entry.counted).as_document(),
                ),
            )
        self.standing = Standing(
            rollout=entry.rollout_after,
            decisions=entry.counted,
            last=entry,
            is_ahead=False,
            lines=[*lines, entry.as_line().removesuffix(b"\n")],
        )
        return entry

    def note(self, rollout: Rollout) -> None:
        """Write `rollout.json` anew, without a decision: for what was seen.

        Raises:
            StorageError: if the operating system refuses.
        """
        document = RolloutFile.after(rollout, self.current.decisions).as_document()
        replace_file(ROLLOUT_FILE, document, self.folder, self.root)

    def _complete(self, before: Standing) -> None:
        """Bring `rollout.json` up to a ledger that a crash left one ahead of it."""
        if before.is_ahead:
            self.note(before.rollout)

    def _archive(self, before: Standing) -> None:
        """Keep the closed rollout's file, named by its last decision and its release."""
        name = f"{before.decisions.count:06d}-{before.rollout.release}.json"
        path = self.root / ARCHIVE_FOLDER
        with opened_subfolder(path, self.folder) as archive:
            document = RolloutFile.after(before.rollout, before.decisions).as_document()
            replace_file(name, document, archive, path)


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
    return _begun(find(root), root)


@contextmanager
def changing(
    root: Path, *, may_begin: bool = False, wait_seconds: float = WAIT_SECONDS
) -> Iterator[Change]:
    """Change a rollout directory, alone until it is done.

    Args:
        root: The directory; made only if `may_begin`.
        may_begin: Whether nothing has to have been begun in it.
        wait_seconds: How long another process's change is waited for.

    Raises:
        RolloutUnusableError: if nothing was begun in it though it had to be, its files cannot be
            read or do not belong together.
        BusyError: if another process did not let go of it.
        StorageError: if the operating system refuses.
    """
    seen = _seen(find(root) if may_begin else load(root))
    with opened_folder(root) as folder, locked(folder, root, wait_seconds=wait_seconds):
        now = standing_of(root)
        yield Change(root=root, folder=folder, standing=now, has_moved=_seen(now) != seen)


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


def _begun(found: Standing | None, root: Path) -> Standing:
    if found is None:
        raise nothing_there(root)
    return found


def _seen(found: Standing | None) -> DecisionCount | None:
    return None if found is None else found.decisions


@contextmanager
def signals_held() -> Iterator[None]:
    """Let a signal that would end the process wait."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
