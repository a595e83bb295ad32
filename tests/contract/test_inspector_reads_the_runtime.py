"""The inspector reads what the runtime writes: samples, state directories, and while it writes.

The two packages share no Python. What is written here, the runtime's command wrote, as a process.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tau_transport_health.contract.event import parse_event
from tau_transport_health.contract.state import parse_state
from tau_transport_health.errors import TransportHealthError
from tau_transport_health.files.state_directory import blocks_of, observe
from tau_transport_health.health.assessment import Gate, assess
from tau_transport_health.health.targets import BUILT_IN
from tau_transport_health.log.counts import count_events
from tau_transport_health.log.layouts import Layouts
from tests import forking
from tests.contract.running import (
    COMMAND,
    CONTRACTS,
    STATE_CONTRACT,
    execute_runs,
    run_fixture,
)

INSPECTOR = Path(sys.executable).parent / "tau-transport-health"
TARGET = BUILT_IN["custom-command"]
READS = 10_000
CYCLES = 20
"""How many cycles must be met while reading: with every fifth the log is rotated."""

PATIENCE_SECONDS = 60

VALID = STATE_CONTRACT / "valid"
INVALID = STATE_CONTRACT / "invalid"

# Samples that are wrong only in keys that the inspector has no use for. The contract requires of a
# reader that it ignores what it does not know; it need not judge what it never looks at.
NOT_LOOKED_AT = {
    "artifact-records-boolean.json": "what a browser adds is the gate's to judge",
    "executed-run-keys-hold-a-number.json": "the keys of executed runs are the runtime's own",
    "executed-run-keys-null.json": "the keys of executed runs are the runtime's own",
    "failed-case-keys-object.json": "the keys of failed cases are the runtime's own",
    "policy-allow-shell-text.json": "policies are the runtime's own",
    "policy-schema-version-other.json": "policies are the runtime's own",
    "policy-unknown-key.json": "policies are the runtime's own",
    "policy-unknown-profile.json": "policies are the runtime's own",
    "record-default-arguments-array.json": "arguments are the runtime's own",
    "record-error-code-unknown.json": "what is of the last execution is not shown",
    "record-exit-code-text.json": "what is of the last execution is not shown",
    "record-missing-execution-policy.json": "policies are the runtime's own",
    "record-read-only-text.json": "what a command may do again is the runtime's own",
    "record-timed-out-number.json": "what is of the last execution is not shown",
    "timeline-error-code-number.json": "what a browser adds is the gate's to judge",
    "timeline-null.json": "what a browser adds is the gate's to judge",
    "timeline-step-missing-status.json": "what a browser adds is the gate's to judge",
}


def is_valid(form: str, raw: bytes, *, chained: bool = False) -> bool:
    """Tell whether the inspector takes a value of a form."""
    try:
        if form == "state":
            parse_state([raw], chained=chained)
        else:
            parse_event(raw, chained=chained)
    except TransportHealthError:
        return False
    return True


def samples(folder: Path) -> list[Path]:
    """Return the samples of the two forms that the inspector reads for health."""
    return sorted([*folder.glob("state/*.json"), *folder.glob("event/*.json")])


@pytest.mark.parametrize("path", samples(VALID), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_valid_sample_is_taken(path: Path) -> None:
    """Whatever is in `valid/` is read."""
    assert is_valid(path.parent.name, path.read_bytes())


@pytest.mark.parametrize(
    "path", samples(INVALID), ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_an_invalid_sample_is_refused(path: Path) -> None:
    """Whatever is in `invalid/` is not, but for what the inspector never looks at."""
    assert is_valid(path.parent.name, path.read_bytes()) is (path.name in NOT_LOOKED_AT)


def test_every_exception_is_one() -> None:
    """No exception outlives its sample."""
    assert set(NOT_LOOKED_AT) <= {path.name for path in samples(INVALID)}


@pytest.mark.parametrize("path", sorted(VALID.glob("raw/*")), ids=lambda path: path.name)
def test_a_valid_raw_sample_is_taken(path: Path) -> None:
    """Whole files: a state, and every line of a log."""
    if path.suffix == ".json":
        assert is_valid("state", path.read_bytes(), chained=True)
    else:
        assert (
            count_events(blocks_of(path), chained="unchained" not in path.name).invalid.total == 0
        )


@pytest.mark.parametrize("path", sorted(INVALID.glob("raw/state-*")), ids=lambda path: path.name)
def test_an_invalid_raw_state_is_refused(path: Path) -> None:
    """What a schema does not see, the reader does."""
    assert not is_valid("state", path.read_bytes())


@pytest.mark.parametrize("path", sorted(INVALID.glob("raw/events-*")), ids=lambda path: path.name)
def test_an_invalid_raw_log_is_told(path: Path) -> None:
    """Each line that is no event is counted; a torn one is left out instead, and reported."""
    counts = count_events(blocks_of(path), chained=False)
    if "last-line" in path.name:
        assert counts.invalid.total == 0
        assert b"".join(blocks_of(path)).count(b"\n") == path.read_bytes().count(b"\n")
    else:
        assert counts.invalid.total > 0


@pytest.mark.parametrize("path", sorted(CONTRACTS.glob("*.json")), ids=lambda path: path.stem)
def test_what_a_fixture_leaves_is_read(path: Path, tmp_path: Path) -> None:
    """After three cycles of each fixture: all lines valid, the health and counts the runtime's."""
    state_dir = tmp_path / "state"
    codes: Counter[str] = Counter()
    summary: dict[str, Any] = {}
    for cycle in range(3):
        _, summary = run_fixture(path, state_dir, f"--case-suffix=-{cycle}", "--queue-limit=400")
        codes.update(summary["reason_codes"])
    words = ("status", "custom-command", "--json", "--state-dir", state_dir)
    done = forking.run(INSPECTOR, *words, cwd=Path.cwd(), env=os.environ, timeout=PATIENCE_SECONDS)
    assert done.stderr == b""
    report = json.loads(done.stdout)
    state = json.loads((state_dir / "state.json").read_bytes())
    assert (report["cycle_reports"], report["invalid_cycle_reports"]) == (3, 0)
    assert report["health_state"] == summary["health_state"]
    assert report["health_reason"] == summary["health_reason"]
    assert report["health"] == state["health"]
    assert report["last_reason_codes"] == summary["reason_codes"]
    assert report["reason_code_counts"] == dict(sorted(codes.items()))
    assert report["processed_case_count"] == len(state["processed_case_keys"])
    assert report["command_count"] == len(state["commands"])
    assert report["total_run_count"] == sum(one["run_count"] for one in state["commands"])
    assert report["warnings"] == []
    healthy = summary["health_state"] == "healthy"
    assert (done.returncode, report["rollout_gate"]) == ((0, "pass") if healthy else (3, "hold"))


