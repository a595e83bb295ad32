"""Answers to print: sound ones to vary, random ones, and ones full of hostile text."""

from typing import Any, TypeVar, cast

from hypothesis import strategies as st

from tau_rollout_gate.contract.rollout import RecordedInput
from tau_rollout_gate.decision.answer import Answer, GateResult, Soak, TriggerResult, Verdict
from tau_rollout_gate.decision.fleet import (
    Cohort,
    Comparison,
    FleetStanding,
    GroupStanding,
    HostState,
    ReasonCount,
    StateCount,
    WorstHost,
)
from tau_rollout_gate.formats.context import Surroundings
from tau_rollout_gate.formats.phrases import shown
from tau_rollout_gate.policy.findings import (
    NO_ROLLBACK_TRIGGER,
    PROMOTION_NOT_FROZEN,
    EvidenceRef,
    GateStatus,
)
from tests.rollout_gate import making

Value = TypeVar("Value")

MINUTE = 60_000
ENTERED = 1_767_225_600_000
NOW = ENTERED + 18 * MINUTE
LOG = ".tau/custom-command/runtime-events.jsonl"
SHA = "ab" * 32
WHERE = EvidenceRef(file=LOG, line=4, cycle_id="1767226554000-00000004-9f86d081", age_ms=125_300)


def gate(name: str, **changes: Any) -> GateResult:  # noqa: ANN401 - any field
    """Return a gate that passes, but for `changes`."""
    values: dict[str, Any] = {
        "name": name,
        "surface": "custom-command",
        "status": GateStatus.PASS,
        "observed": f"{name} is 0",
        "required": f"{name} = 0",
        "evidence": WHERE,
    }
    return GateResult(**(values | changes))


def failing(name: str, **changes: Any) -> GateResult:  # noqa: ANN401 - any field
    """Return a gate that fails, but for `changes`."""
    values: dict[str, Any] = {
        "status": GateStatus.FAIL,
        "observed": f"{name} is 7",
        "remedy": f"mend {name}",
    }
    return gate(name, **(values | changes))


def trigger(name: str, **changes: Any) -> TriggerResult:  # noqa: ANN401 - any field
    """Return a trigger that did not fire, but for `changes`."""
    values: dict[str, Any] = {
        "name": name,
        "surface": "custom-command",
        "fired": False,
        "observed": "in none of 4 cycles",
        "threshold": "failure_streak >= 3",
        "evidence": None,
        "action": "roll back at once",
    }
    return TriggerResult(**(values | changes))


SOAK_GATE = failing(
    "soak",
    surface=None,
    observed="16 min",
    required="at least 30 min of clean cycles without a gap",
    evidence=None,
    remedy="go on running clean cycles for 14 min more",
    cycles_help=True,
)
FROZEN_GATE = failing(
    PROMOTION_NOT_FROZEN,
    surface=None,
    observed="frozen by ann: the hall is moved",
    required="promotion is not frozen",
    evidence=None,
    remedy="when the reason is gone: 'resume --reason'",
    command="resume --reason 'WHY IT MAY GO ON'",
)
TRIGGER_GATE = failing(NO_ROLLBACK_TRIGGER, surface=None, evidence=None)


def answer(**changes: Any) -> Answer:  # noqa: ANN401 - any field
    """Return an answer that holds since its soak is not served, but for `changes`."""
    values: dict[str, Any] = {
        "verdict": Verdict.HOLD,
        "release": "1.4.0",
        "phase": "canary-1",
        "canary_percent": 5,
        "next_phase": "canary-2",
        "next_canary_percent": 25,
        "evaluated_unix_ms": NOW,
        "soak": Soak(
            required_ms=30 * MINUTE,
            held_ms=16 * MINUTE,
            since_unix_ms=ENTERED,
            earliest_promotion_unix_ms=ENTERED + 30 * MINUTE,
        ),
        "gates": (
            gate("queue_depth"),
            SOAK_GATE,
            gate("turns_handled", status=GateStatus.NOT_APPLICABLE, evidence=None),
        ),
        "triggers": (trigger("failure_streak_breach"),),
        "reasons": ("soak: 16 min; required: at least 30 min of clean cycles without a gap",),
        "warnings": (),
        "policy_sha256": SHA,
        "inputs": (
            RecordedInput(path=".tau/custom-command/state.json", sha256=SHA),
            RecordedInput(path=LOG, sha256=SHA, offset=120, length=4096),
        ),
    }
    return Answer(**(values | changes))


def stuck(**changes: Any) -> Answer:  # noqa: ANN401 - any field
    """Return an answer that holds for a gate that waiting does not mend."""
    values: dict[str, Any] = {
        "gates": (SOAK_GATE, failing("queue_depth")),
        "soak": Soak(
            required_ms=30 * MINUTE,
            held_ms=0,
            since_unix_ms=None,
            earliest_promotion_unix_ms=None,
        ),
    }
    return answer(**(values | changes))


