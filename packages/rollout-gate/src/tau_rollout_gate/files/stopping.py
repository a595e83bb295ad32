"""A change that only stops a rollout: it is recorded whatever is wrong with the record itself.

`recover` takes a rollout up again from what is left, stopped.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tau_rollout_gate.contract.rollout import DecisionCount, RecordedInput, Rollout, RolloutFile
from tau_rollout_gate.errors import RolloutGateError, RolloutUnusableError, StorageError
from tau_rollout_gate.files.disk.aside import free_name
from tau_rollout_gate.files.lock import locked
from tau_rollout_gate.files.record import (
    LEDGER_FILE,
    ROLLOUT_FILE,
    find,
    nothing_there,
    standing_of,
)
from tau_rollout_gate.files.rollout_directory import WAIT_SECONDS, Change
from tau_rollout_gate.files.signals import signals_held
from tau_rollout_gate.files.storage import (
    append,
    opened_folder,
    read_whole,
    replace_file,
    set_aside,
)
from tau_rollout_gate.rollout.ledger import Action, Entry
from tau_rollout_gate.rollout.ledger_check import Standing, break_in
from tau_rollout_gate.rollout.salvage import Salvaged, salvaged


@dataclass(slots=True, kw_only=True)
class Stop:
    """A change that stops the rollout of a directory, under its lock.

    Attributes:
        root: The directory's path.
        folder: The same, open.
        rollout: The rollout as it is now.
        count: What was decided so far; None where a new chain begins.
        change: The ordinary change; None where something is wrong with the record.
        reasons: What that is, for the decision to say.
        inputs: The ledger to be set aside, for it to name.
        lines: Those of the ledger that is gone on with where something is wrong.
    """

    root: Path
    folder: int
    rollout: Rollout
    count: DecisionCount | None
    change: Change | None = None
    reasons: tuple[str, ...] = ()
    inputs: tuple[RecordedInput, ...] = ()
    lines: Sequence[bytes] = ()

    def record(  # noqa: PLR0913 - what a decision says
        self,
        action: Action,
        after: Rollout,
        *,
        by: str,
        reason: str,
        decided_unix_ms: int,
        reasons: tuple[str, ...] = (),
        inputs: tuple[RecordedInput, ...] = (),
    ) -> Entry:
        """Record a decision. A `rollout.json` that is not sound is left, unless that ends it, too.

        Raises:
            StorageError: if the operating system refuses.
        """
        entry = Entry.following(
            self.count,
            action,
            after,
            by=by,
            decided_unix_ms=decided_unix_ms,
            reason=reason,
            reasons=(*self.reasons, *reasons),
            inputs=(*self.inputs, *inputs),
        )
        if self.change is not None:
            self.change.commit(entry)
        else:
            with signals_held():
                self._write(entry)
        self.rollout, self.count, self.reasons, self.inputs = after, entry.counted, (), ()
        return entry

    def _write(self, entry: Entry) -> None:
        if self.count is None:
            set_aside(LEDGER_FILE, free_name(LEDGER_FILE, self.folder), self.folder, self.root)
        size = sum(len(line) + 1 for line in self.lines)
        append(LEDGER_FILE, entry.as_line(), self.folder, self.root, after=size)
        self.lines = [*self.lines, entry.as_line().removesuffix(b"\n")]
        if entry.action is Action.RECOVER or not entry.rollout_after.is_open:
            if self.reasons:
                aside = free_name(ROLLOUT_FILE, self.folder)
                set_aside(ROLLOUT_FILE, aside, self.folder, self.root)
            document = RolloutFile.after(entry.rollout_after, entry.counted).as_document()
            replace_file(ROLLOUT_FILE, document, self.folder, self.root)


def known_rollout(root: Path) -> Rollout:
    """Find the rollout of a directory, whatever is wrong with its files.

    Raises:
        RolloutUnusableError: if none of them tells of one.
    """
    with suppress(RolloutUnusableError):
        if (found := find(root)) is not None:
            return found.rollout
    return _salvage(root)[0].rollout


@contextmanager
def stopping(root: Path, *, ends: bool) -> Iterator[Stop]:
    """Stop the rollout of a directory, alone until it is done.

    `ends` tells that it ends: then the ledger is to be whole after, from its first line on.

    Raises:
        RolloutUnusableError: if nothing in it tells of a rollout.
        BusyError: if another process did not let go of it.
        StorageError: if the operating system refuses.
    """
    known_rollout(root)  # what is no rollout directory is left alone
    with opened_folder(root) as folder, locked(folder, root, wait_seconds=WAIT_SECONDS):
        yield _stop(root, folder, ends=ends)


def _stop(root: Path, folder: int, *, ends: bool) -> Stop:
    try:
        now = _sound(root, ends=ends)
    except RolloutUnusableError as error:
        found, raw = _salvage(root)
        inputs: tuple[RecordedInput, ...] = ()
        problem = said = str(error)
        if found.decisions is None:
            aside = str(root / free_name(LEDGER_FILE, folder))
            said = f"{LEDGER_FILE} is set aside as {aside}: {problem}"
            if raw is not None:
                inputs = (RecordedInput(path=aside, sha256=sha256(raw).hexdigest()),)
        return Stop(
            root=root,
            folder=folder,
            rollout=found.rollout,
            count=found.decisions,
            reasons=(said,),
            inputs=inputs,
            lines=() if found.decisions is None else (raw or b"").split(b"\n")[:-1],
        )
    change = Change(root=root, folder=folder, standing=now, has_moved=False)
    return Stop(root=root, folder=folder, rollout=now.rollout, count=now.decisions, change=change)


def _sound(root: Path, *, ends: bool) -> Standing:
    """Where a directory stands, if nothing is wrong with its record."""
    now = standing_of(root)
    if now is None:  # a first decision alone is none yet where it is to be gone on with
        raise RolloutUnusableError(f"{root}: rollout.json is missing")
    if ends and (broken := break_in(now.lines)):
        raise RolloutUnusableError(f"entry {broken.decision_number}: {broken.detail}")
    return now


def _salvage(root: Path) -> tuple[Salvaged, bytes | None]:
    """What the files tell, and the bytes of the ledger."""
    problems: list[StorageError] = []
    raw, ledger = (_readable(root, name, problems) for name in (ROLLOUT_FILE, LEDGER_FILE))
    file = None
    with suppress(RolloutGateError):
        file = None if raw is None else RolloutFile.parse(raw)
    if raw is None and not ledger:
        raise RolloutUnusableError(str(problems[0])) if problems else nothing_there(root)
    try:
        return salvaged(file, (ledger or b"").split(b"\n")[:-1]), ledger
    except RolloutUnusableError as error:
        raise RolloutUnusableError(f"{root}: {error}") from None


def _readable(root: Path, name: str, problems: list[StorageError]) -> bytes | None:
    """A file's bytes, or None; why it cannot be read is added to the problems."""
    try:
        return read_whole(name, root)
    except StorageError as error:
        problems.append(error)
        return None
