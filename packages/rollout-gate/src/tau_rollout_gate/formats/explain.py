"""The answer as text for a person on call at 3 a.m. who does not know the code.

What is wrong, where to look, what would change it, what the verdict means, when the release can go
on at the earliest, and what to type next.
"""

import shlex
from collections.abc import Iterable, Iterator

from tau_rollout_gate.contract.pin import CHAINED_SURFACE
from tau_rollout_gate.decision.answer import Answer, GateResult, TriggerResult, Verdict
from tau_rollout_gate.durations import utc
from tau_rollout_gate.formats import phrases
from tau_rollout_gate.formats.context import PROGRAM, Surroundings, steps
from tau_rollout_gate.formats.fleet import standing
from tau_rollout_gate.formats.layout import PIPED, Colour, Look, heading, joined, paragraph
from tau_rollout_gate.formats.next_steps import next_steps
from tau_rollout_gate.formats.phrases import shown
from tau_rollout_gate.formats.text import verdict_lines
from tau_rollout_gate.policy.findings import (
    FAIL_SILENT_AFTER,
    PHASE_DEADLINE,
    PROMOTION_NOT_FROZEN,
    PROMOTION_WINDOW,
    SOAK_GATE,
    EvidenceRef,
    GateStatus,
    cut,
)

_MALFORMED = "malformed_inputs_observed"
_FACT_INDENT = 15
_WIDEST = 100


def render(answer: Answer, around: Surroundings, *, look: Look = PIPED) -> str:
    """Write the explanation for a terminal of this look; prose is never wider than 100 columns."""
    narrow = Look(width=min(look.width, _WIDEST), is_coloured=look.is_coloured)
    return joined(_lines(answer, around, narrow))


def _lines(answer: Answer, around: Surroundings, look: Look) -> Iterator[str]:
    yield from verdict_lines(answer, look)
    news = "" if answer.changed else " Nothing has changed since the last recorded decision."
    yield from paragraph(f"Judged at {utc(answer.evaluated_unix_ms)}.{news}", look)
    yield from _section("The fleet", standing.sentences(answer), look)
    yield from _section("The host", around.host_words, look)
    yield from list(_problems(answer, around, look)) or _section("Why", answer.reasons, look)
    yield from _fleet(answer, look)
    yield from _section("What it means", _meaning(answer), look)
    yield from _section("When it can go on", _when(answer), look)
    yield from _section("Good to know", answer.warnings, look)
    if phrases.is_closed(answer) and answer.verdict is Verdict.ROLLBACK:
        yield from _steps(around, look)
        return
    yield from heading("What to type next", look)
    for command, does in next_steps(answer, around):
        yield _typed(command, look)
        yield from paragraph(does, look, indent=6)


def _section(title: str, texts: Iterable[str], look: Look) -> Iterator[str]:
    """Yield texts below their title; without any, nothing."""
    for number, text in enumerate(texts):
        if number == 0:
            yield from heading(title, look)
        yield from _item(text, look)


def _item(words: str, look: Look) -> Iterator[str]:
    yield from paragraph(words, look, label="  -", indent=4)


def _fact(label: str, words: str, look: Look) -> Iterator[str]:
    yield from paragraph(words, look, label=f"    {label}", indent=_FACT_INDENT)


def _typed(command: str, look: Look) -> str:
    """Put a command on a line of its own, unbroken, so that it can be copied."""
    return f"  {look.painted(shown(command), Colour.HEADING)}"


def _fleet(answer: Answer, look: Look) -> Iterator[str]:
    """Yield which hosts to look at, why canaries are not clean, and which groups stand out."""
    fleet = answer.fleet
    if fleet is None:
        return
    yield from _section("Hosts to look at first", map(standing.of_host, fleet.worst), look)
    if fleet.more:
        yield from _item(f"And {fleet.more} more: 'hosts' lists them.", look)
    yield from _section("Why canaries are not clean", standing.reasons(fleet), look)
    groups = standing.standing_out(fleet)
    if len(fleet.groups) > 1:
        yield from _section("Groups that stand out", map(standing.of_group, groups), look)


