"""Reading a state directory: its end, its whole, and what is no write under way."""

import json
import os
import pwd
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_transport_health.contract.event import LONGEST_LINE_BYTES, line_digest
from tau_transport_health.files.state_directory import LOOKS, blocks_of, observe, read_once
from tau_transport_health.health.reading import Problem, Reading
from tau_transport_health.health.remedies import Hold
from tau_transport_health.health.targets import BUILT_IN
from tests.transport_health.running import UNHURRIED, as_another_user
from tests.transport_health.state_files import StateDirectory, chain, event, line_of, state_of

TARGET = BUILT_IN["custom-command"]
MEGABYTE = 1024 * 1024


def lines_in(path: Path) -> Iterator[bytes]:
    """Yield the lines that the blocks of a log hold, without their line breaks."""
    for block in blocks_of(path):
        *lines, rest = block.split(b"\n")
        assert rest == b"", "a block ends where a line ends"
        yield from lines


def read(directory: StateDirectory) -> Reading:
    """Return what the directory holds now."""
    return read_once(directory.root, TARGET)


def named(reading: Reading) -> list[str]:
    """Return the digests of the last lines."""
    return [line.sha256 for line in reading.last_lines]


def digests(lines: list[bytes]) -> list[str]:
    """Return the digests of lines."""
    return [line_digest(line) for line in lines]


def observed(directory: StateDirectory) -> tuple[Reading, list[float]]:
    """Return what a careful look gives, and how long it waited between its looks."""
    waits: list[float] = []
    return observe(directory.root, TARGET, sleep=waits.append), waits


def test_a_good_directory_is_read_at_once(directory: StateDirectory) -> None:
    """The state and the last two lines, without a second look."""
    lines = directory.good(5)
    reading, waits = observed(directory)
    assert named(reading) == digests(lines[-2:])
    assert reading.state is not None
    assert (reading.state_problem, reading.log_problem, waits) == (None, None, [])
    assert (reading.is_log_present, reading.is_log_torn) == (True, False)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_short_log_is_read(count: int, directory: StateDirectory) -> None:
    """As many of the last two lines as there are."""
    lines = chain(3)[:count]
    directory.write(state_of(chain(3)[-1]), lines)
    reading = read(directory)
    assert named(reading) == digests(lines[-2:])
    assert (reading.is_log_present, reading.is_log_torn) == (True, False)


@pytest.mark.parametrize("cut", [1, 10, -1])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_torn_line_is_left_out(count: int, cut: int, directory: StateDirectory) -> None:
    """What follows the last line break is no line, and its presence is known."""
    lines = chain(4)
    directory.write(state_of(lines[-1]), [*lines[:count], lines[-1][:cut]])
    reading = read(directory)
    assert named(reading) == digests(lines[:count][-2:])
    assert reading.is_log_torn
    assert list(lines_in(directory.log)) == [line[:-1] for line in lines[:count]]


@pytest.mark.parametrize(("old", "new"), [(3, None), (3, 0), (3, 1), (3, 2), (1, 1), (1, None)])
def test_the_end_may_reach_into_the_rotated_log(
    old: int, new: int | None, directory: StateDirectory
) -> None:
    """Where the new log has fewer than two lines, the older ones count."""
    lines = chain(old + (new or 0))
    directory.write(state_of(lines[-1]), None if new is None else lines[old:])
    directory.rotated.write_bytes(b"".join(lines[:old]))
    reading = read(directory)
    assert named(reading) == digests(lines[-2:])
    assert reading.is_log_present == (new is not None)


def test_a_disagreement_is_looked_at_again(directory: StateDirectory) -> None:
    """Three times more, 50 ms apart; then it is one."""
    directory.write(state_of(chain(4)[-1]), chain(1))
    _, waits = observed(directory)
    assert waits == [0.05] * (LOOKS - 1) == [0.05, 0.05, 0.05]


def test_a_write_under_way_is_waited_for(directory: StateDirectory) -> None:
    """What fits after a moment was no disagreement."""
    lines = chain(4)
    directory.write(state_of(lines[-1]), [*lines[:3], lines[-1][:20]])
    looked = []

    def finish_the_write(seconds: float) -> None:
        looked.append(seconds)
        if len(looked) == 2:
            directory.write(None, lines)

    reading = observe(directory.root, TARGET, sleep=finish_the_write)
    assert (looked, reading.is_log_torn) == ([0.05, 0.05], False)
    assert named(reading) == digests(lines[-2:])


