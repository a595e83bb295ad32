"""What a cycle leaves: reason codes, streak, health, and the numbers that follow from others."""

import json

import pytest

from tau_custom_command import __version__
from tau_custom_command.contract.health import ReasonCode
from tau_custom_command.cycle.accounting import reason_codes
from tau_custom_command.errors import StateUnusableError
from tests.custom_command.cases import case_object, malformed, retryable, success
from tests.custom_command.running import START_UNIX_MS, Json, Runtime

CREATE = case_object("a", "CREATE")
DELETE_OF_NOTHING = case_object("a", "DELETE")
LIST = case_object("a", "LIST", "")
RUN = case_object("b", "RUN")
MALFORMED = case_object("c", "CREATE", "9", expected=malformed())
MISSING = case_object("c", "RUN", "none", expected=malformed(404))
UNAVAILABLE = case_object("d", simulate_retryable_failure=True, expected=retryable())
DRIFT = case_object("d", "LIST", "", expected=success("LIST", status_code=299))
DRIFT_MALFORMED = case_object("d", "CREATE", "9")

ORDER = [
    "queue_backpressure_applied",
    "duplicate_cases_skipped",
    "malformed_inputs_observed",
    "retry_attempted",
    "retryable_failures_observed",
    "case_processing_failed",
    "command_registry_mutated",
    "command_runs_recorded",
    "command_run_timeout_observed",
    "command_run_non_zero_exit_observed",
    "command_run_spawn_failures_observed",
    "command_run_missing_command_observed",
    "healthy_cycle",
]

NO_COUNTS = dict.fromkeys(
    [
        "backlog_cases",
        "duplicate_skips",
        "malformed_cases",
        "unexpected_malformed_cases",
        "retry_attempts",
        "retryable_failures",
        "failed_cases",
        "upserted_commands",
        "deleted_commands",
        "executed_runs",
        "run_timeout_failures",
        "run_non_zero_exit_failures",
        "run_spawn_failures",
        "run_missing_command_failures",
    ],
    0,
)


def codes_of(runtime: Runtime, *cases: Json) -> list[str]:
    """Run a cycle and return the reason codes that its line in the log has."""
    runtime.run(*cases)
    codes: list[str] = runtime.files.events()[-1]["reason_codes"]
    return codes


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        ([LIST], ["healthy_cycle"]),
        ([DELETE_OF_NOTHING], ["healthy_cycle"]),
        ([CREATE], ["command_registry_mutated"]),
        ([MALFORMED], ["malformed_inputs_observed"]),
        ([MISSING], ["malformed_inputs_observed", "command_run_missing_command_observed"]),
        ([DRIFT], ["case_processing_failed"]),
        ([DRIFT_MALFORMED], ["malformed_inputs_observed", "case_processing_failed"]),
        (
            [UNAVAILABLE],
            ["retry_attempted", "retryable_failures_observed", "case_processing_failed"],
        ),
        ([CREATE, RUN], ["command_registry_mutated", "command_runs_recorded"]),
    ],
    ids=[
        "list",
        "delete of nothing",
        "create",
        "malformed",
        "run of a missing command",
        "drift",
        "unexpected malformed raises both",
        "unavailable",
        "create and run",
    ],
)
def test_a_first_cycle_has_exactly_these_codes(
    runtime: Runtime, cases: list[Json], expected: list[str]
) -> None:
    """A code stands exactly where the table of reason codes says, and no other beside it."""
    assert codes_of(runtime, *cases) == expected


def test_one_attempt_that_fails_is_no_retry(runtime: Runtime) -> None:
    """Without a second attempt there is a retryable failure, but no retry."""
    runtime.retry_max_attempts = 1
    expected = ["retryable_failures_observed", "case_processing_failed"]
    assert codes_of(runtime, UNAVAILABLE) == expected


def test_backpressure_alone(runtime: Runtime) -> None:
    """A case left over by the queue limit raises its code and no other."""
    runtime.queue_limit = 1
    assert codes_of(runtime, LIST, LIST | {"case_id": "b"}) == ["queue_backpressure_applied"]


def test_duplicates_alone(runtime: Runtime) -> None:
    """Where every case was processed before, that is the only thing to say."""
    runtime.run(CREATE, MALFORMED)
    assert codes_of(runtime, CREATE, MALFORMED) == ["duplicate_cases_skipped"]


def test_a_recorded_run_alone(runtime: Runtime) -> None:
    """A RUN does not mutate the registry as CREATE, UPDATE and DELETE do."""
    runtime.run(CREATE)
    assert codes_of(runtime, RUN) == ["command_runs_recorded"]


@pytest.mark.parametrize(
    ("operation", "upserted", "deleted"), [("UPDATE", 1, 0), ("DELETE", 0, 1)], ids=str
)
def test_update_and_delete_mutate_the_registry(
    runtime: Runtime, operation: str, upserted: int, deleted: int
) -> None:
    """Updating or deleting what is there is a mutation, counted as what it is."""
    runtime.run(CREATE)
    event = runtime.run(case_object("b", operation)).event
    assert list(event.reason_codes) == ["command_registry_mutated"]
    assert (event.upserted_commands, event.deleted_commands) == (upserted, deleted)


