"""Releases that are judged by commands which really ran: the policy, the answer, the way back."""

import json
import re
import shlex
import subprocess
import tarfile
import time
from pathlib import Path

from tests.end_to_end.rolling_out import (
    COMMANDS,
    MINUTE,
    PATIENCE_SECONDS,
    REPOSITORY,
    STATE_DIR,
    Release,
    fired,
    in_the_way,
)

EXECUTE = (
    *("--run-mode", "execute", "--no-policy-require-approval"),
    *("--policy-sandbox-profile", "unrestricted", "--policy-allow-shell"),
)
POLICY = REPOSITORY / "packages/rollout-gate/src/tau_rollout_gate/default_policy.toml"


def smoke_test(folder: Path, template: str = "echo ready") -> Path:
    """Write a fixture that registers a command and runs it."""
    policy = {"allow_shell": True, "sandbox_profile": "unrestricted"}
    about = {"command_name": "smoke", "template": template, "execution_policy": policy}
    cases = [
        {"case_id": "010", "operation": "CREATE", **about},
        {"case_id": "020", "operation": "RUN", "command_name": "smoke"},
    ]
    path = folder / "smoke.json"
    path.write_text(json.dumps({"schema_version": 1, "name": "smoke", "cases": cases}))
    return path


def opened(folder: Path) -> Release:
    """Open a rollout in canary-1 whose policy requires cycles that execute."""
    policy = folder / "policy.toml"
    policy.write_text(f'required_run_mode = "execute"\n{POLICY.read_text()}')
    release = Release(folder, "--policy", str(policy))
    release.enters_canary_1()
    return release


def typed(release: Release, program: str, place: int = 0) -> list[str]:
    """Return the words of a command of a program that `explain` tells to type."""
    text = release.gate("explain", code=3).out
    return shlex.split(re.findall(rf"^ *({program} .*)$", text, re.MULTILINE)[place])[1:]


def test_a_policy_that_requires_executed_cycles(tmp_path: Path) -> None:
    """Recorded cycles hold, by a word that names the option; as many executed ones promote."""
    release, fixture = opened(tmp_path), smoke_test(tmp_path)
    assert "--run-mode execute" in shlex.join(typed(release, "tau-custom-command"))
    for _ in range(4):
        release.cycle(after_ms=10 * MINUTE, fixture=fixture)
    answer = release.answer("advance", code=3)
    assert in_the_way(answer) == {"run_mode", "soak"}
    (gate,) = (each for each in answer["gates"] if each["name"] == "run_mode")
    assert (gate["observed"], gate["required"]) == ("record", "run_mode = execute")
    assert "--run-mode execute" in gate["remedy"]
    words = typed(release, "tau-custom-command")
    assert words[words.index("--run-mode") + 1] == "execute"
    release.let_pass(10 * MINUTE)
    words = [str(fixture) if word == "FIXTURE" else word for word in words]
    assert release.ends("tau-custom-command", *words, *EXECUTE[2:]).code == 0
    for _ in range(3):
        release.cycle(*EXECUTE, after_ms=10 * MINUTE, fixture=fixture)
    release.moves_on("canary-2", 25)


def test_a_recovered_cycle_is_evidence(tmp_path: Path) -> None:
    """A runtime that was killed while a command ran: what it interrupted counts as failed."""
    release, marks = opened(tmp_path), tmp_path / "marks"
    fixture = smoke_test(tmp_path, f"sh -c 'echo x >>{marks}; sleep 2'")
    release.let_pass(10 * MINUTE)
    with subprocess.Popen(
        [COMMANDS / "tau-custom-command", "run", fixture, *EXECUTE],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=release.environment(),
    ) as process:
        until = time.monotonic() + PATIENCE_SECONDS
        while not marks.exists():
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.01)
        process.kill()
    release.cycle(*EXECUTE, after_ms=MINUTE, fixture=smoke_test(tmp_path))
    log = tmp_path / STATE_DIR / "runtime-events.jsonl"
    first, second = map(json.loads, log.read_text().splitlines())
    assert [each["recovered"] for each in (first, second)] == [True, False]
    answer = release.answer("evaluate", code=4)
    assert fired(answer) == {"hard_runtime_errors"}
    (trigger,) = (each for each in answer["triggers"] if each["fired"])
    assert (trigger["evidence"]["line"], trigger["evidence"]["cycle_id"]) == (1, first["cycle_id"])
    said = release.gate("explain", code=4).out
    assert "it was cut off while it ran, and closed by the next run" in said
    (diagnose,) = re.findall(r"^ *(tau-transport-health diagnose .*)$", said, re.MULTILINE)
    found = release.ends(
        "tau-transport-health", *shlex.split(diagnose)[1:], "--max-age", "none"
    ).out
    assert "run_interrupted" in found


def test_a_rollback_pauses_the_runtime_first(tmp_path: Path) -> None:
    """Each step of it is typed as it is printed; what is private to the runtime is not captured."""
    release = opened(tmp_path)
    fixture = smoke_test(tmp_path, "sh -c 'head -c 40000 /dev/zero'")
    release.cycle(*EXECUTE, after_ms=10 * MINUTE, fixture=fixture)
    approve = ("approve", "smoke", "--by", "ann", "--policy-sandbox-profile", "unrestricted")
    assert release.ends("tau-custom-command", *approve).code == 0
    printed = release.gate("rollback", "--reason", "it's slow", code=0).out
    commands = [line.strip() for line in printed.splitlines() if line.startswith(" ")]
    of_runtime = [shlex.split(line)[1:] for line in commands if line.startswith("tau-custom-comm")]
    pause, unpause = of_runtime
    state_dir = ["--state-dir", str(tmp_path / STATE_DIR)]
    assert pause == ["pause", "--reason", "1.4.0 is rolled back", *state_dir]
    assert unpause == ["unpause", *state_dir]
    assert release.ends("tau-custom-command", *pause).code == 0
    release.cycle(*EXECUTE, after_ms=MINUTE, fixture=fixture, code=5)
    assert release.ends("tau-custom-command", *unpause).code == 0
    release.cycle(*EXECUTE, after_ms=MINUTE, fixture=fixture)
    (path,) = (release.root / "evidence").glob("*.tar.gz")
    with tarfile.open(path) as tar:
        names = [name.partition("/state/custom-command/")[2] for name in tar.getnames()]
    assert not {"approvals.json", ".approvals.lock", ".lock", ".journal.done"} & set(names)
    assert any("/artifacts/" in name and name.endswith(".txt") for name in names)


def test_a_second_rollback_does_not_take_the_pause(tmp_path: Path) -> None:
    """Captured again while it is paused: who paused it is the runtime's own."""
    release, fixture = opened(tmp_path), smoke_test(tmp_path)
    release.cycle(*EXECUTE, after_ms=10 * MINUTE, fixture=fixture)
    release.gate("rollback", "--reason", "slow", code=0)
    assert release.ends("tau-custom-command", "pause", "--reason", "slow").code == 0
    release.let_pass(MINUTE)
    release.gate("rollback", "--reason", "slow", code=0)
    *_, path = sorted((release.root / "evidence").glob("*.tar.gz"))
    with tarfile.open(path) as tar:
        assert not [name for name in tar.getnames() if name.endswith("paused.json")]
        notes = next(name for name in tar.getnames() if name.endswith("NOTES.txt"))
        said = tar.extractfile(notes)
        assert said is not None
        assert b"paused.json is left out" in said.read()
