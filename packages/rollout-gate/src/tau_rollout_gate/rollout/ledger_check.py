"""Whether the ledger is whole: a chain of decisions, each of which a command could have made.

Where the rollout stands follows from it (runbooks/state-files.md, "The rollout directory").
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from tau_rollout_gate.contract.event import line_digest
from tau_rollout_gate.contract.rollout import (
    DecisionCount,
    Rollout,
    RolloutFile,
    RolloutStatus,
    SurfacePin,
)
from tau_rollout_gate.decision.answer import Verdict
from tau_rollout_gate.errors import RolloutGateError, RolloutUnusableError
from tau_rollout_gate.rollout.ledger import STOPPING, Action, Entry

_AFTER = {
    RolloutStatus.COMPLETE: {Action.ROLLBACK, Action.RECOVER},
    RolloutStatus.ROLLED_BACK: {Action.CAPTURE, Action.RECOVER},
    RolloutStatus.CANCELLED: {Action.RECOVER},
}
"""What may be done with a rollout that is closed, until the next one starts."""

_ADVANCES = {
    Verdict.PROMOTE: "promotion",
    Verdict.COMPLETE: "completion",
    Verdict.HOLD: "hold",
    Verdict.ROLLBACK: "stop",
}
"""What an advance is, by its verdict."""

_MAY_CHANGE: Mapping[str, frozenset[str]] = {
    "promotion": frozenset(
        {"phase", "phase_entered_unix_ms", "canary_entered_unix_ms", "surfaces", "used_reports"}
    ),
    "completion": frozenset({"status", "surfaces", "used_reports"}),
    "hold": frozenset({"surfaces"}),
    "stop": frozenset({"frozen", "fired_triggers", "surfaces", "used_reports"}),
    Action.FREEZE: frozenset({"frozen"}),
    Action.RESUME: frozenset({"frozen", "surfaces"}),
    Action.REENTER: frozenset({"phase_entered_unix_ms", "surfaces"}),
    Action.ADOPT: frozenset(
        {"phase_entered_unix_ms", "surfaces", "phases", "policy_sha256", "policy_file"}
    ),
    Action.ROLLBACK: frozenset({"status", "frozen", "rollback"}),
    Action.CAPTURE: frozenset(),
    Action.CANCEL: frozenset({"status"}),
    Action.RECOVER: frozenset({"frozen", "fired_triggers", "phase_entered_unix_ms", "surfaces"}),
}
"""What of a rollout each change may change."""

_GOES_ON = frozenset({"promotion", "completion", Action.RESUME, Action.REENTER, Action.ADOPT})
"""What no command does once a trigger fired."""

_JUDGED = frozenset({Action.ADVANCE, Action.RESUME, Action.REENTER, Action.ADOPT})
"""What rests on a verdict."""

_FREEZES = frozenset({"stop", Action.FREEZE, Action.ROLLBACK, Action.CAPTURE})
_ENDS = {
    "completion": RolloutStatus.COMPLETE,
    Action.ROLLBACK: RolloutStatus.ROLLED_BACK,
    Action.CAPTURE: RolloutStatus.ROLLED_BACK,
    Action.CANCEL: RolloutStatus.CANCELLED,
}


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
        where = "" if broken.decision_number is None else f"entry {broken.decision_number}: "
        raise RolloutUnusableError(f"decisions.jsonl: {where}{broken.detail}")
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
        if is_known and (detail := _impossible(before, entry)):
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
    if without_seen(Entry.parse(lines[count - 1]).rollout_after) != without_seen(file.rollout):
        return Broken(None, f"rollout.json was edited: it is not what entry {count} left")
    return None


def without_seen(rollout: Rollout) -> Rollout:
    """A rollout without what `advance` notes in `rollout.json` alone."""
    pins = tuple(pin.model_copy(update={"seen": None}) for pin in rollout.surfaces)
    return rollout.model_copy(update={"surfaces": pins})


def _impossible(before: Rollout | None, entry: Entry) -> str | None:
    """What no command does, of what an entry says was done; None where it is possible."""
    if entry.action is Action.START:
        return _first(_misbegun(before, entry.rollout_after)) or _mistold(
            entry, entry.rollout_after
        )
    if before is None:  # what stops goes on after a record that was set aside, and says so
        goes_on = entry.action in STOPPING and bool(entry.reasons)
        return None if goes_on else "goes on with a rollout that is not open"
    if not before.is_open and entry.action not in _AFTER[before.status]:
        return "goes on with a rollout that is not open"
    return _mistold(entry, before) or _first(_misfits(before, entry, entry.rollout_after))


def _first(found: Iterable[tuple[bool, str]]) -> str | None:
    return next((words for is_so, words in found if is_so), None)


def _mistold(entry: Entry, before: Rollout) -> str | None:
    after = entry.rollout_after
    told = (entry.release, entry.phase, entry.policy_sha256)
    if told != (after.release, before.phase, after.policy_sha256):
        return "says another release, phase or policy than it has"
    if (entry.action in _JUDGED) != (entry.verdict is not None):
        return "has a verdict that does not fit what was done"
    return None


def _misbegun(before: Rollout | None, after: Rollout) -> Iterator[tuple[bool, str]]:
    is_begun = after.is_open and after.phase == after.phases[0]
    is_free = after.frozen is None and not after.fired_triggers
    yield before is not None and before.is_open, "starts a rollout while another one is open"
    yield not is_begun or after.canary_entered_unix_ms is not None, "starts a rollout midway"
    yield not is_free, "starts a rollout that is stopped"


def _misfits(before: Rollout, entry: Entry, after: Rollout) -> Iterator[tuple[bool, str]]:
    done: str = entry.action
    if entry.action is Action.ADVANCE and entry.verdict is not None:
        done = _ADVANCES[entry.verdict]
    for name in Rollout.model_fields:
        is_other = getattr(before, name) != getattr(after, name)
        yield is_other and name not in _MAY_CHANGE[done], f"changes {name}, unlike a {done}"
    following = before.phases[before.phases.index(before.phase) + 1 :]
    goes_on = done in {"promotion", "completion"}
    yield (
        done == "promotion" and following[:1] != (after.phase,),
        f"promotes to {after.phase}, which does not follow {before.phase}",
    )
    yield (
        done == "completion" and bool(following),
        f"completes the rollout in {before.phase}, which is not the last phase",
    )
    is_recovery = done is Action.RECOVER
    end = before.status if is_recovery else _ENDS.get(done, RolloutStatus.OPEN)
    yield after.status is not end, f"is {after.status} by {done}"
    yield goes_on and (before.frozen is not None or bool(entry.held_by)), "goes on though held"
    yield (
        done in _GOES_ON and bool(before.fired_triggers),
        "goes on though a rollback trigger had fired",
    )
    yield (
        (done in {"hold", "stop"} and not entry.held_by)
        or (done == "stop" and not after.fired_triggers),
        f"has nothing that makes it a {done}",
    )
    freezes = done in _FREEZES or (is_recovery and before.is_open)
    is_free = done is Action.RESUME or (before.frozen is None and not freezes)
    yield (after.frozen is None) is not is_free, f"is frozen, or free, unlike after a {done}"
    yield after.phase not in after.phases, "has a policy without its phase"
    yield (
        not set(before.fired_triggers) <= set(after.fired_triggers),
        "mutes a rollback trigger that had fired",
    )
    yield not set(before.used_reports) <= set(after.used_reports), "forgets a report"
    yield (
        len(before.surfaces) != len(after.surfaces)
        or not all(map(_is_same_surface, before.surfaces, after.surfaces)),
        "changes what is judged",
    )


def _is_same_surface(before: SurfacePin, after: SurfacePin) -> bool:
    """Tell whether a surface is judged by the same evidence, none of it forgotten."""
    return (
        (before.name, before.expected) == (after.name, after.expected)
        and before.evidence_from in {None, after.evidence_from}
        and before.is_chained <= after.is_chained
        and before.carried.lost_lines <= after.carried.lost_lines
    )
