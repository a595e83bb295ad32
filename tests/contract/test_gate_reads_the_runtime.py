"""The gate reads what the runtime writes: samples, state directories, and while it writes.

The two packages share no Python. What is written here, the runtime's command wrote, as a process.
"""

import json
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec import to_builtins

from tau_rollout_gate.contract.event import line_digest, parse_event
from tau_rollout_gate.contract.pin import LogPosition, SurfacePin
from tau_rollout_gate.contract.snapshot import parse_snapshot
from tau_rollout_gate.errors import RolloutGateError
from tau_rollout_gate.evidence.values import Flaw, SurfaceEvidence
from tau_rollout_gate.files.incident.archive import Archive, Source
from tau_rollout_gate.files.surface.state_directory import read_surface
from tau_rollout_gate.services.rollback import PRIVATE_FILES
from tests.contract.running import (
    COMMAND,
    CONTRACTS,
    STATE_CONTRACT,
    execute_runs,
    run_fixture,
    start,
)

VALID = STATE_CONTRACT / "valid"
INVALID = STATE_CONTRACT / "invalid"
BEGINNING = LogPosition(cycle_number=None, event_sha256=None)
READS = 1_000
CYCLES = 12
"""How many cycles must be met while reading: with every fifth the log is rotated."""

PATIENCE_SECONDS = 120
LOG = "runtime-events.jsonl"

# Samples that are wrong only in keys that the gate has no use for: it looks at a state's health and
# its last cycle, and at nothing of its cases and commands.
NOT_LOOKED_AT = (
    "case-keys",
    "commands",
    "executed-run-keys",
    "failed-case-keys",
    "policy",
    "record",
)


def is_valid(form: str, raw: bytes) -> bool:
    """Tell whether the gate takes a value of a form."""
    try:
        if form == "state":
            parse_snapshot([raw])
        else:
            parse_event(raw)
    except RolloutGateError:
        return False
    return True


def read(
    state_dir: Path, evidence_from: LogPosition, *, is_chained: bool = True
) -> SurfaceEvidence:
    """Return the evidence in a state directory since a position."""
    name = "custom-command" if is_chained else "voice"
    pin = SurfacePin(
        name=name,
        state_dir=str(state_dir),
        is_chained=is_chained,
        evidence_from=evidence_from,
        phase_from=evidence_from,
    )
    return read_surface(pin, state_dir, sleep=time.sleep)


def flaws(evidence: SurfaceEvidence) -> list[Flaw]:
    """Return what is wrong, without the words."""
    return [found.flaw for found in evidence.flaws]


def samples(folder: Path) -> list[Path]:
    """Return the samples of the two forms that the gate reads."""
    return sorted([*folder.glob("state/*.json"), *folder.glob("event/*.json")])


