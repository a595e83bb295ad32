"""`policy show`, `policy init` and `policy lint`, as a shell sees them."""

import resource
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tau_rollout_gate.cli.app import app
from tau_rollout_gate.files.policy import built_in_policy_text, load_policy
from tau_rollout_gate.policy.gates.no_new_reason_code import NoNewReasonCodeGate
from tau_rollout_gate.policy.gates.signal import SignalGate
from tau_rollout_gate.policy.policy import Policy, parse_policy, policy_digest
from tau_rollout_gate.policy.signals import Signal
from tau_rollout_gate.policy.triggers.new_reason_code import NewReasonCodeTrigger
from tau_rollout_gate.policy.variants import ignore_expected_malformed

BUILT_IN = load_policy(None)


def policy(*arguments: str | Path) -> Result:
    """Run `tau-rollout-gate policy` with some arguments."""
    return CliRunner().invoke(app, ["policy", *map(str, arguments)])


def test_show_prints_the_built_in_policy_with_its_reasons() -> None:
    """What is printed is the policy, comments and all; the digest is told beside it."""
    result = policy("show")
    assert (result.exit_code, result.stdout) == (0, built_in_policy_text())
    assert result.stderr == f"digest {policy_digest(BUILT_IN)}\n"


def test_show_prints_a_named_policy(tmp_path: Path) -> None:
    """What is printed of a file reads back as the file's policy."""
    file = tmp_path / "policy.toml"
    file.write_text(built_in_policy_text().replace("at_most = 1", "at_most = 7"))
    result = policy("show", "--policy", file)
    assert result.exit_code == 0
    assert parse_policy(result.stdout.encode(), source="it") == load_policy(file)
    assert load_policy(file) != BUILT_IN


def test_init_writes_a_copy_that_reads_back_equal(tmp_path: Path) -> None:
    """A copy starts as the built-in policy, digest and all, and lint is content with it."""
    file = tmp_path / "policy.toml"
    result = policy("init", file)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "policy lint" in result.stderr
    assert load_policy(file) == BUILT_IN
    assert policy_digest(load_policy(file)) == policy_digest(BUILT_IN)
    assert policy("lint", file).exit_code == 0


def unexpected(read: Policy) -> tuple[list[str], list[tuple[tuple[str, ...], tuple[Signal, ...]]]]:
    """Return what a policy says of malformed input: its gates, its triggers' codes and counters."""
    gates = [
        gate.required
        for gate in read.gates_in_force("canary-1")
        if isinstance(gate, SignalGate | NoNewReasonCodeGate) and "malformed" in gate.required
    ]
    triggers = [
        (one.codes, one.counters) for one in read.triggers if isinstance(one, NewReasonCodeTrigger)
    ]
    return gates, triggers


def test_init_can_ignore_malformed_input_that_is_expected(tmp_path: Path) -> None:
    """Gate and trigger then read the counter of the unexpected ones, and nothing else changes."""
    file = tmp_path / "policy.toml"
    assert policy("init", file, "--expected-malformed", "ignore").exit_code == 0
    read = load_policy(file)
    assert unexpected(read) == (
        ["unexpected_malformed_cases = 0"],
        [(("case_processing_failed",), (Signal.UNEXPECTED_MALFORMED_CASES,))],
    )
    assert len(read.gates_in_force("canary-1")) == len(BUILT_IN.gates_in_force("canary-1"))
    assert policy("lint", file).exit_code == 0


def test_other_codes_beside_malformed_input_are_kept() -> None:
    """A gate that forbids several codes loses only the one."""
    text = built_in_policy_text().replace(
        'codes = ["malformed_inputs_observed"]',
        'codes = ["retry_attempted", "malformed_inputs_observed"]',
    )
    read = ignore_expected_malformed(parse_policy(text.encode(), source="it"))
    required = [gate.required for gate in read.gates_in_force("canary-1")]
    assert "no new retry_attempted" in required
    assert "unexpected_malformed_cases = 0" in required


@pytest.mark.parametrize("kind", ["file", "dangling link"])
def test_init_overwrites_nothing(tmp_path: Path, kind: str) -> None:
    """A file that is there is left alone: exit 2."""
    file = tmp_path / "policy.toml"
    if kind == "file":
        file.write_text("mine")
    else:
        file.symlink_to(tmp_path / "nowhere")
    result = policy("init", file)
    assert result.exit_code == 2
    assert result.stderr == f"error: {file}: is there already; name a new file, or move it away\n"
    assert list(tmp_path.iterdir()) == [file]
    assert kind == "dangling link" or file.read_text() == "mine"


def test_init_says_why_it_cannot_write(tmp_path: Path) -> None:
    """A folder that is not there is exit 5 with the system's reason, not a traceback."""
    missing = policy("init", tmp_path / "missing" / "policy.toml")
    assert missing.exit_code == 5
    assert "cannot be created: No such file or directory" in missing.stderr


def test_init_leaves_no_half_a_policy(tmp_path: Path) -> None:
    """Where the disk refuses, what was begun is removed, so that the next try may succeed."""
    largest = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, largest[1]))
    try:
        result = policy("init", tmp_path / "policy.toml")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, largest)
        signal.signal(signal.SIGXFSZ, handler)
    assert result.exit_code == 5
    assert list(tmp_path.iterdir()) == []


def test_lint_tells_findings_on_stdout(tmp_path: Path) -> None:
    """Each with file and place: exit 3; the names of one's own surfaces can be given."""
    file = tmp_path / "policy.toml"
    file.write_text(built_in_policy_text().replace('["memory"]', '["pager"]'))
    result = policy("lint", file)
    assert result.exit_code == 3
    assert result.stdout.startswith(f"{file}: phases[2].gates[5].surfaces: 'pager' is no surface")
    assert policy("lint", file, "--surface", "pager=.tau/pager").exit_code == 0


def test_an_unusable_policy_is_exit_5(tmp_path: Path) -> None:
    """Every problem has its line on stderr; a file that is not there is told as such."""
    file = tmp_path / "policy.toml"
    file.write_text(built_in_policy_text().replace('"30m"', "30").replace("at_most", "at_mots"))
    for arguments in (("lint", file), ("show", "--policy", file)):
        result = policy(*arguments)
        assert (result.exit_code, result.stdout) == (5, "")
        assert f"error: {file}: phases[1].soak: must be a duration" in result.stderr
        assert f"error: {file}: phases[1].gates[4].at_mots: is not" in result.stderr
    assert policy("lint", tmp_path / "none.toml").exit_code == 5
