"""Policies: the built-in one is the runbook's tables, what is written reads back, slips show."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tau_rollout_gate.contract.forms import Milliseconds
from tau_rollout_gate.contract.small_toml import LARGEST_BYTES
from tau_rollout_gate.errors import PolicyRefusedError
from tau_rollout_gate.files.policy import built_in_policy_text, load_policy
from tau_rollout_gate.policy.gates.artifacts_grow import ArtifactsGrowGate
from tau_rollout_gate.policy.gates.checklist_complete import ChecklistCompleteGate
from tau_rollout_gate.policy.gates.interface import Gate
from tau_rollout_gate.policy.gates.kinds import GateSpec
from tau_rollout_gate.policy.gates.no_new_reason_code import NoNewReasonCodeGate
from tau_rollout_gate.policy.gates.pressure_does_not_rise import PressureDoesNotRiseGate
from tau_rollout_gate.policy.gates.reason_code_advances import ReasonCodeAdvancesGate
from tau_rollout_gate.policy.gates.reason_code_present import ReasonCodePresentGate
from tau_rollout_gate.policy.gates.report_passes import ReportPassesGate
from tau_rollout_gate.policy.gates.signal import SignalGate
from tau_rollout_gate.policy.gates.target_recorded import TargetRecordedGate
from tau_rollout_gate.policy.gates.timeline_ok import TimelineOkGate
from tau_rollout_gate.policy.policy import (
    Phase,
    Policy,
    parse_policy,
    policy_digest,
    policy_document,
)
from tau_rollout_gate.policy.signals import Signal, reading
from tau_rollout_gate.policy.triggers.kinds import TriggerSpec
from tau_rollout_gate.policy.triggers.new_reason_code import NewReasonCodeTrigger
from tau_rollout_gate.policy.triggers.report_fails import ReportFailsTrigger
from tau_rollout_gate.policy.triggers.signal import SignalTrigger
from tau_rollout_gate.policy.triggers.timeline_item_failed import TimelineItemFailedTrigger
from tests.rollout_gate.making import ENTERED, HOUR, MINUTE, History

BUILT_IN = load_policy(None)


def required_of(gate: Gate) -> tuple[str, tuple[str, ...] | None]:
    """Return what a gate requires and of whom."""
    return gate.required, gate.surfaces


def test_the_phases_are_the_runbooks() -> None:
    """Names, percentages, soaks and whose gates are kept are those of the phase table."""
    assert [
        (phase.name, phase.canary_percent, phase.soak_ms, phase.gates_of)
        for phase in BUILT_IN.phases
    ] == [
        ("preflight", 0, 0, None),
        ("canary-1", 5, 30 * MINUTE, None),
        ("canary-2", 25, HOUR, "canary-1"),
        ("canary-3", 50, 2 * HOUR, "canary-2"),
        ("general-availability", 100, 24 * HOUR, "canary-3"),
    ]
    assert (BUILT_IN.cycle_interval_ms, BUILT_IN.required_run_mode) == (5 * MINUTE, None)


BROWSER, COMMANDS = ("browser-automation",), ("custom-command",)
DASHBOARD, MEMORY, VOICE = ("dashboard",), ("memory",), ("voice",)


def advances(code: str) -> str:
    """Return what the gate of an advancing reason code requires."""
    return f"{code} in at least one cycle of each half of the window"


def does_not_rise(names: str) -> str:
    """Return what the gate of counters requires."""
    return f"{names} a cycle no higher in the second half of the window than in the first"


@pytest.mark.parametrize(
    ("phase", "gates"),
    [
        (
            "preflight",
            [
                ("the report 'validation' passes", None),
                ("the rollback target is a version other than the release", None),
            ],
        ),
        (
            "canary-1",
            [
                ("rollout_gate = pass", None),
                ("health_state = healthy", None),
                ("failure_streak = 0", None),
                ("last_cycle_failed = 0", None),
                ("queue_depth <= 1", None),
                ("no new case_processing_failed", None),
                ("no new malformed_inputs_observed", None),
                ("every timeline item is ok and has no error_code", BROWSER),
                ("work in at least one cycle of each half of the window", None),
            ],
        ),
        (
            "canary-2",
            [
                (advances("command_runs_recorded"), COMMANDS),
                (advances("wake_word_detected"), VOICE),
                (advances("turns_handled"), VOICE),
                (advances("widget_views_updated"), DASHBOARD),
                (advances("control_actions_applied"), DASHBOARD),
                (does_not_rise("duplicate_skips and malformed_cases"), MEMORY),
                (
                    "artifact_records grows in every cycle with executed_cases, and falls in none",
                    BROWSER,
                ),
            ],
        ),
        (
            "canary-3",
            [
                (does_not_rise("retry_attempts and retryable_failures"), None),
                (
                    (
                        "command_registry_mutated in a cycle since the canary began, as registry "
                        "changes are expected"
                    ),
                    COMMANDS,
                ),
                (does_not_rise("retryable_failures"), VOICE),
                (
                    (
                        "no new unsafe_actions_denied or action_limit_guardrail_denied or "
                        "timeout_failures_observed"
                    ),
                    BROWSER,
                ),
            ],
        ),
        ("general-availability", [("the sign-off checklist is complete", None)]),
    ],
)
def test_the_gates_are_the_runbooks(
    phase: str, gates: list[tuple[str, tuple[str, ...] | None]]
) -> None:
    """Each row's own gates, word for word what an answer shows, and for which surface."""
    assert [required_of(gate) for gate in BUILT_IN.phase(phase).gates] == gates