@pytest.mark.parametrize("path", samples(VALID), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_valid_sample_is_taken(path: Path) -> None:
    """Whatever is in `valid/` is read."""
    assert is_valid(path.parent.name, path.read_bytes())


@pytest.mark.parametrize(
    "path", samples(INVALID), ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_an_invalid_sample_is_refused(path: Path) -> None:
    """Whatever is in `invalid/` is not, but for what the gate never looks at."""
    is_looked_at = path.parent.name == "event" or not path.name.startswith(NOT_LOOKED_AT)
    assert is_valid(path.parent.name, path.read_bytes()) is not is_looked_at


@pytest.mark.parametrize("path", sorted(INVALID.glob("raw/state-*")), ids=lambda path: path.name)
def test_an_invalid_raw_state_is_refused(path: Path) -> None:
    """What a schema does not see, the reader does."""
    assert not is_valid("state", path.read_bytes())


def directory_of(log: Path, state: Path | None, folder: Path) -> Path:
    """Return a state directory of sample files."""
    shutil.copy(log, folder / LOG)
    if state is not None:
        shutil.copy(state, folder / "state.json")
    return folder


def test_the_valid_raw_samples_are_sound(tmp_path: Path) -> None:
    """A log with its state has no flaw; one of another transport only warns that it is no chain."""
    directory_of(
        VALID / "raw/events-chained.jsonl", VALID / "raw/events-chained-state.json", tmp_path
    )
    evidence = read(tmp_path, BEGINNING)
    assert (flaws(evidence), evidence.warnings, len(evidence.cycles)) == ([], (), 3)
    shutil.copy(VALID / "raw/events-unchained.jsonl", tmp_path / LOG)
    shutil.copy(VALID / "state/minimal-of-another-transport.json", tmp_path / "state.json")
    evidence = read(tmp_path, BEGINNING, is_chained=False)
    assert (flaws(evidence), len(evidence.cycles)) == ([], 2)
    assert "does not chain" in evidence.warnings[0]
    shutil.copy(VALID / "raw/events-none.jsonl", tmp_path / LOG)
    assert flaws(read(tmp_path, BEGINNING, is_chained=False)) == []


@pytest.mark.parametrize("path", sorted(INVALID.glob("raw/events-*")), ids=lambda path: path.name)
def test_an_invalid_raw_log_is_told(path: Path, tmp_path: Path) -> None:
    """Each line that is no event is a flaw; so is a torn one."""
    state = VALID / "state/minimal-of-another-transport.json"
    found = flaws(read(directory_of(path, state, tmp_path), BEGINNING, is_chained=False))
    assert (Flaw.TORN_TAIL if "last-line" in path.name else Flaw.INVALID_LINE) in found


@pytest.mark.parametrize("path", sorted(INVALID.glob("raw/chain-*")), ids=lambda path: path.name)
def test_a_broken_chain_is_told(path: Path, tmp_path: Path) -> None:
    """Valid lines that are no chain with their state are a flaw, each of its own kind."""
    directory_of(path, VALID / "raw/events-chained-state.json", tmp_path)
    found = set(flaws(read(tmp_path, BEGINNING)))
    at_the_ends = {
        "chain-first-line-removed.jsonl": Flaw.SEGMENT_MISSING,
        "chain-last-line-edited.jsonl": Flaw.DISAGREES,
        "chain-last-line-removed.jsonl": Flaw.DISAGREES,
        "chain-lines-swapped.jsonl": Flaw.SEGMENT_MISSING,
    }
    assert at_the_ends.get(path.name, Flaw.CHAIN_BROKEN) in found


@pytest.mark.parametrize("path", sorted(CONTRACTS.glob("*.json")), ids=lambda path: path.stem)
def test_what_a_fixture_leaves_is_read(path: Path, tmp_path: Path) -> None:
    """After three cycles of each fixture every line is a cycle, with the runtime's own numbers."""
    state_dir = tmp_path / "state"
    summaries = [
        run_fixture(path, state_dir, f"--case-suffix=-{cycle}", "--queue-limit=400")[1]
        for cycle in range(3)
    ]
    evidence = read(state_dir, BEGINNING)
    assert (flaws(evidence), evidence.warnings) == ([], ())
    assert [cycle.line for cycle in evidence.cycles] == [1, 2, 3]
    for cycle, summary in zip(evidence.cycles, summaries, strict=True):
        assert cycle.event.health_state == summary["health_state"]
        assert list(cycle.event.reason_codes) == summary["reason_codes"]
        told = {name: summary[name] for name in cycle.event.counters if name in summary}
        assert dict(cycle.event.counters) == told
    assert evidence.snapshot is not None
    assert evidence.snapshot.health.state == summaries[-1]["health_state"]
    state = json.loads((state_dir / "state.json").read_bytes())
    assert to_builtins(evidence.snapshot.health) == state["health"]
    assert evidence.end is not None
    assert evidence.end.event_sha256 == state["last_cycle"]["event_sha256"]
    assert evidence.end.cycle_number == 3


@pytest.fixture(scope="module")
def seven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a state directory after seven cycles, of which the runtime wrote every byte."""
    state_dir = tmp_path_factory.mktemp("seven") / "state"
    for cycle in range(7):
        run_fixture(CONTRACTS / "rollout-pass.json", state_dir, f"--case-suffix=-{cycle}")
    return state_dir


def test_what_is_private_to_the_runtime_is_no_evidence(tmp_path: Path) -> None:
    """The gate's archive leaves out what no other program opens, and takes the artifacts."""
    state_dir = execute_runs(tmp_path)
    where = ("--state-dir", state_dir)
    assert start("approve", "fine", "--by", "alice", *where).exit_code == 0
    state_dir.joinpath("approvals.json").write_text("broken")
    for _ in range(2):  # kept aside; the second time there is nothing to keep
        assert start("approve", "fine", "--by", "alice", *where).exit_code == 0
    assert start("pause", "--reason", "rolled back", "--by", "alice", *where).exit_code == 0
    there = {str(path.relative_to(state_dir)) for path in state_dir.rglob("*") if path.is_file()}
    private = {name for name in there if "/" not in name} - {"state.json", LOG}
    assert {"paused.json", "approvals.json", "approvals.json.corrupt", ".journal.done"} <= private
    path, sources = tmp_path / "a.tar", [Source(state_dir, "state", private=PRIVATE_FILES)]
    with tarfile.open(path, "w") as tar:
        archive = Archive(path=path, tar=tar, top="top", seconds=0, left_out=tmp_path.stat())
        for source in sources:
            archive.add_source(source)
    with tarfile.open(path) as tar:
        names = {member.name.removeprefix("top/state/") for member in tar if member.isfile()}
    assert names == there - private
    assert any("/artifacts/" in name and name.endswith(".txt") for name in names)


def position_of(lines: list[bytes], number: int) -> LogPosition:
    """Return where a log stood after its line of this number."""
    return LogPosition(
        cycle_number=number,
        event_sha256=line_digest(lines[number - 1]),
        segment_sha256=line_digest(lines[0]),
        offset=sum(map(len, lines[: number - 1])),
    )


@pytest.mark.parametrize(
    "tamper",
    [
        lambda lines: [*lines[:4], *lines[5:]],
        lambda lines: [*lines[:4], lines[4].replace(b'"applied', b'"Applied'), *lines[5:]],
        lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]],
        lambda lines: [*lines[:3], b"{}\n", *lines[3:]],
        lambda lines: lines[:5],
        lambda _: [],
        lambda lines: [*lines, b'{"torn'],
        lambda lines: [*lines[:6], lines[6].replace(b"custom", b"cust0m").replace(b"0.", b"9.")],
    ],
    ids=["removed", "altered", "swapped", "inserted", "cut-off", "emptied", "torn", "last-altered"],
)
def test_a_log_that_was_tampered_with(
    seven: Path, tmp_path: Path, tamper: Callable[[list[bytes]], list[bytes]]
) -> None:
    """Whatever is done to a line of the evidence shows."""
    state_dir = shutil.copytree(seven, tmp_path / "state")
    log = state_dir / LOG
    lines = log.read_bytes().splitlines(keepends=True)
    since = position_of(lines, 3)
    whole = read(state_dir, since)
    assert (flaws(whole), len(whole.cycles)) == ([], 4)
    log.write_bytes(b"".join(tamper(lines)))
    assert flaws(read(state_dir, since)) != []


