"""A release under rollout: both programs as processes, in a folder, on a clock that is stepped."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import tomli_w
from jsonschema import Draft202012Validator

from tests import forking
from tests.contract.running import closed, errors_of, schema_of

REPOSITORY = Path(__file__).parents[2]
COMMANDS = Path(sys.executable).parent
ALL_SUCCESS = REPOSITORY / "fixtures/contracts/rollout-pass.json"

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
BEGIN = 1_767_225_600_000
"""2026-01-01T00:00:00Z, when every rollout here is opened."""

ROLLOUT_DIR = ".tau/rollout/custom-command"
STATE_DIR = ".tau/custom-command"
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended: its exit code, and what it printed where."""

    code: int
    out: str
    err: str


class Release:
    """A folder with a release under rollout, first 1.4.0, and the time that both programs see."""

    def __init__(self, folder: Path, *options: str) -> None:
        """Open the rollout in an empty folder; a cycle is expected every two hours."""
        self.folder = folder
        self.now_unix_ms = BEGIN
        self._cycles = 0
        self.start("1.4.0", "1.3.2", *options)

    def start(self, version: str, back_to: str, *options: str) -> None:
        """Open a rollout."""
        versions = ("--release", version, "--rollback-to", back_to)
        new = ("--first-run", "custom-command")
        self.gate("start", *versions, *new, "--cycle-interval", "2h", *options, code=0)

    def gate(self, *arguments: str, code: int, env: Mapping[str, str] | None = None) -> Ended:
        """Run a command of the gate to its end, which must come with an exit code."""
        ended = self.ends("tau-rollout-gate", *arguments, env=env or {})
        assert ended.code == code, ended
        return ended

    def popen(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command of the gate; the test waits for its end."""
        return subprocess.Popen(
            [COMMANDS / "tau-rollout-gate", *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def answer(self, command: str, *options: str, code: int) -> dict[str, Any]:
        """Return the answer of `evaluate` or `advance`."""
        answer: dict[str, Any] = json.loads(
            self.gate(command, *options, "--format", "json", code=code).out
        )
        return answer

    def let_pass(self, milliseconds: int) -> None:
        """Let time pass."""
        self.now_unix_ms += milliseconds

    def cycle(
        self, *options: str, after_ms: int, fixture: Path = ALL_SUCCESS, code: int = 0
    ) -> None:
        """Let time pass, then let the runtime process a fixture in one cycle."""
        self.let_pass(after_ms)
        self._cycles += 1
        suffix = f"-{self._cycles}"
        words = ("run", str(fixture), "--case-suffix", suffix, *options)
        ended = self.ends("tau-custom-command", *words)
        assert ended.code == code, ended

    def holds(self, phase: str, *, by: set[str]) -> None:
        """Advance, and expect a hold by exactly these gates; the rollout stays where it is."""
        answer = self.answer("advance", code=3)
        assert (answer["verdict"], answer["phase"]) == ("hold", phase)
        assert in_the_way(answer) == by
        assert self.rollout["phase"] == phase

    def moves_on(self, phase: str, percent: int, *options: str) -> None:
        """Advance, and expect the rollout to enter the next phase, which is recorded."""
        before = self.rollout
        answer = self.answer("advance", *options, code=0)
        assert (answer["verdict"], answer["phase"]) == ("promote", before["phase"])
        assert (answer["next_phase"], answer["next_canary_percent"]) == (phase, percent)
        after = self.rollout
        assert (after["phase"], after["phase_entered_unix_ms"]) == (phase, self.now_unix_ms)
        assert after["decisions"]["count"] == before["decisions"]["count"] + 1
        last = self.decisions[-1]
        assert (last["action"], last["verdict"]) == ("advance", "promote")

    def enters_canary_1(self) -> None:
        """Leave preflight, with a validation report that passes."""
        report = self.report(passed=16, failed=0)
        self.moves_on("canary-1", 5, "--validation", report)

    def report(self, *, passed: int, failed: int) -> str:
        """Write a validation report of the release; return its name."""
        counts = {"total": passed + failed, "passed": passed, "failed": failed}
        report = {"release": self.rollout["release"], **counts}
        self.folder.joinpath("report.json").write_text(json.dumps(report))
        return "report.json"

    def sign_off(self, date: str) -> None:
        """Fill in the blank checklist as people do: an address for one item, a file for another."""
        self.gate("signoff", "init", code=0)
        checklist = self.root / "signoff.toml"
        filled: dict[str, Any] = tomllib.loads(checklist.read_text())
        filled |= {"date": date, "owner": "Ann", "reviewers": ["Rob"]}
        items = [
            (part, item) for part in filled.values() if isinstance(part, dict) for item in part
        ]
        for number, (section, item) in enumerate(items):
            if number % 2:
                section[item] = f"https://ci.acme.dev/runs/{number}"
                continue
            shown = self.folder / f"reviews/{item}.txt"
            shown.parent.mkdir(exist_ok=True)
            shown.write_text(f"{item}: seen, and in order\n")
            section[item] = str(shown.relative_to(self.folder))
        checklist.write_text(tomli_w.dumps(filled))

    def ends(self, program: str, *arguments: str, env: Mapping[str, str] | None = None) -> Ended:
        """Run a command of either program to its end."""
        done = forking.run(
            COMMANDS / program,
            *arguments,
            cwd=self.folder,
            env=self.environment(env),
            timeout=PATIENCE_SECONDS,
        )
        assert b"Traceback" not in done.stderr, done.stderr
        return Ended(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())

    @property
    def root(self) -> Path:
        """Return the rollout directory."""
        return self.folder / ROLLOUT_DIR

    @property
    def rollout(self) -> dict[str, Any]:
        """Return what `rollout.json` holds."""
        rollout: dict[str, Any] = json.loads(self.root.joinpath("rollout.json").read_bytes())
        return rollout

    @property
    def decisions(self) -> list[dict[str, Any]]:
        """Return the recorded decisions, oldest first."""
        lines = self.root.joinpath("decisions.jsonl").read_bytes().splitlines()
        return [json.loads(line) for line in lines]

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return an environment with little in it: the time, for either program, and `more`."""
        now = str(self.now_unix_ms)
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LOGNAME": "ann",
            "TAU_CUSTOM_COMMAND_NOW_UNIX_MS": now,
            "TAU_ROLLOUT_GATE_NOW_UNIX_MS": now,
            **(more or {}),
        }


