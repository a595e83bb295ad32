"""kill -9 at any system call of a writing command: the chain is whole, and nothing is lost."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from tau_rollout_gate.files.record import find, load, verified
from tests.rollout_gate.making import ENTERED, MINUTE, History
from tests.rollout_gate.recording import Gate
from tests.rollout_gate.tracing import changing_calls, kill_at, run_traced

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(sys.platform != "linux", reason="strace is Linux's"),
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]

START = ("start", "--release", "1.4.0", "--rollback-to", "1.3.2")
NEXT = ("start", "--release", "1.4.1", "--rollback-to", "1.3.2")
FREEZE = ("freeze", "--reason", "r")
RESUME = ("resume", "--reason", "r")
ROLLBACK = ("rollback", "--reason", "bad", "--attach", "report.json")
ADVANCE = ("advance", "--validation", "report.json", "--now-unix-ms", str(ENTERED + MINUTE))
BEGUN = (*START, "--now-unix-ms", str(ENTERED))

CASES = {
    "start": ((), START),
    "start after another": ((BEGUN, ROLLBACK), NEXT),
    "freeze": ((BEGUN,), FREEZE),
    "freeze after a torn line": ((BEGUN, "torn"), FREEZE),
    "resume of a ledger ahead": ((BEGUN, FREEZE, "ahead"), RESUME),
    "advance": ((BEGUN,), ADVANCE),
    "rollback": ((BEGUN,), ROLLBACK),
}


def prepared(folder: Path, steps: tuple[tuple[str, ...] | str, ...]) -> Gate:
    """Return a folder in which these commands have been run, or that damage done."""
    folder.mkdir()
    gate = Gate(folder)
    (folder / "report.json").write_text(json.dumps({"total": 1, "passed": 1, "failed": 0}))
    History().every(MINUTE, 2).write(folder / ".tau" / "custom-command")
    behind = b""
    for step in steps:
        if step == "torn":
            with (gate.root / "decisions.jsonl").open("ab") as ledger:
                ledger.write(b'{"schema_version":1,"deci')
        elif step == "ahead":
            (gate.root / "rollout.json").write_bytes(behind)
        else:
            if (gate.root / "rollout.json").exists():
                behind = (gate.root / "rollout.json").read_bytes()
            done = gate(*step)
            assert done.code == 0, done.err
    return gate


@pytest.mark.parametrize("case", CASES)
def test_kill_at_every_changing_call(tmp_path: Path, case: str) -> None:
    """Killed there, the chain is whole, what was printed is recorded, and the next one works."""
    steps, command = CASES[case]
    before = prepared(tmp_path / "before", steps)
    standing = find(before.root)
    known = 0 if standing is None else standing.decisions.count
    shutil.copytree(before.folder, tmp_path / "whole", symlinks=True)
    whole = run_traced(tmp_path / "whole", *command)
    assert whole.code == 0, whole.out
    # A rollback is recorded, and then the evidence that it captured.
    done_at = load(tmp_path / "whole" / before.root.relative_to(before.folder)).decisions.count
    points = list(changing_calls(whole.calls))
    assert {"write", "fsync"} <= {name for name, _ in points}
    counts = set()
    for name, number in points:
        gate = Gate(tmp_path / f"{name}-{number}")
        shutil.copytree(before.folder, gate.folder, symlinks=True)
        killed = run_traced(gate.folder, *command, inject=kill_at(name, number))
        at = f"{name} {number}: {killed.calls[-3:]}"
        assert killed.code == -9, at
        found = find(gate.root)
        count = 0 if found is None else found.decisions.count
        assert known <= count <= done_at, at
        assert count == done_at or not killed.out, at
        if found is not None:
            assert verified(gate.root).is_whole, at
        if count < done_at:
            done = gate(*command)
            assert done.code == 0, f"{at}\n{done.err}"
        assert load(gate.root).decisions.count == done_at, at
        assert verified(gate.root).is_whole, at
        left = [path.name for path in gate.root.rglob("*.new")]
        assert count > known or left == [], at
        counts.add(count)
    # Both sides of the moment at which the decision counts were met.
    assert counts == set(range(known, done_at + 1))


def test_what_was_printed_is_on_the_disk(tmp_path: Path) -> None:
    """Each step is synced before the next: the new file, the line, the rename, and then the word.

    So losing power loses no decision that anybody was told of.
    """
    gate = prepared(tmp_path / "gate", (BEGUN,))
    calls = [line.partition("(")[0] for line in run_traced(gate.folder, *FREEZE).calls]
    steps = [name for name in calls if name in {"write", "fsync", "renameat"}]
    while steps[-2:] == ["write", "write"]:
        steps.pop()  # how many writes a line on the terminal takes is Python's matter
    assert steps == ["write", "fsync", "write", "fsync", "renameat", "fsync", "write"]
