"""A log of very many files: a bounded number is open, and none is passed over or read twice."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tau_transport_health.files.lines import UnreadLines, WholeLines, open_regular
from tau_transport_health.files.segments import MOST_OPEN, open_segments

MANY = 3 * MOST_OPEN


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return a log of many files, each with a line that says which it was, the oldest first."""
    for number in range(MANY):
        path = tmp_path / (f"log.{number}" if number else "log")
        path.write_text(f"line {MANY - number}\n")
    return tmp_path


def segments_of(log: Path) -> list[WholeLines | UnreadLines]:
    """Return the files of the log."""
    names = [path.name for path in log.iterdir()]
    return open_segments("log", names, lambda name: open_regular(log / name))


def lines_of(segments: list[WholeLines | UnreadLines]) -> Iterator[bytes]:
    """Yield the lines of all files."""
    for segment in segments:
        yield from segment


def rotate(log: Path) -> None:
    """Rotate the log once, as a runtime does."""
    for number in reversed(range(MANY)):
        path = log / (f"log.{number}" if number else "log")
        path.rename(log / f"log.{number + 1}")
    (log / "log").write_text("newer\n")


def test_a_bounded_number_stays_open(log: Path) -> None:
    """And every line is read, in order."""
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the folder is not walked
    segments = segments_of(log)
    assert len(os.listdir("/proc/self/fd")) - before <= MOST_OPEN + 1  # noqa: PTH208 - as above
    assert list(lines_of(segments)) == [f"line {number + 1}".encode() for number in range(MANY)]
    assert {segment.problem for segment in segments} == {None}


def test_a_rotation_in_between_loses_nothing(log: Path) -> None:
    """A file that is opened again is found under its next name; what came later is not read."""
    segments = segments_of(log)
    rotate(log)
    assert list(lines_of(segments)) == [f"line {number + 1}".encode() for number in range(MANY)]


def test_a_file_that_went_away_is_told(log: Path) -> None:
    """Its lines are not known; the others are read."""
    segments = segments_of(log)
    (log / f"log.{MANY - 1}").unlink()
    (log / f"log.{MANY - 2}").rename(log / "elsewhere")
    (log / f"log.{MANY - 2}").write_text("another\n")
    lines = list(lines_of(segments))
    assert lines == [f"line {number + 1}".encode() for number in range(2, MANY)]
    assert [segment.problem for segment in segments[:3]] == [
        "cannot be opened: No such file or directory",
        "cannot be opened: No such file or directory",
        None,
    ]


def test_a_file_that_is_rotated_on_and_on_is_told(log: Path) -> None:
    """It is not looked for for ever."""
    segments = segments_of(log)
    (log / f"log.{MANY - 1}").rename(log / "elsewhere")
    for number in range(MANY - 1, MANY + 20):
        (log / f"log.{number}").write_text("another\n")
    list(lines_of(segments))
    assert segments[0].problem == ("cannot be opened: it was rotated away while the log was read")
