"""The unit tests of policies: what a case says, and that a case can fail."""

import json
from pathlib import Path

import pytest
from junitparser import JUnitXml
from typer.testing import CliRunner, Result

from tau_rollout_gate.cli.app import app
from tau_rollout_gate.files.policy import built_in_policy_text
from tau_rollout_gate.formats.layout import Look
from tau_rollout_gate.formats.simulation.cases import outcomes_text
from tau_rollout_gate.services.test_policy import run_cases

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = ROOT / "fixtures/policy-tests/default-policy.toml"


def run(*arguments: object) -> Result:
    """Run `policy test`."""
    return CliRunner().invoke(app, ["policy", "test", *map(str, arguments)])


def file_with(folder: Path, cases: str, policy: str = "built-in") -> Path:
    """Return a file of cases."""
    path = folder / "cases.toml"
    path.write_text(f'policy = "{policy}"\n{cases}')
    return path


def case(body: str, expect: str = 'verdict = "hold"') -> str:
    """Return one case."""
    return f'[[cases]]\nname = "tried"\n{body}\nexpect = {{ {expect} }}\n'


def failed_cases(folder: Path, *changes: tuple[str, str]) -> list[str]:
    """Return which of the shipped cases fail under the built-in policy with some text replaced."""
    text = built_in_policy_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "policy.toml").write_text(text)
    cases = SHIPPED.read_text("utf-8").replace('policy = "built-in"', 'policy = "policy.toml"')
    (folder / "cases.toml").write_text(cases)
    (tested,) = run_cases([folder / "cases.toml"])
    return [one.case.name for one in tested.outcomes if not one.is_passed]


def test_the_shipped_cases_pass() -> None:
    """The built-in policy is what its cases say, and the runbook names them."""
    done = run(SHIPPED)
    assert done.exit_code == 0, done.stdout
    count = SHIPPED.read_text("utf-8").count("[[cases]]")
    assert done.stdout.endswith(f"\n{count} of {count} passed\n")
    assert SHIPPED.relative_to(ROOT).as_posix() in (
        ROOT / "runbooks/rollout-gate-ops.md"
    ).read_text("utf-8")


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("at_most = 1", "at_most = 2"), "canary-1: two are one that grows"),
        (("at_most = 1", "at_most = 0"), "canary-1: one case left over is a queue that works"),
        (('soak = "30m"', 'soak = "1800001ms"'), "canary-1: 30 minutes exactly are enough"),
        (('soak = "30m"', 'soak = "1799999ms"'), "canary-1: a millisecond less is not"),
        (('cycle_interval = "5m"', 'cycle_interval = "301s"'), "canary-1: and a millisecond"),
        (("consecutive = 2", "consecutive = 3"), "two neighbours across a phase boundary, too"),
        (("consecutive = 2", "consecutive = 1"), "a streak of two is none of three"),
        (("at_least = 3", "at_least = 4"), "a streak of three rolls back at once"),
        (
            ('counters = ["retry_attempts", ', 'counters = ["duplicate_skips", '),
            "canary-3: one more is",
        ),
        (('soak = "24h"', 'soak = "23h"'), "general availability: a cycle less"),
    ],
)
def test_a_policy_that_is_a_little_different_fails_them(
    change: tuple[str, str], expected: str, tmp_path: Path
) -> None:
    """At every boundary there is a case that notices."""
    assert expected in failed_cases(tmp_path, change)


def test_a_failed_case_says_what_was_expected_and_why_it_is_not_so(tmp_path: Path) -> None:
    """Each thing that differs has a line, and the answer's reasons follow; exit 3."""
    cases = case(
        'history = [{ count = 5, every = "5m" }, { after = "5m", queue_depth = 2 }]',
        'verdict = "promote", held_by = [], fired = ["x"], next_phase = "y", earliest = "90m"',
    )
    path = file_with(tmp_path, cases)
    done = run(path)
    assert done.exit_code == 3
    label = " " * 10
    soak = "soak: 0 s, to begin anew with a clean cycle: queue_depth broke in one cycle;"
    depth = "backlog_cases = 2 (queue_depth); required:"
    assert done.stdout.splitlines() == [
        f"{path}  policy built-in",
        "  ✗ FAIL  tried",
        f"{label}verdict     expected promote; observed hold",
        f"{label}held_by     expected none; observed queue_depth, soak",
        f"{label}fired       expected x; observed none",
        f"{label}next_phase  expected y; observed canary-2",
        f"{label}earliest    expected 90m; observed none",
        f"{label}why         custom-command: queue_depth: {depth}",
        f"{label}            queue_depth <= 1",
        f"{label}why         {soak}",
        f"{label}            required: at least 30 min of clean cycles without a gap",
        "",
        "0 of 1 passed",
    ]
    coloured = outcomes_text(run_cases([path]), look=Look(is_coloured=True))
    assert "\x1b[1;31m✗ FAIL\x1b[0m  tried" in coloured


