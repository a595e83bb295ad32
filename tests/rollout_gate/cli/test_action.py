"""The GitHub action: what it is given reaches the command whole, and is never a command itself.

What it makes of the answer is tested in tests/end_to_end/test_action.py.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rollout_gate.answers import HOSTILE

ACTION = Path(__file__).resolve().parents[3] / ".github/actions/rollout-gate"
INPUTS = {
    "MODE": "gate",
    "ROLLOUT_DIR": ".tau/rollout/custom-command",
    "SURFACES": "",
    "POLICY": "",
    "VALIDATION": "",
    "SIGNOFF": "",
}
RECORDER = """#!{python}
import pathlib, sys
pathlib.Path(sys.argv[0]).with_name("arguments").write_text("\\0".join(sys.argv[1:]))
sys.exit(3)
"""


def asked(runner_temp: Path, **inputs: str) -> tuple[int, list[str] | None]:
    """Run the step that asks; return its exit code, and what the gate was told."""
    program = runner_temp / "tau-rollout-gate/bin/tau-rollout-gate"
    program.parent.mkdir(parents=True)
    program.write_text(RECORDER.format(python=sys.executable))
    program.chmod(0o700)
    done = subprocess.run(
        [ACTION / "ask.sh"],
        check=False,
        capture_output=True,
        encoding="utf-8",
        env={
            **os.environ,
            **INPUTS,
            **inputs,
            "RUNNER_TEMP": str(runner_temp),
            "GITHUB_OUTPUT": str(runner_temp / "outputs"),
            "GITHUB_STEP_SUMMARY": str(runner_temp / "summary"),
        },
    )
    assert done.stdout.startswith("::error title=rollout gate: no answer (exit ")
    told = program.with_name("arguments")
    return done.returncode, told.read_text().split("\0") if told.exists() else None


def test_the_inputs_are_the_options(tmp_path: Path) -> None:
    """One option a line, in one word with its value; the gate's exit code is the step's."""
    assert asked(
        tmp_path,
        MODE="advance",
        SURFACES="custom-command=.tau/a b\r\n\nvoice=.tau/voice\n",
        VALIDATION="report.json",
        POLICY="policy.toml",
        SIGNOFF="signoff.toml",
    ) == (
        3,
        [
            "advance",
            "--format",
            "github",
            "--rollout-dir=.tau/rollout/custom-command",
            "--surface=custom-command=.tau/a b",
            "--surface=voice=.tau/voice",
            "--validation=report.json",
            "--policy=policy.toml",
            "--signoff=signoff.toml",
        ],
    )


def test_nothing_given_is_nothing_told(tmp_path: Path) -> None:
    """What is left empty is left to the gate."""
    told = ["evaluate", "--format", "github", "--rollout-dir=.tau/rollout/custom-command"]
    assert asked(tmp_path) == (3, told)


@pytest.mark.parametrize(
    "hostile", ["$(touch x)", "`touch x`", "; touch x", "--help", '" touch x', "*", "${{ x }}"]
)
def test_an_input_is_never_carried_out(hostile: str, tmp_path: Path) -> None:
    """The shell makes nothing of it, and it cannot become an option of its own."""
    inputs = dict.fromkeys(set(INPUTS) - {"MODE"}, hostile)
    _, told = asked(tmp_path, **inputs)
    assert told is not None
    assert told[3:] == [
        f"--{option}={hostile}"
        for option in ("rollout-dir", "surface", "validation", "policy", "signoff")
    ]


@pytest.mark.parametrize("mode", ["", "rollback", "gate --help", HOSTILE["line breaks"]])
def test_only_two_modes_can_be_asked_for(mode: str, tmp_path: Path) -> None:
    """Anything else is refused before the gate is started."""
    assert asked(tmp_path, MODE=mode) == (2, None)


@pytest.mark.parametrize(
    "version",
    ["--index-url=https://x.example", "1.0 --pre", "git+https://x.example", "1.0\n2", "*"],
)
def test_only_a_version_is_installed(version: str, tmp_path: Path) -> None:
    """An address or an option in the place of a version is refused before anything is fetched."""
    done = subprocess.run(
        [ACTION / "install.sh"],
        check=False,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "VERSION": version, "RUNNER_TEMP": str(tmp_path)},
    )
    assert done.returncode == 2
    assert done.stdout.startswith("::error title=rollout gate::version is not a version")
    assert list(tmp_path.iterdir()) == []


def test_the_action_passes_inputs_by_the_environment_alone() -> None:
    """No input is pasted into a script; every output of the gate is passed on."""
    text = (ACTION / "action.yml").read_text(encoding="utf-8")
    scripts = [line for line in text.splitlines() if line.strip().startswith("run:")]
    assert scripts
    assert not any("${{" in line for line in scripts)
    for name in INPUTS:
        assert f"        {name}: ${{{{ inputs.{name.lower().replace('_', '-')} }}}}\n" in text
