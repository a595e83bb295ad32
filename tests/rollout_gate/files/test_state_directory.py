"""A state directory is read as far as needed, again where it is odd, whatever stands in it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tau_rollout_gate.contract.event import LONGEST_LINE_BYTES
from tau_rollout_gate.contract.pin import LogPosition
from tau_rollout_gate.evidence.lines import RefusedLine
from tau_rollout_gate.evidence.values import Flaw, SurfaceEvidence
from tau_rollout_gate.files.surface import search
from tau_rollout_gate.files.surface.lines import BLOCK_BYTES
from tau_rollout_gate.files.surface.state_directory import (
    LOOKS,
    read_log,
    read_state_file,
    read_surface,
)
from tests.rollout_gate.making import MINUTE, History, digest, pin

LOG = "runtime-events.jsonl"
BEGINNING = LogPosition(cycle_number=None, event_sha256=None)
MIB = 1024 * 1024


def at(history: History, number: int, *cuts: int) -> LogPosition:
    """Return where the log stood after its line of this number; it was rotated after others."""
    return History(lines=history.lines[:number]).position(*cuts)


def read(
    state_dir: Path,
    since: LogPosition | None = BEGINNING,
    *,
    sleep: Callable[[float], None] = lambda _: None,
) -> SurfaceEvidence:
    """Return the evidence in a state directory since a position."""
    return read_surface(pin(evidence_from=since, phase_from=since), state_dir, sleep=sleep)


def flaws(found: SurfaceEvidence) -> list[Flaw]:
    """Return what is wrong, without the words."""
    return [one.flaw for one in found.flaws]


@pytest.fixture
def history() -> History:
    """Return ten cycles."""
    return History().every(MINUTE, 10)


@pytest.fixture
def state_dir(history: History, tmp_path: Path) -> Path:
    """Return a state directory of ten cycles."""
    return history.write(tmp_path / "state")


def test_a_sound_directory_is_read_once(state_dir: Path, history: History) -> None:
    """No second look where nothing is odd; files are named by their paths."""
    naps: list[float] = []
    found = read(state_dir, at(history, 4), sleep=naps.append)
    assert (found.flaws, len(found.cycles), naps) == ((), 6, [])
    assert {cycle.file for cycle in found.cycles} == {str(state_dir / LOG)}
    log = found.inputs[1]
    assert log.offset is not None
    assert log.length == len(b"".join(history.lines[4:]))
    assert (state_dir / LOG).read_bytes()[log.offset :] == b"".join(history.lines[4:])


def test_what_is_odd_is_looked_at_four_times_50_ms_apart(state_dir: Path) -> None:
    """Then it counts."""
    (state_dir / LOG).write_bytes((state_dir / LOG).read_bytes() + b'{"torn')
    naps: list[float] = []
    assert flaws(read(state_dir, sleep=naps.append)) == [Flaw.TORN_TAIL]
    assert naps == [0.05] * (LOOKS - 1) == [0.05] * 3


def test_what_settles_meanwhile_is_no_flaw(state_dir: Path, history: History) -> None:
    """A writer in the middle of a write; a rotation between two renames is none at all."""
    log = state_dir / LOG
    whole = log.read_bytes()

    def write(_: float) -> None:
        log.write_bytes(whole)

    log.write_bytes(whole[:-9])
    assert read(state_dir, sleep=write).flaws == ()
    log.rename(state_dir / f"{LOG}.2")
    assert read(state_dir, at(history, 3)).flaws == ()


@settings(max_examples=60, deadline=None)
@given(
    block_bytes=st.integers(1, 3000),
    since=st.integers(0, 10),
    cuts=st.sets(st.integers(1, 9), max_size=3),
    torn=st.sampled_from([b"", b"{", b'{"a": 1}']),
)
def test_blocks_of_any_size_give_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    block_bytes: int,
    since: int,
    cuts: set[int],
    torn: bytes,
) -> None:
    """Where the blocks end is not seen; neither is where the log was rotated."""
    history = History().every(MINUTE, 10)
    state_dir = tmp_path_factory.mktemp("blocks")
    ends = sorted({0, *cuts, 10})
    for rotation, end in enumerate(reversed(ends[1:])):
        start = ends[ends.index(end) - 1]
        name = f"{LOG}.{rotation}" if rotation else LOG
        rest = b"" if rotation else torn
        (state_dir / name).write_bytes(b"".join(history.lines[start:end]) + rest)
    position = at(history, since, *cuts)
    found = read_log(state_dir / LOG, position, block_bytes=block_bytes)
    assert found == read_log(state_dir / LOG, position)
    lines = [line for part in found.parts for line in part.lines]
    expected = [digest(line) for line in history.lines[min(max(since - 1, 0), 8) :]]
    assert [line.sha256 for line in lines] == [*expected, *([None] if torn else [])]
    assert found.parts[-1].end == (state_dir / LOG).stat().st_size


def read_bytes(command: Callable[[], object]) -> int:
    """Return how many bytes this process read by system calls while it did something."""

    def rchar() -> int:
        (line,) = (
            line
            for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines()
            if line.startswith("rchar")
        )
        return int(line.split()[1])

    before = rchar()
    command()
    return rchar() - before


@settings(max_examples=60, deadline=None)
@given(cuts=st.sets(st.integers(1, 9), max_size=3), since=st.integers(0, 10), torn=st.booleans())
def test_a_known_beginning_is_jumped_to(*, cuts: set[int], since: int, torn: bool) -> None:
    """What is read is the same as line by line, over all the files of the log."""
    ten, places = History().every(MINUTE, 10), (0, *sorted(cuts), 10)
    position = at(ten, since, *sorted(cuts))
    with tempfile.TemporaryDirectory() as folder:
        state_dir = ten.write(Path(folder))
        for number, (start, end) in enumerate(reversed(list(pairwise(places)))):
            name = f"{LOG}.{number}" if number else LOG
            (state_dir / name).write_bytes(b"".join(ten.lines[start:end]))
        if torn:
            with (state_dir / LOG).open("ab") as file:
                file.write(b"{")
        found = read(state_dir, position)
        with patch.object(search.Search, "jump", return_value=None):
            assert read(state_dir, position) == found
    assert len(found.cycles) == 10 - since


def test_the_cost_depends_on_the_evidence_and_not_on_the_log(tmp_path: Path) -> None:
    """Of a log of 20 MB that holds five cycles of evidence, a few blocks are read."""
    history = History().every(MINUTE, 400, health_reason="x" * 50_000)
    history.every(MINUTE, 5, after=history.last()["timestamp_unix_ms"])
    history.write(tmp_path)
    log = tmp_path / LOG
    assert log.stat().st_size > 20_000_000
    for since in (at(history, 400), None):
        assert read(tmp_path, since).flaws == ()
        assert read_bytes(lambda since=since: read(tmp_path, since)) < 4 * BLOCK_BYTES  # type: ignore[misc]
    found = read(tmp_path, at(history, 400))
    assert [cycle.line for cycle in found.cycles] == [401, 402, 403, 404, 405]


def test_a_rewritten_log_is_not_read_to_its_beginning(tmp_path: Path) -> None:
    """A line with a smaller number is older than the position: it is not there any more."""
    history = History().every(MINUTE, 5000)
    history.write(tmp_path)
    lost = LogPosition(cycle_number=4990, event_sha256="0" * 64)
    found = read(tmp_path, lost)
    assert flaws(found) == [Flaw.LOG_REWRITTEN]
    assert len(found.cycles) == 10
    size = len(b"".join(history.lines))
    assert read_bytes(lambda: read(tmp_path, lost)) < size / 4


def test_a_rotated_log_is_read_on(state_dir: Path, history: History) -> None:
    """A higher number is older, whatever numbers are missing; the chain tells what is."""
    lines = history.lines
    (state_dir / LOG).write_bytes(b"".join(lines[8:]))
    (state_dir / f"{LOG}.1").write_bytes(b"".join(lines[5:8]))
    (state_dir / f"{LOG}.2").write_bytes(b"".join(lines[:5]))
    since = at(history, 3, 5, 8)
    found = read(state_dir, since)
    assert (found.flaws, [cycle.line for cycle in found.cycles]) == ((), [4, 5, 1, 2, 3, 1, 2])
    (state_dir / f"{LOG}.2").rename(state_dir / f"{LOG}.17")
    assert read(state_dir, since).flaws == read(state_dir).flaws == ()
    (state_dir / f"{LOG}.1").rename(state_dir / f"{LOG}.1.gz")
    (gone,) = read(state_dir, since).flaws
    assert (gone.flaw, gone.lost) == (Flaw.SEGMENT_MISSING, 3)
    assert gone.detail == "cycles 6 to 8 are in none of the log's files"


@pytest.mark.parametrize("number", [3, 18])
def test_a_rotated_file_that_cannot_be_read(state_dir: Path, history: History, number: int) -> None:
    """It might be anything, also where it should be older than the evidence: that holds."""
    (state_dir / LOG).write_bytes(b"".join(history.lines[5:]))
    (state_dir / f"{LOG}.2").write_bytes(b"".join(history.lines[:5]))
    (state_dir / f"{LOG}.{number}").mkdir()
    for since in (at(history, 3, 5), BEGINNING):
        (unreadable,) = read(state_dir, since).flaws
        assert (unreadable.flaw, unreadable.lost) == (Flaw.SEGMENT_MISSING, 1)
        assert f"{LOG}.{number} cannot be read: it is not a regular" in unreadable.detail
    assert read(state_dir, None).flaws == ()


def test_before_canary_1_the_end_alone_is_read(state_dir: Path, history: History) -> None:
    """Also where the log was rotated just now, or is not there yet."""
    assert read(state_dir, None).end == at(history, 10)
    (state_dir / LOG).rename(state_dir / f"{LOG}.1")
    found = read(state_dir, None)
    assert found.end == at(history, 10)
    assert found.is_chained
    (state_dir / f"{LOG}.1").unlink()
    assert read(state_dir, None).end is None


def a_pipe(path: Path) -> None:
    """Put a pipe in a file's place."""
    os.mkfifo(path)


