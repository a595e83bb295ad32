"""Lint: the built-in policy is clean, and each slip is found at its place."""

import pytest

from tau_rollout_gate.files.policy import built_in_policy_text, load_policy
from tau_rollout_gate.policy.lint import lint
from tau_rollout_gate.policy.policy import parse_policy


def test_the_built_in_policy_is_clean() -> None:
    """What we ship is what we would advise."""
    assert lint(load_policy(None)) == ()


LAST_HEADING = "# " + "-" * 80 + " the trigger"
TRIGGER = """
[[triggers]]
kind = "signal"
name = "mine"
action = "roll back"
"""


@pytest.mark.parametrize(
    ("old", "new", "findings"),
    [
        (
            'surfaces = ["memory"]',
            'surfaces = ["memroy"]',
            ["phases[2].gates[5].surfaces: 'memroy' is no surface that is known"],
        ),
        (
            'surfaces = ["browser-automation"]\naction',
            'surfaces = ["browser"]\naction',
            ["triggers[3].surfaces: 'browser' is no surface that is known"],
        ),
        (
            'code = "turns_handled"',
            'code = "turns_taken"',
            ["phases[2].gates[2]: 'turns_taken' is no reason code of voice"],
        ),
        (
            'codes = ["case_processing_failed"]',
            'codes = ["case_failed"]',
            ["phases[1].gates[5]: 'case_failed' is no reason code of any surface that is known"],
        ),
        (
            'surfaces = ["voice"], code = "turns_handled"',
            'surfaces = ["voice", "custom-command", "memory"], code = "turns_handled"',
            ["phases[2].gates[2]: 'turns_handled' is no reason code of custom-command"],
        ),
        (
            'codes = ["case_processing_failed", "malformed_inputs_observed"]',
            'codes = ["case_processing_failed", "malformed"]',
            ["triggers[2]: 'malformed' is no reason code of any surface that is known"],
        ),
        ('soak = "60m"', 'soak = "20m"', []),
        (
            'soak = "60m"',
            'soak = "19m"',
            ["phases[2].soak: holds under 4 cycle intervals of 5 min: too few to tell work_adv"],
        ),
        ('soak = "60m"', 'soak = "5m"', ["phases[2].soak: holds under 4 cycle intervals"]),
        (
            'soak = "60m"',
            'soak = "299s"',
            ["phases[2].soak: is shorter than the cycle interval, 5 min: one cycle serves it"],
        ),
        (
            'soak = "30m"',
            'soak = "0s"',
            ["phases[1].soak: is 0: rollout_gate and what else needs cycles"],
        ),
        (
            'soak = "60m"',
            'soak = "0s"',
            ["phases[2].soak: is 0: "],
        ),
        (
            "canary_percent = 100",
            "canary_percent = 99",
            ["phases[4].canary_percent: the rollout is complete at 99 %: 100 is never reached"],
        ),
        (
            "canary_percent = 50",
            "canary_percent = 25",
            ["phases[3].canary_percent: is that of canary-2: nobody more gets the release"],
        ),
        (
            'gates_of = "canary-2"',
            'gates_of = "canary-1"',
            [
                "phases[3].gates_of: command_runs_recorded, wake_word_detected, turns_handled",
            ],
        ),
        (
            '{ kind = "target_recorded", name = "rollback_target" }',
            '{ kind = "timeline_ok", name = "early" }',
            ["phases[0].gates[1]: early is never judged here: cycles count from canary-1 on"],
        ),
        (
            '{ kind = "checklist_complete", name = "signoff_checklist" }',
            '{ kind = "report_passes", name = "again" }',
            ["phases[4].gates[0]: again stops nobody here: only before canary-1 does a report"],
        ),
        (
            '{ surface = "voice", codes = ["turns_handled"] }',
            '{ surface = "voise", codes = ["turns_handled"] }',
            ["phases[1].gates[8].surfaces: 'voise' is no surface that is known"],
        ),
        (
            '{ surface = "voice", codes = ["turns_handled"] }',
            '{ surface = "voice", codes = ["turns_taken"] }',
            ["phases[1].gates[8]: 'turns_taken' is no reason code of voice"],
        ),
        # A bound that no cycle reaches: more cases than one has, a streak longer than the soaks.
        ('"queue_depth", at_most = 1 ', '"queue_depth", at_most = 99999 ', []),
        (
            '"queue_depth", at_most = 1 ',
            '"queue_depth", at_most = 100000 ',
            ["phases[1].gates[4]: queue_depth has a bound at which nothing can break it"],
        ),
        ("at_least = 3", "at_least = 334", []),
        (
            "at_least = 3",
            "at_least = 335",
            ["triggers[1]: failure_streak_breach has a bound at which nothing can fire it"],
        ),
        (
            "consecutive = 2",
            "consecutive = 336",
            ["triggers[0]: health_regression has a bound at which nothing can fire it"],
        ),
        # A gate and a trigger on the same signal, at the boundary.
        ('"failure_streak", equals = 0', '"failure_streak", at_most = 2', []),
        (
            '"failure_streak", equals = 0',
            '"failure_streak", at_most = 3',
            ["phases[1].gates[2]: failure_streak lets failure_streak = 3 pass, at which the "],
        ),
        (
            '"failure_streak", equals = 0',
            '"failure_streak", equals = 3',
            ["phases[1].gates[2]: failure_streak lets failure_streak = 3 pass, at which the "],
        ),
        (
            '"failure_streak", equals = 0',
            '"failure_streak", at_least = 1',
            ["phases[1].gates[2]: failure_streak holds only in a cycle that is bad"],
        ),
        (
            '"last_cycle_failed", equals = 0',
            '"last_cycle_failed", equals = 1',
            ["phases[1].gates[3]: last_cycle_failed holds only in a cycle that is bad"],
        ),
        (
            '{ kind = "report_passes", name = "validation_report", report = "validation" },',
            "",
            ["phases[0].gates: none wants a validation report before canary-1"],
        ),
        (
            'cycle_interval = "5m"',
            'cycle_interval = "999ms"',
            ["cycle_interval: is 999 ms: no runtime runs so often, and gaps restart each soak"],
        ),
        ('cycle_interval = "5m"', 'cycle_interval = "1s"', []),
        (
            '"failure_streak", equals = 0',
            '"failure_streak", at_least = 3',
            ["phases[1].gates[2]: failure_streak lets failure_streak = 3 pass, at which the "],
        ),
        (
            'equals = "healthy"',
            'equals = "degraded"',
            ["phases[1].gates[1]: health_state lets health_state = degraded pass, at which "],
        ),
        (
            LAST_HEADING,
            TRIGGER + 'signal = "backlog_cases"\none_of = [0, 7]\n# ',
            ["phases[1].gates[4]: queue_depth lets queue_depth = 0 pass, at which the trigger "],
        ),
        (LAST_HEADING, TRIGGER + 'signal = "queue_depth"\none_of = [7]\n# ', []),
        (
            LAST_HEADING,
            TRIGGER + 'signal = "queue_depth"\nat_least = 1\nsurfaces = ["voice"]\n# ',
            ["phases[1].gates[4]: queue_depth lets queue_depth = 1 pass, at which the trigger "],
        ),
    ],
)
def test_a_slip_is_found_at_its_place(old: str, new: str, findings: list[str]) -> None:
    """What is valid but probably a mistake is told with where it stands, and nothing else is."""
    text = built_in_policy_text()
    assert old in text
    policy = parse_policy(text.replace(old, new, 1).encode(), source="policy.toml")
    told = [f"{finding.place}: {finding.problem}" for finding in lint(policy)]
    assert len(told) == len(findings), told
    for line, expected in zip(told, findings, strict=True):
        assert line.startswith(expected)