# What is wrong


def _problems(answer: Answer, around: Surroundings, look: Look) -> Iterator[str]:
    """Yield what stands in the way: the triggers alone, or the causes and what follows them."""
    found = phrases.Causes((), ()) if answer.verdict is Verdict.ROLLBACK else phrases.causes(answer)
    if answer.fired_triggers or found.causes:
        yield from heading("What is wrong, and what would change it", look)
    for trigger in answer.fired_triggers:
        yield from _trigger(trigger, around, look)
    for gate in found.causes:
        yield from _gate(gate, around, look)
    if found.following:
        names = ", ".join(dict.fromkeys(gate.name for gate in found.following))
        yield from _item(f"These follow from it, and need nothing of their own: {names}.", look)


def _trigger(trigger: TriggerResult, around: Surroundings, look: Look) -> Iterator[str]:
    earlier = ", recorded earlier" if trigger.is_latched else ""
    yield from _item(
        f"Rollback trigger {phrases.of_trigger(trigger).subject} fired{earlier}.", look
    )
    yield from _fact("seen", trigger.observed, look)
    yield from _fact("fires at", trigger.threshold, look)
    yield from _where(trigger, around, look)
    yield from _fact("to do", trigger.action, look)


def _gate(gate: GateResult, around: Surroundings, look: Look) -> Iterator[str]:
    words = "does not hold"
    if gate.status is GateStatus.UNKNOWN:
        words = "is unknown (counts as no)"
    yield from _item(f"Gate {phrases.of_gate(gate).subject} {words}.", look)
    yield from _fact("seen", gate.observed or "nothing yet", look)
    yield from _fact("needed", gate.required, look)
    yield from _where(gate, around, look)
    yield from _fact("to do", gate.remedy, look)
    yield from _fact("waiting", _waiting(gate), look)


def _waiting(gate: GateResult) -> str:
    if gate.name == PROMOTION_WINDOW and gate.from_unix_ms is not None:
        return f"helps, until {utc(gate.from_unix_ms)}"
    if gate.cycles_help:
        return "helps, as long as every cycle is clean"
    if gate.passes_from_unix_ms is not None:
        return f"helps, until {utc(gate.passes_from_unix_ms)}"
    return "does not help"


def _where(result: GateResult | TriggerResult, around: Surroundings, look: Look) -> Iterator[str]:
    """Yield where to look, and what the cycle there says of its cases."""
    evidence = result.evidence
    if evidence is None:
        return
    yield from _fact("look at", phrases.place(evidence), look)
    event = around.event_at(result.surface, evidence)
    if event is None:
        return
    if event.told.recovered:
        yield from _fact(
            "about it", "it was cut off while it ran, and closed by the next run", look
        )
    failed = event.counters["failed_cases"]
    unexpected = event.counters.get("unexpected_malformed_cases")
    named = "" if event.fixture_name is None else f" (fixture '{cut(event.fixture_name)}')"
    if failed or unexpected:
        total = event.counters.get("discovered_cases")
        words = f"{failed} failed" if total is None else f"{failed} of {total} failed"
        malformed = f", {unexpected} malformed that were not expected" if unexpected else ""
        yield from _fact("cases", f"{words}{malformed}{named}", look)
        if result.surface == CHAINED_SURFACE and event.run_mode == "execute":
            yield from _fact("", "which, and how each run ended:", look)
            yield _typed(f"             {around.command('diagnose', result.surface)}", look)
        elif result.surface == CHAINED_SURFACE:
            yield from _failed_cases(around.state_dirs[result.surface], evidence, look)
    elif _MALFORMED in (result.observed or "") and unexpected == 0:
        yield from _fact("about it", _about_malformed(evidence), look)


def _failed_cases(state_dir: str, evidence: EvidenceRef, look: Look) -> Iterator[str]:
    yield from _fact("", f"{state_dir}/state.json, failed_case_keys: which cases", look)
    if evidence.fixture_name is not None:
        yield from _fact("", "expected and observed, of each:", look)
        yield _typed(
            "             " + shlex.join(["grep", "-r", '"drift"', f"{state_dir}/channel-store"]),
            look,
        )


