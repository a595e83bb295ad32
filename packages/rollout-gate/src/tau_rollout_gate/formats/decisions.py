"""Where a rollout stands, its decisions and whether they are whole: as text and as JSON."""

import shlex
from collections.abc import Iterator, Sequence

from tau_rollout_gate.contract.rollout import Rollout, RolloutStatus
from tau_rollout_gate.counted import counted
from tau_rollout_gate.durations import in_words, utc
from tau_rollout_gate.formats.context import PROGRAM, Surroundings, steps
from tau_rollout_gate.formats.layout import aligned
from tau_rollout_gate.formats.phrases import document, shown
from tau_rollout_gate.rollout.ledger import Action, Entry
from tau_rollout_gate.rollout.ledger_check import LedgerReport, Standing

_DONE = {
    Action.START: "opened",
    Action.FREEZE: "frozen",
    Action.RESUME: "resumed",
    Action.REENTER: "entered anew",
    Action.LEAVE: "hosts taken out",
    Action.REENTER_HOST: "a host enters the phase anew",
    Action.ADOPT: "another policy or cycle interval adopted, the phase entered anew",
    Action.ROLLBACK: "rolled back",
    Action.CAPTURE: "rolled back, evidence captured",
    Action.CANCEL: "cancelled",
    Action.RECOVER: "recovered",
}
_DID = {
    Action.RESUME: "promotion is free",
    Action.REENTER: "the phase begins anew",
    Action.ADOPT: "the phase begins anew",
}
"""What came of an action that rests on a verdict, which is not that verdict."""

_HEADINGS = ("NUMBER", "TIME", "RELEASE", "PHASE", "DECISION", "BY", "WHY")


def decided_text(entry: Entry) -> str:
    """Say what was done, in one line."""
    done = _DONE.get(entry.action, f"recorded {entry.verdict}")
    if entry.action is Action.CAPTURE and entry.archive is None:
        done = "rolled back, no evidence captured"
    return shown(
        f"{done}: {entry.release} in {entry.rollout_after.phase} "
        f"(decision {entry.counted.token}, by {entry.by})"
    )


def did(entry: Entry) -> str:
    """Name an action and what came of it: `advance: hold`, `resume: promotion is free`."""
    came = _DID.get(entry.action, entry.verdict)
    return entry.action if came is None else f"{entry.action}: {came}"


def rolled_back_text(entry: Entry | None, around: Surroundings) -> str:
    """Say what was done, and number the steps that are left; of no entry, that nothing was."""
    lines = [
        "NOT RECORDED: the rollback stands nowhere yet" if entry is None else decided_text(entry),
        *around.evidence_words(),
        "",
        "Nothing is reverted yet. Now, in this order:",
    ]
    for number, step in enumerate(steps(around), start=1):
        lines.append(f"{number}. {step.words}")
        lines += [f"     {command}" for command in step.commands]
    return "".join(f"{shown(line)}\n" for line in lines)


def recovery_text(rollout: Rollout, problem: str, *, is_done: bool) -> str:
    """Say what was wrong, and how the rollout comes back."""
    state = "frozen, its phase entered anew" if rollout.is_open else _status(rollout)
    came = "came" if is_done else "would come"
    after = f"look at 'history', then {_after_recovery(rollout)}"
    unproven = "that no decision is missing at the end of the ledger"
    lines = [
        f"wrong: {problem}",
        f"{came} back: {rollout.release} in {rollout.phase}, {state}",
        f"not proven: {unproven} (one that was kept elsewhere tells: --expect-decision)",
        f"next: {after if is_done else 'nothing is written yet; recover --yes does it'}",
    ]
    return "".join(f"{shown(line)}\n" for line in lines)


def _after_recovery(rollout: Rollout) -> str:
    if not rollout.is_open:
        return "'start' the next one"
    return "'rollback --reason'" if rollout.fired_triggers else "'resume --reason' if it is right"


def standing_text(
    standing: Standing,
    warnings: Sequence[str] = (),
    *,
    archive: str | None = None,
    given: int | None = None,
    place: Sequence[str] = (),
) -> str:
    """Say where the rollout stands, a line each: what, then how.

    `archive` is its evidence; `given` how many hosts of a fleet were given the release; `place` the
    option that names the directory, where a command needs it.
    """
    rows = [
        *_standing_rows(standing, archive, place),
        *_fleet_rows(standing.rollout, given, place),
        *(("warning", one) for one in warnings),
    ]
    starts = aligned([(name,) for name, _ in rows])
    return "".join(f"{start}{shown(text)}\n" for start, (_, text) in zip(starts, rows, strict=True))


def standing_json(
    standing: Standing, warnings: Sequence[str] = (), *, given: int | None = None
) -> str:
    """Write where the rollout stands, as `rollout.json` has it, and the warnings.

    `given` is how many hosts of a fleet were given the release.
    """
    return document(
        **standing.rollout.as_json(),
        decisions=standing.decisions.as_json(),
        warnings=list(warnings),
        **({} if given is None else {"hosts_with_release": given}),
    )


def history_text(entries: Sequence[Entry]) -> str:
    """Write the decisions as a table, oldest first."""
    rows = aligned([_HEADINGS, *map(_history_row, entries)])
    return "".join(f"{row.rstrip()}\n" for row in rows)