def a_link_to_itself(path: Path) -> None:
    """Put a link that leads nowhere in a file's place."""
    path.symlink_to(path.name)


def a_dangling_link(path: Path) -> None:
    """Put a link to nothing in a file's place."""
    path.symlink_to("nothing")


def a_device(path: Path) -> None:
    """Put a link to an endless device in a file's place."""
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    "make",
    [Path.mkdir, a_pipe, a_link_to_itself, a_dangling_link, a_device],
    ids=lambda f: f.__name__,
)
@pytest.mark.parametrize("name", ["state.json", LOG])
def test_what_is_no_file_is_a_flaw(
    state_dir: Path, name: str, make: Callable[[Path], None]
) -> None:
    """Nothing waits, nothing crashes: what stands in a file's place is said, or that it is none."""
    (state_dir / name).unlink()
    make(state_dir / name)
    found = flaws(read(state_dir))
    is_missing = make is a_dangling_link or name == LOG
    assert found == [Flaw.NO_FILES if is_missing else Flaw.INVALID_STATE]


def test_links_to_files_are_followed(state_dir: Path, tmp_path: Path) -> None:
    """A state directory may keep its log elsewhere."""
    (state_dir / LOG).rename(tmp_path / "elsewhere")
    (state_dir / LOG).symlink_to(tmp_path / "elsewhere")
    assert read(state_dir).flaws == ()