def test_what_is_missing_is_named(directory: StateDirectory) -> None:
    """The directory, what it links to, or the file in it; and no log is no torn log."""
    reading, waits = observed(directory)
    missing = f"{directory.root}: there is no such directory"
    assert reading.state_problem == Problem(Hold.NO_STATE, missing)
    assert (reading.log_problem, reading.is_log_present, waits) == (None, False, [])
    directory.root.symlink_to("/nowhere/at-all")
    linked = f"{directory.root}: is a link to /nowhere/at-all, which is not there"
    assert read(directory).state_problem == Problem(Hold.NO_STATE, linked)
    directory.root.unlink()
    directory.root.write_bytes(b"")
    no_folder = f"{directory.root}: is not a directory"
    assert read(directory).state_problem == Problem(Hold.NO_STATE, no_folder)
    directory.root.unlink()
    directory.write(None, [])
    no_file = f"{directory.state}: there is no such file"
    assert read(directory).state_problem == Problem(Hold.NO_STATE, no_file)


def only_rotated(directory: StateDirectory) -> None:
    """Leave a log that was rotated, and no other."""
    directory.write(None, chain(1))
    directory.log.rename(directory.rotated)


def only_channels(directory: StateDirectory) -> None:
    """Leave the channel store alone."""
    log = directory.root / "channel-store/custom-command/greet/log.jsonl"
    log.parent.mkdir(parents=True)
    log.touch()


@pytest.mark.parametrize(
    "remains",
    [
        lambda directory: directory.write(None, chain(1)),
        lambda directory: directory.write(None, [b"{"]),
        only_rotated,
        only_channels,
    ],
    ids=["a line", "a torn line", "a rotated line", "a channel"],
)
def test_a_state_that_was_there_is_lost(
    remains: Callable[[StateDirectory], None], directory: StateDirectory
) -> None:
    """Beside what cycles left behind, a missing state is no directory that was never used."""
    remains(directory)
    problem = read(directory).state_problem
    assert problem is not None
    assert problem.hold is Hold.LOST_STATE
    assert problem.reason.startswith(f"{directory.state}: there is no such file, though")


def test_what_cannot_be_read_is_named(directory: StateDirectory) -> None:
    """A folder in the place of a file is a problem, and not an absence."""
    directory.state.mkdir(parents=True)
    directory.log.mkdir()
    reading = read(directory)
    for problem, hold, path in (
        (reading.state_problem, Hold.INVALID_STATE, directory.state),
        (reading.log_problem, Hold.UNREADABLE_LOG, directory.log),
    ):
        assert problem == Problem(hold, f"{path}: cannot be read: not a regular file")
    assert (reading.last_lines, reading.is_log_present) == ((), True)


@pytest.mark.parametrize("denied", [".", "state.json", "runtime-events.jsonl"])
def test_what_may_not_be_read_says_whose_it_is(denied: str) -> None:
    """The directory, the state or the log: whose it is, who asks, and that it is no broken file."""
    with TemporaryDirectory() as folder:
        directory = StateDirectory(Path(folder))
        directory.good()
        for file in (directory.root, directory.state, directory.log):
            file.chmod(0o755)
        (directory.root / denied).chmod(0)
        with as_another_user():
            reading = read(directory)
        directory.root.chmod(0o700)
    problem = reading.log_problem if denied.startswith("runtime") else reading.state_problem
    assert problem is not None
    assert problem.hold is Hold.PERMISSION_DENIED
    me = pwd.getpwuid(os.geteuid()).pw_name
    owner = me if os.geteuid() == 0 else None
    assert problem.owner == owner
    assert f"cannot be read: Permission denied: it is {me}'s, and this runs as " in problem.reason
    assert reading.disagreement is None