def test_the_triggers_are_the_runbooks() -> None:
    """Names, thresholds and actions are those of the trigger table."""
    assert [(one.name, one.threshold, one.action, one.surfaces) for one in BUILT_IN.triggers] == [
        (
            "health_regression",
            "health_state = degraded or failing in 2 consecutive cycles",
            "freeze at the phase, start the rollback",
            None,
        ),
        ("failure_streak_breach", "failure_streak >= 3", "roll back at once", None),
        (
            "hard_runtime_errors",
            "a new case_processing_failed or malformed_inputs_observed",
            "roll back, capture events and artifacts",
            None,
        ),
        (
            "browser_execution_failure",
            "a timeline item that is not ok, or has an error_code",
            "roll back to the last good browser lane",
            BROWSER,
        ),
        (
            "validation_gate_failure",
            "failed > 0 in a validation report",
            "roll back, block the release",
            None,
        ),
    ]


def test_a_policy_knows_its_phases() -> None:
    """The next phase, the first canary, and none where there is none."""
    following = BUILT_IN.next_phase("preflight")
    assert following is not None
    assert following.name == BUILT_IN.first_canary.name == "canary-1"
    assert BUILT_IN.next_phase("general-availability") is None
    with pytest.raises(KeyError):
        BUILT_IN.phase("canary-4")


def test_gates_of_earlier_phases_stay_in_force() -> None:
    """The gates of `gates_of` come first, and those in force there with them, not preflight's."""
    own = [phase.gates for phase in BUILT_IN.phases]
    assert BUILT_IN.gates_in_force("preflight") == own[0]
    assert BUILT_IN.gates_in_force("canary-2") == own[1] + own[2]
    assert BUILT_IN.gates_in_force("general-availability") == own[1] + own[2] + own[3] + own[4]


def test_every_counter_of_a_line_is_a_signal() -> None:
    """The closed set has what a line may tell, by its contract's names, and nothing else."""
    names = [one for one in Signal if one.key == one.value and not one.words]
    event = History().add(ENTERED, **dict.fromkeys(names, 0)).cycles()[0].event
    assert set(event.counters) == set(names)
    assert all(reading(event, one) is not None for one in Signal)


# What is written reads back equal.

NAMES = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,20}\Z")
CODES = st.from_regex(r"\A[a-z][a-z0-9_]{0,20}\Z")
SURFACES = st.none() | st.lists(NAMES, min_size=1, max_size=3).map(tuple)
NUMBERS = st.integers(0, 2**63 - 1)
POSITIVE = st.integers(1, 2**63 - 1)
COUNTERS = st.sampled_from([one for one in Signal if not one.words])
HEALTH = st.sampled_from(["healthy", "degraded", "failing"])
TEXTS = st.text(min_size=1, max_size=40).filter(str.isprintable)
BOUNDS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries({"at_most": NUMBERS}),
    st.fixed_dictionaries({"at_least": POSITIVE}),
    st.fixed_dictionaries({"equals": NUMBERS}),
)


def tuples(values: st.SearchStrategy[Any], least: int = 1) -> st.SearchStrategy[Any]:
    """Return tuples of some values."""
    return st.lists(values, min_size=least, max_size=3).map(tuple)


