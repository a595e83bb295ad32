"""`channels repair`: lines that are no entries are moved aside, and nothing is lost."""

import shutil
from pathlib import Path

import pytest

from tau_custom_command.contract.channel import ArtifactEntry
from tau_custom_command.errors import StorageError
from tests.custom_command.cases import case_object
from tests.custom_command.running import Command, Runtime, StateFiles
from tests.custom_command.tracing import CHANGING, OPENING, needs_strace, run_words_traced

STORE = "channel-store/custom-command"
BAD = (b'{"half": ', b"\xff\x00", b"", b'{"timestamp_unix_ms": -1}', b'{"a": 1, "a": 1}')


@pytest.fixture
def spoilt(runtime: Runtime) -> Runtime:
    """Return a runtime with invalid lines in a channel's log, a rotated one, and a context."""
    runtime.run(case_object("a", "CREATE"), case_object("b", "CREATE", "other"))
    folder = runtime.state_dir / STORE / "greet"
    (folder / "log.jsonl").rename(folder / "log.jsonl.1")
    runtime.run(case_object("c", "RUN"), case_object("d", "RUN"))
    first, second = (folder / "log.jsonl").read_bytes().splitlines(keepends=True)
    bad = b"".join(line + b"\n" for line in BAD)
    (folder / "log.jsonl").write_bytes(bad + first + bad + second + b'{"torn')
    spoil(folder / "log.jsonl.1", b"[]\n")
    spoil(folder / "context.jsonl", b"1\n")
    return runtime


def spoil(path: Path, line: bytes) -> None:
    """Add bytes to the end of a file."""
    path.write_bytes(path.read_bytes() + line)


def repair(runtime: Runtime, *words: str) -> tuple[int, list[str]]:
    """Run the command; return its exit code and its steps."""
    command = Command(runtime.folder)
    done = command("channels", "repair", *words, "--json", "--state-dir", runtime.state_dir)
    return done.code, done.json()["steps"] if done.out else [done.err]


def test_it_shows_and_then_moves(spoilt: Runtime) -> None:
    """First nothing is changed; then the logs hold entries alone, and what was moved is kept."""
    before = spoilt.files.contents()
    shown = repair(spoilt)
    log = f"{STORE}/greet/log.jsonl"
    assert shown == (
        3,
        [
            f"move line 2 of {log}.1 to {log}.1.corrupt",
            f"move lines 1, 2, 3, 4, 5, 7, 8, 9, 10, 11 and 1 more of {log} to {log}.corrupt",
            f"move line 4 of {STORE}/greet/context.jsonl to {STORE}/greet/context.jsonl.corrupt",
        ],
    )
    assert spoilt.files.contents() == before
    assert repair(spoilt, "--yes") == (0, shown[1])
    after = spoilt.files.contents()
    assert [e["event_key"] for e in spoilt.files.entries("greet")] == ["RUN:greet:c", "RUN:greet:d"]
    assert after[f"{log}.corrupt"] == b"".join(line + b"\n" for line in (*BAD, *BAD, b'{"torn'))
    assert after[f"{log}.1"] + b"[]\n" == before[f"{log}.1"]
    assert (spoilt.state_dir / f"{log}.corrupt").stat().st_mode & 0o777 == 0o600
    untouched = {path: content for path, content in before.items() if "greet" not in path}
    assert {path: after[path] for path in untouched} == untouched
    assert repair(spoilt) == (0, [])


def test_no_earlier_corrupt_file_is_overwritten(spoilt: Runtime) -> None:
    """What was moved at another time stays, and the new lines follow it."""
    log = spoilt.state_dir / STORE / "greet/log.jsonl"
    for line in (b"first\n", b"second\n"):
        spoil(log, b"\n" + line)
        repair(spoilt, "--yes")
    kept = log.with_name("log.jsonl.corrupt").read_bytes()
    assert kept.endswith(b'{"torn\nfirst\n\nsecond\n')


def test_one_channel(spoilt: Runtime) -> None:
    """Named, only that one is repaired; one that is not there cannot be."""
    spoil(spoilt.state_dir / STORE / "other/log.jsonl", b"x\n")
    assert len(repair(spoilt, "other", "--yes")[1]) == 1
    assert len(repair(spoilt)[1]) == 3
    code, (message,) = repair(spoilt, "nobody")
    assert (code, "there is no channel 'nobody'" in message) == (5, True)


