"""Killed at any moment, the runtime loses nothing and doubles nothing; nor where the disk fails it.

A runner is killed by strace at each system call that changes a file: just before it, so that every
state between two changes is left behind once. Or that call fails. Then a cycle runs, and the files
are those of undisturbed runs.
"""

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.custom_command.one_cycle import cycle
from tests.custom_command.running import PATIENCE_SECONDS, StateFiles, environment, rotate
from tests.custom_command.scenarios import STARTS, Scenarios, assert_chain_is_whole, files_of, kill
from tests.custom_command.tracing import CHANGING, OPENING, needs_strace, run_traced

pytestmark = pytest.mark.exhaustive

SHARDS = 8
"""So many tests share the points of a scenario, that several processes can work on them."""


@needs_strace
@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("start", STARTS)
def test_killed_at_any_call_nothing_is_lost_or_doubled(
    start: str, shard: int, scenarios: Scenarios, tmp_path: Path
) -> None:
    """Before its commit a cycle never was; from then on it is complete after the next run."""
    made = scenarios.get(start)
    for number in range(shard, len(made.points), SHARDS):
        point = made.points[number]
        folder = shutil.copytree(made.start, tmp_path / str(number))
        kill(folder, point, scenarios.forks)
        cycle(folder)
        runs = 1 if number <= made.commit else 2
        assert files_of(folder / "state") == made.undisturbed[runs - 1], point.label


LOGS = ("runtime-events.jsonl", "log.jsonl", "context.jsonl")


def rotate_all(state_dir: Path) -> None:
    """Rename every log, as logrotate does, and make none anew."""
    for log in [path for path in state_dir.rglob("*.jsonl") if path.name in LOGS]:
        rotate(log)


def joined(state_dir: Path) -> dict[str, bytes]:
    """Return what each log holds, its rotated files before it, as `files_of` returns a file."""
    found = {path: content for path, (_, content) in files_of(state_dir).items() if content}
    numbers = range(9, 0, -1)
    logs = {re.sub(r"[.]\d$", "", path) for path in found if ".jsonl" in path}
    return {
        log: b"".join(found.get(path, b"") for path in (*(f"{log}.{n}" for n in numbers), log))
        for log in logs
    }


@needs_strace
@pytest.mark.parametrize("shard", range(SHARDS))
def test_killed_rotated_and_killed_again(shard: int, scenarios: Scenarios, tmp_path: Path) -> None:
    """Each line is in one of the files, once, also where what completes them is killed as well."""
    made = scenarios.get("empty")
    for number in range(shard, len(made.points), SHARDS):
        point = made.points[number]
        folder = shutil.copytree(made.start, tmp_path / str(number))
        kill(folder, point, scenarios.forks)
        rotate_all(folder / "state")
        inject = "syncfs:signal=SIGKILL:when=1"  # brought up, and not yet known to be
        code, _ = scenarios.forks.run_traced(folder, calls=["syncfs"], inject=inject)
        assert code == -9
        rotate_all(folder / "state")
        cycle(folder)
        cycles = len(StateFiles(folder / "state").event_lines())
        assert cycles in {2, 3}
        expected = {path: one[1] for path, one in made.undisturbed[cycles - 1].items()}
        found = joined(folder / "state")
        assert found == {path: expected[path] for path in expected if ".jsonl" in path}, point.label


@needs_strace
@pytest.mark.parametrize("start", STARTS)
def test_every_call_that_changes_a_file_is_tried(start: str, scenarios: Scenarios) -> None:
    """The shards together have each point once, and each file and folder has its points."""
    made = scenarios.get(start)
    tried = [made.points[n] for s in range(SHARDS) for n in range(s, len(made.points), SHARDS)]
    assert sorted(map(str, tried)) == sorted(map(str, made.points))
    tried_in_words = f"killed at {len(made.points)} system calls, all that change a file"
    print(f"{start}: {tried_in_words}")  # noqa: T201 - pytest -rP shows it
    files = {path.rpartition("/")[2] for path in made.undisturbed[0]}
    about = " ".join(point.label for point in made.points)
    assert {name for name in files if name not in about and start == "empty"} == set()
    assert len(made.points) > 50


