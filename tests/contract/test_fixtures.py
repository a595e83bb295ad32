"""The fixtures to run do what fixtures/contracts/README.md says of them."""

from pathlib import Path
from typing import Any

import pytest

from tests.contract.running import CONTRACTS, ROOT, run_fixture, start, strictly

INVALID = CONTRACTS / "invalid"
COUNTERS = {
    "discovered_cases",
    "queued_cases",
    "applied_cases",
    "duplicate_skips",
    "malformed_cases",
    "unexpected_malformed_cases",
    "retryable_failures",
    "retry_attempts",
    "failed_cases",
    "upserted_commands",
    "deleted_commands",
    "executed_runs",
    "run_timeout_failures",
    "run_non_zero_exit_failures",
    "run_spawn_failures",
    "run_missing_command_failures",
    "backlog_cases",
}

CREATE = "010-create-disk-usage"
RUN = "020-run-disk-usage"
# The case and the field that a refusal names; a file that is not JSON has neither.
REFUSALS: dict[str, tuple[str | None, str | None]] = {
    "blank-case-id": (None, "cases[1].case_id"),
    "blank-fixture-name": (None, "name"),
    "blank-operation": (RUN, "operation"),
    "capture-pointer-is-none": ("020-run-service-version", "capture.version.pointer"),
    "capture-runs-later": ("018-run-download", "command_name"),
    "case-other-schema-version": (RUN, "schema_version"),
    "check-of-another-operation": ("010-create-service-version", "expected.stdout"),
    "check-pattern-does-not-compile": ("020-run-service-version", "expected.stdout.matches"),
    "create-breaks-own-policy": (CREATE, "template"),
    "cut-off": (None, None),
    "failure-without-error-code": (RUN, "expected.error_code"),
    "missing-status-code": (RUN, "expected.status_code"),
    "no-case": (None, "cases"),
    "number-is-not-json": (None, None),
    "other-schema-version": (None, "schema_version"),
    "policy-bad-env-key": (CREATE, "execution_policy.allowed_env"),
    "policy-key-allowed-and-denied": (CREATE, "execution_policy.allowed_env"),
    "policy-repeated-env-key": (CREATE, "execution_policy.denied_env"),
    "policy-unknown-key": (CREATE, "execution_policy.deny_network"),
    "policy-unknown-profile": (CREATE, "execution_policy.sandbox_profile"),
    "repeated-case-id": (CREATE, "case_id"),
    "repeated-json-key": (None, None),
    "schema-version-true": (None, "schema_version"),
    "spec-name-differs": (CREATE, "command_spec.name"),
    "spec-template-differs": (CREATE, "command_spec.template"),
    "status-code-not-above-zero": (RUN, "expected.status_code"),
    "status-code-with-a-fraction": (RUN, "expected.status_code"),
    "success-with-error-code": (RUN, "expected.error_code"),
    "unknown-error-code": (RUN, "expected.error_code"),
    "unknown-key-in-case": (RUN, "argumnts"),
    "unknown-key-in-header": (None, "descripton"),
    "unsupported-operation": (RUN, "operation"),
    "update-breaks-own-policy": ("020-update-disk-usage", "template"),
}


def documented(fixture: str) -> dict[str, int]:
    """Return the counters above 0 that the README states for a first cycle of `fixture`."""
    text = CONTRACTS.joinpath("README.md").read_text(encoding="utf-8")
    start = (f"| `{fixture}.json` | `", f"| `{fixture}.toml` | `")
    row = next(line for line in text.splitlines() if line.startswith(start))
    stated = row.split("|")[2].strip().strip("`").split()
    return {name: int(value) for name, _, value in (item.partition("=") for item in stated)}


def counters(summary: dict[str, Any]) -> dict[str, int]:
    """Return the counters of a cycle that are above 0."""
    assert set(summary) >= COUNTERS
    return {name: value for name, value in summary.items() if name in COUNTERS and value}


def ended_cases(summary: dict[str, Any]) -> int:
    """Return how many cases a cycle brought to an end."""
    ended = ("applied_cases", "malformed_cases", "failed_cases", "duplicate_skips")
    return sum(int(summary[name]) for name in ended)


@pytest.mark.parametrize(
    ("fixture", "options", "wanted"),
    [
        ("rollout-pass", [], 0),
        ("mixed-outcomes", [], 0),
        ("drift", [], 3),
        ("bulk-1000", ["--queue-limit=1000"], 0),
    ],
)
def test_a_fixture_ends_as_its_readme_says(
    fixture: str, options: list[str], wanted: int, tmp_path: Path
) -> None:
    """A first cycle exits with the code and shows the counters that the README states."""
    ended, summary = run_fixture(CONTRACTS / f"{fixture}.json", tmp_path / "state", *options)
    assert ended.exit_code == wanted
    assert counters(summary) == documented(fixture)
    assert ended_cases(summary) == summary["discovered_cases"]