@st.composite
def gates(draw: st.DrawFn, name: str) -> GateSpec:
    """Return a gate of any kind."""
    surfaces = draw(SURFACES)
    kinds: list[Callable[[], GateSpec]] = [
        lambda: SignalGate(name=name, surfaces=surfaces, signal=draw(COUNTERS), **draw(BOUNDS)),
        lambda: SignalGate(
            name=name, surfaces=surfaces, signal=Signal.HEALTH_STATE, equals=draw(HEALTH)
        ),
        lambda: NoNewReasonCodeGate(name=name, surfaces=surfaces, codes=draw(tuples(CODES))),
        lambda: TimelineOkGate(name=name, surfaces=surfaces),
        lambda: ReasonCodeAdvancesGate(name=name, surfaces=surfaces, code=draw(CODES)),
        lambda: PressureDoesNotRiseGate(
            name=name, surfaces=surfaces, counters=draw(tuples(COUNTERS))
        ),
        lambda: ReasonCodePresentGate(
            name=name, surfaces=surfaces, code=draw(CODES), when="registry_changes_expected"
        ),
        lambda: ArtifactsGrowGate(name=name, surfaces=surfaces),
        lambda: ChecklistCompleteGate(name=name),
        lambda: ReportPassesGate(name=name, report=draw(NAMES)),
        lambda: TargetRecordedGate(name=name),
    ]
    return draw(st.sampled_from(kinds))()


@st.composite
def triggers(draw: st.DrawFn, name: str) -> TriggerSpec:
    """Return a trigger of any kind."""
    values: dict[str, Any] = {"name": name, "action": draw(TEXTS)}
    surfaces = draw(SURFACES)
    kinds: list[Callable[[], TriggerSpec]] = [
        lambda: SignalTrigger(
            **values,
            surfaces=surfaces,
            signal=draw(COUNTERS),
            at_least=draw(POSITIVE),
            consecutive=draw(st.integers(1, 1000)),
        ),
        lambda: SignalTrigger(
            **values, signal=Signal.ROLLOUT_GATE, one_of=("hold",), surfaces=surfaces
        ),
        lambda: NewReasonCodeTrigger(
            **values,
            codes=draw(tuples(CODES)),
            counters=draw(tuples(COUNTERS, 0)),
            surfaces=surfaces,
        ),
        lambda: TimelineItemFailedTrigger(**values, surfaces=surfaces),
        lambda: ReportFailsTrigger(**values),
    ]
    return draw(st.sampled_from(kinds))()