@pytest.mark.parametrize("has_lines", [True, False])
def test_a_rotated_log_that_may_not_be_read_is_told_where_it_is_needed(
    has_lines: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Where the log itself has no line; else what is read there is enough."""
    with TemporaryDirectory() as folder:
        directory = StateDirectory(Path(folder))
        lines = directory.good()
        directory.state.chmod(0o644)
        directory.log.chmod(0o644)
        if not has_lines:
            directory.write(None, [])
        directory.root.chmod(0o755)
        directory.rotated.write_bytes(b"".join(lines))
        directory.rotated.chmod(0)
        with as_another_user():
            problem = read(directory).log_problem
    assert (problem is None) == has_lines


def test_bytes_that_are_no_text_are_lines_all_the_same(directory: StateDirectory) -> None:
    """A line ends with a line break and nothing else: not with a NUL, a CR or a Unicode one."""
    lines = [b"\xff\xfe\n", b"a\rb\n", b"\x00\n", "a\u2028b\x85c\n".encode(), b"\n", b"\x0c\n"]
    directory.write(None, lines)
    assert [line + b"\n" for line in lines_in(directory.log)] == lines
    assert named(read(directory)) == digests(lines[-2:])


@pytest.mark.parametrize("sizes", [[20], [20, 0], [0, 20, 0], [7, 7, 7], [20, 20]])
def test_very_long_lines_are_read(sizes: list[int], directory: StateDirectory) -> None:
    """Lines of many megabytes keep their number, and memory its bound."""
    lines = [b"x" * (size * MEGABYTE + 5) + b"\n" for size in sizes]
    directory.write(None, lines)
    tracemalloc.start()
    longest = [len(line) for line in lines_in(directory.log)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(longest) == len(lines)
    assert max(longest) <= LONGEST_LINE_BYTES + 1, "only so much that it shows as too long"
    assert peak < 5 * LONGEST_LINE_BYTES
    if sizes[-1] == 0:
        assert named(read(directory))[-1:] == digests(lines[-1:])


@pytest.mark.parametrize("size", [10, 21_845, 32_767, 40_000, 65_535, 65_536, 100_000])
def test_the_end_is_read_whole_whatever_the_lines_length(
    size: int, directory: StateDirectory
) -> None:
    """The log is read backwards in blocks; no line is cut where a block begins."""
    lines = [bytes([65 + number]) * size + b"\n" for number in range(5)]
    directory.write(None, lines)
    assert named(read(directory)) == digests(lines[-2:])


def test_a_line_beyond_the_limit_is_invalid_even_if_its_beginning_is_not(
    directory: StateDirectory,
) -> None:
    """What was cut off may be anything: the beginning alone decides nothing."""
    good = line_of(event())[:-1]
    directory.write(None, [good + b" " * LONGEST_LINE_BYTES + b"garbage\n", line_of(event())])
    first, second = lines_in(directory.log)
    assert first != good + b" " * (LONGEST_LINE_BYTES - len(good))
    assert second == good


def test_a_long_log_is_streamed_in_constant_memory(directory: StateDirectory) -> None:
    """40 MB are read with the memory that 4 MB need."""
    peaks = []
    for count in (4_000, 40_000):
        directory.write(None, [line_of(event(health_reason="x" * 100))] * count)
        tracemalloc.start()
        assert sum(1 for _ in lines_in(directory.log)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5


def test_no_log_has_no_lines(tmp_path: Path) -> None:
    """Neither a missing nor an empty file."""
    assert list(lines_in(tmp_path / "none")) == []
    (tmp_path / "empty").touch()
    assert list(lines_in(tmp_path / "empty")) == []


@pytest.mark.parametrize("kind", ["folder", "under a file"])
def test_a_log_that_cannot_be_read_has_no_lines(kind: str, tmp_path: Path) -> None:
    """No traceback: what could not be read is told by the reading of its end."""
    path = tmp_path / "log"
    if kind == "folder":
        path.mkdir()
    else:
        path.touch()
        path /= "log"
    assert list(lines_in(path)) == []


def test_the_log_is_read_up_to_its_size_at_opening(directory: StateDirectory) -> None:
    """What is written while it is read is for the next time."""
    lines = [b"x" * 1000 + b"\n"] * 5000
    directory.write(None, lines)
    count = 0
    for _ in lines_in(directory.log):
        count += 1
        if count < 10_000:
            with directory.log.open("ab") as log:
                log.write(b"more\n")
    assert count == 5000


@UNHURRIED
@given(st.lists(st.binary(max_size=5).map(lambda raw: raw.replace(b"\n", b"")), max_size=6))
def test_the_end_and_the_whole_agree(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes]
) -> None:
    """The last two lines are the last two of all, for any log; the rest is torn."""
    directory = StateDirectory(tmp_path_factory.mktemp("log"))
    directory.log.write_bytes(b"\n".join(parts))
    whole = [line + b"\n" for line in lines_in(directory.log)]
    reading = read(directory)
    assert whole == [part + b"\n" for part in parts[:-1]]
    assert named(reading) == digests(whole[-2:])
    assert reading.is_log_torn == bool(parts and parts[-1])


def test_a_state_is_json(directory: StateDirectory) -> None:
    """The builders write what the reader reads."""
    directory.good()
    assert json.loads(directory.state.read_bytes())["schema_version"] == 1


def test_a_state_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    """A sparse file of any size costs nothing, and is told as no valid state."""
    with (tmp_path / "state.json").open("wb") as file:
        file.truncate(10 * 1024**3)
    reading = read_once(tmp_path, BUILT_IN["custom-command"])
    assert reading.state is None
    assert reading.state_problem is not None
    assert "is longer than 256 MiB" in reading.state_problem.reason