def history_json(entries: Sequence[Entry]) -> str:
    """Write the decisions, oldest first, as they are recorded."""
    return document(decisions=[entry.as_json() for entry in entries])


def report_text(report: LedgerReport) -> str:
    """Say what is worth knowing of the ledger, then whether it is whole."""
    lines = list(report.remarks)
    broken = report.broken
    if broken is None:
        decisions = counted(report.entries, "decision")
        lines.append(f"whole: {decisions}, none altered, removed or reordered")
    elif broken.decision_number is None:
        lines.append(f"broken: {broken.detail}")
    else:
        lines.append(f"broken at entry {broken.decision_number}: {broken.detail}")
    return "".join(f"{shown(line)}\n" for line in lines)


def report_json(report: LedgerReport) -> str:
    """Write the same as JSON; `broken_at` is null where the ledger is whole."""
    return document(
        is_whole=report.is_whole,
        decisions=report.entries,
        broken_at=report.broken and report.broken._asdict(),
        remarks=report.remarks,
    )


def _standing_rows(
    standing: Standing, archive: str | None, place: Sequence[str]
) -> Iterator[tuple[str, str]]:
    rollout, last = standing.rollout, standing.last
    yield "release", f"{rollout.release} on {rollout.channel}, {_status(rollout)}"
    yield "phase", f"{rollout.phase}, since {utc(rollout.phase_entered_unix_ms)}"
    yield "promotion", _promotion(rollout)
    for fired in rollout.fired_triggers:
        surface = "" if fired.surface is None else f"{fired.surface}: "
        yield "fired", f"{surface}{fired.name}: {fired.observed}; {fired.action}"
    yield "goes back to", _target(rollout)
    for pin in rollout.surfaces:
        expected = "".join(f", {name} {value}" for name, value in sorted(pin.expected.items()))
        yield "surface", f"{pin.name}: {pin.state_dir}{expected}"
    if rollout.is_open:
        yield "verdict", f"not judged here; '{shlex.join([PROGRAM, 'evaluate', *place])}' does"
    if rollout.status is RolloutStatus.ROLLED_BACK:
        rollback = shlex.join([PROGRAM, "rollback", "--reason", "WHAT HAPPENED", *place])
        yield "evidence", archive or f"none; '{rollback}' captures it"
        if last.action is Action.CAPTURE:
            yield from (("not captured", one) for one in last.reasons)
    yield "cycle interval", in_words(rollout.cycle_interval_ms)
    yield "policy", f"{rollout.policy_file or 'built in'}, {rollout.policy_sha256[:12]}"
    at = utc(last.decided_unix_ms)
    yield "decisions", f"{last.decision_number}; the last: {last.action}, {at}, by {last.by}"


def _fleet_rows(
    rollout: Rollout, given: int | None, place: Sequence[str]
) -> Iterator[tuple[str, str]]:
    fleet = rollout.fleet
    if fleet is None:
        return
    yield "fleet", f"{fleet.name}: {counted(fleet.hosts, 'host')}, in {fleet.store}"
    told = f"{counted(given or 0, 'host was', 'hosts were')} given it"
    if given and not rollout.is_open and rollout.status is not RolloutStatus.COMPLETE:
        cohort = shlex.join([PROGRAM, "cohort", "--carrying", *place])
        told += f"; '{cohort}' names those that still have it"
    yield "release on", told


def _status(rollout: Rollout) -> str:
    return {
        RolloutStatus.OPEN: f"open since {utc(rollout.started_unix_ms)}",
        RolloutStatus.COMPLETE: "complete",
        RolloutStatus.ROLLED_BACK: "rolled back",
        RolloutStatus.CANCELLED: "cancelled",
    }[rollout.status]


def _promotion(rollout: Rollout) -> str:
    frozen = rollout.frozen
    if frozen is None:
        return "not frozen"
    return f"frozen by {frozen.by} since {utc(frozen.since_unix_ms)}: {frozen.reason}"


def _target(rollout: Rollout) -> str:
    target = rollout.rollback
    where = f"{target.rollback_version} on {target.rollback_channel}"
    if target.rollback_ref is not None:
        where += f", built from {target.rollback_ref}"
    if target.rollback_reason is None or target.rollback_reference_unix_ms is None:
        return where
    return f"{where}: {target.rollback_reason} ({utc(target.rollback_reference_unix_ms)})"


def _history_row(entry: Entry) -> tuple[str, ...]:
    return (
        str(entry.decision_number),
        utc(entry.decided_unix_ms),
        entry.release,
        entry.phase,
        did(entry),
        entry.by,
        entry.reason or ", ".join(_held_by(entry)),
    )


def _held_by(entry: Entry) -> list[str]:
    """What stood in the way; where triggers fired, these alone."""
    after = entry.rollout_after
    fired = {one.name for one in after.fired_triggers}
    names = [name for name in entry.held_by if name.rpartition(":")[2] in fired]
    alone = f"{after.surfaces[0].name}:" if len(after.surfaces) == 1 else ""
    return [name.removeprefix(alone) for name in names or entry.held_by]
