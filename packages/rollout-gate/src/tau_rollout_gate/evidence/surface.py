"""Makes the evidence of a surface from the bytes of its state and of the end of its event log.

Nothing is judged here but the files themselves: whether they are whole, belong together, and reach
back to where the evidence starts (runbooks/rollout-gate-ops.md, "Reasons to hold").
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import chain
from typing import NamedTuple

from tau_rollout_gate.contract.cycle import KNOWN_REASON_CODES
from tau_rollout_gate.contract.pin import CHAINED_SURFACE, Break, SurfacePin
from tau_rollout_gate.contract.rollout import RecordedInput
from tau_rollout_gate.contract.snapshot import Snapshot, parse_snapshot
from tau_rollout_gate.errors import RolloutGateError
from tau_rollout_gate.evidence.consistency import disagreement
from tau_rollout_gate.evidence.lines import Line, ReadLog, position_of
from tau_rollout_gate.evidence.log import judge
from tau_rollout_gate.evidence.place import seams, window
from tau_rollout_gate.evidence.values import Cycle, Flaw, FlawFound, SurfaceEvidence

_MOST_CODES_SHOWN = 10
_LONGEST_CODE_SHOWN = 60


class ReadState(NamedTuple):
    """A `state.json` as it was read: its digest, and what it says or why it says nothing.

    All three are None where there is none; the digest is where it could not be read. `denied` says
    what gives the right to read it, where that is the problem; else it is empty.
    """

    path: str
    sha256: str | None = None
    snapshot: Snapshot | None = None
    problem: str | None = None
    denied: str = ""


def read_state(path: str, pieces: Iterable[bytes]) -> ReadState:
    """Read a `state.json` that is given in pieces: no more is kept of it than decides."""
    digest = sha256()

    def hashed() -> Iterator[bytes]:
        for piece in pieces:
            digest.update(piece)
            yield piece

    taken = hashed()
    snapshot = problem = None
    try:
        snapshot = parse_snapshot(taken)
    except RolloutGateError as error:
        problem = str(error)
    for _ in taken:
        pass  # what follows a refusal is of the digest
    return ReadState(path=path, sha256=digest.hexdigest(), snapshot=snapshot, problem=problem)


def assemble(pin: SurfacePin, state: ReadState, log: ReadLog) -> SurfaceEvidence:
    """What the files of a surface say since `pin.evidence_from`.

    Before canary-1, where that is None, there is no evidence yet: no cycle is given, but the end of
    the log, and what is wrong with the files.
    """
    lines = tuple(chain.from_iterable(part.lines for part in log.parts))
    whole = [line for line in lines if line.sha256 is not None]
    snapshot, state_flaw = state.snapshot, _state_flaw(state)
    is_chained = _is_chained(pin, lines, snapshot)
    if snapshot is not None and snapshot.last_cycle is None and is_chained:
        detail = "last_cycle: is missing, though the writer chains its events"
        state_flaw = FlawFound(flaw=Flaw.INVALID_STATE, detail=detail, file=state.path)
        snapshot = None
    place = window(pin, log, lines, is_chained=is_chained)
    evidence = lines[place.start :]
    judged = tuple(
        judge(
            evidence,
            before=place.before,
            is_chained=is_chained,
            accepted=place.sound - place.start,
            breaks=pin.breaks,
        )
    )
    cycles = tuple(one for one in judged if isinstance(one, Cycle))
    apart = tuple(seams(log, evidence, is_chained=is_chained))
    newest = next((line for line in reversed(whole) if line.event is not None), None)
    time = _last_time(pin, newest)
    told = newest.event.release if newest is not None and newest.event is not None else None
    end_flaws = tuple(_end_flaws(snapshot, whole, state, log))
    return SurfaceEvidence(
        surface=pin.name,
        is_chained=is_chained,
        snapshot=snapshot,
        cycles=cycles,
        sound_start=_valid(lines[place.start : place.sound]),
        phase_start=_valid(lines[place.start : place.phase]),
        end=position_of(whole[-1], time) if whole else None,
        end_problem=_end_problem(state, snapshot, whole, log),
        newest=None if newest is None else position_of(newest, time),
        breaks=(*(one for one, _ in apart), *_at_end(snapshot, whole, end_flaws)),
        is_same_log=place.is_same_log,
        flaws=(
            *(flaw for flaw in (state_flaw, place.flaw) if flaw is not None),
            *(flaw for one, flaw in apart if pin.evidence_from and one not in pin.breaks),
            *(one for one in judged if isinstance(one, FlawFound)),
            *end_flaws,
        ),
        tells_release=told is not None,
        warnings=tuple(_warnings(pin.name, lines, cycles, is_chained=is_chained)),
        inputs=tuple(_inputs(pin, state, log, place.start)),
        compressed=log.compressed,
        denied=next(filter(None, (state.denied, *(one.denied for one in log.segments))), ""),
    )


def elsewhere(
    found: SurfaceEvidence, pin: SurfacePin, state_dir: str, pinned: SurfaceEvidence
) -> SurfaceEvidence:
    """The evidence of another directory, which holds unless that has the log of the pinned one.

    Args:
        found: What its files say.
        pin: The surface.
        state_dir: The directory.
        pinned: What the files in the pinned one say.
    """
    known = {cycle.sha256 for cycle in found.cycles}
    if not found.is_chained:
        lacks = "its writer does not chain its events, so that nothing shows whose they are"
    elif not found.is_same_log:
        lacks = "its log does not have the pinned line where it stood"
    elif pinned.is_same_log and pinned.cycles and pinned.cycles[-1].sha256 not in known:
        lacks = "its log lacks cycles that are there"
    else:
        return found
    detail = f"{state_dir} is not the pinned {pin.state_dir}, and {lacks}"
    flaw = FlawFound(flaw=Flaw.LOG_REWRITTEN, detail=detail, file=state_dir)
    return found._replace(is_same_log=False, flaws=(flaw, *found.flaws))


def _valid(lines: Sequence[Line]) -> int:
    return sum(line.event is not None for line in lines)


def _state_flaw(state: ReadState) -> FlawFound | None:
    if state.snapshot is not None:
        return None
    if state.problem is None:
        detail = f"{state.path} does not exist"
        return FlawFound(flaw=Flaw.NO_FILES, detail=detail, file=state.path)
    return FlawFound(flaw=Flaw.INVALID_STATE, detail=state.problem, file=state.path)


def _is_chained(pin: SurfacePin, lines: Sequence[Line], snapshot: Snapshot | None) -> bool:
    """Tell whether the writer chains its events, or once did; then it must for good."""
    return (
        pin.is_chained
        or pin.name == CHAINED_SURFACE
        or (snapshot is not None and snapshot.last_cycle is not None)
        or any(line.event is not None and line.event.is_chained for line in lines)
    )


def _end_problem(
    state: ReadState, snapshot: Snapshot | None, whole: Sequence[Line], log: ReadLog
) -> str | None:
    """Why it is not known how the log ends; None where it is, or nothing was written yet."""
    if whole:
        return None if snapshot is None else disagreement(snapshot, whole[-2:])
    if log.problem is None and state.sha256 is not None:
        return f"there is a state.json, but no line in {log.path}"
    return log.problem


def _last_time(pin: SurfacePin, newest: Line | None) -> int | None:
    """The time of the last valid line; the one before the evidence where none is in it."""
    if newest is not None and newest.event is not None:
        return newest.event.timestamp_unix_ms
    return None if pin.evidence_from is None else pin.evidence_from.timestamp_unix_ms


def _at_end(
    snapshot: Snapshot | None, whole: Sequence[Line], flaws: Sequence[FlawFound]
) -> Iterator[Break]:
    """Yield where the next line will not continue the log: it continues what the state names."""
    last = None if snapshot is None else snapshot.last_cycle
    if last is not None and whole and any(one.flaw is Flaw.DISAGREES for one in flaws):
        yield Break(after_sha256=whole[-1].sha256, continues_sha256=last.event_sha256)


def _end_flaws(
    snapshot: Snapshot | None, whole: Sequence[Line], state: ReadState, log: ReadLog
) -> Iterator[FlawFound]:
    """Yield what is wrong with the log as a whole, and between its end and the state."""
    if not log.parts:
        detail = log.problem or f"{log.path} does not exist"
        yield FlawFound(flaw=Flaw.NO_FILES, detail=detail, file=log.path)
    elif snapshot is not None and (apart := disagreement(snapshot, whole[-2:])):
        lost = _lost_at_end(snapshot, whole)
        yield FlawFound(flaw=Flaw.DISAGREES, detail=apart, file=state.path, lost=lost)


def _lost_at_end(snapshot: Snapshot, whole: Sequence[Line]) -> int:
    """How many lines are gone between the log's end and the line that the state names, at least."""
    last, end = snapshot.last_cycle, whole[-1] if whole else None
    if last is None or any(line.sha256 == last.event_sha256 for line in whole[-2:]):
        return 0
    number = None if end is None or end.event is None else end.event.cycle_number
    return (
        1 if number is None else max(last.cycle_number - number, int(last.cycle_number == number))
    )


