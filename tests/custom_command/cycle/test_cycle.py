"""A cycle: the order of its cases, what is left out and why, retries, what counts as failed."""

from typing import Any

import pytest

from tau_custom_command.cycle.plan import in_order
from tests.custom_command.cases import case, case_object, malformed, retryable, success
from tests.custom_command.running import Json, Runtime

UNAVAILABLE: Json = {"simulate_retryable_failure": True, "expected": retryable()}


def creates(*case_ids: str, **changes: Any) -> list[Json]:  # noqa: ANN401 - JSON
    """Return a CREATE a case id."""
    return [case_object(case_id, "CREATE", **changes) for case_id in case_ids]


def failing(*case_ids: str) -> list[Json]:
    """Return cases that fail each time, as their fixture expects."""
    return creates(*case_ids, **UNAVAILABLE)


def order_in(runtime: Runtime, channel: str = "greet") -> list[str]:
    """Return the ids of the cases in the order in which the channel's log has them."""
    return [entry["payload"]["case_id"] for entry in runtime.files.entries(channel)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["b", "a", "c"], ["a", "b", "c"]),
        (["step-10", "step-2"], ["step-10", "step-2"]),
        (["a", "B", "A"], ["A", "B", "a"]),
        (["é", "z", "a"], ["a", "z", "é"]),
    ],
    ids=["letters", "numbers are text", "capitals first", "beyond ASCII last"],
)
def test_cases_run_in_the_order_of_their_ids(
    runtime: Runtime, given: list[str], expected: list[str]
) -> None:
    """Cases run in the order of the text of their ids, whatever the order in the file."""
    runtime.run(*creates(*given))
    assert order_in(runtime) == expected


def test_operation_and_name_decide_where_ids_are_equal() -> None:
    """The order is by case id, then operation, then command name."""
    tied = [case("a", "RUN", "x"), case("a", "CREATE", "y"), case("a", "CREATE", "x")]
    ordered = in_order(tied, case_suffix="")
    assert [(c.operation, c.command_name) for c in ordered] == [
        ("CREATE", "x"),
        ("CREATE", "y"),
        ("RUN", "x"),
    ]


def test_the_id_decides_before_operation_and_name() -> None:
    """What a case does, and to what, says nothing where the ids differ."""
    mixed = [case("b", "CREATE", "x"), case("a", "UPDATE", "z"), case("c", "CREATE", "a")]
    assert [c.case_id for c in in_order(mixed, case_suffix="")] == ["a", "b", "c"]


def test_a_case_suffix_makes_work_new(runtime: Runtime) -> None:
    """With a suffix the same fixture does new work, and its ids are recorded with the suffix."""
    runtime.run(*creates("a", "b"))
    report = runtime.run(*creates("a", "b"), case_suffix="@1")
    assert (report.event.applied_cases, report.event.duplicate_skips) == (2, 0)
    assert order_in(runtime) == ["a", "b", "a@1", "b@1"]
    assert runtime.files.state()["processed_case_keys"][-1] == "CREATE:greet:b@1"


def test_the_same_suffix_again_is_the_same_work(runtime: Runtime) -> None:
    """A suffix is part of the case key: with the same one, cases are duplicates."""
    runtime.run(*creates("a"), case_suffix="@1")
    assert runtime.run(*creates("a"), case_suffix="@1").event.duplicate_skips == 1


def test_a_fresh_cycle_is_new_work_each_time(runtime: Runtime) -> None:
    """No earlier cycle used its suffix, which ends with the number of the cycle."""
    for number in (1, 2, 3):
        event = runtime.run(*creates("a", "b"), fresh=True).event
        assert (event.applied_cases, event.duplicate_skips) == (2, 0)
        assert runtime.files.entries("greet")[-1]["payload"]["case_id"] == f"b-{number}"


@pytest.mark.parametrize("expected", [success("CREATE"), success("CREATE", status_code=299)])
def test_a_fresh_cycle_is_new_work_whatever_ids_look_like(
    runtime: Runtime, expected: dict[str, object]
) -> None:
    """Ids that already end as a fresh cycle's do, processed or failed, are not met again."""
    earlier = [case_object(id_, "CREATE", expected=expected) for id_ in ("a-2", "a--2", "b-2")]
    runtime.run(*earlier)
    event = runtime.run(*creates("b", "a"), fresh=True).event
    assert (event.applied_cases, event.duplicate_skips) == (2, 0)
    ids = [entry["payload"]["case_id"] for entry in runtime.files.entries("greet")]
    assert ids[-2:] == ["a---2", "b---2"]


