"""Whether the ledger is whole: a chain of decisions, each of which a command could have made."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tau_rollout_gate.contract.event import line_digest
from tau_rollout_gate.contract.rollout import Rollout, RolloutFile
from tau_rollout_gate.decision.answer import Verdict
from tau_rollout_gate.errors import RolloutGateError
from tau_rollout_gate.rollout.ledger import Action, Entry


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


def check(file: RolloutFile | None, lines: Sequence[bytes], *, is_torn: bool) -> LedgerReport:
    """Tell whether the ledger is whole.

    Args:
        file: What `rollout.json` holds; None if it is not there.
        lines: The whole lines of `decisions.jsonl`, in its order.
        is_torn: Whether a part of a line follows them.
    """
    recorded = 0 if file is None else file.decisions.count
    remarks = []
    if is_torn:
        remarks.append("the last line is torn: that decision was never recorded")
    if len(lines) == recorded + 1:
        remarks.append(
            f"entry {len(lines)} is ahead of rollout.json: the next decision completes it"
        )
    broken = _along(lines, file) or _at_end(lines, file)
    return LedgerReport(entries=len(lines), broken=broken, remarks=tuple(remarks))


def _along(lines: Sequence[bytes], file: RolloutFile | None) -> Broken | None:
    """Find the first entry that cannot be read, or not follow the one before it."""
    named = None if file is None else (file.decisions.count, file.decisions.sha256)
    before: Rollout | None = None
    digest: str | None = None
    for number, line in enumerate(lines, start=1):
        try:
            entry = Entry.parse(line)
        except RolloutGateError as error:
            return Broken(number, f"it cannot be read: {error}")
        if (entry.decision_number, entry.previous_sha256) != (number, digest):
            return Broken(
                number,
                "it does not follow the one before it: one of the two was altered, or entries were "
                "removed or moved",
            )
        if detail := next(_impossible(before, entry), None):
            return Broken(number, f"it {detail}")
        before, digest = entry.rollout_after, line_digest(line)
        if named is not None and number == named[0] and digest != named[1]:
            return Broken(number, "it is not the one that rollout.json names: it was altered")
    return None


def _at_end(lines: Sequence[bytes], file: RolloutFile | None) -> Broken | None:
    """Find what is wrong between the end of a sound chain and `rollout.json`."""
    if file is None:
        return Broken(None, "rollout.json is missing") if len(lines) > 1 else None
    count = file.decisions.count
    if len(lines) < count:
        return Broken(len(lines) + 1, f"it was removed: rollout.json counts {count}")
    if len(lines) > count + 1:
        return Broken(None, f"rollout.json is an older copy: it counts {count} of {len(lines)}")
    if Entry.parse(lines[count - 1]).rollout_after != file.rollout:
        return Broken(None, f"rollout.json was edited: it is not what entry {count} left")
    return None


def _impossible(before: Rollout | None, entry: Entry) -> Iterator[str]:
    if entry.action is Action.START:
        if before is not None and before.is_open:
            yield "starts a rollout while another one is open"
    elif before is None or not before.is_open:
        yield "goes on with a rollout that is not open"
    else:
        yield from _misfits(before, entry)


def _misfits(before: Rollout, entry: Entry) -> Iterator[str]:
    after = entry.rollout_after
    if (after.release, after.started_unix_ms) != (before.release, before.started_unix_ms):
        yield "changes the release of an open rollout"
    is_promotion = entry.action is Action.ADVANCE and entry.verdict is Verdict.PROMOTE
    if after.phase != before.phase and not is_promotion:
        yield "changes the phase without a promotion"
    if after.policy_sha256 != before.policy_sha256 and entry.action is not Action.ADOPT:
        yield "changes the policy without adopting one"
    if not set(before.fired_triggers) <= set(after.fired_triggers):
        yield "mutes a rollback trigger that had fired"
