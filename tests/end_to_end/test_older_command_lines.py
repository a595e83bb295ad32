"""`scripts/tau-coding-agent`: the command lines of the older single program go on working.

What they mean today is the runbook's table (custom-command-ops.md, "Older command lines").
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

from tests.contract.running import CONTRACTS, ROOT

SCRIPT = ROOT / "scripts/tau-coding-agent"
RUNBOOK = ROOT / "runbooks/custom-command-ops.md"
RUN = "--custom-command-contract-runner"
STATE_DIR = "--custom-command-state-dir"


def module() -> ModuleType:
    """Load the script, to look at its table."""
    loader = SourceFileLoader("tau_coding_agent", str(SCRIPT))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    loaded = importlib.util.module_from_spec(spec)
    loader.exec_module(loaded)
    return loaded


OLDER = module()


def call(*words: str | Path, cwd: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Call the script as a person would, today's commands being on the PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [SCRIPT, *words],
        cwd=cwd,
        env=os.environ | {"PATH": path} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture(scope="module")
def degraded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a state directory `st` after a cycle with failures."""
    folder = tmp_path_factory.mktemp("older")
    fixture = CONTRACTS / "mixed-outcomes.json"
    done = call(RUN, "--custom-command-fixture", fixture, STATE_DIR, "st", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_run_ends_as_today_s_command_does(tmp_path: Path) -> None:
    """Its options are taken: here, that a cycle takes two cases."""
    options = ("--custom-command-queue-limit=2", "--custom-command-retry-base-delay-ms", "0")
    fixture = CONTRACTS / "rollout-pass.json"
    done = call(RUN, "--custom-command-fixture", fixture, STATE_DIR, "st", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    event = json.loads((tmp_path / "st/runtime-events.jsonl").read_text())
    assert event["queued_cases"] == 2


def test_the_environment_says_the_same(tmp_path: Path) -> None:
    """Each flag has its environment name; a choice on the command line wins."""
    asked = {
        "TAU_CUSTOM_COMMAND_CONTRACT_RUNNER": "true",
        "TAU_CUSTOM_COMMAND_FIXTURE": str(CONTRACTS / "rollout-pass.json"),
        "TAU_CUSTOM_COMMAND_STATE_DIR": "st",
        "TAU_CUSTOM_COMMAND_POLICY_ALLOW_SHELL": "false",
    }
    assert call(cwd=tmp_path, **asked).returncode == 0
    looked = call("--custom-command-status-inspect", cwd=tmp_path, **asked)
    assert (looked.returncode, looked.stderr) == (0, "")
    assert "custom-command" in looked.stdout


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("--transport-health-inspect", "custom-command", STATE_DIR, "st"), "degraded"),
        (("--custom-command-status-inspect", STATE_DIR, "st"), "case_processing_failed"),
    ],
)
def test_a_look_exits_0_and_says_on_stderr_that_the_gate_holds(
    words: tuple[str, ...], shown: str, degraded: Path
) -> None:
    """A hold is an answer, and the older program's exit code was of the answer."""
    done = call(*words, cwd=degraded)
    assert done.returncode == 0
    assert shown in done.stdout
    assert "the gate holds" in done.stderr


def test_the_command_that_says_why_is_told_by_its_path_where_it_is_on_no_path(
    degraded: Path, tmp_path: Path
) -> None:
    """As in a checkout whose commands nobody put on the PATH: what is told can be typed."""
    program = tmp_path / ".venv/bin/tau-transport-health"
    program.parent.mkdir(parents=True)
    program.symlink_to(Path(sys.executable).parent / program.name)
    (tmp_path / "scripts").mkdir()
    script = shutil.copy(SCRIPT, tmp_path / "scripts")
    words = ("--transport-health-inspect", "custom-command", STATE_DIR, degraded / "st")
    done = subprocess.run(
        [sys.executable, script, *words],
        env={"PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    told = f"the gate holds: {program} inspect custom-command --state-dir={degraded}/st says why"
    assert told in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--transport-health-inspect", "custom-command", "--transport-health-json"),
        ("--custom-command-status-inspect", "--custom-command-status-json"),
    ],
)
def test_an_answer_in_json(words: tuple[str, ...], degraded: Path) -> None:
    """Both have a flag of their own for it, and print nothing else."""
    done = call(*words, STATE_DIR, "st", cwd=degraded)
    assert '"health_state": "degraded"' in json.dumps(json.loads(done.stdout))


