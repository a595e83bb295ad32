"""Markdown for a pull request or a job's summary: the verdict, the reasons, and two tables."""

import re
from collections.abc import Iterator, Sequence

from tau_rollout_gate.decision.answer import Answer, Verdict
from tau_rollout_gate.durations import utc
from tau_rollout_gate.formats import phrases
from tau_rollout_gate.formats.fleet import standing
from tau_rollout_gate.formats.fleet.hosts import place
from tau_rollout_gate.formats.phrases import InTheWay, shown
from tau_rollout_gate.policy.findings import GateStatus

_PUNCTUATION = re.compile(r"[!#$&(-+\-.:<->@\[-`{-~]")
_REFERENCE = re.compile(r"(\\[@#])")
_STATUSES = {
    GateStatus.FAIL: "**✗ FAIL**",
    GateStatus.UNKNOWN: "**? UNKNOWN**",
    GateStatus.PASS: "✓ pass",
    GateStatus.NOT_APPLICABLE: "n/a",
}


def render(answer: Answer) -> str:
    """Write the answer in GitHub's Markdown."""
    return "\n".join(_lines(answer)) + "\n"


def escaped(text: str) -> str:
    """Escape `text` as Markdown that says the same: no markup, link, mention or reference.

    All punctuation that can mean anything is escaped, which Markdown allows anywhere. GitHub looks
    for mentions of people and issues after that, so an invisible space goes behind their sign.
    """
    return _REFERENCE.sub(r"\1&#8203;", _PUNCTUATION.sub(r"\\\g<0>", shown(text).strip()))


def _lines(answer: Answer) -> Iterator[str]:
    yield f"## {answer.verdict.upper()}: {escaped(phrases.headline(answer))}"
    yield ""
    for reason in answer.reasons:
        yield f"- {escaped(reason)}"
    if not (phrases.is_closed(answer) or answer.advanced):
        yield ""
        yield f"Soak: {escaped(phrases.soak_words(answer))}."
        if answer.verdict is Verdict.HOLD:
            yield f"Next: {escaped(phrases.next_words(answer))}"
    for warning in answer.warnings:
        yield ""
        yield f"> Warning: {escaped(warning)}"
    yield from _fleet(answer)
    yield from _gates(answer)
    yield from _triggers(answer)
    yield ""
    policy = escaped(answer.policy_sha256[:12])
    yield f"Judged at {utc(answer.evaluated_unix_ms)} by the policy {policy}."


def _fleet(answer: Answer) -> Iterator[str]:
    """Yield how a fleet stands; its hosts that are named are few, however many there are."""
    fleet = answer.fleet
    if fleet is None:
        return
    yield ""
    yield " ".join(escaped(one) for one in standing.sentences(answer))
    yield from _table(
        ("State", "Host", "Group", "Why", "See"),
        [
            (escaped(one.state), one.host, one.group, one.why, place(one) or "-")
            for one in fleet.worst
        ],
    )
    if fleet.more:
        yield from ("", f"And {fleet.more} more that are not clean.")
    yield from _table(
        ("Group", "Cohort", "Not clean", "Failed", "Tolerated"),
        [
            (escaped(one.name), *map(str, (one.cohort, one.not_clean, one.failed, one.tolerated)))
            for one in standing.standing_out(fleet)
        ],
    )


def _gates(answer: Answer) -> Iterator[str]:
    order = list(_STATUSES)
    yield from _table(
        ("Status", "Gate", "Surface", "Observed", "Required", "Do", "See"),
        [
            (
                _STATUSES[gate.status],
                *(gate.name, gate.surface, gate.observed or "nothing", gate.required),
                *(("", "") if gate.status.lets_pass else _what_to_do(phrases.of_gate(gate))),
            )
            for gate in sorted(answer.gates, key=lambda gate: order.index(gate.status))
        ],
    )


def _triggers(answer: Answer) -> Iterator[str]:
    yield from _table(
        ("Status", "Trigger", "Surface", "Observed", "Fires at", "Do", "See"),
        [
            (
                "**! FIRED**" if trigger.fired else "quiet",
                *(trigger.name, trigger.surface, trigger.observed, trigger.threshold),
                *(_what_to_do(phrases.of_trigger(trigger)) if trigger.fired else ("", "")),
            )
            for trigger in sorted(answer.triggers, key=lambda trigger: not trigger.fired)
        ],
    )


def _what_to_do(one: InTheWay) -> tuple[str, str]:
    return one.to_do, "" if one.evidence is None else phrases.place(one.evidence)


def _table(header: Sequence[str], rows: Sequence[Sequence[str | None]]) -> Iterator[str]:
    """Yield a table; the first cell of a row is ours, what stands in the others is escaped."""
    if rows:
        yield from ("", _row(header), _row(["---"] * len(header)))
    for first, *others in rows:
        yield _row([str(first), *(escaped("-" if cell is None else cell) for cell in others)])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
