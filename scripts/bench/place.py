"""Where benchmarks write, and what all of them need."""

import itertools
import sys
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from scripts.bench.measure import BIN, Row, Side, Words, take

RUNTIME, INSPECTOR, GATE = (
    BIN / name for name in ("tau-custom-command", "tau-transport-health", "tau-rollout-gate")
)
HERE = Path(__file__).parent

PYTHON: Words = (sys.executable, "-c", "pass")


class Place(NamedTuple):
    """Where a benchmark may write, and by how much it is made smaller.

    Args:
        folder: In memory, where the machine has such a file system.
        disk: On a disk.
        divided_by: So many times less than in the full form.
    """

    folder: Path
    disk: Path
    divided_by: int = 1

    def scaled(self, number: int) -> int:
        """How many there are instead of so many."""
        return max(1, number // self.divided_by)


Benchmark = Callable[[Place], Iterator[Row]]
"""Makes what it needs below its place, and yields its rows."""


def always(*words: str | Path) -> Side:
    """A command that needs nothing to be made before it."""
    return Side(lambda: words)


def apart(make: Callable[[], object]) -> None:
    """Make something large in a process of its own.

    What a process is forked from counts as memory of its own, although it executes another program.

    Raises:
        SystemExit: if that process fails.
    """
    process = get_context("fork").Process(target=make)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(process.exitcode)


def runtime_wrote(folder: Path) -> Path:
    """A state directory after one cycle of the starter fixture."""
    fixture, state_dir = folder / "starter.json", folder / "starter"
    take((RUNTIME, "new", fixture))
    take((RUNTIME, "run", fixture, "--state-dir", state_dir))
    return state_dir


def fresh_runs(folder: Path, fixture: Path, cases: int, *options: str) -> Callable[[], Words]:
    """Command lines that run a fixture, each in a state directory of its own.

    Nothing is deleted between them: file systems are slow where much was just deleted.
    """
    numbers = itertools.count()

    def words() -> Words:
        limits = ("--queue-limit", str(cases), "--processed-case-cap", str(2 * cases))
        return (*run_in(folder / f"{fixture.stem}-{next(numbers)}", fixture), *limits, *options)

    return words


def run_in(state_dir: Path, fixture: Path) -> Words:
    """The command line that runs a fixture in a state directory."""
    return (RUNTIME, "run", fixture, "--state-dir", state_dir)