def test_a_log_that_was_rotated(seven: Path, tmp_path: Path) -> None:
    """Rotated by rename, the log is the same evidence, at once and after the next cycle."""
    state_dir = shutil.copytree(seven, tmp_path / "state")
    log = state_dir / LOG
    since = position_of(log.read_bytes().splitlines(keepends=True), 3)
    log.rename(state_dir / f"{LOG}.1")
    rotated = read(state_dir, since)
    assert (flaws(rotated), [cycle.line for cycle in rotated.cycles]) == ([], [4, 5, 6, 7])
    run_fixture(CONTRACTS / "rollout-pass.json", state_dir, "--case-suffix=-new")
    evidence = read(state_dir, since)
    assert flaws(evidence) == []
    assert [cycle.line for cycle in evidence.cycles] == [4, 5, 6, 7, 1]
    (state_dir / f"{LOG}.1").unlink()
    assert flaws(read(state_dir, since)) == [Flaw.SEGMENT_MISSING]


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
        for older in range(9, 0, -1):
            if os.path.exists(f"{log}.{older}"):
                os.replace(f"{log}.{older}", f"{log}.{older + 1}")
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


def test_a_thousand_readings_while_the_runtime_writes(tmp_path: Path) -> None:
    """Never a false flaw, over several rotations: cycles only ever come in addition."""
    case = {
        "schema_version": 1,
        "case_id": "a",
        "operation": "LIST",
        "expected": {"outcome": "success", "status_code": 200},
    }
    fixture = tmp_path / "one.json"
    fixture.write_text(json.dumps({"schema_version": 1, "name": "one", "cases": [case]}))
    state_dir = tmp_path / "state"
    ended, _ = run_fixture(fixture, state_dir)
    assert ended.exit_code == 0, ended
    counts = {len(read(state_dir, BEGINNING).cycles)}
    reads = 0
    deadline = time.monotonic() + PATIENCE_SECONDS
    with a_runtime_that_writes(state_dir, fixture) as writer:
        while reads < READS or len(counts) < CYCLES:
            assert time.monotonic() < deadline, f"{reads} readings, {len(counts)} counts"
            reads += 1
            evidence = read(state_dir, BEGINNING)
            assert flaws(evidence) == [], evidence.flaws
            assert len(evidence.cycles) >= max(counts)
            counts.add(len(evidence.cycles))
        assert writer.poll() is None, "the runtime stopped writing"