DURATIONS = st.builds(
    lambda number, unit: Milliseconds(number * unit),
    st.integers(1, 999_999_999),
    st.sampled_from([1, 1000, MINUTE, HOUR, 24 * HOUR]),
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Return a policy that can be used."""
    percentages = sorted(draw(st.lists(st.integers(1, 100), min_size=1, max_size=4)))
    phases: list[Phase] = []
    for index, percentage in enumerate([0, *percentages]):
        number = draw(st.integers(1, 3))
        phases.append(
            Phase(
                name=f"phase-{index}",
                canary_percent=percentage,
                soak=draw(DURATIONS | st.just(Milliseconds(0))),
                gates_of=draw(st.sampled_from([None, *(phase.name for phase in phases)])),
                gates=tuple(draw(gates(f"gate-{index}-{one}")) for one in range(number)),
            )
        )
    return Policy(
        schema_version=1,
        name=draw(NAMES),
        cycle_interval=draw(DURATIONS),
        required_run_mode=draw(st.sampled_from([None, "record", "execute"])),
        phases=tuple(phases),
        triggers=tuple(draw(triggers(f"trigger-{one}")) for one in range(draw(st.integers(0, 3)))),
    )


# Drawing whole policies takes a while; so it may on a busy machine.
@pytest.mark.exhaustive
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(policies())
def test_what_is_written_reads_back_equal(policy: Policy) -> None:
    """A policy survives its file, whatever is in it, and so does its digest."""
    written = tomli_w.dumps(policy_document(policy)).encode()
    read = parse_policy(written, source="policy.toml")
    assert read == policy
    assert policy_digest(read) == policy_digest(policy)


def test_the_digest_is_of_what_the_policy_says() -> None:
    """Comments, the order of keys and the unit of a duration do not count; every value does."""
    text = built_in_policy_text()
    rewritten = re.sub(r"#.*", "", text).replace('"60m"', '"1h"')
    assert policy_digest(parse_policy(rewritten.encode(), source="it")) == policy_digest(BUILT_IN)
    other = text.replace("at_most = 1", "at_most = 2")
    assert policy_digest(parse_policy(other.encode(), source="it")) != policy_digest(BUILT_IN)


# Refusals.

SMALL = """\
schema_version = 1
name = "small"
cycle_interval = "5m"
[[phases]]
name = "preflight"
canary_percent = 0
soak = "0s"
gates = [{ kind = "target_recorded", name = "target" }]
[[phases]]
name = "canary-1"
canary_percent = 5
soak = "30m"
gates = [{ kind = "signal", name = "depth", signal = "queue_depth", at_most = 1 }]
[[triggers]]
kind = "signal"
name = "streak"
signal = "failure_streak"
at_least = 3
action = "roll back"
"""


def refusal(raw: bytes) -> list[str]:
    """Return the lines that a policy is refused with."""
    with pytest.raises(PolicyRefusedError) as caught:
        parse_policy(raw, source="policy.toml")
    return str(caught.value).splitlines()


NESTED = f"{'[' * 900}\n" * 30
GATE, SECOND = "phases[1].gates[0]", "phases[1]"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"queue_depth"', '"queue"', f"{GATE}.signal: found 'queue'; did you mean "),
        ("at_most = 1", "at_most = -1", f"{GATE}.at_most: must be at least 0 (found -1)"),
        ("at_most = 1", "at_most = 1.0", f"{GATE}.at_most: must be an integer (found"),
        ("at_most = 1", "at_most = true", f"{GATE}.at_most: must be an integer (found"),
        ("at_most = 1", 'at_most = "1"', f"{GATE}.at_most: must be an integer (found"),
        ("at_most = 1", "at_most = 99999999999999999999", f"{GATE}.at_most: must be at most"),
        ("at_most = 1", "at_least = 0", f"{GATE}.at_least: must be at least 1"),
        ("at_most = 1", "equals = true", f"{GATE}.equals: must be an integer or text (found true)"),
        ("at_most = 1", "equals = -1", f"{GATE}.equals: must be at least 0 (found -1)"),
        ("at_most = 1", 'equals = "1"', f"{GATE}: queue_depth is a number, never '1'"),
        ("at_most = 1", "equals = 1, at_most = 1", f"{GATE}: needs exactly one of equals"),
        (", at_most = 1", "", f"{GATE}: needs exactly one of equals, at_most and at_least"),
        ('"queue_depth"', '"health_state"', f"{GATE}: health_state is a word, healthy or degraded"),
        (
            '"queue_depth", at_most = 1',
            '"rollout_gate", equals = "passed"',
            f"{GATE}: rollout_gate is pass or hold, never 'passed'",
        ),
        ("at_most = 1", "at_most = 1, at_mots = 2", f"{GATE}.at_mots: is not a known key; did"),
        (
            'kind = "signal", name = "depth"',
            'kind = "sig", name = "a"',
            f"{GATE}.kind: found 'sig'; did you mean",
        ),
        ('kind = "signal", name = "depth"', 'name = "depth"', f"{GATE}.kind: is missing; it is"),
        ('"depth"', '"queue depth"', f"{GATE}.name: must match [A-Za-z0-9]"),
        ('"depth"', '"depth\\n"', f"{GATE}.name: must match [A-Za-z0-9]"),
        ('"depth"', f'"{"d" * 65}"', f"{GATE}.name: must match [A-Za-z0-9]"),
        ('"depth"', '"depth", surfaces = []', f"{GATE}.surfaces: must have at least 1"),
        ('"depth"', '"depth", surfaces = "voice"', f"{GATE}.surfaces: must be an array (found"),
        ('"30m"', '"30 minutes"', f"{SECOND}.soak: '30 minutes' is not a duration"),
        ('"30m"', "1800000", f"{SECOND}.soak: must be a duration in quotes"),
        ('soak = "30m"', 'soak = "30m"\nsoak_ms = 5', f"{SECOND}.soak_ms: is not a known key"),
        ('soak = "30m"', "", f"{SECOND}.soak: is missing; add it"),
        ('"5m"', '"0s"', "cycle_interval: must be more than nothing"),
        ('"5m"', "1979-05-27", "cycle_interval: must be a duration in quotes"),
        ('"small"', "1979-05-27", "name: must be text (found 1979-05-27)"),
        (
            "schema_version = 1",
            "schema_version = 2",
            "schema_version: must be 1 (found 2)",
        ),
        ("schema_version = 1", "schema_version = 0", "schema_version: must be 1 (found 0)"),
        ("schema_version = 1", "", "schema_version: is missing"),
        ("schema_version = 1", "schema_version = true", "schema_version: must be an integer"),
        ("schema_version = 1", "schema_version = 1.0", "schema_version: must be an integer"),
        ("canary_percent = 5", "canary_percent = 101", f"{SECOND}.canary_percent: must be at most"),
        ("canary_percent = 5", "canary_percent = 0", "phases: none of them has a canary_percent"),
        ("canary_percent = 0", "canary_percent = 1", "phases[0].canary_percent: must be 0"),
        ('"canary-1"', '"preflight"', f"{SECOND}.name: 'preflight' is the name of an earlier"),
        (
            'soak = "30m"',
            'soak = "30m"\ngates_of = "canary-1"',
            f"{SECOND}.gates_of: 'canary-1' is no earlier phase",
        ),
        (
            'gates = [{ kind = "signal"',
            'gates = []\nunused = [{ kind = "signal"',
            f"{SECOND}.unused: is not a known key; known are",
        ),
        (
            '{ kind = "target_recorded", name = "target" }',
            "",
            "phases[0]: needs at least one gate, its own or by gates_of",
        ),
        (
            'name = "target"',
            'name = "target", surfaces = ["voice"]',
            "phases[0].gates[0].surfaces: target judges the rollout, not a surface",
        ),
        ("at_least = 3", "", "triggers[0]: needs exactly one of at_least and one_of"),
        ("at_least = 3", "at_least = 0", "triggers[0].at_least: must be at least 1"),
        ("at_least = 3", 'one_of = ["3"]', "triggers[0]: failure_streak is a number, never '3'"),
        (
            "at_least = 3",
            "at_least = 3\nconsecutive = 0",
            "triggers[0].consecutive: must be at least 1",
        ),
        (
            'action = "roll back"',
            'action = "roll\\u001b back"',
            "triggers[0].action: has line breaks, control or invisible characters",
        ),
        (
            'kind = "signal"\nname = "streak"\nsignal = "failure_streak"\nat_least = 3',
            'kind = "new_reason_code"\nname = "streak"',
            "triggers[0]: needs codes, counters, or both",
        ),
        (
            'kind = "signal"\nname = "streak"\nsignal = "failure_streak"\nat_least = 3',
            'kind = "new_reason_code"\nname = "streak"\ncounters = ["health_state"]',
            "triggers[0].counters[0]: health_state is a word, not a counter",
        ),
        (
            'kind = "signal"\nname = "streak"\nsignal = "failure_streak"\nat_least = 3',
            'kind = "report_fails"\nname = "report"\nsurfaces = ["voice"]',
            "triggers[0].surfaces: report judges the rollout, not a surface",
        ),
        ("schema_version = 1", "schema_version = ", "not TOML: "),
        ("schema_version = 1", f"schema_version = {'9' * 3000}", "line 1 is longer than 2000"),
        ("schema_version = 1", f"a{'.a' * 30_000} = 1", "line 1 is longer than 2000 bytes"),
        ("schema_version = 1", f"a = {NESTED}", "arrays and tables are nested too deeply"),
    ],
)
def test_a_slip_is_named_with_its_place(old: str, new: str, problem: str) -> None:
    """The file, the place and the problem, in one line; nothing is coerced into something else."""
    assert old in SMALL
    parse_policy(SMALL.encode(), source="policy.toml")
    lines = refusal(SMALL.replace(old, new, 1).encode())
    assert lines[0].startswith(f"policy.toml: {problem}"), lines
    assert len(lines) == 1


def test_percentages_do_not_decrease() -> None:
    """A phase gives the release to no fewer than the one before."""
    text = built_in_policy_text()
    assert refusal(text.replace("canary_percent = 50", "canary_percent = 24").encode()) == [
        "policy.toml: phases[3].canary_percent: is less than the phase's before, 25"
    ]
    parse_policy(text.replace("canary_percent = 50", "canary_percent = 25").encode(), source="it")


def test_two_phases_are_the_least() -> None:
    """A rollout has somewhere to start and somewhere to go."""
    first = SMALL[: SMALL.rindex("[[phases]]")]
    assert refusal(first.encode()) == ["policy.toml: phases: must have at least 2 items (found 1)"]


def test_the_digest_of_a_policy_stays() -> None:
    """A rollout pins its policy by the digest: a new version of the program must find the same."""
    digest = "2300d659556e0744f176a9e14883bb10e3669d9c64e1ca9095b9a196b0d5e049"
    assert policy_digest(parse_policy(SMALL.encode(), source="policy.toml")) == digest


def test_every_problem_is_named() -> None:
    """One run names them all, up to a number that still can be read."""
    broken = SMALL.replace("at_most = 1", "at_most = -1").replace('"30m"', '"x"')
    assert len(refusal(broken.encode())) == 2
    many = SMALL.replace(
        "schema_version = 1", "schema_version = 1\n" + "\n".join(f"key{at} = 1" for at in range(70))
    )
    lines = refusal(many.encode())
    assert len(lines) == 51
    assert lines[-1] == "policy.toml: and 20 more"
    hostile = refusal(SMALL.replace('"5m"', '"5m"\n"a\\nb\\u001b" = 1').encode())
    assert [one.partition(";")[0] for one in hostile] == [
        "policy.toml: a\\nb\\x1b: is not a known key"
    ]
    long = refusal(SMALL.replace('"30m"', f'"{"x" * 900}"').encode())
    assert len(long[0]) < 400


def test_what_is_no_text_or_too_large_is_refused() -> None:
    """A file that was named by mistake is no traceback, and no policy fills the memory."""
    assert refusal(b"\xff")[0] == "policy.toml: not UTF-8 text (byte 0)"
    assert refusal(b"#" * (LARGEST_BYTES + 1))[0] == "policy.toml: is larger than 64 KiB"
    one = SMALL[SMALL.index("[[phases]]") : SMALL.index("[[triggers]]")]
    crowd = SMALL + "".join(one.replace("canary-1", f"canary-{at}") for at in range(40))
    assert "phases: " in refusal(crowd.encode())[0]


def with_gates(*, first: str, second: str, third: str) -> bytes:
    """Return a policy of three phases, the last of which keeps the gates of the second."""
    return f"""\
schema_version = 1
name = "small"
cycle_interval = "5m"
phases = [
  {{ name = "a", canary_percent = 0, soak = "0s", gates = [{first}] }},
  {{ name = "b", canary_percent = 5, soak = "1h", gates = [{second}] }},
  {{ name = "c", canary_percent = 9, soak = "1h", gates_of = "b", gates = [{third}] }},
]
""".encode()


TIMELINE = 'kind = "timeline_ok", name = "same"'


@pytest.mark.parametrize(
    ("second", "third", "place"),
    [
        (f"{{ {TIMELINE} }}", f"{{ {TIMELINE} }}", "phases[2].gates[0].name"),
        (f"{{ {TIMELINE} }}, {{ {TIMELINE} }}", "", "phases[1].gates[1].name"),
        (f"{{ {TIMELINE}, surfaces = ['x'] }}", f"{{ {TIMELINE} }}", "phases[2].gates[0].name"),
        (
            f"{{ {TIMELINE}, surfaces = ['x'] }}",
            f"{{ {TIMELINE}, surfaces = ['y', 'x'] }}",
            "phases[2].gates[0].name",
        ),
        (f"{{ {TIMELINE}, surfaces = ['x'] }}", f"{{ {TIMELINE}, surfaces = ['y'] }}", None),
    ],
)
def test_a_gates_name_is_unique_in_force(second: str, third: str, place: str | None) -> None:
    """An answer names a gate and a surface: the two must tell which gate it was."""
    raw = with_gates(first=f"{{ {TIMELINE} }}", second=second, third=third)
    if place is None:
        assert len(parse_policy(raw, source="policy.toml").gates_in_force("c")) == 2
    else:
        assert refusal(raw) == [
            f"policy.toml: {place}: 'same' is already in force for the same surface"
        ]


def test_the_names_of_the_gates_that_are_always_there_are_taken() -> None:
    """A gate of a policy called like one of them could not be told from it."""
    taken = TIMELINE.replace('"same"', '"soak"')
    assert taken != TIMELINE
    raw = with_gates(first=f"{{ {taken} }}", second="", third="")
    said = "policy.toml: phases[0].gates[0].name: 'soak' is the name of a gate that is always there"
    assert said in refusal(raw)


def test_a_triggers_name_is_unique() -> None:
    """A trigger that fired is remembered by its name."""
    trigger = SMALL[SMALL.index("[[triggers]]") :]
    assert refusal((SMALL + trigger).encode()) == [
        "policy.toml: triggers[1].name: 'streak' is already in force for the same surface"
    ]