@pytest.mark.parametrize("fixture", ["rollout-pass", "bulk-1000"])
def test_a_good_fixture_can_be_run_again_over_its_own_state(fixture: str, tmp_path: Path) -> None:
    """A canary processes it cycle after cycle: all duplicates, or all new with a suffix."""
    path, state_dir = CONTRACTS / f"{fixture}.json", tmp_path / "state"
    cases = len(strictly(path.read_bytes())["cases"])
    for options, done, skipped in (
        ([], cases, 0),
        ([], 0, cases),
        (["--case-suffix=-2"], cases, 0),
    ):
        ended, summary = run_fixture(path, state_dir, "--queue-limit=1000", *options)
        assert ended.exit_code == 0
        assert (summary["applied_cases"], summary["duplicate_skips"]) == (done, skipped)


def test_the_rollout_covers_every_operation_and_compares_bodies() -> None:
    """The rollout shows what operators do: every operation, policies, a spec, bodies compared."""
    cases = strictly(CONTRACTS.joinpath("rollout-pass.json").read_bytes())["cases"]
    assert {case["operation"].upper() for case in cases} == {
        "CREATE",
        "UPDATE",
        "DELETE",
        "RUN",
        "LIST",
    }
    assert {case["expected"]["outcome"] for case in cases} == {"success"}
    for key in ("arguments", "execution_policy", "command_spec"):
        assert any(key in case for case in cases), key
    assert sum("response_body" in case["expected"] for case in cases) > len(cases) / 2


def test_the_mixed_fixture_expects_each_row_that_rejects() -> None:
    """Each kind of malformed input is expected somewhere, and a failure of the backend."""
    cases = strictly(CONTRACTS.joinpath("mixed-outcomes.json").read_bytes())["cases"]
    expected = [case["expected"] for case in cases]
    found = {
        (item["outcome"], item["status_code"], item["response_body"]["reason"])
        for item in expected
        if item["outcome"] != "success"
    }
    assert found == {
        ("malformed_input", 400, "invalid_operation"),
        ("malformed_input", 400, "invalid_name"),
        ("malformed_input", 422, "invalid_template"),
        ("malformed_input", 404, "command_not_found"),
        ("malformed_input", 403, "policy_denied"),
        ("retryable_failure", 503, "backend_unavailable"),
    }


def test_what_drifts_changes_nothing_and_the_cycle_goes_on(tmp_path: Path) -> None:
    """Every case that is wrong on purpose fails; every good one is applied, the last included."""
    path, state_dir = CONTRACTS / "drift.json", tmp_path / "state"
    ended, summary = run_fixture(path, state_dir)
    wrong = sum("-wrong-" in case["case_id"] for case in strictly(path.read_bytes())["cases"])
    assert (ended.exit_code, summary["failed_cases"]) == (3, wrong)
    assert summary["applied_cases"] == summary["discovered_cases"] - wrong
    commands = strictly(state_dir.joinpath("state.json").read_bytes())["commands"]
    assert [(record["command_name"], record["run_count"]) for record in commands] == [
        ("disk-usage", 1)
    ]


def test_the_bulk_drains_under_the_default_limit(tmp_path: Path) -> None:
    """A fixture larger than the queue limit is a backlog, not a failure, and it goes down."""
    path, state_dir = CONTRACTS / "bulk-1000.json", tmp_path / "state"
    for left in (936, 872):
        ended, summary = run_fixture(path, state_dir)
        assert (ended.exit_code, summary["backlog_cases"]) == (0, left)


def test_every_kind_of_refusal_has_its_file_and_its_row() -> None:
    """No refused fixture goes untested, and the README names each."""
    names = sorted(path.stem for path in INVALID.glob("*.json"))
    assert names == sorted(REFUSALS)
    readme = CONTRACTS.joinpath("README.md").read_text(encoding="utf-8")
    assert [name for name in names if f"`{name}.json`" not in readme] == []


@pytest.mark.parametrize("name", sorted(REFUSALS))
def test_a_refused_fixture_names_its_one_problem_and_leaves_nothing(
    name: str, tmp_path: Path
) -> None:
    """`validate` shows the one thing that is wrong, `run` the same, and no directory is made."""
    path = INVALID.joinpath(f"{name}.json").relative_to(ROOT)
    state_dir = tmp_path / "state"
    validated = start("validate", ROOT / path, "--json")
    ran = start("run", ROOT / path, "--state-dir", state_dir)

    assert (validated.exit_code, validated.stderr) == (5, "")
    verdict = strictly(validated.stdout.encode())
    assert (verdict["valid"], len(verdict["problems"])) == (False, 1)
    problem = verdict["problems"][0]
    case_id, field = REFUSALS[name]
    assert (problem["case_id"], problem["field"]) == (case_id, field)

    assert (ran.exit_code, ran.stdout) == (5, "")
    where = [str(ROOT / path), None if case_id is None else f"case {case_id!r}", field]
    message = ": ".join(part for part in (*where, problem["message"]) if part)
    assert ran.stderr == f"error: {message}\n"
    assert not state_dir.exists()