def in_the_way(answer: Mapping[str, Any]) -> set[str]:
    """Return the names of the gates that do not let pass."""
    return {gate["name"] for gate in answer["gates"] if gate["status"] in {"fail", "unknown"}}


def fired(answer: Mapping[str, Any]) -> set[str]:
    """Return the names of the triggers that fired."""
    return {trigger["name"] for trigger in answer["triggers"] if trigger["fired"]}


def every_file(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Return the mode, the time of the last change and the digest of all that is in a folder."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in sorted(folder.rglob("*"))
    }


class Browser:
    """The writer of a browser's state files, in a folder; it does not chain its events."""

    name = "browser-automation"

    def __init__(self, state_dir: Path) -> None:
        """Begin with nothing written."""
        state_dir.mkdir()
        self._state_dir = state_dir
        self._artifacts = 0

    def cycle(self, now_unix_ms: int, *timeline: Mapping[str, str | None]) -> None:
        """Write the line and the state of a cycle that executed a case, of these steps."""
        self._artifacts += 1
        line = {
            "schema_version": 1,
            "timestamp_unix_ms": now_unix_ms,
            "health_state": "healthy",
            "reason_codes": ["healthy_cycle"],
            "failed_cases": 0,
            "failure_streak": 0,
            "backlog_cases": 0,
            "malformed_cases": 0,
            "executed_cases": 1,
            "artifact_records": self._artifacts,
            "timeline": list(timeline),
        }
        health = dict.fromkeys(
            (
                "cycle_duration_ms",
                "queue_depth",
                "active_runs",
                "failure_streak",
                "last_cycle_failed",
                "last_cycle_duplicates",
            ),
            0,
        ) | dict.fromkeys(
            ("last_cycle_discovered", "last_cycle_processed", "last_cycle_completed"), 1
        )
        state = {"schema_version": 1, "health": {"updated_unix_ms": now_unix_ms, **health}}
        for form, value in (("event", line), ("state", state)):
            assert errors_of(Draft202012Validator(closed(schema_of(form))), value) == []
        with self._state_dir.joinpath("runtime-events.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")
        self._state_dir.joinpath("state.json").write_text(json.dumps(state))
