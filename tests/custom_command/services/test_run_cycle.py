"""The runner: one cycle carried out, or nothing at all."""

import json
import time
from pathlib import Path

import pytest

from tau_custom_command.errors import FixtureRefusedError, StateUnusableError, StorageError
from tau_custom_command.policy.model import ExecutionPolicy
from tau_custom_command.services.clock import Clock
from tau_custom_command.services.run_cycle import read_fixture
from tests.custom_command.cases import case_object, fixture_bytes, malformed, success
from tests.custom_command.running import START_UNIX_MS, Runtime


def test_a_cycle_leaves_its_files(runtime: Runtime) -> None:
    """After a cycle there are the state, the events and the channels, and nothing else."""
    runtime.run(case_object("a"))
    assert set(runtime.files.contents()) == {
        "state.json",
        "runtime-events.jsonl",
        *(
            f"channel-store/custom-command/{channel}/{name}"
            for channel, names in {
                "greet": ["schema.json", "log.jsonl", "context.jsonl", "MEMORY.md"],
                "registry": ["schema.json", "MEMORY.md"],
            }.items()
            for name in names
        ),
    }


def test_a_refused_fixture_writes_nothing(runtime: Runtime) -> None:
    """A fixture with a problem anywhere leaves no state directory, and says every problem."""
    with pytest.raises(FixtureRefusedError) as refused:
        runtime.run(case_object("a"), case_object("b", expected=success(status_code=0)), name=" ")
    assert len(refused.value.problems) == 2
    assert not runtime.state_dir.exists()


def test_a_refused_fixture_changes_nothing(runtime: Runtime) -> None:
    """Where there is a state, it stays as it is."""
    runtime.run(case_object("a"))
    before = runtime.files.contents()
    with pytest.raises(FixtureRefusedError):
        runtime.run_file(b"{")
    assert runtime.files.contents() == before


def test_an_unusable_state_writes_no_channel(runtime: Runtime) -> None:
    """State is looked at before any case is processed."""
    runtime.run(case_object("a"))
    (runtime.state_dir / "state.json").write_bytes(b"{}")
    before = runtime.files.contents()
    with pytest.raises(StateUnusableError):
        runtime.run(case_object("b", "CREATE", "other"))
    assert runtime.files.contents() == before


def test_the_operators_policy_judges_cases_without_one(runtime: Runtime) -> None:
    """The options' policy counts where a case states none, and only there."""
    runtime.policy = ExecutionPolicy(allowed_env=("only",))
    denied = malformed(403, "custom_command_policy_denied")
    own = case_object("b", execution_policy={"allowed_env": ["who"]})
    event = runtime.run(case_object("a", expected=denied), own).event
    assert (event.malformed_cases, event.applied_cases) == (1, 1)


def test_the_report_says_what_became_of_each_case(runtime: Runtime) -> None:
    """The report holds the event as written, the health, and each case that was settled."""
    report = runtime.run(case_object("a"), case_object("b", expected=success(status_code=299)))
    assert json.loads(report.event.as_line()) == runtime.files.events()[-1]
    assert json.loads(report.health.as_line()) == runtime.files.state()["health"]
    assert [(s.case.case_id, s.drifted) for s in report.settlements] == [("a", False), ("b", True)]


def test_the_fixtures_warnings_are_passed_on(runtime: Runtime) -> None:
    """What is worth a second look in a fixture is said after the run too."""
    report = runtime.run(case_object("step-2"), case_object("step-10"))
    assert ["step-10" in warning for warning in report.warnings] == [True]


def test_cycle_ids_are_unique_and_sort_by_time(runtime: Runtime) -> None:
    """Also within one millisecond, and where the clock went back, ids differ."""
    for back_ms in (1_000, 1_000, 500_000, 0):
        runtime.run(case_object("a", "LIST", ""))
        runtime.time.now_unix_ms -= back_ms
    ids = [event["cycle_id"] for event in runtime.files.events()]
    assert ids == sorted(set(ids))
    assert runtime.files.events()[-1]["timestamp_unix_ms"] < START_UNIX_MS


def test_a_missing_fixture(tmp_path: Path) -> None:
    """A fixture that is not there is said to be missing, by its path."""
    with pytest.raises(StorageError, match=f"{tmp_path}/none.json: there is no such file"):
        read_fixture(tmp_path / "none.json")


def test_a_fixture_is_named_as_the_operator_did(tmp_path: Path) -> None:
    """Problems begin with the path that was given."""
    path = tmp_path / "x.json"
    path.write_bytes(fixture_bytes(case_object(" ")))
    with pytest.raises(FixtureRefusedError, match=f"^{path}: "):
        read_fixture(path)


def test_the_clock_of_this_machine() -> None:
    """Wall and stopwatch are the machine's, in milliseconds, and sleeping takes that long."""
    clock = Clock.of_this_machine(now_unix_ms=None)
    started = clock.monotonic_ms()
    assert abs(clock.wall_unix_ms() - time.time() * 1000) < 5_000
    clock.sleep_ms(20)
    assert clock.monotonic_ms() - started >= 19


def test_a_clock_that_is_told_the_time() -> None:
    """With a time as an argument the wall stands; durations stay the machine's."""
    clock = Clock.of_this_machine(now_unix_ms=7)
    started = clock.monotonic_ms()
    clock.sleep_ms(5)
    assert clock.wall_unix_ms() == 7
    assert clock.monotonic_ms() - started >= 4