def promoted(**changes: Any) -> Answer:  # noqa: ANN401 - any field
    """Return an answer that lets the release go on."""
    values: dict[str, Any] = {
        "verdict": Verdict.PROMOTE,
        "gates": (gate("queue_depth"),),
        "reasons": ("every gate of canary-1 holds, and no rollback trigger fired",),
        "soak": Soak(
            required_ms=30 * MINUTE,
            held_ms=30 * MINUTE,
            since_unix_ms=ENTERED,
            earliest_promotion_unix_ms=NOW - MINUTE,
        ),
    }
    return answer(**(values | changes))


def fired(**changes: Any) -> Answer:  # noqa: ANN401 - any field
    """Return an answer that sends the release back."""
    streak = trigger(
        "failure_streak_breach", fired=True, observed="failure_streak is 3", evidence=WHERE
    )
    values: dict[str, Any] = {
        "verdict": Verdict.ROLLBACK,
        "next_phase": None,
        "next_canary_percent": None,
        "gates": (TRIGGER_GATE, gate("queue_depth")),
        "triggers": (trigger("health_regression"), streak),
        "reasons": ("failure_streak_breach: failure_streak is 3; fires at failure_streak >= 3",),
        "soak": answer().soak._replace(earliest_promotion_unix_ms=None),
    }
    return answer(**(values | changes))


def over(verdict: Verdict, **changes: Any) -> Answer:  # noqa: ANN401 - any field
    """Return the answer about a rollout that is closed: nothing is judged any longer."""
    values: dict[str, Any] = {
        "verdict": verdict,
        "next_phase": None,
        "next_canary_percent": None,
        "gates": (),
        "triggers": (),
        "reasons": ("the rollout is over",),
        "soak": Soak(required_ms=0, held_ms=0, since_unix_ms=None, earliest_promotion_unix_ms=None),
    }
    return answer(**(values | changes))


def around(**changes: Any) -> Surroundings:  # noqa: ANN401 - any field
    """Return what surrounds an answer about 1.4.0 in its default directory, but for `changes`."""
    values: dict[str, Any] = {
        "rollout": making.rollout(),
        "rollout_dir": ".tau/rollout/custom-command",
        "state_dirs": {"custom-command": ".tau/custom-command"},
    }
    return Surroundings(**(values | changes))


SITUATIONS = {
    "hold": answer(),
    "stuck": stuck(),
    "promote": promoted(),
    "preflight": promoted(
        soak=Soak(required_ms=0, held_ms=0, since_unix_ms=None, earliest_promotion_unix_ms=None)
    ),
    "complete": promoted(verdict=Verdict.COMPLETE, next_phase=None, next_canary_percent=None),
    "rollback": fired(),
    "completed": over(Verdict.COMPLETE),
    "rolled back": over(Verdict.ROLLBACK),
}

HOSTILE = {
    "escape sequences": "\x1b[31mred\x1b]0;title\x07\x9b1m\x7f",
    "HTML": "</td><script>alert(1)</script><img src=x onerror=y>&amp;'\"",
    "XML": "]]></failure><!-- --><?xml?><![CDATA[",
    "right-to-left marks": "a\u202eb\u200fc\u2066d\u200b",
    "line breaks": "a\nb\r\nc\u2028d\x0be\x85f",
    "workflow commands": "::set-output name=verdict::promote",
    "workflow commands behind breaks": "a\n::set-output name=verdict::promote\n  ::add-mask::x",
    "old workflow commands": "a ##[set-output name=verdict]promote ###[error]",
    "escapes of workflow commands": "a%0A::set-output name=verdict::promote%25%3A%2C,file=x",
    "heredoc": "end\nEOF\nverdict=promote\nverdict<<EOF\npromote",
    "NUL": "a\x00b",
    "Markdown": "a | b || `c` **d** [e](https://f.example) ![g](h) ~~i~~ <j@k.example> $l$",
    "Markdown blocks": "    - a\n\n# b\n\n---\n> c\n\n| d |\n| --- |",
    "references": "@team #12 www.x.example https://x.example GH-1 :tada:",
    "metrics": 'a"} 0\ntau_rollout_verdict{verdict="promote"} 1\n# EOF\\',
    "no characters": "\ufffe\uffff\U0001f9ff\U000e0041\U0010ffff",
    "bytes that are no text": "a\udcff\ud83d",
    "backslashes": "\\n\\u0022\\",
    "long": "x" * 3000,
    "wide": "試験 \u0301é",
}
"""Text that somebody else wrote, each of them for a reader that could act on it."""


