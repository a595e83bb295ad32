"""Whether the ledger is whole; where it is not, the first entry that was tampered with.

An entry is vouched for when another one, or `rollout.json`, names its digest. That tells the one
that was altered from its neighbours, which only no longer fit it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tau_rollout_gate.contract.rollout import Rollout, RolloutFile
from tau_rollout_gate.decision.answer import Verdict
from tau_rollout_gate.errors import RolloutGateError
from tau_rollout_gate.rollout.ledger import Action, Entry, digest_of


class Tampered(NamedTuple):
    """What is wrong, and with which entry; None where it is `rollout.json` itself."""

    decision_number: int | None
    detail: str


class LedgerReport(NamedTuple):
    """What was found: the entries that are there, what is wrong first, and what is worth knowing.

    `remarks` tell what a crash left behind and nobody was told had been done.
    """

    entries: int
    tampered: Tampered | None
    remarks: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Tell whether nothing was altered, removed or reordered."""
        return self.tampered is None


class _Line(NamedTuple):
    digest: str
    entry: Entry | None
    problem: str


def check(file: RolloutFile | None, lines: Sequence[bytes], *, is_torn: bool) -> LedgerReport:
    """Return whether the ledger is whole.

    Args:
        file: What `rollout.json` holds; None if it is not there.
        lines: The whole lines of `decisions.jsonl`, in its order.
        is_torn: Whether a part of a line follows them.
    """
    parsed = [_parsed(line) for line in lines]
    recorded = 0 if file is None else file.decisions.count
    remarks = []
    if is_torn:
        remarks.append("the last line is torn: that decision was never recorded")
    if len(lines) == recorded + 1:
        remarks.append(
            f"entry {len(lines)} is ahead of rollout.json: the next decision completes it"
        )
    tampered = _in_chain(parsed, file) or _at_end(parsed, file) or _between(parsed)
    return LedgerReport(entries=len(lines), tampered=tampered, remarks=tuple(remarks))


def _parsed(line: bytes) -> _Line:
    try:
        return _Line(digest=digest_of(line), entry=Entry.parse(line), problem="")
    except RolloutGateError as error:
        return _Line(digest=digest_of(line), entry=None, problem=str(error))


def _in_chain(lines: Sequence[_Line], file: RolloutFile | None) -> Tampered | None:
    """Return the first entry that is not where and what the others say."""
    entries = [line.entry for line in lines if line.entry is not None]
    numbers = {entry.decision_number for entry in entries}
    named = {entry.previous_sha256 for entry in entries}
    recorded = None if file is None else file.decisions.sha256
    ahead = 1 if file is None else file.decisions.count + 1
    before: _Line | None = None
    for place, line in enumerate(lines, start=1):
        if line.entry is None:
            return Tampered(decision_number=place, detail=f"was altered: {line.problem}")
        number = line.entry.decision_number
        is_vouched = line.digest in named or line.digest == recorded or number == ahead
        if number != place:
            return _misplaced(place, number, is_vouched=is_vouched, is_elsewhere=place in numbers)
        if line.entry.previous_sha256 != (before.digest if before else None):
            is_before_altered = is_vouched and before is not None and before.digest != recorded
            culprit = place - 1 if is_before_altered else place
            return Tampered(decision_number=culprit, detail="was altered")
        before = line
    return None


def _misplaced(place: int, number: int, *, is_vouched: bool, is_elsewhere: bool) -> Tampered:
    if not is_vouched:
        return Tampered(decision_number=place, detail="was altered")
    if is_elsewhere:
        detail = f"was reordered: entry {number} stands in its place"
    elif number < place:
        detail = f"was removed or never written: entry {number} stands in its place once more"
    else:
        detail = "was removed"
        if number > place + 1:
            detail += f", as were those up to {number - 1}"
    return Tampered(decision_number=place, detail=detail)


def _at_end(lines: Sequence[_Line], file: RolloutFile | None) -> Tampered | None:
    """Return what is wrong between the end of the ledger and `rollout.json`."""
    if file is None:
        missing = Tampered(decision_number=None, detail="rollout.json is missing")
        return missing if len(lines) > 1 else None
    recorded = file.decisions
    if len(lines) < recorded.count:
        detail = "was removed"
        if len(lines) + 1 < recorded.count:
            detail += f", as were those up to {recorded.count}"
        return Tampered(decision_number=len(lines) + 1, detail=detail)
    last = lines[recorded.count - 1]
    if last.digest != recorded.sha256:
        return Tampered(decision_number=recorded.count, detail="was altered")
    detail = ""
    if len(lines) > recorded.count + 1:
        detail = f"rollout.json is an older copy: it counts {recorded.count} of {len(lines)}"
    elif last.entry is None or last.entry.rollout_after != file.rollout:
        detail = f"rollout.json was edited: it is not what entry {recorded.count} left"
    return Tampered(decision_number=None, detail=detail) if detail else None


def _between(lines: Sequence[_Line]) -> Tampered | None:
    """Return the first entry that no command could have made of the one before it."""
    before: Rollout | None = None
    for entry in (line.entry for line in lines if line.entry is not None):
        if detail := next(_impossible(before, entry), None):
            return Tampered(decision_number=entry.decision_number, detail=detail)
        before = entry.rollout_after
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