def test_a_surface_of_ones_own_can_be_named() -> None:
    """A rollout may have surfaces that we do not know, with reason codes that we do not know."""
    text = built_in_policy_text().replace(
        'surfaces = ["voice"], code = "turns_handled"', 'surfaces = ["pager"], code = "paged"'
    )
    policy = parse_policy(text.encode(), source="policy.toml")
    assert [finding.place for finding in lint(policy)] == ["phases[2].gates[2].surfaces"]
    assert lint(policy, surfaces=["pager"]) == ()


def test_an_interval_of_days_is_told() -> None:
    """A runtime that stopped would not show for days, and no soak has a few cycles."""
    policy = load_policy(None)
    found = lint(policy, cycle_interval_ms=24 * 60 * 60 * 1000)
    assert [one.place for one in found] == [
        "cycle_interval",
        *(f"phases[{number}].soak" for number in (1, 2, 3, 4)),
    ]
    assert "would not show for days" in found[0].problem
    assert {one.place for one in lint(policy, cycle_interval_ms=24 * 60 * 60 * 1000 - 1)} == {
        f"phases[{number}].soak" for number in (1, 2, 3)
    } | {"phases[4].soak"}


@pytest.mark.parametrize(("surfaces", "found"), [((), 1), (("voice",), 0), (("voice", "mine"), 1)])
def test_a_surface_that_no_gate_of_single_cycles_is_for_is_told(
    surfaces: tuple[str, ...], found: int
) -> None:
    """A canary that nothing of a cycle can break is no canary; of no surface, the default one."""
    text = built_in_policy_text()
    start = text.index("[[phases]]", text.index("canary-1") - 30)
    end = text.index('{ kind = "timeline_ok"')
    gates = text[start:end].replace("{ kind", '{ surfaces = ["voice"], kind')
    text = text[:start] + gates + text[end:]
    told = lint(parse_policy(text.encode(), source="policy.toml"), surfaces=surfaces)
    about = [one for one in told if "judges single cycles" in one.problem]
    missing = surfaces[-1] if surfaces else "custom-command"
    assert [one.place for one in about] == [f"phases[{n}].gates" for n in (1, 2, 3, 4)] * found
    assert all(missing in one.problem for one in about)