@pytest.mark.parametrize("name", ["state.json", LOG])
def test_a_file_that_may_not_be_read(state_dir: Path, name: str) -> None:
    """The reason is told. Root may read everything, so that another user reads here."""
    (state_dir / name).chmod(0)
    program = (
        "import os, sys; from pathlib import Path\n"
        "from tau_rollout_gate.files.surface.state_directory import read_log, read_state_file\n"
        f"directory = os.open({str(state_dir)!r}, os.O_RDONLY); os.fchdir(directory)\n"
        "if os.geteuid() == 0: os.seteuid(65534)\n"
        f"path = Path({name!r}); print((read_state_file(path) if path.suffix == '.json' else "
        "read_log(path, None)).problem)"
    )
    state_dir.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, encoding="utf-8"
    )
    assert "cannot be read: Permission denied: it is " in done.stdout


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    """Neither one that is missing nor a file in its place is a traceback."""
    assert flaws(read(tmp_path / "missing")) == [Flaw.NO_FILES] * 2
    (tmp_path / "file").write_text("x")
    assert flaws(read(tmp_path / "file")) == [Flaw.INVALID_STATE, Flaw.NO_FILES]


def test_a_state_that_is_too_long(tmp_path: Path) -> None:
    """It is not read whole."""
    with (tmp_path / "state.json").open("wb") as file:
        file.truncate(10 * 1024 * MIB)
    assert read_state_file(tmp_path / "state.json").problem == "is longer than 256 MiB"


def a_line_of(
    size: int, history: History, state_dir: Path, *numbers: int, at_line: int
) -> list[LogPosition]:
    """Put a line that means nothing between others; return where the log stood after some."""
    found, junk = [], b"x" * size + b"\n"
    for number in (*numbers, len(history.lines)):
        lines = [*history.lines[: min(at_line, number)], *([junk] if number > at_line else [])]
        lines += history.lines[at_line:number]
        (state_dir / LOG).write_bytes(b"".join(lines))
        end = read(state_dir, None).end
        assert end is not None
        found.append(end)
    return found


@pytest.mark.parametrize("size", [LONGEST_LINE_BYTES, LONGEST_LINE_BYTES + 1, 20 * MIB])
@pytest.mark.parametrize("at_line", [0, 5])
def test_a_line_that_is_too_long_ends_the_evidence(
    state_dir: Path, history: History, size: int, at_line: int
) -> None:
    """It holds as long as older lines are wanted, and matters to nobody who wants none."""
    third, sixth, _ = a_line_of(size, history, state_dir, 3, 6, at_line=at_line)
    assert read(state_dir, sixth).flaws == ()
    found = read(state_dir, third) if at_line else read(state_dir)
    is_too_long = size > LONGEST_LINE_BYTES
    whole = [Flaw.INVALID_LINE, Flaw.CHAIN_BROKEN]
    assert flaws(found) == ([Flaw.SEGMENT_MISSING] if is_too_long else whole)
    assert ("longer than 16 MiB" in found.flaws[0].detail) is is_too_long
    read_cycles = 5 if at_line and is_too_long else 7 if at_line else 10
    assert len(found.cycles) == read_cycles


