"""What the runtime leaves, by processes, held against the schemas and against closed ones."""

import json
import stat
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.contract.running import (
    CONTRACTS,
    closed,
    errors_of,
    execute_runs,
    run_fixture,
    schema_of,
    start,
    state_files,
    values_in,
)

KEYS_OF_A_BROWSER = {"executed_cases", "artifact_records", "timeline"}

# What the runtime must write beyond what is required of every writer.
CHAINED = {
    "state": {"processed_case_keys", "failed_case_keys", "commands", "last_cycle"},
    "event": set(schema_of("event")["properties"]) - KEYS_OF_A_BROWSER - {"release"},  # if told
}
NAMES = ["drain-node", "disk-usage", "é-usage", "registry", "7up", "../up", ""]
TEMPLATES = ["df {{path}}", "systemctl restart {{unit}}", "df | sort", "", "echo '{{x}}", "é\n"]
POLICIES: list[dict[str, Any]] = [
    {},
    {"schema_version": 1, "allow_shell": True, "allowed_env": ["path"]},
    {"sandbox_profile": "workspace_write", "denied_env": ["unit"]},
]
EXPECTATIONS: list[dict[str, Any]] = [
    {"outcome": "success", "status_code": 200},
    {"outcome": "success", "status_code": 201},
    {"outcome": "success", "status_code": 200, "response_body": {"status": "accepted", "x": 1.5}},
    *(
        {"outcome": outcome, "status_code": status, "error_code": f"custom_command_{code}"}
        for outcome, status, code in (
            ("malformed_input", 400, "invalid_name"),
            ("malformed_input", 400, "invalid_operation"),
            ("malformed_input", 403, "policy_denied"),
            ("malformed_input", 404, "invalid_name"),
            ("malformed_input", 422, "invalid_template"),
            ("retryable_failure", 503, "backend_unavailable"),
        )
    ),
]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(st.sampled_from(["path", "unit", "x"]) | TEXT, JSON, max_size=3)


@st.composite
def fixtures(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a fixture that loads: any cases, with expectations that hold or do not."""
    cases: list[dict[str, Any]] = []
    for number in range(draw(st.integers(20, 60))):
        expected = draw(st.sampled_from(EXPECTATIONS))
        operations = ["CREATE", "CREATE", "UPDATE", "run", "RUN", "DELETE", "LIST"]
        if expected["outcome"] == "malformed_input":
            operations += ["RESTART", "ŁIST"]
        case = {
            "schema_version": 1,
            "case_id": f"{number:02d}{draw(TEXT)}",
            "operation": draw(st.sampled_from(operations)),
            "command_name": draw(st.sampled_from(NAMES)),
            "template": draw(st.sampled_from(TEMPLATES)),
            "arguments": draw(ARGUMENTS),
            "simulate_retryable_failure": draw(st.integers(0, 9)) == 0,
            "expected": expected,
        }
        if draw(st.booleans()) and expected["outcome"] != "success":
            case["execution_policy"] = draw(st.sampled_from(POLICIES))
        cases.append(case)
    return {"schema_version": 1, "name": f"drawn{draw(TEXT)}", "cases": cases}


@cache
def validators(form: str) -> tuple[Draft202012Validator, Draft202012Validator]:
    """Return what holds a value against the schema of `form`, as published and closed."""
    schema = schema_of(form)
    return Draft202012Validator(schema), Draft202012Validator(closed(schema))


def violations(state_dir: Path) -> list[str]:
    """Return what in a state directory breaks the contract: its forms, its keys, its bytes."""
    found: list[str] = []
    for form, path in state_files(state_dir):
        if not path.read_bytes().endswith(b"\n"):
            found.append(f"{path.name}: the last line has no line break")
        for value in values_in(path):
            found += [
                f"{path.name}: {error}"
                for validator in validators(form)
                for error in errors_of(validator, value)
            ]
            found += [
                f"{path.name}: {key} is missing" for key in CHAINED.get(form, set()) - value.keys()
            ]
    return found


def modes(state_dir: Path) -> set[tuple[bool, int]]:
    """Return the modes of a state directory and of all that is in it, and if of a folder."""
    found = ((path.is_dir(), path.stat().st_mode) for path in (state_dir, *state_dir.rglob("*")))
    return {(is_folder, stat.S_IMODE(mode)) for is_folder, mode in found}


def test_closed_schemas_notice_a_key_they_lack() -> None:
    """The check that a writer writes no unknown key can fail, on every level of a state."""
    as_published, without_more = validators("state")
    sample = schema_of("state")
    assert as_published.schema == sample != without_more.schema
    path = CONTRACTS.parent / "state-contract/v1/valid/state/unknown-keys-on-every-level.json"
    (state,) = values_in(path)
    assert errors_of(as_published, state) == []
    refused = [error.json_path for error in without_more.iter_errors(state)]
    assert sorted(refused) == ["$", "$.commands[0]", "$.health", "$.last_cycle"]


def test_the_output_conforms(state_dir: Path) -> None:
    """All that the runtime leaves after good, mixed, drifted and partial cycles conforms."""
    assert violations(state_dir) == []
    assert {form for form, _ in state_files(state_dir)} == {
        "state",
        "event",
        "channel",
        "channel-log",
        "context",
    }


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(fixture=fixtures())
def test_the_output_of_any_fixture_conforms(
    tmp_path_factory: pytest.TempPathFactory, fixture: dict[str, Any]
) -> None:
    """Whatever the cases, and over several cycles, the runtime writes only what the schemas say."""
    folder = tmp_path_factory.mktemp("drawn")
    path, state_dir = folder / "fixture.json", folder / "state"
    path.write_text(json.dumps(fixture), encoding="utf-8")
    for options in (["--queue-limit=15"], ["--retry-max-attempts=2"], ["--case-suffix=-ü"]):
        ended, _ = run_fixture(path, state_dir, *options)
        assert ended.exit_code == (3 if "  drifted  " in ended.stderr else 0), ended
        assert violations(state_dir) == []


@pytest.mark.parametrize("umask", [0o000, 0o277])
def test_only_the_owner_can_read_what_is_left(umask: int, tmp_path: Path) -> None:
    """Folders are 0700 and files 0600 whatever the umask, the folders made on the way included."""
    state_dir = tmp_path / "made" / "state"
    ended = start("run", CONTRACTS / "rollout-pass.json", "--state-dir", state_dir, umask=umask)
    assert ended.exit_code == 0, ended
    assert modes(tmp_path / "made") == {(True, 0o700), (False, 0o600)}


def test_the_output_of_executed_runs_conforms(tmp_path: Path) -> None:
    """However they end, and whatever they write: audits, artifacts and the records of commands."""
    state_dir = execute_runs(tmp_path)
    assert violations(state_dir) == []
    assert {form for form, _ in state_files(state_dir)} >= {"artifact-index", "channel-log"}