def test_the_index_of_artifacts_is_a_log_as_the_others(runtime: Runtime) -> None:
    """Lines that name no artifact are moved, and the files stay: nobody can tell whose they are."""
    runtime.run(case_object("a", "CREATE"))
    folder = runtime.state_dir / STORE / "greet/artifacts"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"x")
    line = ArtifactEntry(
        id="a",
        run_id="1",
        artifact_type="stdout",
        relative_path="artifacts/a.txt",
        bytes=1,
        checksum_sha256="0" * 64,
        created_unix_ms=0,
        expires_unix_ms=None,
    ).as_line()
    (folder / "index.jsonl").write_bytes(b"{}\n" + line + b'{"torn')
    index = f"{STORE}/greet/artifacts/index.jsonl"
    assert repair(runtime, "--yes") == (0, [f"move lines 1, 3 of {index} to {index}.corrupt"])
    assert (folder / "index.jsonl").read_bytes() == line
    assert (folder / "index.jsonl.corrupt").read_bytes() == b'{}\n{"torn\n'
    assert (folder / "a.txt").read_bytes() == b"x"
    assert repair(runtime) == (0, [])


def test_text_for_people(spoilt: Runtime, command: Command) -> None:
    """What would be done, what was done, and that nothing is left."""
    words = ("channels", "repair", "--state-dir", spoilt.state_dir)
    shown = command(*words)
    assert shown.out.startswith("would: move line 2 of ")
    assert shown.out.endswith("nothing was changed; --yes does it\n")
    assert command(*words, "--yes").out.endswith(": repaired\n")
    assert command(*words).out == f"{spoilt.state_dir}: nothing to repair\n"
    nowhere = command("channels", "repair", "--state-dir", "none")
    assert (nowhere.code, (command.folder / "none").exists()) == (5, False)


def test_a_log_that_is_a_link_leads_nowhere(spoilt: Runtime) -> None:
    """What it points at is not rewritten."""
    log, victim = spoilt.state_dir / STORE / "greet/log.jsonl", spoilt.folder / "victim"
    victim.write_bytes(b"precious\n")
    log.unlink()
    log.symlink_to(victim)
    repair(spoilt, "--yes")
    assert victim.read_bytes() == b"precious\n"


@pytest.mark.parametrize(
    "part", ["channel-store", STORE, f"{STORE}/greet", f"{STORE}/greet/log.jsonl"]
)
def test_a_link_in_the_channel_store_is_told_as_one(part: str, runtime: Runtime) -> None:
    """Which part it is, and what to do; once that is done, the cycle is done."""
    runtime.run(case_object("a", "CREATE"))
    path, away = runtime.state_dir / part, runtime.folder / "away"
    path.rename(away)
    path.symlink_to(away)
    name = "it" if path.suffix else path.name
    told = f"{name} is a symbolic link, which is not followed: put what it leads to in its place"
    with pytest.raises(StorageError, match=told):
        runtime.run(case_object("b", "RUN"))
    path.unlink()
    away.rename(path)
    runtime.run(case_object("b", "RUN"))
    assert [e["event_key"] for e in runtime.files.entries("greet")][-1] == "RUN:greet:b"


@pytest.mark.exhaustive
@needs_strace
def test_killed_at_any_call_the_next_repair_completes_it(
    spoilt: Runtime, command: Command, tmp_path: Path
) -> None:
    """No line is lost and none is doubled, wherever it was killed."""
    spoil(spoilt.state_dir / STORE / "other/log.jsonl", b"x\n")
    words = ["channels", "repair", "other", "--yes", "--state-dir"]
    clean = shutil.copytree(spoilt.state_dir, tmp_path / "clean")
    _, points = run_words_traced(clean, [*words, clean], calls=[*CHANGING, *OPENING])
    of_files = [point for point in points if "FOLDER" in point.label]
    for number, point in enumerate(of_files):
        folder = shutil.copytree(spoilt.state_dir, tmp_path / str(number))
        inject = f"{point.name}:signal=SIGKILL:when={point.ordinal}"
        killed, _ = run_words_traced(folder, [*words, folder], calls=[point.name], inject=inject)
        assert killed.returncode == -9
        again = command(*words, folder)
        assert (again.code, again.err) == (0, "")
        assert StateFiles(folder).contents() == StateFiles(clean).contents(), point.label
    assert len(of_files) > 15