def test_no_more_is_read_than_the_longest_line(state_dir: Path) -> None:
    """A line of a terabyte costs no more than one that just may be."""
    with (state_dir / LOG).open("ab") as log:
        log.truncate(1024 * 1024 * MIB)
        log.seek(0, 2)
        log.write(b"\n")
    found = read(state_dir, None)
    assert "longer than 16 MiB" in str(found.end_problem)
    assert found.end is None


def test_a_torn_end_that_is_too_long(state_dir: Path, history: History) -> None:
    """Nothing before it is read, so nothing is known of it: that holds."""
    with (state_dir / LOG).open("ab") as log:
        log.write(b"x" * (LONGEST_LINE_BYTES + 1))
    found = read(state_dir, at(history, 3))
    assert flaws(found) == [Flaw.SEGMENT_MISSING, Flaw.DISAGREES]
    assert (found.cycles, found.end) == ((), None)
    assert "longer than 16 MiB" in str(read(state_dir, None).end_problem)


def test_how_a_log_ends_is_not_known(state_dir: Path, history: History) -> None:
    """Where there is a state, a log that is missing, empty or cut off is not one without a line."""
    lines = history.lines
    assert read(state_dir, None).end_problem is None
    (state_dir / LOG).write_bytes(b"".join(lines[:4]))
    assert "last_cycle names cycle 10" in str(read(state_dir, None).end_problem)
    for content in (b"", b"torn"):
        (state_dir / LOG).write_bytes(content)
        assert "there is a state.json, but no line in" in str(read(state_dir, None).end_problem)
    (state_dir / LOG).unlink()
    assert "there is a state.json, but no line in" in str(read(state_dir, None).end_problem)
    (state_dir / LOG).mkdir()
    assert "not a regular file" in str(read(state_dir, None).end_problem)
    (state_dir / LOG).rmdir()
    (state_dir / "state.json").write_bytes(b"none")
    assert read(state_dir, None).end_problem is not None
    (state_dir / "state.json").unlink()
    assert read(state_dir, None).end_problem is None


def test_cycles_from_before_the_log_had_a_line(state_dir: Path, history: History) -> None:
    """A log that was empty when canary-1 was entered cannot have older ones, but for the clocks."""
    first = json.loads(history.lines[0])["timestamp_unix_ms"]
    for seen, found in ((first + MINUTE, []), (first + MINUTE + 1, [Flaw.LOG_REWRITTEN])):
        position = LogPosition(cycle_number=None, event_sha256=None, timestamp_unix_ms=seen)
        assert flaws(read(state_dir, position)) == found


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\0", "a line of the event log is longer than 16 MiB"),
        (b"\0\n", "a line of the event log is longer than 16 MiB"),
        (b"\n", "the last 256 MiB"),
        (b"x" * 4095 + b"\n", "the last 256 MiB"),
    ],
)
def test_a_hostile_log_costs_bounded_memory(tmp_path: Path, content: bytes, problem: str) -> None:
    """Sparse, all line breaks, or full of lines: the reading ends, and says why."""
    log = tmp_path / LOG
    with log.open("wb") as file:
        if content.startswith(b"\0"):
            file.truncate(100 * 1024 * MIB)
            file.seek(0, os.SEEK_END)
            file.write(content[1:])
        else:
            block = content * (MIB // len(content))
            for _ in range(300):
                file.write(block)
    found = read_log(log, BEGINNING)
    assert found.problem is not None
    assert problem in found.problem
    with log.open("rb") as file:
        file.seek(min(found.parts[-1].digests) - 1)
        starts_at_a_line = file.read(1) == b"\n"
    assert starts_at_a_line is (content != b"\0")
    (part,) = found.parts
    told = sum(1 + line.more for line in part.lines if isinstance(line, RefusedLine))
    assert (len(part.lines), told > 50_000) == ((0, False) if content[0] == 0 else (3, True))


def test_a_log_that_is_cut_while_it_is_read(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes that were there at opening are gone: that is said, and looked at again."""
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, start: real(fd, size - 1, start))
    found = read_log(state_dir / LOG, BEGINNING)
    assert found.parts == ()
    assert found.problem == f"{LOG} cannot be read: it was cut while it was read"
