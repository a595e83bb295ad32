"""The three lines of Python in runbooks/state-files.md verify the chain, as they stand."""

import io
import re
import subprocess
import sys
import tokenize
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.running import ROOT, STATE_CONTRACT

VALID = STATE_CONTRACT / "valid/raw"
INVALID = STATE_CONTRACT / "invalid/raw"
LOG = VALID.joinpath("events-chained.jsonl").read_bytes()
LINES = LOG.splitlines(keepends=True)


@cache
def three_lines() -> str:
    """Return the program as the runbook prints it."""
    runbook = ROOT.joinpath("runbooks/state-files.md").read_text(encoding="utf-8")
    section = runbook.partition("Verify the chain in three lines of Python")[2]
    block = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert block
    return block[1]


def verify(log: Path, *state: Path) -> tuple[int, str]:
    """Run the three lines in a process of their own; return the exit code and what they say."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", three_lines(), log, *state],
        check=False,
        capture_output=True,
        text=True,
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def verify_lines(tmp_path: Path, lines: list[bytes]) -> tuple[int, str]:
    """Verify a log of these lines against the state that belongs to the sample's log."""
    log = tmp_path / "runtime-events.jsonl"
    log.write_bytes(b"".join(lines))
    return verify(log, VALID / "events-chained-state.json")


def test_they_are_three_lines() -> None:
    """The program can be read at a glance: at most three logical lines, one statement each."""
    tokens = list(tokenize.generate_tokens(io.StringIO(three_lines()).readline))
    assert sum(token.type == tokenize.NEWLINE for token in tokens) <= 3
    assert not any(token.string == ";" for token in tokens)


def test_they_accept_what_the_runtime_leaves(state_dir: Path) -> None:
    """The runtime's log verifies, alone and with its state."""
    log = state_dir / "runtime-events.jsonl"
    assert len(log.read_bytes().splitlines()) == 6
    assert verify(log) == (0, "ok")
    assert verify(log, state_dir / "state.json") == (0, "ok")


def test_they_accept_the_samples() -> None:
    """The valid samples verify: a chain with its state, and a log without a line."""
    assert verify(VALID / "events-chained.jsonl", VALID / "events-chained-state.json") == (0, "ok")
    assert verify(VALID / "events-none.jsonl") == (0, "ok")


@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("chain-line-edited", 1),
        ("chain-first-line-removed", 0),
        ("chain-middle-line-removed", 1),
        ("chain-last-line-removed", 2),
        ("chain-last-line-edited", 3),
        ("chain-lines-swapped", 0),
    ],
)
def test_they_say_where_a_sample_breaks(name: str, after: int) -> None:
    """Each broken sample is found out, and the place is told."""
    found = verify(INVALID / f"{name}.jsonl", VALID / "events-chained-state.json")
    assert found == (1, f"the chain breaks after line {after}")


def test_every_broken_sample_is_tried() -> None:
    """No sample of a broken chain goes untested."""
    assert len(list(INVALID.glob("chain-*.jsonl"))) == 6


def test_they_detect_every_removed_line_in_the_runtimes_log(
    state_dir: Path, tmp_path: Path
) -> None:
    """Any one line removed shows, the last one by the state."""
    lines = state_dir.joinpath("runtime-events.jsonl").read_bytes().splitlines(keepends=True)
    log = tmp_path / "runtime-events.jsonl"
    for index in range(len(lines)):
        log.write_bytes(b"".join(lines[:index] + lines[index + 1 :]))
        found = verify(log, state_dir / "state.json")
        assert found == (1, f"the chain breaks after line {index}")


def test_they_detect_swapped_lines(tmp_path: Path) -> None:
    """Any two lines in each other's place show."""
    for first, second in combinations(range(len(LINES)), 2):
        lines = list(LINES)
        lines[first], lines[second] = lines[second], lines[first]
        found = verify_lines(tmp_path, lines)
        assert found == (1, f"the chain breaks after line {first}")


def test_they_detect_an_edited_value_in_every_line(tmp_path: Path) -> None:
    """A counter altered in any line shows at that line, in the last one by the state."""
    for index, line in enumerate(LINES):
        edited = line.replace(b'"discovered_cases":', b'"discovered_cases":1')
        assert edited != line
        found = verify_lines(tmp_path, [*LINES[:index], edited, *LINES[index + 1 :]])
        assert found == (1, f"the chain breaks after line {index + 1}")


@settings(max_examples=25, deadline=None)
@given(position=st.integers(0, len(LOG) - 1), byte=st.integers(0, 255))
def test_they_detect_any_edited_byte(
    tmp_path_factory: pytest.TempPathFactory, position: int, byte: int
) -> None:
    """No byte of a log can become another without the program saying so, line breaks included."""
    edited = bytearray(LOG)
    edited[position] = byte if byte != LOG[position] else byte ^ 1
    code, said = verify_lines(tmp_path_factory.mktemp("edited"), [bytes(edited)])
    assert code == 1
    assert said != "ok"


def test_they_read_rotated_logs_as_one(state_dir: Path, tmp_path: Path) -> None:
    """A chain goes on over rotated files: put together, oldest first, they verify as one."""
    lines = state_dir.joinpath("runtime-events.jsonl").read_bytes().splitlines(keepends=True)
    newest = tmp_path / "runtime-events.jsonl"
    newest.write_bytes(b"".join(lines[2:]))
    assert verify(newest, state_dir / "state.json") == (1, "the chain breaks after line 0")
    together = tmp_path / "together.jsonl"
    together.write_bytes(b"".join(lines[:2]) + newest.read_bytes())
    assert verify(together, state_dir / "state.json") == (0, "ok")
