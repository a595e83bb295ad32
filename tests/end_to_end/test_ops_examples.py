"""What runbooks/custom-command-ops.md shows of the runtime's answers is what it answers.

`…` stands there for what differs from machine to machine.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.contract.running import ROOT
from tests.custom_command.execution.sandboxes import needs_bubblewrap
from tests.custom_command.running import Command

RUNBOOK = ROOT.joinpath("runbooks/custom-command-ops.md").read_text()
STATE = ("--state-dir", ".tau/greet")


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Return the runtime, after the runbook's first run."""
    found = Command(tmp_path)
    assert found("new", "greet.toml").code == 0
    assert found("run", "greet.toml", *STATE).code == 0
    return found


def is_shown(answer: str) -> bool:
    """Tell whether a block of the runbook is this answer."""
    blocks = re.findall(r"^```text\n(.*?)^```", RUNBOOK, re.MULTILINE | re.DOTALL)
    patterns = (re.escape(block).replace("…", ".*") for block in blocks)
    return any(re.fullmatch(pattern, answer) for pattern in patterns)


def case(case_id: str, operation: str, name: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a case of a fixture."""
    return {"case_id": case_id, "operation": operation, "command_name": name, **more}


def write(command: Command, name: str, *cases: dict[str, Any]) -> None:
    """Write a fixture."""
    fixture = {"schema_version": 1, "name": "x", "cases": cases}
    (command.folder / name).write_text(json.dumps(fixture))


def test_the_problems_of_a_fixture(command: Command) -> None:
    """Each by its case and its field, then how many."""
    expected = {"outcome": "success", "status_code": 0}
    write(command, "deploy.json", case("030-run", "RUN", "a", argumets={}, expected=expected))
    assert is_shown(command("validate", "deploy.json").out)


def test_a_cycle_in_which_not_all_is_well(command: Command) -> None:
    """A line a case that was not plainly applied, what was done, and what to do."""
    rejected = {
        "outcome": "malformed_input",
        "status_code": 404,
        "error_code": "custom_command_invalid_name",
    }
    write(
        command,
        "deploy.json",
        case("030-run-greet", "RUN", "greet", arguments={"who": "all"}),
        case("040-run-greet", "RUN", "greet", arguments={"whom": "all"}),
        case("050-run-none", "RUN", "none", expected=rejected),
    )
    policy = {"allowed_env": ["who"]}
    fixture = json.loads((command.folder / "deploy.json").read_text())
    for each in fixture["cases"][:2]:
        each["execution_policy"] = policy
    (command.folder / "deploy.json").write_text(json.dumps(fixture))
    done = command("run", "deploy.json", *STATE)
    assert (done.code, is_shown(done.out)) == (3, True), done.out


def test_what_an_approval_covers(command: Command) -> None:
    """Of the starter's command."""
    done = command("approve", "greet", "--by", "alice", "--expires", "30d", *STATE)
    assert is_shown(done.out), done.out


@needs_bubblewrap
def test_what_a_fixture_would_have_to_expect(command: Command) -> None:
    """Where it expects what its RUN does not write."""
    path = command.folder / "greet.toml"
    path.write_text(path.read_text().replace('equals = "hello, world"', 'equals = "hello"'))
    executing = ("--run-mode", "execute", "--fresh", "--no-policy-require-approval")
    assert command("run", "greet.toml", *STATE, *executing).code == 3
    done = command("accept", "greet.toml", *STATE)
    assert (done.code, is_shown(done.out)) == (3, True), done.out


def test_how_a_state_and_a_channel_are_mended(command: Command) -> None:
    """What would be done, and that nothing was."""
    state_dir = command.folder / ".tau/greet"
    log = state_dir / "channel-store/custom-command/greet/log.jsonl"
    log.write_text("no JSON\n" + log.read_text())
    done = command("channels", "repair", *STATE)
    assert (done.code, is_shown(done.out)) == (3, True), done.out
    (state_dir / "state.json").write_text("broken")
    done = command("recover", *STATE)
    assert (done.code, is_shown(done.out)) == (3, True), done.out
