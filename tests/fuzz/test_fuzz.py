"""Whatever is in fixtures and state directories: no traceback, no hang, little memory.

The long version, and how to have a case again: scripts/fuzz.sh.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.fuzzing import KINDS
from tests.fuzz.guard import Program, call

COUNTS = {"fixture": 200, "state-directory": 100}
"""A state directory goes through twenty commands; a hundred more reach hardly any other branch."""

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_found(kind: str, tmp_path: Path) -> None:
    """In a process of its own, whose memory counts."""
    count = str(COUNTS[kind])
    words = ["--count", count, "--kind", kind, "--jobs", "1", "--keep-in", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *words],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout.count(f"{count} {kind}")) == (0, 1), done.stdout


def _fails(kind: str) -> Program:
    def app(_words: list[str]) -> None:
        if kind == "traceback":
            raise ValueError(kind)
        if kind == "hang":
            with Path("/dev/zero").open("rb") as file:
                while file.read(1):
                    pass
        if kind == "memory":
            bytearray(b"x" * (201 * 1024**2))
            sys.exit(0)
        sys.exit(1)

    return Program(app=app, words=("do",), codes=frozenset({0, 3, 5}))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("traceback", "ValueError"),
        ("code", "exit code 1"),
        ("hang", "hangs"),
        ("memory", "MiB of memory"),
    ],
)
def test_what_is_looked_for_is_found(kind: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A traceback, a hang, a wrong exit code and much memory would all be told."""
    if kind == "hang":
        monkeypatch.setattr("tests.fuzz.guard.SECONDS", 0.2)
    wrong = call(_fails(kind), ["--it"])
    assert wrong is not None
    assert wrong.startswith("do --it\n")
    assert said in wrong
