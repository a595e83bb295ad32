"""Whether the ledger is whole: a chain of decisions, each of which a command could have made.

Where the rollout stands follows from it (runbooks/state-files.md, "The rollout directory").
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from tau_rollout_gate.contract.event import line_digest
from tau_rollout_gate.contract.rollout import DecisionCount, Rollout, RolloutFile
from tau_rollout_gate.decision.answer import Answer
from tau_rollout_gate.errors import RolloutGateError, RolloutUnusableError
from tau_rollout_gate.rollout.ledger import Action, Entry
from tau_rollout_gate.rollout.possible import impossible


class Broken(NamedTuple):
    """The entry at which a ledger breaks, and why; None where it is `rollout.json` itself."""

    decision_number: int | None
    detail: str


class LedgerReport(NamedTuple):
    """How many entries are there, where the ledger breaks, and what is worth knowing.

    `remarks` tell what a crash left behind and nobody was told had been done.
    """

    entries: int
    broken: Broken | None
    remarks: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Tell whether nothing was altered, removed or reordered."""
        return self.broken is None


class Standing(NamedTuple):
    """Where a rollout directory stands.

    A crash can come between the append to the ledger and `rollout.json`. What holds a rollout back
    counts then, and the file is written anew before the next decision. Anything else does not: it
    was told to nobody, and is moved aside by the next decision.

    Args:
        rollout: The rollout.
        decisions: The count and digest of the last decision that counts.
        last: That decision.
        is_ahead: Whether the ledger is one ahead of `rollout.json` with it.
        lines: The lines of the ledger that count.
    """

    rollout: Rollout
    decisions: DecisionCount
    last: Entry
    is_ahead: bool
    lines: Sequence[bytes]

    def has(self, decision: DecisionCount) -> bool:
        """Tell whether a decision is recorded here."""
        known = self.lines[decision.count - 1 : decision.count]
        return [decision.sha256] == [line_digest(line) for line in known]

    def is_news(self, answer: Answer) -> bool:
        """Tell whether an answer says anything that the last decision does not.

        Of a closed rollout there is none: whoever closed it knows.
        """
        return self.rollout.is_open and not self.last.says(answer)


def standing(file: RolloutFile | None, lines: Sequence[bytes]) -> Standing | None:
    """Tell where the directory stands, from its two files; None where nothing was begun.

    Args:
        file: What `rollout.json` holds; None if it is not there.
        lines: The whole lines of `decisions.jsonl`.

    Raises:
        RolloutUnusableError: if the two do not belong together, or the last decision is none that
            a command could have made.
    """
    recorded = 0 if file is None else file.decisions.count
    # What stands before was held to this when it was last; that it was altered, `verify` tells.
    broken = break_in(lines, file, first=max(recorded - 1, 0)) or _at_end(lines, file)
    if broken is not None:
        number = broken.decision_number
        where = "" if number is None else f"decisions.jsonl: entry {number}: "
        raise RolloutUnusableError(f"{where}{broken.detail}")
    is_ahead = len(lines) > recorded and Entry.parse(lines[-1]).restrains
    counting = lines if is_ahead else lines[:recorded]
    if not counting:
        return None
    last = Entry.parse(counting[-1])
    return Standing(
        rollout=last.rollout_after if is_ahead or file is None else file.rollout,
        decisions=DecisionCount(count=len(counting), sha256=line_digest(counting[-1])),
        last=last,
        is_ahead=is_ahead,
        lines=counting,
    )


def check(file: RolloutFile | None, lines: Sequence[bytes], *, is_torn: bool) -> LedgerReport:
    """Tell whether the ledger is whole.

    Args:
        file: What `rollout.json` holds; None if it is not there.
        lines: The whole lines of `decisions.jsonl`, in its order.
        is_torn: Whether a part of a line follows them.
    """
    recorded = 0 if file is None else file.decisions.count
    broken = break_in(lines, file) or _at_end(lines, file)
    remarks = []
    if is_torn:
        remarks.append("the last line is torn: that decision was never recorded")
    if broken is None and len(lines) > recorded:
        counts = "completes it" if Entry.parse(lines[-1]).restrains else "moves it aside"
        remarks.append(f"entry {len(lines)} is ahead of rollout.json: the next decision {counts}")
    return LedgerReport(entries=len(lines), broken=broken, remarks=tuple(remarks))


def break_in(
    lines: Sequence[bytes], file: RolloutFile | None = None, *, first: int = 0
) -> Broken | None:
    """Find the first entry, from `first` on, that cannot be read, or not follow the one before.

    Where that of the first one was altered, nothing is said of what led to it.
    """
    named = None if file is None else (file.decisions.count, file.decisions.sha256)
    before: Rollout | None = None
    digest: str | None = None
    if 0 < first <= len(lines):
        digest = line_digest(lines[first - 1])
        with suppress(RolloutGateError):
            before = Entry.parse(lines[first - 1]).rollout_after
    for number, line in enumerate(lines[first:], start=first + 1):
        try:
            entry = Entry.parse(line)
        except RolloutGateError as error:
            return Broken(number, f"it cannot be read: {error}")
        follows = entry.previous_sha256 == digest
        if entry.decision_number != number or not (follows or number == first + 1 > 1):
            return Broken(
                number,
                "it does not follow the one before it: one of the two was altered, or entries were "
                "removed or moved",
            )
        is_known = follows and (before is not None or number == 1)
        if is_known and (detail := impossible(before, entry)):
            return Broken(number, f"no command leaves this: it {detail}")
        before, digest = entry.rollout_after, line_digest(line)
        if named is not None and number == named[0] and digest != named[1]:
            return Broken(number, "it is not the one that rollout.json names: it was altered")
    return None


def _at_end(lines: Sequence[bytes], file: RolloutFile | None) -> Broken | None:
    """Find what is wrong between the end of a sound chain and `rollout.json`."""
    if file is None:
        # The first one may have been cut off before it was done.
        is_lost = len(lines) > 1 or any(Entry.parse(line).action != Action.START for line in lines)
        return Broken(None, "rollout.json is missing") if is_lost else None
    count = file.decisions.count
    if len(lines) < count:
        return Broken(len(lines) + 1, f"it was removed: rollout.json counts {count}")
    if len(lines) > count + 1:
        return Broken(None, f"rollout.json is an older copy: it counts {count} of {len(lines)}")
    if Entry.parse(lines[count - 1]).rollout_after.without_seen() != file.rollout.without_seen():
        return Broken(None, f"rollout.json was edited: it is not what entry {count} left")
    return None