def test_a_case_suffix_keeps_the_fixtures_order(runtime: Runtime) -> None:
    """A suffix that sorts before or after what the ids hold does not change the order."""
    runtime.run(*creates("a", "a-1", "a1"), case_suffix="z")
    assert order_in(runtime) == ["az", "a-1z", "a1z"]


def test_a_processed_case_is_a_duplicate(runtime: Runtime) -> None:
    """Applied and malformed cases are processed: a later cycle only counts them."""
    cases = [
        *creates("a"),
        case_object("b", "RUN", "none", expected=malformed(404)),
    ]
    runtime.run(*cases)
    before = runtime.files.contents()
    report = runtime.run(*cases)
    assert report.event.duplicate_skips == 2
    assert report.event.queued_cases == 2
    changed = {
        path for path, content in runtime.files.contents().items() if content != before[path]
    }
    assert changed == {"state.json", "runtime-events.jsonl"}, "a duplicate left a channel entry"


def test_a_second_run_counts_only_duplicates_and_tries_failed_ones_anew(runtime: Runtime) -> None:
    """The second cycle of a fixture skips what was processed and tries again what failed."""
    cases = [*creates("a", "b"), *failing("c"), *creates("d", expected=success(status_code=299))]
    runtime.run(*cases)
    second = runtime.run(*cases).event
    assert (second.duplicate_skips, second.applied_cases, second.failed_cases) == (2, 0, 2)
    assert order_in(runtime) == ["a", "b", "c", "d", "c", "d"]


def test_new_cases_come_before_those_that_failed(runtime: Runtime) -> None:
    """A case that failed before waits until the new ones have had their turn."""
    runtime.run(*failing("a"))
    runtime.run(*failing("a"), *creates("b", "c"))
    assert order_in(runtime) == ["a", "b", "c", "a"]


def test_with_captures_cases_run_in_the_order_of_the_fixture(runtime: Runtime) -> None:
    """What captures comes before what uses it, though it failed before and that is new work."""
    capture = {"version": {"stdout": "json", "pointer": "/version"}}
    producer = case_object("b", "RUN", "greet", capture=capture, **UNAVAILABLE)
    runtime.run(*creates("a"), producer)
    runtime.run(*creates("a"), producer, case_object("c", "RUN", "greet"))
    assert order_in(runtime) == ["a", "b", "b", "c"]


def test_failed_cases_come_least_recently_tried_first(runtime: Runtime) -> None:
    """Cases that failed take turns: who waited longest comes first, whatever the id."""
    runtime.queue_limit = 2
    cases = failing("a", "b", "c")
    for _ in range(4):
        runtime.run(*cases)
    assert order_in(runtime) == ["a", "b", "c", "a", "b", "c", "a", "b"]
    assert runtime.files.state()["failed_case_keys"] == [f"CREATE:greet:{i}" for i in "cab"]


def test_the_queue_limit_cuts_after_duplicates_are_left_out(runtime: Runtime) -> None:
    """Duplicates take no place in the queue, so a limit of 1 still reaches the last case."""
    runtime.queue_limit = 1
    cases = creates("a", "b", "c")
    events = [runtime.run(*cases).event for _ in range(4)]
    assert [e.backlog_cases for e in events] == [2, 1, 0, 0]
    assert [e.queued_cases for e in events] == [1, 2, 3, 3]
    assert [e.duplicate_skips for e in events] == [0, 1, 2, 3]
    assert order_in(runtime) == ["a", "b", "c"]


def test_two_hundred_cases_drain_in_four_cycles(runtime: Runtime) -> None:
    """200 cases with a limit of 64: 64, 64, 64, 8, each case once."""
    cases = creates(*(f"{number:03}" for number in range(200)))
    events = [runtime.run(*cases).event for _ in range(5)]
    assert [e.applied_cases for e in events] == [64, 64, 64, 8, 0]
    assert [e.backlog_cases for e in events] == [136, 72, 8, 0, 0]
    assert order_in(runtime) == [f"{number:03}" for number in range(200)]


def test_failures_cannot_starve_new_work(runtime: Runtime) -> None:
    """64 failing cases before 136 good ones, limit 64: all 136 are applied by the fourth cycle."""
    cases = [
        *failing(*(f"a{number:03}" for number in range(64))),
        *creates(*(f"b{number:03}" for number in range(136))),
    ]
    events = [runtime.run(*cases).event for _ in range(4)]
    assert [e.applied_cases for e in events] == [0, 64, 64, 8]
    assert [e.failed_cases for e in events] == [64, 0, 0, 56]
    keys = runtime.files.state()["processed_case_keys"]
    assert keys == [f"CREATE:greet:b{number:03}" for number in range(136)]


