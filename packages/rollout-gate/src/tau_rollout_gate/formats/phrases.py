"""What the formats say in the same words: the headline, a place, a time.

The words hold text from files as it is; a format escapes what it prints, all of it.
"""

from __future__ import annotations

from tau_rollout_gate.decision.answer import Answer, GateResult, TriggerResult, Verdict
from tau_rollout_gate.durations import in_words
from tau_rollout_gate.policy.findings import EvidenceRef
from tau_rollout_gate.printable import printable


def shown(text: str) -> str:
    """Return `text` on one line, harmless for a terminal and for the log of a CI job.

    GitHub's runner takes `##[name]` for a command, wherever in a line it stands.
    """
    return printable(text).replace("##[", r"#\x23[")


def seconds(duration_ms: int) -> str:
    """Return a duration in words, without the parts of a second that nobody reads."""
    return in_words(duration_ms // 1000 * 1000)


def ago(age_ms: int) -> str:
    """Return an age as people say it: `3 min 20 s ago`; a negative one is in the future."""
    return f"{seconds(age_ms)} ago" if age_ms >= 0 else f"{seconds(-age_ms)} ahead of the clock"


def is_closed(answer: Answer) -> bool:
    """Tell whether the rollout is over: of an open one the gates are always judged."""
    return not answer.gates


def step(phase: str, canary_percent: int | None) -> str:
    """Return a phase with its share: `canary-1 (5 %)`."""
    return phase if canary_percent is None else f"{phase} ({canary_percent} %)"


def next_step(answer: Answer) -> str:
    """Return the phase that comes next; `complete` after the last one."""
    if answer.next_phase is None:
        return "complete"
    return step(answer.next_phase, answer.next_canary_percent)


def headline(answer: Answer) -> str:
    """Return the verdict as a sentence without the word: `1.4.0 stays in canary-1 (5 %)`."""
    here = step(answer.phase, answer.canary_percent)
    over = is_closed(answer)
    ends = {
        Verdict.PROMOTE: f"may go on from {here} to {next_step(answer)}",
        Verdict.COMPLETE: f"is rolled out: complete in {here}"
        if over
        else f"has passed {here}, the last phase: the rollout may be completed",
        Verdict.HOLD: f"stays in {here}",
        Verdict.ROLLBACK: f"was rolled back in {here}" if over else f"must go back from {here}",
    }
    return f"{answer.release} {ends[answer.verdict]}"


def subject(result: GateResult | TriggerResult) -> str:
    """Return which gate or trigger, of which surface."""
    return result.name if result.surface is None else f"{result.name} of {result.surface}"


def place(evidence: EvidenceRef) -> str:
    """Return where to look: `events.jsonl line 4, 2 min ago`; the cycle where no line is known."""
    age = "" if evidence.age_ms is None else f", {ago(evidence.age_ms)}"
    if evidence.line is not None:
        return f"{evidence.file} line {evidence.line}{age}"
    cycle = "" if evidence.cycle_id is None else f", cycle {evidence.cycle_id}"
    return f"{evidence.file}{cycle}{age}"
