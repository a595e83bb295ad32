"""What a command can leave: each decision is held to it, whatever its digests say."""

from collections.abc import Iterable, Iterator, Mapping

from tau_rollout_gate.contract.fleet import FleetPin
from tau_rollout_gate.contract.pin import LogPosition, SurfacePin
from tau_rollout_gate.contract.rollout import Rollout, RolloutStatus
from tau_rollout_gate.decision.answer import Verdict
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
        {
            "phase",
            "phase_entered_unix_ms",
            "canary_entered_unix_ms",
            "surfaces",
            "used_reports",
            "fleet",
        }
    ),
    "completion": frozenset({"status", "surfaces", "used_reports", "fleet"}),
    "hold": frozenset({"surfaces", "fleet"}),
    "stop": frozenset({"frozen", "fired_triggers", "surfaces", "used_reports", "fleet"}),
    Action.FREEZE: frozenset({"frozen"}),
    Action.RESUME: frozenset({"frozen", "surfaces"}),
    Action.REENTER: frozenset(
        {"phase_entered_unix_ms", "canary_entered_unix_ms", "surfaces", "fleet"}
    ),
    Action.LEAVE: frozenset({"fleet"}),
    Action.REENTER_HOST: frozenset({"fleet"}),
    Action.ADOPT: frozenset(
        {
            "phase_entered_unix_ms",
            "canary_entered_unix_ms",
            "surfaces",
            "phases",
            "policy_sha256",
            "policy_file",
            "cycle_interval_ms",
            "fleet",
        }
    ),
    Action.ROLLBACK: frozenset({"status", "frozen", "rollback"}),
    Action.CAPTURE: frozenset(),
    Action.CANCEL: frozenset({"status"}),
    Action.RECOVER: frozenset(
        {
            "frozen",
            "fired_triggers",
            "phase_entered_unix_ms",
            "canary_entered_unix_ms",
            "surfaces",
            "fleet",
        }
    ),
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


def impossible(before: Rollout | None, entry: Entry) -> str | None:
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
    # What 'advance' saw is noted without a decision, and stands in the next one, whatever that is.
    was, now = before.without_seen(), after.without_seen()
    for name in Rollout.__struct_fields__:
        is_other = getattr(was, name) != getattr(now, name)
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
    yield not _is_same_fleet(before.fleet, after.fleet), "changes which fleet is judged"
    yield (
        len(before.surfaces) != len(after.surfaces)
        or not all(map(_is_same_surface, before.surfaces, after.surfaces)),
        "changes what is judged",
    )


def _is_same_fleet(before: FleetPin | None, after: FleetPin | None) -> bool:
    """Tell whether it is the same fleet, in the same store, its table of hosts none older."""
    if before is None or after is None:
        return before is after
    is_one = (before.name, before.store, before.store_id) == (
        after.name,
        after.store,
        after.store_id,
    )
    return is_one and (before.table or 0) <= (after.table or 0)


def _is_same_surface(before: SurfacePin, after: SurfacePin) -> bool:
    """Tell whether a surface is judged by the same evidence, none of it forgotten."""
    return (
        (before.name, before.expected) == (after.name, after.expected)
        and before.evidence_from in {None, _redated(after.evidence_from, before.evidence_from)}
        and before.is_chained <= after.is_chained
        and before.carried.lost_lines <= after.carried.lost_lines
    )


def _redated(after: LogPosition | None, before: LogPosition | None) -> LogPosition | None:
    """Where a log is without a line, the position as it may have been before `reenter`."""
    if after is None or before is None or after.event_sha256 is not None:
        return after
    return after.replaced(timestamp_unix_ms=before.timestamp_unix_ms)