def test_the_other_formats_say_the_same(tmp_path: Path) -> None:
    """JUnit as an independent parser reads it, and JSON, of several files."""
    path = file_with(tmp_path, case("", 'verdict = "complete"'))
    junit = run(SHIPPED, path, "--format", "junit")
    assert junit.exit_code == 3
    shipped, other = list(JUnitXml.fromstring(junit.stdout.encode()))
    assert (shipped.name, shipped.failures) == (str(SHIPPED), 0)
    (found,) = list(other)
    assert (other.tests, found.name) == (1, "tried")
    assert found.result[0].message == "verdict: expected complete; observed hold"
    as_json = json.loads(run(SHIPPED, path, "--format", "json").stdout)["files"]
    assert all(one["passed"] for one in as_json[0]["cases"])
    assert as_json[1]["cases"][0]["mismatches"] == [
        {"what": "verdict", "expected": "complete", "observed": "hold"}
    ]


def test_what_follows_from_the_numbers_may_be_given(tmp_path: Path) -> None:
    """Health, codes and streak are derived unless they are told; a streak goes on from there."""
    given = """
      { after = "5m", failure_streak = 1, health_state = "degraded" },
      { after = "5m", reason_codes = ["timeout_failures_observed"] },
    """
    cases = case(f"history = [{given}]", 'verdict = "hold", fired = []').replace(
        "name =", 'phase = "canary-3"\nsurface = "browser-automation"\nname ='
    )
    (tested,) = run_cases([file_with(tmp_path, cases)])
    statuses = {one.name: one.status for one in tested.outcomes[0].answer.gates}
    assert statuses["no_hard_failure"] == "fail"
    streak = case(
        'history = [{ after = "5m", failure_streak = 1 }, { after = "5m", failed_cases = 1 }]'
    )
    (tested,) = run_cases([file_with(tmp_path, streak)])
    fired = {one.name: one.observed for one in tested.outcomes[0].answer.triggers}
    assert fired["failure_streak_breach"] == "failure_streak = 2"


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        ("cases = []", "cases: "),
        ("x = ", "not TOML"),
        (case("") + case(""), "cases[1].name: is that of an earlier case"),
        (
            case('phase = "canary-9"'),
            "cases[0].phase: the policy has the phases preflight, canary-1",
        ),
        (
            case('phase = "preflight"\nhistory = [{ after = "1m" }]'),
            "cases[0]: no cycle is judged in preflight",
        ),
        (case("", 'verdict = "yes"'), "cases[0].expect.verdict: "),
        (
            case("", 'verdict = "hold", earliest = "soon"'),
            "cases[0].expect.earliest: 'soon' is not",
        ),
        (case("at = 31"), "cases[0].at: must be a duration in quotes"),
        (case('cycle_interval = "0s"'), "cases[0].cycle_interval: "),
        (case("history = [3]"), "cases[0].history[0]: "),
        (case("history = [{ count = 2 }]"), "history[0]: needs exactly one of every and after"),
        (
            case('history = [{ every = "1m", after = "1m" }]'),
            "history[0]: needs exactly one of every and after",
        ),
        (case('history = [{ count = 2, after = "1m" }]'), "history[0]: after is of one cycle"),
        ("cases = 3\n", "cases: must be an array (found 3)"),
        ("cases = [3]\n", "cases[0]: must be an object (found 3)"),
        (case("history = 3"), "cases[0].history: must be an array (found 3)"),
        (case("history = [3]"), "cases[0].history[0]: must be an object (found 3)"),
        (case('history = [{ after = "1m", queue_dept = 2 }]'), "cases[0].history[0].queue_dept: "),
        (
            case('history = [{ after = "1m", queue_depth = true }]'),
            "cases[0].history[0].backlog_cases: ",
        ),
        (
            case('history = [{ after = "1m", queue_depth = 2, backlog_cases = 2 }]'),
            "history[0].backlog_cases: is given twice",
        ),
        (case("history = [{ counters = {} }]"), "history[0].counters: is not a known key"),
        (
            case('history = [{ count = 9000, every = "1m" }, { count = 9000, every = "1m" }]'),
            "cases[0]: has more than 10000 cycles",
        ),
        (
            case('before = [{ after = "1m" }, { after = "1m", health_state = "failing" }]'),
            "cases[0].before[1]: health_state: failing, but",
        ),
        (
            case('history = [{ after = "1m", reason_codes = ["case_processing_failed"] }]'),
            "cases[0].history[0]: reason_codes: case_processing_failed does not fit",
        ),
    ],
)
def test_a_file_that_cannot_be_used(cases: str, message: str, tmp_path: Path) -> None:
    """It exits with 5, and names the file and the place in it."""
    path = file_with(tmp_path, cases)
    done = run(path)
    assert done.exit_code == 5
    assert message in done.stderr
    assert done.stderr.startswith(f"error: {path}: ")
    assert done.stdout == ""


def test_a_file_that_cannot_be_used_behind_one_that_can(tmp_path: Path) -> None:
    """Half an answer is none: nothing is printed of the first."""
    path = file_with(tmp_path, "cases = []")
    done = run(SHIPPED, path)
    assert (done.exit_code, done.stdout) == (5, "")
    assert done.stderr.startswith(f"error: {path}: ")


def test_a_policy_that_is_not_there(tmp_path: Path) -> None:
    """A relative name starts from the folder of the cases."""
    done = run(file_with(tmp_path, case(""), policy="none.toml"))
    assert done.exit_code == 5
    assert str(tmp_path / "none.toml") in done.stderr
    assert run(tmp_path / "no-cases.toml").exit_code == 5