def _warnings(
    surface: str, lines: Sequence[Line], cycles: Sequence[Cycle], *, is_chained: bool
) -> Iterator[str]:
    if lines and not is_chained:
        yield (
            f"{surface}: its writer does not chain its events, so that a line which was altered or "
            f"removed does not show, and of state and log only the health is compared"
        )
    if surface == CHAINED_SURFACE:
        told = {code for cycle in cycles for code in cycle.event.reason_codes}
        unknown = sorted(told - KNOWN_REASON_CODES)
        if unknown:
            shown = ", ".join(code[:_LONGEST_CODE_SHOWN] for code in unknown[:_MOST_CODES_SHOWN])
            yield f"{surface}: reason codes that are not known: {shown}"


def _inputs(pin: SurfacePin, state: ReadState, log: ReadLog, start: int) -> Iterator[RecordedInput]:
    """Yield the files that the evidence rests on; of the log, what lies in the window."""
    if state.sha256 is not None:
        yield RecordedInput(path=state.path, sha256=state.sha256)
    if pin.evidence_from is None:
        return
    for part in log.parts:
        skipped = min(start, len(part.lines))
        start -= skipped
        if skipped == len(part.lines) and part is not log.parts[-1]:
            continue  # all of it is older than the evidence
        offset = part.lines[skipped].offset if skipped < len(part.lines) else part.end
        yield RecordedInput(
            path=part.path,
            sha256=part.digests[offset],
            offset=offset,
            length=part.end - offset,
        )