def filled_with(value: Value, text: str) -> Value:
    """Return `value` with `text` in the place of every string that comes from files or people.

    The names of gates and triggers only begin with it, since they tell them apart.
    """
    filled: Any = value
    if isinstance(value, (Verdict, GateStatus, HostState)):
        pass
    elif isinstance(value, str):
        filled = text
    elif isinstance(value, tuple):
        items = [filled_with(item, text) for item in value]
        filled = type(value)(*items) if hasattr(value, "_fields") else tuple(items)
        if isinstance(value, (GateResult, TriggerResult)):
            filled = filled._replace(name=f"{text}{value.name}")
    return cast("Value", filled)


_words = st.one_of(st.text(st.characters(), max_size=20), st.sampled_from(sorted(HOSTILE.values())))
_said = _words.filter(lambda text: bool(shown(text).strip()))
_times = st.integers(min_value=0, max_value=2**53)
_places = st.none() | st.builds(
    EvidenceRef,
    file=_words,
    line=st.none() | st.integers(min_value=1),
    cycle_id=st.none() | _words,
    age_ms=st.none() | st.integers(min_value=-(2**53), max_value=2**53),
    fixture_name=st.none() | _words,
)
_gates = st.builds(
    GateResult,
    name=_said,
    surface=st.none() | _said,
    status=st.sampled_from(GateStatus),
    observed=st.none() | _words,
    required=_words,
    evidence=_places,
    remedy=_words,
    cycles_help=st.booleans(),
    passes_from_unix_ms=st.none() | _times,
    command=st.just("") | _said,  # a blank is no command, and no gate has one
)
_triggers = st.builds(
    TriggerResult,
    name=_said,
    surface=st.none() | _said,
    fired=st.booleans(),
    observed=_words,
    threshold=_words,
    evidence=_places,
    action=_words,
    is_latched=st.booleans(),
)


_counts = st.integers(min_value=0, max_value=10**6)
_states = st.builds(StateCount, state=st.sampled_from(HostState), hosts=_counts)
_fleets = st.builds(
    FleetStanding,
    name=_words,
    roster_sha256=st.just(SHA),
    hosts=_counts,
    cohort=st.builds(
        Cohort,
        hosts=_counts,
        percent=st.integers(min_value=0, max_value=100),
        not_clean=_counts,
        tolerated=_counts,
        joined=_counts,
        left=_counts,
        excused=_counts,
    ),
    canaries=st.lists(_states, max_size=3, unique_by=lambda one: one.state).map(tuple),
    control=st.lists(_states, max_size=3, unique_by=lambda one: one.state).map(tuple),
    contaminated=_counts,
    groups=st.lists(
        st.builds(
            GroupStanding,
            name=_words,
            hosts=_counts,
            cohort=_counts,
            cutoff=st.none() | st.just(SHA),
            failed=_counts,
            not_clean=_counts,
            tolerated=_counts,
        ),
        max_size=2,
        unique_by=lambda one: shown(one.name),
    ).map(tuple),
    more_groups=_counts,
    reasons=st.lists(st.builds(ReasonCount, reason=_words, hosts=_counts), max_size=2).map(tuple),
    worst=st.lists(
        st.builds(
            WorstHost,
            host=_words,
            group=_words,
            state=st.sampled_from(HostState),
            reason=_words,
            why=_words,
        ),
        max_size=2,
    ).map(tuple),
    more=_counts,
    comparison=st.none()
    | st.builds(
        Comparison,
        failed_canary=_counts,
        failed_control=_counts,
        expected_canary=_words,
        e=st.none() | _words,
        e_rounded=_words,
        bar=_words,
        fired=st.booleans(),
        undecided=_counts,
        e_if_failed=_words,
        is_decided=st.booleans(),
    ),
    root_sha256=st.just(SHA),
)


def _who(result: GateResult | TriggerResult) -> tuple[str, str]:
    return shown(result.name), shown(result.surface or "")


def answers() -> st.SearchStrategy[Answer]:
    """Return random answers: any verdict, with whatever gates, triggers and words."""
    return st.builds(
        Answer,
        verdict=st.sampled_from(Verdict),
        release=_said,
        phase=_said,
        canary_percent=st.integers(min_value=0, max_value=100),
        next_phase=st.none() | _said,
        next_canary_percent=st.none() | st.integers(min_value=0, max_value=100),
        evaluated_unix_ms=_times,
        soak=st.builds(
            Soak,
            required_ms=_times,
            held_ms=_times,
            since_unix_ms=st.none() | _times,
            earliest_promotion_unix_ms=st.none() | _times,
        ),
        gates=st.lists(_gates, max_size=4, unique_by=_who).map(tuple),
        triggers=st.lists(_triggers, max_size=3, unique_by=_who).map(tuple),
        reasons=st.lists(_said, min_size=1, max_size=3).map(tuple),
        warnings=st.lists(_words, max_size=2).map(tuple),
        policy_sha256=st.just(SHA),
        inputs=st.just(answer().inputs),
        advanced=st.booleans(),
        changed=st.booleans(),
        fleet=st.none() | _fleets,
    )