def _about_malformed(evidence: EvidenceRef) -> str:
    """What to know of malformed inputs that a fixture has on purpose."""
    fixture = evidence.fixture_name
    named = "the fixture of that cycle" if fixture is None else f"the fixture '{fixture}'"
    return (
        f"no case failed: {named} has malformed cases, as it expects. In a canary they count as a "
        "hard error all the same, so canary fixtures are all-success. Take them out, or start the "
        f"next rollout with a policy that '{PROGRAM} policy init --expected-malformed ignore' "
        "writes: it counts only unexpected ones."
    )


# What it means


def _meaning(answer: Answer) -> Iterator[str]:
    here = phrases.step(answer.phase, answer.canary_percent)
    if answer.verdict is Verdict.PROMOTE:
        yield f"Nothing is wrong: the release did what {here} asks of it."
        yield (
            "The gate moves no traffic and deploys nothing: it answers, and records the step. The "
            "share of the canary is changed by you, or by what you run after it."
        )
    elif answer.verdict is Verdict.COMPLETE:
        yield (
            "The rollout is over, and recorded as complete. Its evidence is judged no longer."
            if phrases.is_closed(answer)
            else "Nothing is wrong: every phase is behind this release."
        )
    elif answer.verdict is Verdict.HOLD and phrases.is_closed(answer):
        yield "The rollout is over: it was cancelled before anybody had the release."
    elif answer.verdict is Verdict.HOLD:
        yield f"Leave everything as it is, at {answer.canary_percent} %. Nothing has to be undone."
        yield from _meaning_of_a_hold(answer)
    elif phrases.is_closed(answer):
        yield "The rollout is over, marked as rolled back. Nothing it does is judged any longer."
    elif all(one.name == FAIL_SILENT_AFTER for one in answer.fired_triggers):
        yield "It counts as failed for as long as it is silent; its next cycle ends that."
    else:
        yield (
            "A rollback trigger beats every gate and stays fired, however good later cycles are. "
            "'freeze', 'resume' and 'reenter' do not mute it; only the rollback ends it."
        )
        yield "The gate reverts nothing by itself: it captures the evidence and prints the steps."


def _meaning_of_a_hold(answer: Answer) -> Iterator[str]:
    names = {gate.name for gate in answer.failing_gates}
    if names == {SOAK_GATE}:
        yield (
            "A cycle is one run of the runtime, a line of its event log. The soak is the time for "
            "which every cycle has to be clean, without a gap; waiting without cycles is no soak."
        )
    if PROMOTION_WINDOW in names:
        yield (
            "The policy lets nothing be promoted at this time. Cycles are judged, the soak runs "
            "on, and no trigger waits for it."
        )
    if PHASE_DEADLINE in names:
        yield (
            "The phase took longer than the policy lets it. Later cycles do not mend that: "
            "somebody has to say why, and enter it anew or roll back."
        )
    if PROMOTION_NOT_FROZEN in names:
        yield (
            "Promotion was frozen: nothing is promoted, however good the evidence is, until it is "
            "resumed. Cycles are judged and the soak runs on."
        )


def _when(answer: Answer) -> Iterator[str]:
    if answer.verdict is not Verdict.HOLD or phrases.is_closed(answer):
        yield from phrases.outlook(answer)
        return
    if answer.soak.required_ms and phrases.begins_anew(answer) is None:
        yield f"Soak of this phase: {phrases.soak_words(answer)}."
    yield f"To {phrases.next_words(answer)}"


def _steps(around: Surroundings, look: Look) -> Iterator[str]:
    yield from heading("What is left to do, if nobody did it yet", look)
    for number, each in enumerate(steps(around), start=1):
        yield from paragraph(each.words, look, label=f"  {number}.", indent=5)
        for command in each.commands:
            yield _typed(f"   {command}", look)
    for words in around.evidence_words():
        yield from paragraph(words, look, indent=2)