PREFLIGHT = """
schema_version = 1
name = "mine"
cycle_interval = "5m"
[[phases]]
name = "preflight"
canary_percent = 0
soak = "0s"
gates = [{ kind = "report_passes", name = "report" }]
[[phases]]
name = "canary"
canary_percent = 100
soak = "30m"
"""
HEALTHY = '{ kind = "signal", name = "health", signal = "health_state", equals = "healthy" }'
NOT_MALFORMED = '{ kind = "signal", name = "m", signal = "malformed_cases", at_most = 0 }'
SHORT = '{ kind = "signal", name = "queue", signal = "queue_depth", at_most = 0 }'
IDLE_AT_WORK = (
    '{ kind = "work_advances", name = "work", work = [{ surface = "custom-command", codes = '
    '["healthy_cycle"], counters = ["duplicate_skips", "backlog_cases"] }] }'
)
AT_WORK = '{ kind = "work_advances", name = "work" }'


@pytest.mark.parametrize(
    ("gates", "trigger", "told"),
    [
        ([HEALTHY, NOT_MALFORMED, AT_WORK], 'signal = "failure_streak"\nat_least = 3', []),
        (
            [SHORT, AT_WORK],
            'signal = "failure_streak"\nat_least = 3',
            [
                "a cycle of custom-command with a failed case; no trigger fires",
                "a cycle of custom-command with malformed input; no trigger fires",
            ],
        ),
        ([SHORT, NOT_MALFORMED, AT_WORK], 'signal = "failed_cases"\nat_least = 1', []),
        (
            [HEALTHY, NOT_MALFORMED, AT_WORK],
            'signal = "failure_streak"\nat_least = 4',
            ["none fires at three cycles of custom-command in a row with a failed case"],
        ),
        (
            [HEALTHY, NOT_MALFORMED, AT_WORK],
            'signal = "failure_streak"\nat_least = 3\nsurfaces = ["voice"]',
            ["none fires at three cycles of custom-command in a row with a failed case"],
        ),
        (
            [HEALTHY, NOT_MALFORMED, SHORT],
            'signal = "failure_streak"\nat_least = 3',
            [
                "for work: cycles that do nothing serve the soak",
                "for work: cycles that only skip what was done before serve the soak",
            ],
        ),
        (
            [
                HEALTHY,
                NOT_MALFORMED,
                IDLE_AT_WORK,
            ],
            'signal = "failure_streak"\nat_least = 3',
            ["do nothing serve the", "skip what was done before serve the", "leave cases over"],
        ),
        (
            [
                HEALTHY,
                NOT_MALFORMED,
                '{ kind = "signal", name = "a", signal = "applied_cases", at_least = 1 }',
            ],
            'signal = "failure_streak"\nat_least = 3',
            [],
        ),
    ],
)
def test_what_lets_a_bad_or_idle_canary_pass_is_told(
    gates: list[str], trigger: str, told: list[str]
) -> None:
    """Tried on cycles that failed, were malformed or did no work; on rows of them for triggers."""
    text = f"{PREFLIGHT}gates = [{', '.join(gates)}]\n{TRIGGER}{trigger}\n"
    found = [one.problem for one in lint(parse_policy(text.encode(), source="policy.toml"))]
    assert len(found) == len(told), found
    assert all(words in line for words, line in zip(told, found, strict=True)), found


def test_a_policy_without_triggers_is_told() -> None:
    """Nothing would ever roll back."""
    text = built_in_policy_text()
    policy = parse_policy(text[: text.index("[[triggers]]")].encode(), source="policy.toml")
    assert [finding.place for finding in lint(policy)] == ["triggers"]


def test_gates_for_different_surfaces_do_not_meet() -> None:
    """A gate of one surface and a trigger of another are no contradiction."""
    text = built_in_policy_text().replace(
        '"queue_depth", at_most = 1', '"queue_depth", at_most = 1, surfaces = ["memory"]'
    )
    trigger = TRIGGER + 'signal = "queue_depth"\nat_least = 1\nsurfaces = ["voice"]\n'
    assert lint(parse_policy((text + trigger).encode(), source="policy.toml")) == ()


def test_numbered_phases_out_of_order_are_told() -> None:
    """Two phases of one name and falling numbers were probably swapped."""
    text = built_in_policy_text().replace('"canary-3"', '"canary-0"')
    findings = lint(parse_policy(text.encode(), source="policy.toml"))
    assert [(one.place, one.problem) for one in findings] == [
        ("phases[3].name", "canary-0 stands after canary-2: is the order meant?")
    ]
