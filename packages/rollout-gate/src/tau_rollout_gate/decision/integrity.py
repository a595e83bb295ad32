"""The gates that no policy can leave out: evidence is there, and whole.

Each is a reason to hold of its own (runbooks/rollout-gate-ops.md, "Reasons to hold").
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tau_rollout_gate.contract.pin import CHAINED_SURFACE, SurfacePin
from tau_rollout_gate.decision.answer import GateResult
from tau_rollout_gate.evidence.values import (
    UNHEALABLE,
    Cycle,
    Flaw,
    FlawFound,
    SurfaceEvidence,
)
from tau_rollout_gate.policy.findings import (
    FILES_PRESENT,
    SEEN_CYCLES_PRESENT,
    EvidenceRef,
    GateStatus,
    cut,
)
from tau_rollout_gate.policy.gates.interface import Finding, Gate

_REENTER = (
    "no further cycle mends this: find out what happened to the log, then start the phase anew "
    "with 'reenter --reason'"
)
_TAKEN = (
    "where a file of that name is there already, under a free number: the older the file, the "
    "higher"
)
ASK_AGAIN = "evaluate"
"""What to type where files are there, but not for this user to read: nothing of them is lost."""

_REENTER_COMMAND = "reenter --reason 'WHAT HAPPENED TO THE LOG'"


class _FlawGate(NamedTuple):
    """The gate that a flaw fails: its name, what it requires, what to do, and what to type."""

    name: str
    required: str
    remedy: str
    command: str = ""


FLAW_GATES: Mapping[Flaw, _FlawGate] = {
    Flaw.NO_FILES: _FlawGate(
        name=FILES_PRESENT,
        required="a state.json and an event log",
        remedy="if the directory was moved, say where it is now: --surface NAME=WHERE_IT_IS_NOW; "
        "if it is gone, put it back from a copy; if there never was one, run the runtime",
        command="run FIXTURE",
    ),
    Flaw.INVALID_STATE: _FlawGate(
        name="state_valid",
        required="a state.json of the documented form",
        remedy="see what wrote the file; tau-transport-health diagnose tells more",
        command="recover",
    ),
    Flaw.DISAGREES: _FlawGate(
        name="log_matches_state",
        required="state.json belongs to the end of the event log",
        remedy="see whether one of the two files was put back or edited; the next cycle of an "
        "untouched runtime mends it",
        command="run FIXTURE",
    ),
    Flaw.TORN_TAIL: _FlawGate(
        name="last_line_whole",
        required="the event log ends with a whole line",
        remedy="a writer was cut off: run the runtime again, which moves the torn bytes aside",
        command="run FIXTURE",
    ),
    Flaw.INVALID_LINE: _FlawGate(
        name="lines_valid", required="every line since canary-1 is valid", remedy=_REENTER
    ),
    Flaw.CHAIN_BROKEN: _FlawGate(
        name="chain_whole",
        required="every line names the digest of the one before",
        remedy=_REENTER,
    ),
    Flaw.CLOCK_BACKWARDS: _FlawGate(
        name="clock_forward", required="no cycle is dated before the one before it", remedy=_REENTER
    ),
    Flaw.LOG_REWRITTEN: _FlawGate(
        name="log_continues",
        required="the log has the line it ended with at the entry, where it stood and once, and "
        "each of its files continues the next older one",
        remedy=_REENTER,
    ),
    Flaw.CYCLE_GONE: _FlawGate(
        name=SEEN_CYCLES_PRESENT,
        required="the log has the newest cycle that 'advance' saw",
        remedy="files were put back from a copy: put the newer ones back; if they are gone, start "
        "the phase anew with 'reenter --reason'",
    ),
    Flaw.SEGMENT_MISSING: _FlawGate(
        name="segments_present",
        required="the log goes back to the entry, in its rotated files too",
        remedy="put the rotated file back; if it is gone, start the phase anew with "
        "'reenter --reason'",
    ),
}

FLAW_NAMES = frozenset(gate.name for gate in FLAW_GATES.values())


def reference(cycle: Cycle, now_unix_ms: int) -> EvidenceRef:
    """Where a cycle is to be found."""
    return EvidenceRef(
        file=cycle.file,
        line=cycle.line,
        cycle_id=cycle.event.cycle_id and cut(cycle.event.cycle_id),
        age_ms=now_unix_ms - cycle.event.timestamp_unix_ms,
        fixture_name=cycle.event.fixture_name and cut(cycle.event.fixture_name),
    )


def gate_result(gate: Gate, surface: str | None, finding: Finding, now_unix_ms: int) -> GateResult:
    """A gate's finding as it stands in the answer."""
    cycle = finding.cycle
    return GateResult(
        name=gate.name,
        surface=surface,
        status=finding.status,
        observed=finding.observed and cut(finding.observed),
        required=gate.required,
        evidence=finding.evidence if cycle is None else reference(cycle, now_unix_ms),
        remedy=finding.remedy,
        cycles_help=finding.cycles_help,
        command=finding.command,
        from_unix_ms=finding.from_unix_ms,
    )


