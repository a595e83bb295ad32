"""Logs are rotated past their limit, by rename; no line is lost, none is doubled, and all is read.

That a kill at any moment changes nothing of that is in test_crashes.py.
"""

import os
from pathlib import Path

import pytest

from tau_custom_command.errors import StorageError
from tau_custom_command.services import recover
from tau_custom_command.storage import read
from tau_custom_command.storage.rotation import RotationLimits, rotate
from tau_custom_command.storage.sync import NOT_TO_DISK, Syncing
from tests.custom_command.cases import case_object, retryable
from tests.custom_command.running import Command, Runtime
from tests.custom_command.scenarios import assert_chain_is_whole

EVENTS = "runtime-events.jsonl"
GREET = "channel-store/custom-command/greet"
FAILING = case_object("f", "LIST", "", simulate_retryable_failure=True, expected=retryable())


def names(folder: Path, log: str) -> list[str]:
    """Return the names of a log's files."""
    return sorted(path.name for path in folder.glob(f"{log}*"))


def cycles(runtime: Runtime, count: int) -> None:
    """Run cycles that do new work, with a second between them."""
    for number in range(count):
        runtime.run(case_object("a", "CREATE"), case_suffix=f"-{number}")


def test_the_event_log_is_rotated_once_it_is_past_its_limit(runtime: Runtime) -> None:
    """Before the next line: a log of just the limit is kept, one byte more is too many."""
    cycles(runtime, 2)
    log = runtime.state_dir / EVENTS
    runtime.rotation = RotationLimits(events_bytes=log.stat().st_size)
    runtime.run(case_object("b", "LIST", ""))
    assert names(runtime.state_dir, EVENTS) == [EVENTS]
    runtime.run(case_object("c", "LIST", ""))
    assert names(runtime.state_dir, EVENTS) == [EVENTS, f"{EVENTS}.1"]
    assert len((runtime.state_dir / f"{EVENTS}.1").read_bytes().splitlines()) == 3
    assert len(log.read_bytes().splitlines()) == 1
    assert_chain_is_whole(runtime.state_dir)


def test_a_higher_number_is_older_and_the_chain_goes_on(runtime: Runtime) -> None:
    """However many files there are, put together oldest first they are the chain."""
    runtime.rotation = RotationLimits(events_bytes=1)
    cycles(runtime, 12)
    assert len(names(runtime.state_dir, EVENTS)) == 12
    assert [event["cycle_number"] for event in runtime.files.events()] == [*range(1, 13)]
    assert_chain_is_whole(runtime.state_dir)
    found = [path.name for path in read.rotated(runtime.state_dir / EVENTS)]
    assert found == [f"{EVENTS}.{number}" for number in range(1, 12)]


def test_channel_logs_are_rotated_too(runtime: Runtime) -> None:
    """Log and context, each by its own size; the event log only by its own limit."""
    cycles(runtime, 1)
    folder = runtime.state_dir / GREET
    sizes = {name: (folder / name).stat().st_size for name in ("log.jsonl", "context.jsonl")}
    assert sizes["log.jsonl"] > sizes["context.jsonl"]
    runtime.rotation = RotationLimits(channel_log_bytes=sizes["context.jsonl"])
    runtime.run(case_object("b", "RUN"))
    assert names(folder, "log.jsonl") == ["log.jsonl", "log.jsonl.1"]
    assert names(folder, "context.jsonl") == ["context.jsonl"]
    assert names(runtime.state_dir, EVENTS) == [EVENTS]


def test_a_channel_that_a_cycle_does_not_touch_is_left_alone(runtime: Runtime) -> None:
    """There is nothing to append, so nothing makes room for it."""
    cycles(runtime, 1)
    runtime.rotation = RotationLimits(channel_log_bytes=1)
    runtime.run(case_object("b", "CREATE", "other"))
    assert names(runtime.state_dir / GREET, "log.jsonl") == ["log.jsonl"]


def test_equal_lines_are_no_sign_of_rotation(runtime: Runtime) -> None:
    """A case that fails anew at the same time leaves the same line, which belongs in the new log.

    The file that was rotated by the runtime itself begins with just that line.
    """
    runtime.rotation = RotationLimits(channel_log_bytes=1)
    for _ in range(3):
        runtime.time.now_unix_ms -= 1_000
        runtime.run(FAILING)
    folder = runtime.state_dir / "channel-store/custom-command/registry"
    contents = [path.read_bytes() for path in sorted(folder.glob("log.jsonl*"))]
    assert len(contents) == 3
    assert len(set(contents)) == 1
    assert contents[0].count(b"\n") == 1