@needs_strace
def test_the_command_makes_the_same_calls(scenarios: Scenarios, tmp_path: Path) -> None:
    """What is killed here is what the installed command does; it prints, beside that."""
    made = scenarios.get("torn")
    folder = shutil.copytree(made.start, tmp_path / "command")
    ended, calls = run_traced(folder, calls=[*CHANGING, *OPENING])
    assert ended.returncode == 3, ended.stderr  # there is a drift among the cases
    labels = [call.label for call in calls if "FOLDER" in call.label]
    assert labels == [point.label for point in made.points]
    assert {call.name for call in calls if "FOLDER" not in call.label} == {"write"}


@needs_strace
def test_no_folder_is_ever_without_its_mode(scenarios: Scenarios) -> None:
    """It is made 0700, not made so afterwards: a kill between would lock an ordinary user out."""
    labels = [point.label.partition(" ")[0] for point in scenarios.get("empty").points]
    assert {"mkdir", "mkdirat"} <= {*labels}
    assert not {"chmod", "fchmodat"} & {*labels}


@needs_strace
@pytest.mark.parametrize("start", STARTS)
def test_the_order_is_journal_fsync_files_sync_put_by(start: str, scenarios: Scenarios) -> None:
    """A kill does not lose what the system has not written yet; only the order holds that."""
    labels = [point.label for point in scenarios.get(start).points]
    journal = "FOLDER/state/.journal"
    steps: list[str] = []
    for label in labels:
        name, path = label.split(" ")[:2]
        if "/.lock" in label or path == "FOLDER" or label == 'mkdir "FOLDER/state"':
            continue
        if journal in label:
            step = {"pwrite64": "journal", "fsync": "fsync", "rename": "put by"}.get(name, "")
        else:
            step = {"fsync": "fsync name", "syncfs": "sync"}.get(name, "files")
        if step and steps[-1:] != [step]:
            steps.append(step)
    one_cycle = ["journal", "fsync", "fsync name", "files", "sync", "put by"]
    before = {"committed": ["files", "sync", "put by"], "rotating": ["files", "sync"]}
    before["half made"] = before["committed"]
    assert steps == before.get(start, []) + one_cycle


ERRORS = {"pwrite64": "ENOSPC", "fsync": "EIO", "syncfs": "EIO"}
"""What each kind of call fails with here; the others are refused (EACCES)."""


@needs_strace
@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("start", ["empty", "torn"])
def test_whatever_call_fails_the_next_run_makes_good(
    start: str, shard: int, scenarios: Scenarios, tmp_path: Path
) -> None:
    """Exit 5, a state that can be read, and once the fault is gone, the files of good runs."""
    made = scenarios.get(start)
    last_of_commit = made.commit + 2  # the fsync of the journal, and that of its name
    for number in range(shard, len(made.points), SHARDS):
        point = made.points[number]
        folder = shutil.copytree(made.start, tmp_path / str(number))
        inject = f"{point.name}:error={ERRORS.get(point.name, 'EACCES')}:when={point.ordinal}"
        code, seen = scenarios.forks.run_traced(folder, calls=[point.name], inject=inject)
        assert (code, point in seen) == (5, True), point.label
        state = folder / "state/state.json"
        if number <= last_of_commit and start == "torn":
            assert state.read_bytes() == (made.start / "state/state.json").read_bytes()
        cycle(folder)
        runs = 1 if number <= last_of_commit else 2
        assert files_of(folder / "state") == made.undisturbed[runs - 1], point.label


@needs_strace
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_an_interruption_waits_for_the_commit(
    number: signal.Signals, scenarios: Scenarios, tmp_path: Path
) -> None:
    """From the journal on nothing is left half done, and then the interruption has its way."""
    made = scenarios.get("torn")
    first = next(n for n, point in enumerate(made.points) if "/.journal" in point.label)
    for place in range(first, len(made.points), 9):
        point = made.points[place]
        folder = shutil.copytree(made.start, tmp_path / str(place))
        inject = f"{point.name}:signal={number.name}:when={point.ordinal}"
        code, seen = scenarios.forks.run_traced(folder, calls=[point.name], inject=inject)
        assert (code, point in seen) == (-number, True)
        assert files_of(folder / "state") == made.undisturbed[0], point.label