def test_a_channel_by_the_root_of_its_store(degraded: Path) -> None:
    """The store lies in the state directory, so its folder says which that is."""
    words = ("--channel-store-root", "st/channel-store", "--channel-store-inspect")
    done = call(*words, "custom-command/registry", cwd=degraded)
    assert done.returncode == 0, done.stderr
    assert "list what is left" in done.stdout or "list-what-is-left" in done.stdout


def test_what_cannot_be_answered_fails(tmp_path: Path) -> None:
    """No state is no answer that the gate holds: it is 5, as today."""
    assert call("--custom-command-status-inspect", cwd=tmp_path).returncode == 5


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "asked for: nothing"),
        (("--nope",), "'--nope'"),
        ((RUN,), "--custom-command-fixture"),
        (("--transport-health-inspect",), "needs a value"),
        ((f"{RUN}=perhaps",), "true or false"),
        ((RUN, "--custom-command-status-inspect"), "and --custom-command-status-inspect"),
        (("--channel-store-inspect", "registry"), "TRANSPORT/CHANNEL"),
        (("--channel-store-root", "x", "--channel-store-inspect", "a/b"), "channel-store"),
    ],
)
def test_what_is_not_understood_is_refused(
    words: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    """Usage errors are 2, and say which flag it is."""
    done = call(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("asked", ["--custom-command-status-inspect", RUN])
def test_a_program_that_is_missing_is_told(asked: str, tmp_path: Path) -> None:
    """As in a checkout that was not set up: what is missing, and what to do."""
    copy = tmp_path / "scripts/tau-coding-agent"
    copy.parent.mkdir()
    copy.write_bytes(SCRIPT.read_bytes())
    words: list[str | Path] = [sys.executable, copy, asked, "--custom-command-fixture", "f.json"]
    words = words if asked == RUN else words[:3]
    done = subprocess.run(
        words, env={"PATH": "/nowhere"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 127
    assert "setup.sh" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((), []),
        (("--custom-command-policy-require-approval",), ["--policy-require-approval"]),
        (("--custom-command-policy-allow-shell", "false"), ["--no-policy-allow-shell"]),
        (("--custom-command-policy-allow-network=1",), ["--policy-allow-network"]),
        (
            ("--custom-command-policy-denied-env", "A, B"),
            ["--policy-denied-env=A", "--policy-denied-env=B"],
        ),
        (("--custom-command-run-timeout-ms", "5"), ["--run-timeout-ms=5"]),
    ],
)
def test_policy_and_limits_become_today_s_options(given: tuple[str, ...], words: list[str]) -> None:
    """A flag that was a switch may also be given as true or false."""
    asked = OLDER.given([RUN, "--custom-command-fixture", "f.json", *given], {})
    assert OLDER.command(asked) == ["tau-custom-command", "run", "f.json", *words]


def test_every_option_that_a_flag_became_is_one_of_today() -> None:
    """The commands' own help has each of them."""
    programs = Path(sys.executable).parent
    helps = "".join(
        subprocess.run(
            [programs / program, command, "--help"], capture_output=True, text=True, check=True
        ).stdout
        for program, command in (
            ("tau-custom-command", "run"),
            ("tau-transport-health", "inspect"),
        )
    )
    options = {flag.new for flag in OLDER.FLAGS.values() if flag.new}
    assert options
    assert [option for option in options if f"{option} " not in helps] == []


def test_the_runbook_has_the_table() -> None:
    """Each flag and its environment name stand there, and no other."""
    section = RUNBOOK.read_text().partition("## Older command lines\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(--[a-z-]+)` \| `([A-Z_]+)` \|", section, re.MULTILINE)
    assert dict(rows) == {flag: OLDER.environment_name(flag) for flag in OLDER.FLAGS}


@pytest.mark.parametrize(
    "flag", [flag for flag in OLDER.OF_A_RUN if OLDER.FLAGS[flag].takes_value and flag != STATE_DIR]
)
def test_a_wrong_value_is_told_by_the_flag_that_was_typed(flag: str, tmp_path: Path) -> None:
    """And not by today's name, which nobody typed; nothing is begun."""
    fixture = ("--custom-command-fixture", CONTRACTS / "rollout-pass.json")
    done = call(RUN, *fixture, flag, "no such", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        ("error: Invalid value for '" + flag, f"error: Invalid value for {flag}")
    )
    assert list(tmp_path.iterdir()) == []