def flaw_gates(
    pin: SurfacePin,
    evidence: SurfaceEvidence,
    flaws: Mapping[Flaw, Sequence[FlawFound]],
    now_unix_ms: int,
) -> list[GateResult]:
    """One gate for each kind of flaw; the first flaw of a kind is told, and how many."""
    results = []
    had_log = pin.evidence_from is not None and pin.evidence_from.event_sha256 is not None
    accept = " --accept-lost-evidence" if evidence.lost_lines else ""
    for flaw, gate in FLAW_GATES.items():
        found = flaws.get(flaw)
        if not found:
            unchained = flaw in {Flaw.CHAIN_BROKEN, Flaw.DISAGREES} and not evidence.is_chained
            results.append(
                GateResult(
                    name=gate.name,
                    surface=evidence.surface,
                    status=GateStatus.NOT_APPLICABLE if unchained else GateStatus.PASS,
                    observed="the writer does not chain its events" if unchained else gate.required,
                    required=gate.required,
                )
            )
            continue
        first, more = found[0], sum(one.times for one in found) - 1
        is_packed = len(evidence.compressed) > 0 and _lacks_lines(flaw, found)
        age = None if first.timestamp_unix_ms is None else now_unix_ms - first.timestamp_unix_ms
        results.append(
            GateResult(
                name=gate.name,
                surface=evidence.surface,
                status=GateStatus.FAIL if flaw in UNHEALABLE else GateStatus.UNKNOWN,
                observed=(
                    cut("; ".join(one.detail for one in found))
                    if flaw is Flaw.NO_FILES
                    else f"{cut(first.detail)}{f' (and {more} more)' if more else ''}"
                )
                + (_about_compressed(evidence.compressed) if is_packed else ""),
                required=gate.required,
                evidence=None
                if first.file is None
                else EvidenceRef(
                    file=first.file,
                    line=first.line,
                    cycle_id=first.cycle_id and cut(first.cycle_id),
                    age_ms=age,
                ),
                remedy=evidence.denied
                or (f"'{evidence.unpack}' ({_TAKEN}); without it: " if is_packed else "")
                + (
                    _remedy_in_place(flaw, flaws, evidence)
                    or gate.remedy + (accept if flaw in UNHEALABLE else "")
                ),
                command=ASK_AGAIN
                if evidence.denied
                else evidence.unpack
                if is_packed
                else _REENTER_COMMAND + accept
                if flaw in UNHEALABLE or first.lost
                else _command_without_files(found, evidence.surface)
                if flaw is Flaw.NO_FILES and (had_log or not more)
                else gate.command,
            )
        )
    return results


def _command_without_files(found: Sequence[FlawFound], surface: str) -> str:
    """What to type where files are gone that were there: no cycle, which would begin a new log."""
    if len(found) > 1:
        return f"advance --surface {surface}=WHERE_IT_IS_NOW"
    return "recover" if _is_state_alone_missing(Flaw.NO_FILES, found) else "diagnose"


def _lacks_lines(flaw: Flaw, found: Sequence[FlawFound]) -> bool:
    """Tell whether lines are missing, which may stand in a file that is compressed."""
    if flaw is Flaw.NO_FILES:
        return not _is_state_alone_missing(flaw, found)
    cut_off = flaw is Flaw.DISAGREES and found[0].lost > 0
    return cut_off or flaw in UNHEALABLE - {Flaw.INVALID_LINE, Flaw.CLOCK_BACKWARDS}


def _about_compressed(paths: Sequence[str]) -> str:
    """What to say of compressed files where lines are missing."""
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"; {cut(paths[0])}{more} beside it is compressed, and not read: unpack it"


def _remedy_in_place(
    flaw: Flaw, flaws: Mapping[Flaw, Sequence[FlawFound]], evidence: SurfaceEvidence
) -> str | None:
    """What to do where the other files, or other flaws, leave only that; None otherwise."""
    if flaw is Flaw.NO_FILES and len(flaws[flaw]) == 1:
        if not _is_state_alone_missing(flaw, flaws[flaw]):
            return "put the event log back from a copy: state.json is there"
        refusal = ", or rebuild it: 'tau-custom-command recover' shows what it can"
        return "the event log is there: put state.json back from a copy" + (
            refusal if evidence.surface == CHAINED_SURFACE else ""
        )
    lost = _cut_off_cycle(evidence) if Flaw.TORN_TAIL in flaws else None
    if flaw is Flaw.TORN_TAIL and lost is not None:
        return (
            f"cycle {lost} is in state.json, but its line is cut off: put the line back from a "
            "copy; otherwise the next cycle leaves a break in the chain, and only 'reenter' helps"
        )
    if flaw is Flaw.DISAGREES and (lost is not None or UNHEALABLE & flaws.keys()):
        return "this may follow from the damage to the log: see to that first"
    if flaw is Flaw.DISAGREES and flaws[flaw][0].lost:
        return (
            "the log was cut: put its end back; if that is gone, start the phase anew with "
            "'reenter --reason' --accept-lost-evidence"
        )
    return None


def _is_state_alone_missing(flaw: Flaw, found: Sequence[FlawFound]) -> bool:
    is_state = str(found[0].file).endswith("state.json")
    return flaw is Flaw.NO_FILES and len(found) == 1 and is_state


def _cut_off_cycle(evidence: SurfaceEvidence) -> int | None:
    """The cycle of the torn line, if the state names it already."""
    last = None if evidence.snapshot is None else evidence.snapshot.last_cycle
    end = None if evidence.end is None else evidence.end.cycle_number
    if last is None or last.cycle_number != (end or 0) + 1:
        return None
    return last.cycle_number
