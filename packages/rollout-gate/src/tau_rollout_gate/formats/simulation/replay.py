"""What a recorded history comes to under one policy or two: as text and as JSON."""

from collections.abc import Iterator, Sequence
from typing import Any

from tau_rollout_gate.counted import counted
from tau_rollout_gate.decision.answer import Verdict
from tau_rollout_gate.durations import utc
from tau_rollout_gate.formats.layout import PIPED, Colour, Look, aligned, joined, paragraphs
from tau_rollout_gate.formats.phrases import document, shown
from tau_rollout_gate.rollout.simulation.replay import ASSUMED, Replay, Replays, Step

_HEADINGS = ("CYCLE", "LINE", "TIME", "PHASE", "VERDICT")
_LABEL_WIDTH = 10
_NARROWEST_CAUSE = 60


def replays_text(found: Replays, *, look: Look = PIPED) -> str:
    """Write where the replays part, if there are two, then what each came to and how."""
    return joined(_lines(found, look))


def replays_json(found: Replays) -> str:
    """Write the same as JSON; `parting` is null where two agree, or there is one."""
    replays = [
        {
            "policy": replay.policy,
            "policy_sha256": replay.policy_sha256,
            "cycles": replay.last.number,
            "verdict": replay.last.verdict,
            "phase": replay.last.phase,
            "changes": [_step(step) for step in replay.news],
        }
        for replay in found.replays
    ]
    parted = found.parting
    parting = parted and {
        "cycle": parted.ours.number,
        "steps": [_step(parted.ours), _step(parted.theirs)],
    }
    return document(assumed=ASSUMED, replays=replays, parting=parting)


def _lines(found: Replays, look: Look) -> Iterator[str]:
    yield from paragraphs(ASSUMED, look, label="assumed", indent=_LABEL_WIDTH)
    if len(found.replays) > 1:
        yield ""
        yield from _parting(found, look)
    for replay in found.replays:
        yield ""
        yield look.painted(f"POLICY  {shown(replay.policy)}", Colour.HEADING)
        yield from _table(replay.news, look)
        yield from _end(replay, look)


def _parting(found: Replays, look: Look) -> Iterator[str]:
    parted = found.parting
    if parted is None:
        count = found.replays[0].last.number
        yield look.painted(f"AGREE  at all {counted(count, 'cycle')}", Colour.GOOD)
        return
    where = f"cycle {parted.ours.number}, {_place(parted.ours)}, {utc(parted.ours.unix_ms)}"
    yield look.painted(f"PART  at {shown(where)}", Colour.WARNING)
    starts = aligned([(replay.policy,) for replay in found.replays])
    for start, step in zip(starts, (parted.ours, parted.theirs), strict=True):
        words = (_said(step), "; ".join(step.reasons))
        yield from paragraphs(words, look, label=f"  {start}", indent=2 + len(start))


def _table(changes: Sequence[Step], look: Look) -> Iterator[str]:
    heading, *starts = aligned([_HEADINGS, *map(_cells, changes)])
    yield f"{heading}CAUSE"
    indent = len(heading)
    # A column of single words would be no easier to read than a line that is too long.
    wide = look._replace(width=max(look.width, indent + _NARROWEST_CAUSE))
    for start, step in zip(starts, changes, strict=True):
        entered = () if step.next_phase is None else (f"{step.next_phase} is entered",)
        yield from paragraphs((*step.reasons, *entered), wide, label=start, indent=indent)


def _cells(step: Step) -> tuple[str, ...]:
    line = "-" if step.cycle.line is None else str(step.cycle.line)
    return str(step.number), line, utc(step.unix_ms), step.phase, step.verdict


def _end(replay: Replay, look: Look) -> Iterator[str]:
    last = replay.last
    word = look.word(last.verdict)
    after = counted(last.number, "cycle")
    yield f"{word}  in {shown(last.phase)} after {after}, {shown(_place(last))}"


def _said(step: Step) -> str:
    return {
        Verdict.PROMOTE: f"promote from {step.phase} to {step.next_phase}",
        Verdict.COMPLETE: f"complete in {step.phase}",
        Verdict.HOLD: f"hold in {step.phase}",
        Verdict.ROLLBACK: f"roll back from {step.phase}",
    }[step.verdict]


def _place(step: Step) -> str:
    line = "" if step.cycle.line is None else f" line {step.cycle.line}"
    return f"{step.cycle.file}{line}"


def _step(step: Step) -> dict[str, Any]:
    return {
        "cycle": step.number,
        "file": step.cycle.file,
        "line": step.cycle.line,
        "cycle_id": step.cycle.event.cycle_id,
        "timestamp_unix_ms": step.unix_ms,
        "phase": step.phase,
        "verdict": step.verdict,
        "next_phase": step.next_phase,
        "held_by": step.held_by,
        "soak_since_unix_ms": step.soak_since_unix_ms,
        "reasons": step.reasons,
    }
