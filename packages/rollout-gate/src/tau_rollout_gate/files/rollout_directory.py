"""A rollout directory as it is changed: under its lock, a decision at a time."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tau_rollout_gate.contract.rollout import DecisionCount, Rollout, RolloutFile
from tau_rollout_gate.files.host_table import finish_seen, prepare_seen, write_table
from tau_rollout_gate.files.inputs import keep
from tau_rollout_gate.files.lock import locked
from tau_rollout_gate.files.record import LEDGER_FILE, ROLLOUT_FILE, begun, find, load, standing_of
from tau_rollout_gate.files.signals import signals_held
from tau_rollout_gate.files.storage import (
    append_and_replace,
    opened_folder,
    opened_subfolder,
    replace_file,
)
from tau_rollout_gate.rollout.ledger import Action, Entry
from tau_rollout_gate.rollout.ledger_check import Standing

ARCHIVE_FOLDER = "archive"

WAIT_SECONDS = 30.0


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
        return begun(self.standing, self.root)

    @property
    def count(self) -> DecisionCount | None:
        """Count what was decided so far, for the next entry; None before the first."""
        return None if self.standing is None else self.standing.decisions

    def commit(
        self,
        entry: Entry,
        *,
        judged: Mapping[str, bytes] | None = None,
        table: bytes | None = None,
    ) -> Entry:
        """Record a decision, which follows `count`: append it, then replace `rollout.json`.

        Before that, what was `judged` for it is kept, by name, and the `table` of a fleet's hosts.
        A signal that would end the process waits until all is done.

        Raises:
            StorageError: if the operating system refuses; both files are then as they were.
        """
        before = self.standing
        lines = [] if before is None else before.lines
        with signals_held():
            keep(judged or {}, self.folder, self.root)
            if table is not None:
                write_table(self.root, self.folder, entry.decision_number, table)
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

    def note_seen(self, rollout: Rollout, table: bytes) -> None:
        """Write `rollout.json` anew, and the table of hosts that it names, without a decision.

        Raises:
            StorageError: if the operating system refuses.
        """
        before = self.current.rollout.fleet
        prepare_seen(self.root, self.folder, table, None if before is None else before.seen_sha256)
        self.note(rollout)
        finish_seen(self.root, self.folder)

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


def _seen(found: Standing | None) -> DecisionCount | None:
    return None if found is None else found.decisions