@pytest.mark.parametrize("attempts", [1, 2, 4])
def test_a_retryable_failure_is_tried_up_to_the_limit(runtime: Runtime, attempts: int) -> None:
    """A case that stays unavailable is attempted that often, and each failure is counted."""
    runtime.retry_max_attempts = attempts
    event = runtime.run(*failing("a")).event
    assert (event.retryable_failures, event.retry_attempts) == (attempts, attempts - 1)
    assert event.failed_cases == 1
    assert order_in(runtime) == ["a"], "one channel entry a cycle, not one an attempt"


def test_other_results_are_not_tried_again(runtime: Runtime) -> None:
    """Success, malformed input and drift end a case at its first attempt."""
    event = runtime.run(
        *creates("a"),
        case_object("b", "RUN", "none", expected=malformed(404)),
        *creates("c", expected=retryable()),
    ).event
    assert (event.retry_attempts, event.retryable_failures) == (0, 0)


def test_each_retry_waits_twice_as_long_up_to_the_tenth_doubling(runtime: Runtime) -> None:
    """The wait is base * 2^(attempt-1), with an exponent of at most 10."""
    runtime.retry_max_attempts, runtime.retry_base_delay_ms = 14, 3
    event = runtime.run(*failing("a")).event
    doublings = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10]
    assert runtime.time.waits_ms == [3 * 2**n for n in doublings]
    assert event.cycle_duration_ms == sum(runtime.time.waits_ms)


def test_a_base_of_0_waits_not_at_all(runtime: Runtime) -> None:
    """Without a base delay nothing is waited for, not even nothing."""
    runtime.run(*failing("a"))
    assert runtime.time.waits_ms == []


def test_a_failed_case_is_failed_though_its_fixture_expects_it(runtime: Runtime) -> None:
    """What still fails after its attempts is failed, expected or not, and not processed."""
    expected = runtime.run(*failing("a"))
    unexpected = runtime.run(*creates("b", simulate_retryable_failure=True))
    for report, drifted in ((expected, False), (unexpected, True)):
        assert report.event.failed_cases == 1
        assert [settled.drifted for settled in report.settlements] == [drifted]
    state = runtime.files.state()
    assert state["processed_case_keys"] == []
    assert state["failed_case_keys"] == ["CREATE:greet:a", "CREATE:greet:b"]


@pytest.mark.parametrize(
    "drifting",
    [
        case_object("b", "CREATE", "greet", template="new", expected=success(status_code=299)),
        case_object("b", "UPDATE", "greet", template="new", expected=malformed()),
        case_object("b", "DELETE", "greet", expected=success(response_body={})),
        case_object("b", "RUN", "greet", expected=success(status_code=299)),
        case_object("b", "CREATE", "other", expected=retryable()),
        case_object("b", "RUN", "none"),
        case_object("b", "CREATE", "greet", template=" "),
    ],
    ids=["create", "update", "delete", "run", "create another", "run of none", "blank template"],
)
def test_a_drifted_case_changes_nothing_and_the_cycle_goes_on(
    runtime: Runtime, drifting: Json
) -> None:
    """A result that differs from the expected one fails its case alone, and does nothing."""
    runtime.run(*creates("a"))
    commands = runtime.files.state()["commands"]
    report = runtime.run(drifting)
    event = report.event
    assert runtime.files.state()["commands"] == commands
    assert (event.failed_cases, event.applied_cases, event.malformed_cases) == (1, 0, 0)
    assert (event.upserted_commands, event.deleted_commands, event.executed_runs) == (0, 0, 0)
    assert [settled.drifted for settled in report.settlements] == [True]
    after = runtime.run(drifting, case_object("c", "RUN", "greet")).event
    assert (after.failed_cases, after.executed_runs) == (1, 1)


def test_a_failed_case_that_succeeds_later_is_processed(runtime: Runtime) -> None:
    """Once it succeeds, a case leaves the failed ones, joins the processed, and is skipped."""
    waiting = case_object("a", "RUN")
    runtime.run(waiting)
    assert runtime.files.state()["failed_case_keys"] == ["RUN:greet:a"]
    runtime.run(waiting, case_object("b", "CREATE"))
    state = runtime.files.state()
    assert state["failed_case_keys"] == []
    assert state["processed_case_keys"] == ["CREATE:greet:b", "RUN:greet:a"]
    assert runtime.run(waiting).event.duplicate_skips == 1


