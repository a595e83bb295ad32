"""Runs commands, each in a process of its own and in turn with its yardstick, and compares them.

What a row compares is the time of the processor, of all processes together, which others who use
the machine hardly change; or the time by the clock, where a command mostly waits.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

BIN = Path(sys.executable).parent
ANSWERS = frozenset({0, 1, 3, 4})
"""Exit codes of a command that answered: a gate that holds is an answer."""

_HIDES_COMPILED = {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONPATH", "PYTHONHOME"}

Words = Sequence[str | Path]


class Taken(NamedTuple):
    """What a command took: seconds of the processor, seconds by the clock, MB at most."""

    cpu: float
    clock: float
    megabytes: float


class Side(NamedTuple):
    """A command to be measured.

    Args:
        words: Makes what the command needs and returns its words; called before each run, and no
            part of what is measured.
        less: The same of a command whose time is taken off, such as the start-up alone.
    """

    words: Callable[[], Words]
    less: Callable[[], Words] | None = None


class Row(NamedTuple):
    """A command, what it is compared with, and how many times as much it may take.

    Args:
        name: What it is called in the table, and from one run to the next.
        yardstick_name: What it is compared with.
        most: At most so many times the yardstick's time; None where only memory matters.
        ours: The command.
        yardstick: What it is compared with.
        most_megabytes: How much memory it may take; None where that is no matter.
        rounds: How often both are run, in turn.
        by_clock: Whether the time by the clock is compared.
    """

    name: str
    yardstick_name: str
    most: float | None
    ours: Side
    yardstick: Side
    most_megabytes: float | None = None
    rounds: int = 5
    by_clock: bool = False


class Spread(NamedTuple):
    """Figures by their median, least and most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> "Spread":
        """The spread of at least one figure."""
        return cls(statistics.median(figures), min(figures), max(figures))


class Measured(NamedTuple):
    """A row's figures: seconds of both sides, how many times as long it took, and memory."""

    row: Row
    ours: Spread
    yardstick: Spread
    ratio: float
    megabytes: float

    @property
    def is_met(self) -> bool:
        """Whether the row holds."""
        most_megabytes = self.row.most_megabytes
        is_small = most_megabytes is None or self.megabytes <= most_megabytes
        is_fast = self.row.most is None or self.ratio <= self.row.most
        return is_fast and is_small


def take(words: Words) -> Taken:
    """Run a command to its end.

    Raises:
        SystemExit: if it does not answer, with what it said.
    """
    environment = {name: text for name, text in os.environ.items() if name not in _HIDES_COMPILED}
    with tempfile.TemporaryFile() as told:
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        process = subprocess.Popen(words, stdout=told, stderr=subprocess.STDOUT, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        clock = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in ANSWERS:
            told.seek(0)
            what = told.read(2000).decode(errors="replace")
            raise SystemExit(f"{[str(word) for word in words]}: {process.returncode}: {what}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Taken(cpu, clock, usage.ru_maxrss * 1024 / 1e6)


def measured(row: Row, rounds: int | None = None) -> Measured:
    """Run both sides of a row in turn, once more than is counted, and compare them."""
    ours: list[float] = []
    yardstick: list[float] = []
    megabytes: list[float] = []
    for number in range(1 + (rounds or row.rounds)):
        taken, memory = _seconds(row.ours, by_clock=row.by_clock)
        bare, _ = _seconds(row.yardstick, by_clock=row.by_clock)
        if number:  # the first one fills the caches
            ours.append(taken)
            yardstick.append(bare)
            megabytes.append(memory)
    ratio = statistics.median(ours) / statistics.median(yardstick)
    return Measured(row, Spread.of(ours), Spread.of(yardstick), ratio, max(megabytes))


def _seconds(side: Side, *, by_clock: bool) -> tuple[float, float]:
    taken = take(side.words())
    seconds = taken.clock if by_clock else taken.cpu
    if side.less is not None:
        less = take(side.less())
        seconds -= less.clock if by_clock else less.cpu
    return seconds, taken.megabytes