def test_what_executed_runs_leave_is_sound(tmp_path: Path) -> None:
    """Every line of their channels is read, and each artifact has the digest that its line says."""
    state_dir = execute_runs(tmp_path)
    words = ("channels", "verify", "custom-command", "--json", "--state-dir", state_dir)
    done = forking.run(INSPECTOR, *words, cwd=Path.cwd(), env=os.environ, timeout=PATIENCE_SECONDS)
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["problems"], answer["artifacts"]) == (0, [], 2)


def test_a_history_is_read_whole(state_dir: Path) -> None:
    """Six cycles of all kinds: every line is recognised, the end fits the state."""
    log = state_dir / "runtime-events.jsonl"
    assert Layouts().whole(log.read_bytes()), "the fast way is the runtime's own"
    counts = count_events(blocks_of(log), chained=True)
    assert (counts.valid, counts.invalid.total) == (6, 0)
    reading = observe(state_dir, TARGET, sleep=lambda _: None)
    now = time.time_ns() // 1_000_000
    result = assess(reading, now_unix_ms=now, max_age_ms=None)
    assert result.gate is Gate.PASS


# Writes cycle after cycle, rotating the log by rename now and then, until it is ended.
WRITER = """
import os, subprocess, sys
command, fixture, state = sys.argv[1:]
log = os.path.join(state, "runtime-events.jsonl")
for number in range(10**9):
    subprocess.run(
        [command, "run", fixture, "--state-dir", state, f"--case-suffix=-{number}"],
        stdout=subprocess.DEVNULL, check=True,
    )
    if number % 5 == 4:
        os.replace(log, log + ".1")
"""


@contextmanager
def a_runtime_that_writes(state_dir: Path, fixture: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run cycles in the background until the end of the block."""
    with subprocess.Popen([sys.executable, "-c", WRITER, COMMAND, fixture, state_dir]) as writer:
        try:
            yield writer
        finally:
            writer.terminate()


def test_ten_thousand_readings_while_the_runtime_writes(tmp_path: Path) -> None:
    """Never a false mismatch, never an exception: each reading passes, as no cycle fails."""
    fixture = tmp_path / "one.json"
    fixture.write_text(
        json.dumps(
            {
                "schema_version": 1,
                "name": "one",
                "cases": [
                    {
                        "schema_version": 1,
                        "case_id": "a",
                        "operation": "LIST",
                        "expected": {"outcome": "success", "status_code": 200},
                    }
                ],
            }
        )
    )
    state_dir = tmp_path / "state"
    ended, _ = run_fixture(fixture, state_dir)
    assert ended.exit_code == 0, ended
    cycles: set[int] = set()
    reads = 0
    deadline = time.monotonic() + PATIENCE_SECONDS
    with a_runtime_that_writes(state_dir, fixture) as writer:
        while reads < READS or len(cycles) < CYCLES:
            assert time.monotonic() < deadline, f"{reads} readings, {len(cycles)} cycles"
            reads += 1
            reading = observe(state_dir, TARGET, sleep=time.sleep)
            now = time.time_ns() // 1_000_000
            result = assess(reading, now_unix_ms=now, max_age_ms=60_000)
            assert result.gate is Gate.PASS, (result.holds, reading)
            assert reading.state is not None
            assert reading.state.last_cycle is not None
            cycles.add(reading.state.last_cycle.cycle_number)
        assert writer.poll() is None, "the runtime stopped writing"
