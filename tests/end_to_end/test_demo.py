"""The demo scripts, as a newcomer runs them; the checks have set up .venv before."""

import itertools
import json
import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
DEMOS = REPOSITORY / "scripts" / "demo"


def run_demo(
    *arguments: str | Path, directory: Path, name: str = "custom-command"
) -> subprocess.CompletedProcess[str]:
    """Run a demo from `directory` with almost no environment; return what it printed."""
    return subprocess.run(
        [DEMOS / f"{name}.sh", *arguments],
        cwd=directory,
        env={"HOME": str(directory), "PATH": "/usr/bin:/bin"},
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


@pytest.mark.parametrize("name", ["custom-command", "rollout"])
def test_help_and_wrong_arguments(name: str, tmp_path: Path) -> None:
    """--help explains a script on stdout; what it does not know is refused with that help."""
    help_text = run_demo("--help", directory=tmp_path, name=name).stdout
    assert help_text.startswith(f"Usage: scripts/demo/{name}.sh ")
    refused = run_demo("--jsn", directory=tmp_path, name=name)
    assert refused.returncode == 2
    assert "unknown argument '--jsn'" in refused.stderr
