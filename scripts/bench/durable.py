"""What it costs that a cycle outlasts a loss of power: the same with and without --no-fsync.

For the shape that costs most (every command has a folder of its own, so four files a case are made)
and for the usual one (another cycle over folders that are there). On a disk: one in memory shows
nothing.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from scripts.bench.made import creates, write_fixture
from scripts.bench.measure import Row, Side, Words
from scripts.bench.place import Place, fresh_runs, run_in


def durability(place: Place) -> Iterator[Row]:
    """A cycle of 1,000 cases, against itself with --no-fsync."""
    folder, count = place.disk, place.scaled(1_000)
    fixture = write_fixture(folder / "creates.json", creates(count))
    new = [_after_sync(fresh_runs(folder, fixture, count, *more)) for more in _WAYS]
    again = [_after_sync(_again(folder, fixture, count, *more)) for more in _WAYS]
    for name, (ours, bare) in (("new folders", new), ("same folders", again)):
        what = f"{count:,} cases to the disk, {name}"
        yield Row(what, "with --no-fsync", 1.5, ours, bare, rounds=9, by_clock=True)


_WAYS: tuple[tuple[str, ...], ...] = ((), ("--no-fsync",))


def _after_sync(words: Callable[[], Words]) -> Side:
    def synced() -> Words:
        os.sync()  # what another run left to be written is not this one's
        return words()

    return Side(synced)


def _again(folder: Path, fixture: Path, count: int, *options: str) -> Callable[[], Words]:
    """Further cycles in one state directory, each of new work."""
    state_dir = folder / f"again{''.join(options)}"
    numbers = itertools.count()

    def words() -> Words:
        more = ("--queue-limit", str(count), "--case-suffix", f"-{next(numbers)}")
        return (*run_in(state_dir, fixture), *more, *options)

    return words