@pytest.mark.parametrize(
    ("cap", "expected"),
    [(1, ["b1", "b2"]), (2, ["b1", "b2"]), (3, ["a3", "b1", "b2"]), (9, ["a1", "a2", "a3"])],
    ids=["the fixture's size is kept", "exactly it", "the oldest goes", "all are kept"],
)
def test_processed_keys_beyond_the_cap_are_forgotten_oldest_first(
    runtime: Runtime, cap: int, expected: list[str]
) -> None:
    """The runtime remembers the cap or the fixture at hand, whichever is more; newest first."""
    runtime.processed_case_cap = cap
    runtime.run(*creates("a1", "a2", "a3"))
    assert len(runtime.files.state()["processed_case_keys"]) == 3
    runtime.run(*creates("b1", "b2"))
    keys = runtime.files.state()["processed_case_keys"]
    assert keys[:3] == [f"CREATE:greet:{case_id}" for case_id in expected]


def applied(runtime: Runtime) -> list[str]:
    """Return the ids of the cases of `greet` that were applied, in the order they were."""
    return [entry["payload"]["case_id"] for entry in runtime.files.entries("greet")]


def test_a_backlog_drains_beside_another_fixture(runtime: Runtime) -> None:
    """A fixture's own keys are not forgotten in its cycles, so its last case gets its turn."""
    runtime.processed_case_cap = 4
    for number in range(8):
        runtime.queue_limit = 1
        runtime.run(*creates("f1", "f2", "f3"))
        runtime.queue_limit = 64
        runtime.run(case_object(f"g-{number}", "CREATE", "other"))
    assert applied(runtime) == ["f1", "f2", "f3"]


def test_a_cap_that_is_too_small_starves_no_backlog(runtime: Runtime) -> None:
    """With room for one of two fixtures, each cycle of the other makes one case new, not all."""
    runtime.processed_case_cap = 3
    for number in range(8):
        runtime.queue_limit = 1
        runtime.run(*creates("f1", "f2", "f3"))
        runtime.queue_limit = 64
        runtime.run(case_object(f"g-{number}", "CREATE", "other"))
    assert applied(runtime)[:3] == ["f1", "f2", "f3"]


def test_a_key_that_is_met_again_becomes_the_newest(runtime: Runtime) -> None:
    """What is forgotten are the keys of fixtures that were not met for the longest time."""
    runtime.processed_case_cap = 3
    runtime.run(*creates("a", "b"))
    runtime.run(*creates("c"))
    runtime.run(*creates("a", "b"))
    assert keys_left(runtime, "processed") == ["c", "a", "b"]
    runtime.run(*creates("d"))
    assert keys_left(runtime, "processed") == ["a", "b", "d"]
    assert runtime.run(*creates("a", "b")).event.duplicate_skips == 2


def test_the_cycle_that_skips_a_case_does_not_forget_it(runtime: Runtime) -> None:
    """The oldest key is kept where its case is skipped, and a newer one of another goes."""
    runtime.processed_case_cap = 1
    runtime.run(*creates("b", "c"))
    runtime.run(*creates("a", "b"))
    assert keys_left(runtime, "processed") == ["b", "a"]


def test_failed_keys_of_the_fixture_at_hand_are_kept_in_their_order(runtime: Runtime) -> None:
    """Those that wait for their turn stay failed, least recently tried first; others go."""
    runtime.processed_case_cap = 3
    runtime.run(*failing("a", "b"))
    runtime.run(*failing("x"))
    runtime.queue_limit = 1
    runtime.run(*failing("a", "b", "c"))
    assert keys_left(runtime, "failed") == ["a", "b", "c"]
    runtime.run(*failing("a", "b", "c"))
    assert keys_left(runtime, "failed") == ["b", "c", "a"]


def keys_left(runtime: Runtime, which: str) -> list[str]:
    """Return the case ids of the processed or the failed keys in the state."""
    return [key.split(":")[-1] for key in runtime.files.state()[f"{which}_case_keys"]]


def test_a_forgotten_key_is_new_work_again(runtime: Runtime) -> None:
    """What was forgotten is processed again, and counts as applied."""
    runtime.processed_case_cap = 1
    runtime.run(*creates("a"))
    runtime.run(*creates("b"))
    assert runtime.run(*creates("a")).event.applied_cases == 1


def test_a_fixture_larger_than_the_cap_does_not_repeat_itself(runtime: Runtime) -> None:
    """With a cap of 1, a fixture of three cases still does its work only once."""
    runtime.processed_case_cap = 1
    runtime.run(*creates("a", "b", "c"))
    assert runtime.run(*creates("a", "b", "c")).event.duplicate_skips == 3


def test_failed_keys_of_other_fixtures_are_kept(runtime: Runtime) -> None:
    """A fixture that is not at hand keeps its place among the failed ones."""
    runtime.run(*failing("a", "b"))
    runtime.run(*creates("c"))
    assert runtime.files.state()["failed_case_keys"] == ["CREATE:greet:a", "CREATE:greet:b"]