def test_a_torn_log_is_rotated_a_cycle_later(runtime: Runtime) -> None:
    """Nobody would cut the torn end of a rotated log, so it is cut first."""
    cycles(runtime, 1)
    runtime.rotation = RotationLimits(events_bytes=1)
    with (runtime.state_dir / EVENTS).open("ab") as log:
        log.write(b'{"torn')
    cycles(runtime, 1)
    assert names(runtime.state_dir, EVENTS) == [EVENTS, f"{EVENTS}.corrupt"]
    cycles(runtime, 1)
    assert names(runtime.state_dir, EVENTS) == [EVENTS, f"{EVENTS}.1", f"{EVENTS}.corrupt"]
    assert_chain_is_whole(runtime.state_dir)


def test_a_gap_is_closed_and_nothing_is_overwritten(runtime: Runtime) -> None:
    """What a kill between two renames leaves, or an operator who deletes, loses no file."""
    runtime.rotation = RotationLimits(events_bytes=1)
    cycles(runtime, 5)
    (runtime.state_dir / f"{EVENTS}.2").unlink()
    kept = {path.read_bytes() for path in runtime.state_dir.glob(f"{EVENTS}*")}
    cycles(runtime, 1)
    assert names(runtime.state_dir, EVENTS) == [EVENTS, *(f"{EVENTS}.{n}" for n in range(1, 5))]
    assert kept < {path.read_bytes() for path in runtime.state_dir.glob(f"{EVENTS}*")}


def test_what_else_lies_there_is_no_rotated_log(runtime: Runtime) -> None:
    """Compressed or renamed by others, a file is neither read nor in the way."""
    cycles(runtime, 1)
    for end in (".1.gz", ".01", ".0", ".old", ".-1", ".1000000000"):
        (runtime.state_dir / f"{EVENTS}{end}").write_bytes(b"no line of ours")
    assert read.rotated(runtime.state_dir / EVENTS) == ()
    assert read.rotated(runtime.state_dir / "none" / EVENTS) == ()


def test_a_log_that_is_a_link_is_not_rotated(runtime: Runtime) -> None:
    """As nothing is written through it: exit 5, and it stays as it is."""
    cycles(runtime, 1)
    log = runtime.state_dir / EVENTS
    log.rename(runtime.folder / "elsewhere")
    log.symlink_to(runtime.folder / "elsewhere")
    runtime.rotation = RotationLimits(events_bytes=1)
    with pytest.raises(StorageError, match="cannot rotate"):
        cycles(runtime, 1)
    assert log.is_symlink()


def test_the_names_are_on_the_disk_before_the_commit(tmp_path: Path) -> None:
    """A batch that says where lines stand must never outlast the rename that it relies on."""
    (tmp_path / EVENTS).write_bytes(b"line\n")
    synced: list[str] = []
    syncing = Syncing(
        file=lambda _: None,
        folder=lambda _: None,
        touched=lambda _, paths, _made: synced.extend(paths),
    )
    rotate(tmp_path, {EVENTS: 5}, syncing)
    assert synced == []
    rotate(tmp_path, {EVENTS: 4, "none/log.jsonl": 1}, syncing)
    assert synced == [f"{EVENTS}.1"]
    assert os.listdir(tmp_path) == [f"{EVENTS}.1"]  # noqa: PTH208 - names are what is compared


def test_an_older_state_is_continued_over_rotated_logs(runtime: Runtime) -> None:
    """The chain's end is looked for in all files: a state put back does not fork the chain."""
    cycles(runtime, 1)
    before = (runtime.state_dir / "state.json").read_bytes()
    runtime.rotation = RotationLimits(events_bytes=1)
    cycles(runtime, 3)
    (runtime.state_dir / "state.json").write_bytes(before)
    report = runtime.run(case_object("z", "LIST", ""))
    assert "the last 3 cycles were cut off" in report.warnings[0]
    assert_chain_is_whole(runtime.state_dir)


def test_recover_reads_rotated_logs(runtime: Runtime) -> None:
    """Where the event log was rotated meanwhile, its last line is in another file."""
    runtime.rotation = RotationLimits(events_bytes=1, channel_log_bytes=1)
    cycles(runtime, 3)
    before = (runtime.state_dir / "state.json").read_bytes()
    (runtime.state_dir / "state.json").unlink()
    rotate(runtime.state_dir, {EVENTS: 1}, NOT_TO_DISK)
    recover.recover(runtime.state_dir, carry_out=True, wait_seconds=0)
    assert (runtime.state_dir / "state.json").read_bytes() == before


def test_the_options_say_so(command: Command, runtime: Runtime) -> None:
    """Both by option and by environment; a limit below 1 is wrong usage."""
    cycles(runtime, 1)
    run = ("run", "fixture.json", "--state-dir", runtime.state_dir)
    variable = {"TAU_CUSTOM_COMMAND_MAX_CHANNEL_LOG_BYTES": "1"}
    assert command(*run, "--max-events-bytes", "1", "--case-suffix=x", env=variable).code == 0
    assert (runtime.state_dir / f"{EVENTS}.1").exists()
    assert (runtime.state_dir / GREET / "log.jsonl.1").exists()
    assert command(*run, "--max-events-bytes", "0").code == 2
