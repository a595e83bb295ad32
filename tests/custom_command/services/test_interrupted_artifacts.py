"""After a crash the artifacts of what had ended are named, and no others are left."""

import shutil
from pathlib import Path

import pytest

from tau_custom_command.errors import StateUnusableError
from tau_custom_command.storage import state_directory
from tests.custom_command.one_cycle import cycle
from tests.custom_command.running import START_UNIX_MS, StateFiles
from tests.custom_command.storing import (
    DAY_MS,
    FIXTURE,
    assert_artifacts_are_those_of_the_records,
    store_on,
)
from tests.custom_command.tracing import CHANGING, OPENING, Forks, needs_strace

ARTIFACTS = "state/channel-store/custom-command/greet/artifacts"


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """Return a folder with a registered command, and three artifacts of the day before."""
    folder = tmp_path / "begun"
    folder.mkdir()
    (folder / "fixture.json").write_bytes(FIXTURE)
    cycle(folder)
    store_on(folder, 0)
    assert assert_artifacts_are_those_of_the_records(folder / "state") == 3
    return folder


def test_no_artifact_is_lost_and_none_is_left_without_its_line(begun: Path) -> None:
    """Killed between storing and noting: the RUN is interrupted, and its files go.

    Those of a settled RUN, and of the attempts before, are in the index.
    """
    store_on(begun, 1, until=2)
    assert len(list((begun / ARTIFACTS).glob("*.txt"))) == 3
    cycle(begun)
    since = START_UNIX_MS + DAY_MS
    state = begun / "state"
    assert assert_artifacts_are_those_of_the_records(state, since_unix_ms=since) == 2
    payloads = [entry["payload"] for entry in StateFiles(state).entries("greet")]
    reasons = [each["run_audit"]["failure_reason"] for each in payloads if "run_audit" in each][-4:]
    assert reasons == [None, "non_zero_exit", "interrupted", "interrupted"]


def test_output_that_would_make_the_state_too_large_is_left_out_of_it(
    begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cycle is closed all the same: its commands have run, and no later one could be."""
    state = begun / "state"
    monkeypatch.setattr(state_directory, "LARGEST_STATE_FILE_BYTES", 10_000)
    told = "state.json: would have more than 0 MiB with what commands wrote"
    assert told in store_on(begun, 1)[0]
    assert StateFiles(state).state()["commands"][0]["last_stdout"] == "...<truncated:16385 bytes>"
    audits = [each["payload"].get("run_audit") for each in StateFiles(state).entries("greet")]
    assert len(audits[-1]["stdout"]) > 16_384
    monkeypatch.setattr(state_directory, "LARGEST_STATE_FILE_BYTES", 1_000)
    with pytest.raises(StateUnusableError, match="nothing was written"):
        store_on(begun, 3)


@needs_strace
@pytest.mark.exhaustive
@pytest.mark.parametrize("shard", range(4))
def test_killed_at_any_call_artifacts_and_records_agree(
    shard: int, begun: Path, tmp_path: Path
) -> None:
    """What has expired goes, what is stored is named, whatever was the last call."""
    (begun / "stores").touch()
    since, forks = START_UNIX_MS + DAY_MS, Forks()
    clean = shutil.copytree(begun, tmp_path / "clean")
    code, points = forks.run_traced(clean, calls=[*CHANGING, *OPENING])
    assert code == 0
    assert assert_artifacts_are_those_of_the_records(clean / "state", since_unix_ms=since) == 3
    assert {"unlink", "rename", "pwrite64", "syncfs"} <= {point.name for point in points}
    for number in range(shard, len(points), 4):
        point = points[number]
        folder = shutil.copytree(begun, tmp_path / str(number))
        inject = f"{point.name}:signal=SIGKILL:when={point.ordinal}"
        code, seen = forks.run_traced(folder, calls=[point.name], inject=inject)
        assert (code, seen[-1].name, seen[-1].ordinal) == (-9, point.name, point.ordinal)
        cycle(folder)
        store_on(folder, 2)
        found = assert_artifacts_are_those_of_the_records(
            folder / "state", since_unix_ms=since + DAY_MS
        )
        assert found == 3, point.label
    forks.close()


ERRORS = {"pwrite64": "ENOSPC", "fsync": "EIO", "syncfs": "EIO"}
"""What each kind of call fails with here; the others are refused (EACCES)."""


@needs_strace
@pytest.mark.exhaustive
@pytest.mark.parametrize("shard", range(4))
def test_whatever_call_fails_artifacts_and_records_agree(
    shard: int, begun: Path, tmp_path: Path
) -> None:
    """Exit 5, and once the fault is gone the next runs make good."""
    (begun / "stores").touch()
    since, forks = START_UNIX_MS + 2 * DAY_MS, Forks()
    clean = shutil.copytree(begun, tmp_path / "clean")
    _, points = forks.run_traced(clean, calls=[*CHANGING, *OPENING])
    for number in range(shard, len(points), 4):
        point = points[number]
        folder = shutil.copytree(begun, tmp_path / str(number))
        inject = f"{point.name}:error={ERRORS.get(point.name, 'EACCES')}:when={point.ordinal}"
        code, _ = forks.run_traced(folder, calls=[point.name], inject=inject)
        assert code == 5, point.label
        cycle(folder)
        store_on(folder, 2)
        state = folder / "state"
        found = assert_artifacts_are_those_of_the_records(state, since_unix_ms=since)
        assert found == 3, point.label
    forks.close()