@needs_strace
def test_a_short_write_goes_on_where_it_ended(scenarios: Scenarios, tmp_path: Path) -> None:
    """What a write did not take is written by the next one, at its place."""
    made = scenarios.get("empty")
    folder = shutil.copytree(made.start, tmp_path / "short")
    label = "pwrite64 FOLDER/state/channel-store/custom-command/.kept.new/MEMORY.md"
    point = next(point for point in made.points if point.label == label)
    # strace lets the call say that it took 3 bytes; those alone are missing then.
    inject = f"pwrite64:retval=3:when={point.ordinal}"
    code, _ = scenarios.forks.run_traced(folder, calls=["pwrite64"], inject=inject)
    memory = (folder / "state/channel-store/custom-command/kept/MEMORY.md").read_bytes()
    assert (code, memory[:7]) == (0, b"\0\0\0ept\n")


ON_A_FULL_DISK = """
import shutil, subprocess, sys
from pathlib import Path
from tau_custom_command.errors import StorageError
from tests.custom_command.one_cycle import cycle
from tests.custom_command.scenarios import files_of
disk, start = Path(sys.argv[1]), Path(sys.argv[2])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=True)
undisturbed = shutil.copytree(start, disk / "undisturbed")
expected = [cycle(undisturbed) and files_of(undisturbed / "state") for _ in range(2)]
shutil.rmtree(undisturbed)
outcomes = set()
for pages in range(0, 60, 2):
    folder = shutil.copytree(start, disk / "folder")
    with (disk / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"x" * 4096)
        except OSError:
            pass
    with (disk / "filler").open("r+b") as filler:
        filler.truncate(max((disk / "filler").stat().st_size - pages * 4096, 0))
    try:
        cycle(folder)
        outcome = "done"
    except StorageError as error:
        outcome = "committed" if "kept in" in str(error) else "refused"
        assert "No space left on device" in str(error), error
    (disk / "filler").unlink()
    cycle(folder)
    assert files_of(folder / "state") == expected[outcome != "refused"], (pages, outcome)
    outcomes.add(outcome)
    shutil.rmtree(folder)
print(*sorted(outcomes))
"""


def no_mounts() -> str:
    """Return why no file system can be mounted here; empty if one can."""
    words = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError as error:
        return f"nothing can be mounted here: {error}"
    return f"nothing can be mounted here: {done.stderr.strip()}" if done.returncode else ""


NO_MOUNTS = no_mounts()


@pytest.mark.skipif(bool(NO_MOUNTS), reason=NO_MOUNTS or "a file system can be mounted")
@pytest.mark.parametrize("start", ["empty", "torn"])
def test_a_full_disk_that_is_freed_later(start: str, scenarios: Scenarios, tmp_path: Path) -> None:
    """However little room is left, from none to enough: the next run completes or begins anew."""
    (tmp_path / "disk").mkdir()
    words = ["unshare", "--map-root-user", "--mount", sys.executable, "-c", ON_A_FULL_DISK]
    done = subprocess.run(
        [*words, tmp_path / "disk", scenarios.get(start).start],
        cwd=Path(__file__).resolve().parents[3],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE_SECONDS,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("committed done refused\n", "")


MANY_CYCLES = """
import sys
from pathlib import Path
from tests.custom_command.one_cycle import cycle
for number in range(int(sys.argv[2])):
    event = cycle(Path(sys.argv[1]), f"-{number}", wait_seconds=60).event
    print(number, event.applied_cases, event.duplicate_skips)
"""


@pytest.mark.parametrize(("runners", "rounds"), [(2, 40), (8, 10)])
def test_runners_at_once_apply_every_case_once(
    runners: int, rounds: int, scenarios: Scenarios, tmp_path: Path
) -> None:
    """All want to do the same work at the same time: one does it, the others find it done."""
    folder = shutil.copytree(scenarios.get("empty").start, tmp_path / "shared")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MANY_CYCLES, folder, str(rounds)],
            cwd=Path(__file__).resolve().parents[3],
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(runners)
    ]
    answers = [process.communicate(timeout=60)[0].splitlines() for process in processes]
    assert [process.returncode for process in processes] == [0] * runners
    for of_a_round in zip(*answers, strict=True):
        applied = [int(answer.split()[1]) for answer in of_a_round]
        assert sorted(applied) == [0] * (runners - 1) + [6]
    state_dir = folder / "state"
    assert_chain_is_whole(state_dir)
    files = StateFiles(state_dir)
    assert len(files.events()) == runners * rounds
    keys = [e["event_key"] for e in files.entries("kept") if e["payload"]["outcome"] == "success"]
    assert sorted(keys) == sorted({*keys})
    assert len(keys) == 3 * rounds
    assert not list(state_dir.rglob("*.corrupt"))
