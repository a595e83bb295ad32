"""The demo scripts, as a newcomer runs them; the checks have set up .venv before."""

import itertools
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.custom_command.execution.sandboxes import needs_bubblewrap

REPOSITORY = Path(__file__).parents[2]
DEMOS = REPOSITORY / "scripts" / "demo"


def run_demo(
    *arguments: str | Path,
    directory: Path,
    name: str = "custom-command",
    path: Path | str = "/usr/bin:/bin",
) -> subprocess.CompletedProcess[str]:
    """Run a demo from `directory` with almost no environment; return what it printed."""
    return subprocess.run(
        [DEMOS / f"{name}.sh", *arguments],
        cwd=directory,
        env={"HOME": str(directory), "PATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_step_passes_from_any_directory(tmp_path: Path) -> None:
    """The main job works, says PASS for each step, and shows registry, state and events."""
    ran = run_demo("--state-dir", "my state", directory=tmp_path)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("PASS  ") == 9
    assert "FAIL" not in ran.stdout
    assert ran.stdout.rstrip().endswith(
        f"PASS: 9 of 9 steps passed; state files in {tmp_path / 'my state'}"
    )
    assert "COMMAND" in ran.stdout
    assert '"processed_case_keys"' in ran.stdout
    assert "2 healthy duplicate_cases_skipped" in ran.stdout


def test_a_rollout_from_any_directory(tmp_path: Path) -> None:
    """A release goes to everyone, the next one goes back, and each step says PASS."""
    ran = run_demo("--state-dir", "my state", directory=tmp_path, name="rollout")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("PASS  ") == 18
    assert "FAIL" not in "".join(re.findall(r"^\w+  ", ran.stdout, re.MULTILINE))
    assert ran.stdout.rstrip().endswith(
        f"PASS: 18 of 18 steps passed; state files in {tmp_path / 'my state'}"
    )
    verdicts = re.findall(r"^(PROMOTE|COMPLETE|HOLD|ROLLBACK)  ", ran.stdout, re.MULTILINE)
    assert [verdict for verdict, _ in itertools.groupby(verdicts)] == [
        *("HOLD", "PROMOTE") * 2,
        *("HOLD", "COMPLETE", "PROMOTE", "ROLLBACK"),
    ]
    assert "git revert" in ran.stdout


def test_a_fleet_from_any_directory(tmp_path: Path) -> None:
    """Forty real runtimes: a release goes to all of them, the next one back from its canaries."""
    ran = run_demo("--state-dir", "my state", directory=tmp_path, name="fleet")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "FAIL" not in "".join(re.findall(r"^\w+  ", ran.stdout, re.MULTILINE))
    assert ran.stdout.rstrip().endswith(
        f"PASS: 29 of 29 steps passed; state files in {tmp_path / 'my state'}"
    )
    verdicts = re.findall(r"^(PROMOTE|COMPLETE|HOLD|ROLLBACK)  ", ran.stdout, re.MULTILINE)
    assert [verdict for verdict, _ in itertools.groupby(verdicts)] == [
        *("PROMOTE", "HOLD", "PROMOTE", "COMPLETE", "PROMOTE", "ROLLBACK"),
    ]
    assert "4 of the 4 failed hosts are canaries; 0.92 would be by chance" in ran.stdout
    assert (tmp_path / "my state/page.html").read_text().count("<i title=") == 40


@needs_bubblewrap
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_commands_that_really_run_from_any_directory(tmp_path: Path) -> None:
    """A smoke test is refused, approved and run, drifts, is accepted, and is ended in time."""
    ran = run_demo("--state-dir", "my state", directory=tmp_path, name="execute")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.rstrip().endswith(
        f"PASS: 12 of 12 steps passed; state files in {tmp_path / 'my state'}"
    )
    log = tmp_path / "my state/state/channel-store/custom-command/fetch/log.jsonl"
    lines = [json.loads(line)["payload"].get("run_audit") for line in log.read_text().splitlines()]
    ends = [(run["executed"], run["failure_reason"], run["exit_code"]) for run in lines if run]
    refused, timeout = (False, "approval_required", None), (True, "timeout", 143)
    good = [(True, None, 0)] * 3 + [(True, None, 22)]
    elsewhere = [good[0], good[0], refused, good[3]]
    assert ends == [refused] * 4 + good + elsewhere + good * 2 + [timeout] * 4


@pytest.mark.parametrize(
    ("program", "instead", "said"),
    [
        ("bwrap", None, "apt install bubblewrap"),
        ("bwrap", "/bin/false", "This machine cannot confine commands"),
        pytest.param(
            "curl",
            None,
            "apt install curl",
            marks=pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap"),
        ),
    ],
)
def test_where_commands_cannot_run_the_demo_says_what_it_would_do(
    program: str, instead: str | None, said: str, tmp_path: Path
) -> None:
    """It says how to get what is missing, and that is no failure."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for path in (*Path("/bin").iterdir(), *Path("/usr/bin").iterdir()):
        if path.name != program and not (programs / path.name).is_symlink():
            (programs / path.name).symlink_to(path)
    if instead is not None:
        (programs / program).symlink_to(instead)

    ran = run_demo(directory=tmp_path, name="execute", path=programs)

    assert (ran.returncode, said in ran.stdout) == (0, True), ran.stdout + ran.stderr
    assert "it is refused" in ran.stdout
    told = run_demo("--json", directory=tmp_path, name="execute", path=programs)
    assert (told.returncode, json.loads(told.stdout)) == (0, {"result": "SKIP", "steps": []})


def test_json_is_all_that_stdout_holds(tmp_path: Path) -> None:
    """With --json a program reads the steps and their results from stdout, and nothing else."""
    ran = run_demo("--json", "--state-dir", tmp_path / "state", directory=tmp_path)

    answer = json.loads(ran.stdout)
    assert answer["result"] == "PASS"
    assert [step["result"] for step in answer["steps"]] == ["PASS"] * 9


def test_a_directory_in_use_is_not_touched(tmp_path: Path) -> None:
    """A state directory that holds something is refused, since the demo starts from nothing."""
    (tmp_path / "mine").write_text("kept")

    ran = run_demo("--state-dir", tmp_path, directory=tmp_path)

    assert ran.returncode == 2
    assert "is not empty" in ran.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_failing_step_fails_the_demo(tmp_path: Path) -> None:
    """A step that fails is named, the others still run, and the exit code says so."""
    not_a_directory = tmp_path / "file"
    not_a_directory.touch()

    ran = run_demo("--json", "--state-dir", not_a_directory / "state", directory=tmp_path)

    answer = json.loads(ran.stdout)
    assert ran.returncode == 1
    assert answer["result"] == "FAIL"
    assert {"step": "the fixture is valid", "result": "PASS"} in answer["steps"]
    assert {"step": "a cycle applies every case", "result": "FAIL"} in answer["steps"]


@pytest.mark.parametrize("name", ["custom-command", "execute", "fleet", "rollout"])
def test_help_and_wrong_arguments(name: str, tmp_path: Path) -> None:
    """--help explains a script on stdout; what it does not know is refused with that help."""
    help_text = run_demo("--help", directory=tmp_path, name=name).stdout
    assert help_text.startswith(f"Usage: scripts/demo/{name}.sh ")
    refused = run_demo("--jsn", directory=tmp_path, name=name)
    assert refused.returncode == 2
    assert "unknown argument '--jsn'" in refused.stderr
