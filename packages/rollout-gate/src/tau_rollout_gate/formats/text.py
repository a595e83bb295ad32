"""Text for an operator at a terminal: the verdict and why, then what is in the way."""

from collections.abc import Iterator, Sequence

from tau_rollout_gate.decision.answer import Answer, GateResult, TriggerResult, Verdict
from tau_rollout_gate.decision.decide import reason_of
from tau_rollout_gate.formats import phrases
from tau_rollout_gate.formats.fleet import standing
from tau_rollout_gate.formats.layout import (
    PIPED,
    Colour,
    Look,
    aligned,
    heading,
    joined,
    paragraph,
    paragraphs,
)
from tau_rollout_gate.formats.phrases import InTheWay

_SIGNS = {
    "fail": ("✗ FAIL", Colour.BAD),
    "unknown": ("? UNKNOWN", Colour.WARNING),
    "fired": ("! FIRED", Colour.BAD),
}
"""Signs and words of what is in the way: a colour alone tells nobody anything."""

_PASSED = "✓"
_LABEL_WIDTH = 10
_DETAIL_INDENT = 11


def render(answer: Answer, *, look: Look = PIPED) -> str:
    """Write the answer for a terminal of this look."""
    return joined(_lines(answer, look))


def verdict_lines(answer: Answer, look: Look) -> Iterator[str]:
    """Yield the verdict as a word, in its colour, and as a sentence."""
    word = answer.verdict.upper()
    start = f"{word}  "
    lines = paragraph(phrases.headline(answer), look, label=start, indent=len(start))
    yield look.word(answer.verdict) + next(lines).removeprefix(word)
    yield from lines


def _lines(answer: Answer, look: Look) -> Iterator[str]:
    yield from verdict_lines(answer, look)
    yield from paragraphs(_reasons(answer), look, label="why", indent=_LABEL_WIDTH)
    yield from paragraphs(standing.sentences(answer), look, label="fleet", indent=_LABEL_WIDTH)
    is_over = phrases.is_closed(answer) or answer.advanced  # the phase, or all of it
    is_open = not is_over and answer.verdict is not Verdict.ROLLBACK
    if is_open and not phrases.begins_anew(answer):
        yield from paragraph(phrases.soak_words(answer), look, label="soak", indent=_LABEL_WIDTH)
    if is_open and answer.verdict is not Verdict.COMPLETE:
        yield from paragraph(phrases.next_words(answer), look, label="next", indent=_LABEL_WIDTH)
    yield from paragraphs(answer.warnings, look, label="warning", indent=_LABEL_WIDTH)
    yield from _gates(answer, look)
    yield from _triggers(answer, look)


def _reasons(answer: Answer) -> list[str]:
    """The reasons but for those that only follow from others: the gates name these once."""
    following = {reason_of(gate) for gate in phrases.causes(answer).following}
    return [reason for reason in answer.reasons if reason not in following]


def _gates(answer: Answer, look: Look) -> Iterator[str]:
    if not answer.gates or answer.verdict is Verdict.ROLLBACK:  # no gate matters then
        return
    found = phrases.causes(answer)
    yield from heading("Gates", look)
    yield from _table([phrases.of_gate(gate) for gate in found.causes], look)
    if found.following:
        names = ", ".join(dict.fromkeys(gate.name for gate in found.following))
        yield from paragraph(f"what follows from that: {names}", look, label="  ↳", indent=4)
    passed = len(answer.gates) - len(answer.failing_gates)
    others = _others(passed, found.causes)
    yield from _rest(passed, f"{others}let pass (--format json lists them)", look)


def _triggers(answer: Answer, look: Look) -> Iterator[str]:
    if not answer.triggers:
        return
    fired = answer.fired_triggers
    yield from heading("Triggers", look)
    yield from _table([phrases.of_trigger(trigger) for trigger in fired], look)
    quiet = len(answer.triggers) - len(fired)
    yield from _rest(quiet, f"{_others(quiet, fired)}did not fire", look)
    if any(trigger.is_latched for trigger in fired):
        yield from paragraph(
            "* fired and recorded earlier: it stays fired until the rollback", look, indent=2
        )


def _others(count: int, named: Sequence[GateResult] | Sequence[TriggerResult]) -> str:
    """What the rest is called, where some were named before."""
    if not named:
        return ""
    return "other " if count == 1 else "others "


def _rest(count: int, what: str, look: Look) -> Iterator[str]:
    """Yield how many are in nobody's way."""
    if count:
        yield from paragraph(f"{count} {what}", look, label=f"  {_PASSED}", indent=4)


def _table(rows: Sequence[InTheWay], look: Look) -> Iterator[str]:
    """Yield what is in the way, each with what to do and, once, where to look."""
    if not rows:
        return
    # Of a single surface everything is: to say so takes room, and tells nobody anything.
    are_several = len({row.surface for row in rows} - {None}) > 1
    signs = [_SIGNS[row.status][0] + " *" * row.is_latched for row in rows]
    starts = aligned(
        [
            (sign, row.name, *([row.surface or "-"] if are_several else []))
            for sign, row in zip(signs, rows, strict=True)
        ]
    )
    told = None
    for sign, row, start in zip(signs, rows, starts, strict=True):
        lines = paragraph(row.to_do, look, label=f"  {start}", indent=2 + len(start))
        first = next(lines).removeprefix(f"  {sign}")
        yield f"  {look.painted(sign, _SIGNS[row.status][1])}{first}"
        yield from lines
        if row.evidence is not None and row.evidence != told:
            where = phrases.place(row.evidence)
            yield from paragraph(where, look, label="      see:", indent=_DETAIL_INDENT)
        told = row.evidence
