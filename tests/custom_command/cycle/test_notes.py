"""A cycle that a crash ended is closed by its notes: nothing is lost, nothing is done twice."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_custom_command.contract.state import RunMode, StateFile
from tau_custom_command.contract.vocabulary import Operation
from tau_custom_command.cycle import notes
from tau_custom_command.cycle.accounting import ClosedCycle, close
from tau_custom_command.cycle.artifacts import Attempt
from tau_custom_command.cycle.attempt import Execution, result_of
from tau_custom_command.cycle.evaluation import evaluate
from tau_custom_command.cycle.event_chain import ChainEnd
from tau_custom_command.cycle.execution import Ended, FailureReason, Stream
from tau_custom_command.cycle.plan import CycleIdentity, CycleLimits, CyclePlan, plan
from tau_custom_command.cycle.registry import Registry
from tau_custom_command.cycle.settle import Settlement, settle
from tau_custom_command.errors import StateUnusableError
from tau_custom_command.fixture.model import Case
from tau_custom_command.policy.model import ExecutionPolicy

BEGAN_UNIX_MS = 1_767_225_600_000
FIRST = ChainEnd(cycle_number=0, sha256=None)
LIMITS = CycleLimits(
    queue_limit=64, processed_case_cap=10_000, retry_max_attempts=1, retry_base_delay_ms=0
)
CASES = (
    Case(case_id="1", operation="CREATE", command_name="a", template="true"),
    Case(case_id="2", operation="CREATE", command_name="b", template="false"),
    Case(case_id="3", operation="RUN", command_name="a", arguments={"n": 1.5, "t": [None, "é"]}),
    Case(case_id="4", operation="RUN", command_name="b"),
    Case(case_id="5", operation="LIST"),
    Case(case_id="6", operation="DELETE", command_name="b"),
)


def planned(before: StateFile | None = None, end: ChainEnd = FIRST) -> CyclePlan:
    """Return the plan of a cycle that takes all cases."""
    identity = CycleIdentity(
        cycle_id=f"{BEGAN_UNIX_MS}-{end.cycle_number + 1:08}-9f86d081",
        cycle_number=end.cycle_number + 1,
        previous_sha256=end.sha256,
        run_mode=RunMode.EXECUTE,
        fixture_name="x",
        fixture_sha256="0" * 64,
        runtime_version="1.0",
        release="1.4.0",
    )
    return plan(CASES, before, identity, LIMITS)


def ended(code: int, output: bytes = b"") -> Ended:
    """Return how a command ended."""
    return Ended(
        started=True,
        command_line="a word",
        failure=FailureReason.NON_ZERO_EXIT if code else None,
        exit_code=code,
        duration_ms=7,
        stdout=Stream(kept=output, size=len(output)),
    )


def settled(place: int, registry: Registry, *outcomes: Ended) -> Settlement:
    """Settle a case, where it is a RUN by these attempts, a second after the one before."""
    case, now_unix_ms = CASES[place], BEGAN_UNIX_MS + 1_000 * (place + 1)
    executions = [Execution(each, result_of(case, each), now_unix_ms) for each in outcomes]
    results = [execution.result for execution in executions] or [
        evaluate(case, registry, default_policy=ExecutionPolicy())
    ]
    return settle(case, results, registry, now_unix_ms=now_unix_ms, executions=executions)


def all_settled(registry: Registry) -> list[Settlement]:
    """Settle all cases; the RUN of `b` fails."""
    outcomes: dict[int, tuple[Ended, ...]] = {
        2: (ended(0, b"\xff\0out"),),
        3: (ended(3), ended(4)),
    }
    return [settled(place, registry, *outcomes.get(place, ())) for place in range(len(CASES))]


def closed(kinds: dict[str, list[Any]], **changes: Any) -> ClosedCycle:  # noqa: ANN401 - of two
    """Close by notes, each made bytes and read back."""
    began = notes.encode(notes.Began.of(planned(), unix_ms=BEGAN_UNIX_MS))
    given_ = {"before": None, "end": FIRST} | changes
    starts, ends = (map(notes.encode, kinds.get(kind, [])) for kind in ("starts", "settled"))
    return notes.closed_after_a_crash(began, starts, ends, **given_)


def start(place: int, *before: Execution) -> notes.Starts:
    """Return the note before a process of a case starts."""
    unix_ms = BEGAN_UNIX_MS + 1_000 * (place + 1)
    return notes.Starts(place, CASES[place], unix_ms, "a word", before)


@given(st.permutations(range(len(CASES))))
def test_it_is_closed_as_it_would_have_been(order: list[int]) -> None:
    """Whatever came first: the same event and state, but that it is told to be recovered."""
    registry = Registry()
    settlements = all_settled(registry)
    end_unix_ms = settlements[-1].settled_unix_ms
    undisturbed = close(
        planned(), settlements, registry, ended_unix_ms=end_unix_ms, duration_ms=6_000
    )
    recovered = closed({"settled": [notes.Settled(place, settlements[place]) for place in order]})
    assert recovered.settlements == undisturbed.settlements
    assert recovered.event.recovered
    assert recovered.state.commands == undisturbed.state.commands
    assert recovered.state.executed_run_keys == ("RUN:a:3", "RUN:b:4")
    for event in (recovered.event, undisturbed.event):
        assert (event.executed_runs, event.run_non_zero_exit_failures, event.failed_cases) == (
            *(3, 2),
            1,
        )
    assert recovered.state.health == undisturbed.state.health


def test_what_was_started_and_not_settled_is_interrupted() -> None:
    """It fails, is executed, and is never new again; its earlier attempts stand."""
    registry = Registry()
    done = [settled(place, registry) for place in (0, 1)]
    first = settled(3, Registry(registry), ended(3)).executions[0]
    found = closed(
        {
            "settled": [notes.Settled(place, each) for place, each in enumerate(done)],
            "starts": [start(3), start(3, first), start(3, first)],
        }
    )
    interrupted = found.settlements[-1]
    assert [each.ended.failure for each in interrupted.executions] == [
        FailureReason.NON_ZERO_EXIT,
        FailureReason.NON_ZERO_EXIT,
        FailureReason.INTERRUPTED,
    ]
    assert interrupted.result.status_code == 503
    assert interrupted.result.response_body["reason"] == "interrupted"
    assert (found.event.failed_cases, found.event.executed_runs) == (1, 3)
    assert found.event.discovered_cases == len(found.settlements) == 3
    assert found.state.executed_run_keys == ("RUN:b:4",)
    again = planned(found.state, ChainEnd(1, found.state.last_cycle.event_sha256))
    assert "RUN:b:4" in again.skipped
    assert [case.case_id for case in again.queue] == ["3", "5", "6"]


def test_the_attempts_that_were_cut_off_are_named() -> None:
    """By the last start of each case that was not settled: what they stored can be found."""
    registry = Registry()
    done = [settled(place, registry) for place in (0, 1)]
    first = settled(3, registry, ended(3)).executions[0]
    began = notes.encode(notes.Began.of(planned(), unix_ms=BEGAN_UNIX_MS))
    begun = (start(2), start(3), start(3, first), start(3, first))
    starts = [notes.encode(each) for each in begun]
    ends = [notes.encode(notes.Settled(place, done[0])) for place in (0, 1, 2)]
    cycle_id = planned().identity.cycle_id
    assert list(notes.interrupted_attempts(began, starts, ends)) == [
        ("b", Attempt(cycle_id, 3, "RUN:b:4", 3))
    ]


def test_nothing_of_it_is_counted_where_nothing_was_begun() -> None:
    """A cycle that had just begun is closed without a case."""
    found = closed({})
    assert (found.event.discovered_cases, found.event.reason_codes) == (0, ("healthy_cycle",))
    assert found.event.cycle_duration_ms == 0


@pytest.mark.parametrize("number", [0, 41])
def test_it_follows_the_chain_as_it_is_now(number: int) -> None:
    """Also where another state was put back since: no number is given twice."""
    end = ChainEnd(cycle_number=number, sha256="1" * 64)
    event = closed({"settled": []}, end=end).event
    assert (event.cycle_number, event.previous_sha256) == (number + 1, "1" * 64)


def test_a_rerun_and_a_fresh_cycle() -> None:
    """A rerun brings a RUN back once; the keys of a fresh cycle are not kept."""
    registry = Registry()
    settlements = all_settled(registry)
    state = close(planned(), settlements, registry, ended_unix_ms=1, duration_ms=1).state
    after = ChainEnd(1, state.last_cycle.event_sha256)
    again = plan(CASES, state, planned(end=after).identity, LIMITS, rerun={"RUN:b:4"})
    assert [case.key for case in again.queue] == ["RUN:b:4"]
    assert again.executed_before == ("RUN:a:3",)
    fresh = plan(CASES, None, planned().identity, LIMITS, is_fresh=True)
    registry = Registry()
    kept = close(fresh, all_settled(registry), registry, ended_unix_ms=1, duration_ms=1).state
    assert not kept.executed_run_keys
    assert [key for key in kept.processed_case_keys if key.startswith(Operation.RUN)] == []


def test_runs_of_a_command_that_is_registered_no_more_count() -> None:
    """Another state was put back since: they stand in the event and the keys, without a record."""
    found = closed({"starts": [start(2)], "settled": []})
    assert found.event.executed_runs == 1
    assert found.state.executed_run_keys == ("RUN:a:3",)
    assert found.state.commands == ()


@pytest.mark.parametrize("form", [notes.Began, notes.Starts, notes.Settled])
@pytest.mark.parametrize("raw", [b"", b"{}", b"[1]", b'["x", {}, 3]', b"\xff"])
def test_a_note_of_another_form_is_refused(form: type[notes.Note], raw: bytes) -> None:
    """Another version noted it: nothing of it is guessed."""
    with pytest.raises(StateUnusableError, match="has another form"):
        notes.read(raw, form)
