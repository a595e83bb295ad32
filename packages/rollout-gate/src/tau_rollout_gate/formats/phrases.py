"""What the formats say in the same words: the headline, what is in the way, when it can go on.

The words hold text from files as it is; a format escapes what it prints, all of it. Times are of
the answer: the same answer reads the same whenever it is printed.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tau_rollout_gate.decision.answer import Answer, GateResult, TriggerResult, Verdict
from tau_rollout_gate.decision.integrity import FLAW_NAMES
from tau_rollout_gate.durations import in_words, utc
from tau_rollout_gate.policy.findings import (
    CYCLE_IN_WINDOW,
    EVIDENCE_FRESH,
    FILES_PRESENT,
    NO_ROLLBACK_TRIGGER,
    PROMOTION_NOT_FROZEN,
    SOAK_GATE,
    EvidenceRef,
    GateStatus,
)
from tau_rollout_gate.printable import harmless, printable

_ECHOES = {"chain_whole": ("lines_valid",), "log_matches_state": ("lines_valid", "last_line_whole")}
"""What often only shows a damage once more: what mends that mends it too."""


def shown(text: str) -> str:
    """Put `text` on one line, harmless for a terminal and for the log of a CI job."""
    return printable(text)


def document(**values: object) -> str:
    """Write a JSON document for people and programs, which says the version of its form first.

    What a terminal or a CI job's log would act on is escaped, which to a JSON parser is the same.
    """
    text = harmless(json.dumps({"schema_version": 1} | values, ensure_ascii=False, indent=2))
    return re.sub(r"[^ -~\n]", _escaped, text) + "\n"


def _escaped(found: re.Match[str]) -> str:
    return found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1]


def seconds(duration_ms: int) -> str:
    """A duration in words, without the parts of a second that nobody reads."""
    return in_words(duration_ms // 1000 * 1000)


def ago(age_ms: int) -> str:
    """An age as people say it: `3 min 20 s ago`; a negative one is in the future."""
    return f"{seconds(age_ms)} ago" if age_ms >= 0 else f"{seconds(-age_ms)} ahead of the clock"


def is_closed(answer: Answer) -> bool:
    """Tell whether the rollout is over: of an open one the gates are always judged."""
    return not answer.gates


def step(phase: str, canary_percent: int | None) -> str:
    """A phase with its share: `canary-1 (5 %)`."""
    return phase if canary_percent is None else f"{phase} ({canary_percent} %)"


def next_step(answer: Answer) -> str:
    """The phase that comes next; `complete` after the last one."""
    if answer.next_phase is None:
        return "complete"
    return step(answer.next_phase, answer.next_canary_percent)


def headline(answer: Answer) -> str:
    """The verdict as a sentence without the word: `1.4.0 stays in canary-1 (5 %)`."""
    here = step(answer.phase, answer.canary_percent)
    over = is_closed(answer)
    ends = {
        Verdict.PROMOTE: f"is now in {answer.phase_now}: give it {answer.canary_percent_now} %"
        if answer.advanced
        else f"may go on from {here} to {next_step(answer)}",
        Verdict.COMPLETE: f"is rolled out: complete in {here}"
        if over or answer.advanced
        else f"has passed {here}, the last phase: the rollout may be completed",
        Verdict.HOLD: f"was cancelled in {here}" if over else f"stays in {here}",
        Verdict.ROLLBACK: f"was rolled back in {here}" if over else f"must go back from {here}",
    }
    return f"{answer.release} {ends[answer.verdict]}"


def place(evidence: EvidenceRef) -> str:
    """Where to look: `events.jsonl line 4, 2 min ago`; the cycle where no line is known."""
    age = "" if evidence.age_ms is None else f", {ago(evidence.age_ms)}"
    if evidence.line is not None:
        return f"{evidence.file} line {evidence.line}{age}"
    cycle = "" if evidence.cycle_id is None else f", cycle {evidence.cycle_id}"
    return f"{evidence.file}{cycle}{age}"


class InTheWay(NamedTuple):
    """A gate that does not let pass or a trigger that fired: what is to be said of either."""

    kind: str
    status: str
    name: str
    surface: str | None
    observed: str
    needed: str
    to_do: str
    evidence: EvidenceRef | None
    is_latched: bool = False

    @property
    def words(self) -> str:
        """What was seen, and what it was held against."""
        return f"{self.observed}; {self.needed}"

    @property
    def subject(self) -> str:
        """Which one, of which surface."""
        return self.name if self.surface is None else f"{self.name} of {self.surface}"


def of_gate(gate: GateResult) -> InTheWay:
    """What is to be said of a gate that does not let pass."""
    return InTheWay(
        kind="gate",
        status=gate.status,
        name=gate.name,
        surface=gate.surface,
        observed=gate.observed or "nothing seen",
        needed=f"required: {gate.required}",
        to_do=gate.remedy,
        evidence=gate.evidence,
    )


def of_trigger(trigger: TriggerResult) -> InTheWay:
    """What is to be said of a trigger that fired."""
    return InTheWay(
        kind="trigger",
        status="fired",
        name=trigger.name,
        surface=trigger.surface,
        observed=trigger.observed,
        needed=f"fires at {trigger.threshold}",
        to_do=trigger.action,
        evidence=trigger.evidence,
        is_latched=trigger.is_latched,
    )


class Causes(NamedTuple):
    """The gates in the way: what is wrong, and what is so only since that is wrong."""

    causes: tuple[GateResult, ...]
    following: tuple[GateResult, ...]


def causes(answer: Answer) -> Causes:
    """Tell what is wrong from what only follows from it."""
    # What this gate would say of the triggers, each of them says.
    gates = [gate for gate in answer.failing_gates if gate.name != NO_ROLLBACK_TRIGGER]
    following = tuple(gate for gate in gates if _follows(gate, gates))
    return Causes(tuple(gate for gate in gates if gate not in following), following)


def begins_anew(answer: Answer) -> str | None:
    """After what the soak begins anew; None where it runs on, or there is none."""
    if not answer.soak.required_ms or answer.verdict is not Verdict.HOLD:
        return None
    gates = answer.failing_gates
    # Where cycles help too, entering the phase anew is only the sooner way.
    if any(gate.command.startswith("reenter") and not gate.cycles_help for gate in gates):
        return "after 'reenter'"
    if any(gate.command.startswith("policy adopt --cycle-interval") for gate in gates):
        return "after 'policy adopt'"
    if any(gate.name == EVIDENCE_FRESH for gate in gates):
        return "with the next clean cycle, after too long a gap"
    if answer.soak.since_unix_ms is None:
        return "with the next clean cycle"
    return None


def soak_words(answer: Answer) -> str:
    """How much of the soak is served, and since when it counts."""
    soak = answer.soak
    if not soak.required_ms:
        return "none is required"
    anew = begins_anew(answer)
    if anew is not None:
        return f"begins anew {anew}: {seconds(soak.required_ms)}"
    held = min(soak.held_ms, soak.required_ms)
    served = "served" if held == soak.required_ms else "held"
    by = "" if answer.fleet is None else answer.fleet.soaking_words
    words = f"{seconds(held)} of {seconds(soak.required_ms)} {served}{by}"
    return words if soak.since_unix_ms is None else f"{words}, since {utc(soak.since_unix_ms)}"


def next_words(answer: Answer) -> str:
    """What comes next, and when: `canary-2 (25 %): at the earliest ...`."""
    words = " ".join(outlook(answer))
    return f"{next_step(answer)}: {words[:1].lower()}{words[1:]}"


def outlook(answer: Answer) -> Iterator[str]:
    """Yield when the release can go on, in sentences; nothing of a rollout that is over."""
    if is_closed(answer):
        return
    if answer.verdict is Verdict.ROLLBACK:
        yield "Not in this rollout. A mended release is rolled out anew, from preflight."
    elif answer.verdict is not Verdict.HOLD:
        yield "Now."
    else:
        yield from _of_a_hold(answer)


def _of_a_hold(answer: Answer) -> Iterator[str]:
    gates = [gate for gate in causes(answer).causes if gate.name != SOAK_GATE]
    clocks = [gate.passes_from_unix_ms for gate in gates if gate.passes_from_unix_ms is not None]
    halves = [gate.from_unix_ms for gate in gates if gate.from_unix_ms is not None]
    anew = begins_anew(answer)
    if anew is not None:
        yield f"The soak begins anew {anew}: {seconds(answer.soak.required_ms)} from then."
        beside = _together([gate for gate in gates if gate.surface is None and is_by_hand(gate)])
        if beside:
            yield f"And not before {beside}."
        return
    at = max([*clocks, *halves], default=0)
    since, required = answer.soak.since_unix_ms, answer.soak.required_ms
    if since is not None:
        at = max(at, since + required)
    is_served = since is None or answer.soak.held_ms >= required
    by_hand = _together([gate for gate in gates if is_by_hand(gate)])
    if at > answer.evaluated_unix_ms:
        yield _not_before(at, by_hand, answer, waits_for_clock=bool(clocks))
    elif not is_served and since is not None:
        last = utc(since + answer.soak.held_ms)
        yield (
            f"{utc(at)} has passed, but no cycle has run since {last}: the next clean cycle "
            + ("completes the soak." if gates else "lets it go on.")
        )
        if by_hand:
            yield f"And not before {by_hand}."
    else:
        rest = _together(gates) or "what is listed above holds"
        alone = ": nothing else is in the way" if len(gates) == 1 else ""
        yield f"As soon as {rest}{alone}."
    if any(gate.command.startswith("reenter") for gate in gates):
        yield "Sooner is 'reenter', which starts the phase and its soak anew."


def _not_before(at: int, by_hand: str, answer: Answer, *, waits_for_clock: bool) -> str:
    # Rounded up to a full second, so that nobody comes too early.
    at = -(-at // 1000) * 1000
    when = f"{utc(at)} (in {seconds(at - answer.evaluated_unix_ms)})"
    clock = ", when the clock reaches it; or set the clock right" if waits_for_clock else ""
    if by_hand:
        return f"Not before {when}{clock}, and not before {by_hand}."
    return f"At the earliest {when}{clock or ', if every cycle until then is clean'}."


def _follows(gate: GateResult, gates: Sequence[GateResult]) -> bool:
    """Tell whether a gate is in the way only since another one is."""
    if gate.name == SOAK_GATE:
        return any(other.surface is not None and not other.cycles_help for other in gates)
    others = [other for other in gates if other.surface == gate.surface and other != gate]
    names = {other.name for other in others}
    if gate.name in _ECHOES:
        return not names.isdisjoint(_ECHOES[gate.name])
    if gate.name == CYCLE_IN_WINDOW:
        return any(not other.cycles_help for other in others)
    if gate.name == EVIDENCE_FRESH:
        return {CYCLE_IN_WINDOW, FILES_PRESENT} <= names
    wants_cycles = gate.status is GateStatus.UNKNOWN and gate.cycles_help
    return wants_cycles and not names.isdisjoint({CYCLE_IN_WINDOW, *FLAW_NAMES})


def is_by_hand(gate: GateResult) -> bool:
    """Tell whether somebody has to do something: neither clean cycles nor the clock help."""
    return not gate.cycles_help and gate.passes_from_unix_ms is None


def _together(gates: Sequence[GateResult]) -> str:
    return " and ".join(dict.fromkeys(map(_condition, gates)))


def _condition(gate: GateResult) -> str:
    """What has to be, behind `not before`."""
    if gate.name == PROMOTION_NOT_FROZEN:
        return "it is resumed"
    if gate.cycles_help:
        return f"the next cycles show {gate.required}"
    return gate.required if gate.surface is None else f"{of_gate(gate).subject} passes"