def test_codes_stand_in_the_order_of_the_table(runtime: Runtime) -> None:
    """Whatever happens first in a cycle, the codes have the table's order."""
    runtime.run(CREATE | {"case_id": "0"})
    runtime.queue_limit = 6
    codes = codes_of(
        runtime,
        CREATE | {"case_id": "0"},
        CREATE,
        RUN,
        MISSING,
        UNAVAILABLE,
        DRIFT_MALFORMED | {"case_id": "e"},
        DRIFT | {"case_id": "f"},
        LIST | {"case_id": "g"},
    )
    executed_only = {*ORDER[8:11], "healthy_cycle"}
    assert codes == [code for code in ORDER if code not in executed_only]


def test_the_list_of_codes_is_the_tables() -> None:
    """The runtime knows the codes of the contract, in its order."""
    assert [code.value for code in ReasonCode] == ORDER


@pytest.mark.parametrize(
    ("counter", "code"),
    [
        ("run_timeout_failures", "command_run_timeout_observed"),
        ("run_non_zero_exit_failures", "command_run_non_zero_exit_observed"),
        ("run_spawn_failures", "command_run_spawn_failures_observed"),
        ("run_missing_command_failures", "command_run_missing_command_observed"),
        ("deleted_commands", "command_registry_mutated"),
    ],
)
def test_one_counter_above_0_raises_one_code(counter: str, code: str) -> None:
    """Each counter has its code, also those that record mode never counts."""
    assert list(reason_codes(NO_COUNTS | {counter: 1})) == [code]


def test_streak_and_health_at_each_boundary(runtime: Runtime) -> None:
    """Failing from the third failed cycle in a row; degraded before; healthy at once after."""
    observed = []
    for cases in ([LIST], [DRIFT], [DRIFT], [DRIFT], [DRIFT], [LIST], [DRIFT]):
        runtime.run(*cases)
        line = runtime.files.events()[-1]
        health = runtime.files.state()["health"]
        assert health["failure_streak"] == line["failure_streak"]
        assert health["last_cycle_failed"] == line["failed_cases"]
        observed.append((line["failure_streak"], line["health_state"]))
    assert observed == [
        (0, "healthy"),
        (1, "degraded"),
        (2, "degraded"),
        (3, "failing"),
        (4, "failing"),
        (0, "healthy"),
        (1, "degraded"),
    ]


LARGEST = 2**63 - 1


def change_state(runtime: Runtime, part: str, **changes: object) -> None:
    """Change a part of `state.json` by hand."""
    state = runtime.files.state()
    state[part] |= changes
    (runtime.state_dir / "state.json").write_text(json.dumps(state))


def test_the_largest_streak_stays(runtime: Runtime) -> None:
    """One more failed cycle is failing, as before, and the state can be read back."""
    runtime.run(DRIFT)
    change_state(runtime, "health", failure_streak=LARGEST)
    for _ in range(2):
        event = runtime.run(DRIFT).event
        assert (event.failure_streak, event.health_state) == (LARGEST, "failing")
    assert runtime.run(LIST).event.failure_streak == 0


def test_after_the_largest_cycle_number_there_is_none(runtime: Runtime) -> None:
    """The cycle is refused, not given a number that is taken, and nothing is written."""
    runtime.run(CREATE)
    change_state(runtime, "last_cycle", cycle_number=LARGEST - 1, event_sha256="0" * 64)
    assert runtime.run(RUN).event.cycle_number == LARGEST
    before = runtime.files.contents()
    with pytest.raises(StateUnusableError, match="no cycle can follow; nothing was written") as no:
        runtime.run(LIST)
    assert no.value.exit_code == 5
    assert runtime.files.contents() == before


def test_malformed_input_that_was_expected_is_healthy(runtime: Runtime) -> None:
    """Malformed cases are completed, not failed: the health stays as it is."""
    health = runtime.run(MALFORMED).health
    assert (health.failure_streak, health.last_cycle_completed, health.last_cycle_failed) == (
        0,
        1,
        0,
    )


def test_the_snapshot_follows_from_the_event(runtime: Runtime) -> None:
    """Processed is applied + malformed + failed + duplicates; completed applied + malformed."""
    runtime.run(CREATE)
    runtime.queue_limit = 3
    runtime.run(CREATE, MALFORMED, DRIFT, RUN, LIST | {"case_id": "e"})
    assert runtime.files.state()["health"] == {
        "updated_unix_ms": runtime.time.now_unix_ms,
        "cycle_duration_ms": 0,
        "queue_depth": 1,
        "active_runs": 0,
        "failure_streak": 1,
        "last_cycle_discovered": 5,
        "last_cycle_processed": 4,
        "last_cycle_completed": 2,
        "last_cycle_failed": 1,
        "last_cycle_duplicates": 1,
    }


def test_the_event_says_which_cycle_of_what_it_was(runtime: Runtime) -> None:
    """The line names the fixture, its digest, the mode, the version and the time of the end."""
    runtime.run_file(b'{"schema_version":1,"name":"d\\u00e9mo","cases":[' + LIST_BYTES + b"]}")
    line = runtime.files.events()[0]
    assert line["fixture_name"] == "démo"
    assert line["fixture_sha256"] == SHA256_OF_THAT
    assert line["run_mode"] == "record"
    assert line["runtime_version"] == __version__
    assert line["timestamp_unix_ms"] == START_UNIX_MS + 1_000
    assert line["recovered"] is False
    assert (line["schema_version"], line["cycle_number"], line["previous_sha256"]) == (1, 1, None)


LIST_BYTES = (
    b'{"schema_version":1,"case_id":"a","operation":"LIST",'
    b'"expected":{"outcome":"success","status_code":200}}'
)
SHA256_OF_THAT = "522c53e29d01b026f1adf265821870ac0b9b96a721e7ff95c9578cda2948567f"
