"""What `signoff verify` prints: the checklist item by item, and what is missing of it."""

from collections.abc import Iterator, Sequence
from itertools import chain

from tau_rollout_gate.contract.rollout import Rollout
from tau_rollout_gate.evidence.values import SignoffEvidence, SignoffItem
from tau_rollout_gate.formats.layout import PIPED, aligned, joined, paragraph
from tau_rollout_gate.formats.phrases import document, shown

_INDENT = "  "
_SHORT_DIGEST = 12


def as_text(signoff: SignoffEvidence, rollout: Rollout, warnings: Sequence[str] = ()) -> str:
    """Write the checklist as lines: what is missing of the fields, then each section's items."""
    return joined(chain(_lines(signoff, rollout), (f"warning: {one}" for one in warnings)))


def as_json(signoff: SignoffEvidence, rollout: Rollout, warnings: Sequence[str] = ()) -> str:
    """Write the same as one JSON object."""
    return document(
        complete=signoff.is_complete,
        release=rollout.release,
        channel=rollout.channel,
        path=signoff.path,
        problems=signoff.problems,
        warnings=list(warnings),
        items=[item._asdict() for item in signoff.items],
        inputs=[{"path": one.path, "sha256": one.sha256} for one in signoff.inputs],
    )


def _lines(signoff: SignoffEvidence, rollout: Rollout) -> Iterator[str]:
    served = sum(item.problem is None for item in signoff.items)
    state = "complete" if signoff.is_complete else "not complete"
    yield shown(
        f"{signoff.path}: {state} for {rollout.release} ({rollout.channel}): {served} of "
        f"{len(signoff.items)} items have evidence"
    )
    for problem in signoff.problems:
        yield from paragraph(problem, PIPED, label="missing", indent=9)
    digests = {one.path: one.sha256 for one in signoff.inputs}
    starts = aligned(
        [(_INDENT + _kind(item), item.key.partition(".")[2]) for item in signoff.items]
    )
    above = ""
    for item, start in zip(signoff.items, starts, strict=True):
        section = item.key.partition(".")[0]
        if section != above:
            yield ""
            yield section
        above = section
        yield from paragraph(_evidence(item, digests), PIPED, label=start, indent=len(start))
    yield ""
    yield "claim: an address, which was not opened. file: its digest is recorded."


def _kind(item: SignoffItem) -> str:
    if item.problem is not None:
        return "missing"
    return "claim" if item.file is None else "file"


def _evidence(item: SignoffItem, digests: dict[str, str]) -> str:
    if item.problem is not None:
        return item.problem
    if item.file is None:
        return str(item.claim)
    return f"{item.file} ({digests[item.file][:_SHORT_DIGEST]})"
