"""Cycles of the runtime that record: many cases, and large ones."""

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from scripts.bench.made import Case, creates, lists, write_fixture
from scripts.bench.measure import Row, Side, Words, take
from scripts.bench.place import HERE, PYTHON, RUNTIME, Place, always, apart, fresh_runs

_LOAD = "import json, sys; json.load(open(sys.argv[1]))"
BEFORE_DUPLICATES = 57.4
"""A cycle of 10,000 duplicates before it was made faster, in times of `python -c pass`."""


def creating(place: Place) -> Iterator[Row]:
    """A cycle that makes many commands, each with a folder of its own."""
    folder = place.folder
    many = max(2_000, place.scaled(10_000))  # fewer are lost beside the start-up
    one = Side(fresh_runs(folder, write_fixture(folder / "one.json", creates(1)), 1))
    sides = {}
    for count in (many, 3 * many):
        fixture = write_fixture(folder / f"creates-{count}.json", creates(count))
        sides[count] = Side(fresh_runs(folder, fixture, count), one.words)
    take(made := tuple(sides[many].words()))
    tree, numbers = Path(made[4]), itertools.count()

    def loop(what: str) -> Callable[[], Words]:
        script = HERE / "bare_files.py"
        return lambda: (sys.executable, script, tree, folder / f"bare-{next(numbers)}", what)

    yield Row(
        f"{many:,} CREATEs",
        "a bare loop that makes the same files",
        1.6,
        sides[many],
        Side(loop("make"), loop("read")),
    )
    yield Row(f"{3 * many:,} CREATEs", f"{many:,} CREATEs", 3.1, sides[3 * many], sides[many])


def listing(place: Place) -> Iterator[Row]:
    """A cycle that makes many commands and lists them as often."""
    folder, many = place.folder, place.scaled(10_000)
    both = [*creates(many // 2), *lists(many // 2)]
    listed = write_fixture(folder / "lists.json", both)
    created = write_fixture(folder / "creates.json", creates(many))
    yield Row(
        f"{many // 2:,} CREATEs and as many LISTs",
        f"{many:,} CREATEs",
        0.8,
        Side(fresh_runs(folder, listed, many)),
        Side(fresh_runs(folder, created, many)),
        most_megabytes=100,
        rounds=3,
    )


def duplicates(place: Place) -> Iterator[Row]:
    """A cycle in which nothing is left to do."""
    count = place.scaled(10_000)
    fixture = write_fixture(place.folder / "creates.json", creates(count))
    words = tuple(fresh_runs(place.folder, fixture, count)())
    take(words)
    most = 0.35 * BEFORE_DUPLICATES
    yield Row(f"{count:,} duplicates", "python -c pass", most, always(*words), Side(lambda: PYTHON))


def _large(place: Place) -> Iterator[Case]:
    """Cases that come to 64 MiB."""
    size, cases = place.scaled(64 * 1024 * 1024), creates(place.scaled(20_000))
    return (case | {"arguments": {"text": "x" * (size // len(cases) - 300)}} for case in cases)


def memory(place: Place) -> Iterator[Row]:
    """How much memory large fixtures take."""
    folder, count = place.folder, place.scaled(100_000)
    fixture, large = folder / "creates.json", folder / "large.json"
    apart(lambda: write_fixture(fixture, creates(count)))
    apart(lambda: write_fixture(large, _large(place)))
    run = Side(fresh_runs(folder, fixture, count))
    validate = always(RUNTIME, "validate", large)
    for name, ours, read, megabytes in (
        (f"{count:,} new commands", run, fixture, 300),
        ("validate, a fixture of 64 MiB", validate, large, 250),
    ):
        bare = always(sys.executable, "-c", _LOAD, read)
        yield Row(name, "json.load of it", None, ours, bare, megabytes, rounds=1)
