"""Random fixtures through several cycles: the files against an independent model."""

import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, event, given, settings
from hypothesis import strategies as st

from tests.custom_command.model import Json, Left, Limits, Model, key_of, operation_of, result_of
from tests.custom_command.running import Runtime, StateFiles

OPERATIONS = ["CREATE", "create", "Create", "UPDATE", "uPdAtE", "DELETE", "delete", "RUN", "run"]
OPERATIONS += ["Run", "rUN", "RUN", "LIST", "list", " Create ", "FROBNICATE"]
NAMES = ["greet"] * 10 + [" greet ", "build", "build", "Greet", "a-b_9", "n" * 64]
BAD_NAMES = ["", "registry", "9lives", "a b", "é", "a/b", "n" * 65, "../up"]
TEMPLATES = ["echo {{who}}"] * 6 + ["echo {{n}}", "echo hi; ls", "", " \t "]
ARGUMENTS: list[Json] = [
    {},
    {},
    {},
    {"who": "x"},
    {"who": "x"},
    {"n": 1},
    {"n": 1.0},
    {"OpenAI_API_key": "s"},
]
POLICIES: list[Json | None] = [
    None,
    None,
    None,
    None,
    {"schema_version": 1},
    {"allow_shell": True},
    {"allowed_env": ["who"], "require_approval": False},
    {"denied_env": ["who"]},
]
SURE_CREATE: Json = {
    "schema_version": 1,
    "case_id": "0",
    "operation": "CREATE",
    "command_name": "greet",
    "template": "echo {{who}}",
    "expected": {"outcome": "success", "status_code": 201},
}
"""Stands first in some fixtures, so that the registry is not mostly empty."""
CASE_IDS = ["a", "b", "c", "d", "e", "f", "10", "2", " g ", "ä"]


@dataclass(frozen=True)
class Cycle:
    """One cycle to run: a fixture's cases, and the limits."""

    cases: list[Json]
    limits: Limits


@st.composite
def cases(draw: st.DrawFn, case_id: str) -> Json:
    """Draw a case; it often expects what it results in, whether its command is there or not."""
    operation = draw(st.sampled_from(OPERATIONS))
    name = draw(st.sampled_from(NAMES * 3 + BAD_NAMES))
    is_run = operation.upper() == "RUN"
    template = draw(st.sampled_from(["", "", " \t "] if is_run else TEMPLATES))
    case: Json = {
        "schema_version": 1,
        "case_id": case_id,
        "operation": operation,
        "command_name": name,
        "template": draw(st.sampled_from([template, template, template, "echo {{who}}"])),
        "arguments": draw(st.sampled_from(ARGUMENTS)),
        "simulate_retryable_failure": draw(st.integers(0, 9)) == 0,
    }
    policy = draw(st.sampled_from(POLICIES))
    if policy is not None:
        case["execution_policy"] = policy
    there = draw(st.sampled_from([True, True, False]))
    assumed = {name.strip(): {"template": "echo {{who}}"}} if there else {}
    return case | {"expected": draw(expectations(case, result_of(case, assumed)))}


@st.composite
def expectations(draw: st.DrawFn, case: Json, result: Json) -> Json:
    """Draw an expectation: the assumed result, with or without its body, or something else."""
    if operation_of(case) == "FROBNICATE":
        result = result_of(case | {"simulate_retryable_failure": False}, {})
    bare = {key: value for key, value in result.items() if key != "response_body"}
    if bare["error_code"] is None:
        bare["error_code"] = draw(st.sampled_from([None, ""]))
    other_bodies = [{"status": "other"}, result["response_body"] | {"arguments": {"n": 1}}]
    wrong = [
        bare | {"status_code": result["status_code"] + 1},
        bare | {"response_body": draw(st.sampled_from(other_bodies))},
        {
            "outcome": "malformed_input",
            "status_code": 404,
            "error_code": "custom_command_invalid_name",
        },
    ]
    right = [bare, result, bare, result, bare, result]
    return draw(st.sampled_from([*right, *wrong]))


@st.composite
def fixtures(draw: st.DrawFn) -> list[Json]:
    """Draw the cases of a fixture; two fixtures often share case keys."""
    ids = draw(st.lists(st.sampled_from(CASE_IDS), min_size=1, max_size=8, unique=True))
    drawn = [draw(cases(case_id)) for case_id in ids]
    return [SURE_CREATE, *drawn] if draw(st.booleans()) else drawn


@st.composite
def cycles(draw: st.DrawFn) -> list[Cycle]:
    """Draw several cycles of a few fixtures in turn."""
    few = draw(st.lists(fixtures(), min_size=1, max_size=3))
    limits = st.builds(
        Limits,
        queue_limit=st.sampled_from([1, 2, 3, 5, 64]),
        processed_case_cap=st.sampled_from([1, 3, 10, 10_000]),
        retry_max_attempts=st.integers(1, 4),
        retry_base_delay_ms=st.sampled_from([0, 0, 7]),
    )
    one = st.builds(Cycle, cases=st.sampled_from(few), limits=limits)
    return draw(st.lists(one, min_size=1, max_size=6))


@pytest.mark.exhaustive
@settings(
    max_examples=200,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],  # explaining a failure took minutes
)
@given(cycles())
def test_every_cycle_leaves_what_the_model_says(to_run: list[Cycle]) -> None:
    """Event, state, channel store and chain are the contract's after each of several cycles."""
    with tempfile.TemporaryDirectory() as folder:
        runtime, model = Runtime(Path(folder)), Model()
        touched: set[str] = set()
        entries: dict[str, list[Json]] = {}
        for cycle in to_run:
            limits = cycle.limits
            runtime.queue_limit = limits.queue_limit
            runtime.processed_case_cap = limits.processed_case_cap
            runtime.retry_max_attempts = limits.retry_max_attempts
            runtime.retry_base_delay_ms = limits.retry_base_delay_ms
            runtime.time.waits_ms.clear()
            runtime.run(*cycle.cases)
            now_unix_ms = runtime.time.now_unix_ms
            left = model.cycle(cycle.cases, limits, now_unix_ms=now_unix_ms)
            for channel, more in left.entries.items():
                stamped = [entry | {"timestamp_unix_ms": now_unix_ms} for entry in more]
                entries.setdefault(channel, []).extend(stamped)
            touched |= {*left.entries, *(["registry"] if left.entries else [])}
            assert runtime.time.waits_ms == left.waits_ms
            assert_event(runtime.files, left, limits, now_unix_ms=now_unix_ms)
            assert_state(runtime.files, model, left)
            for code in left.event["reason_codes"]:
                event(code)
        assert_channels(runtime.files, entries, touched)
        assert_chain(runtime.files, cycles_run=len(to_run))


def assert_event(files: StateFiles, left: Left, limits: Limits, *, now_unix_ms: int) -> None:
    """Hold the last line of the event log against the model."""
    observed = files.events()[-1]
    assert {key: observed[key] for key in left.event} == left.event
    assert observed["timestamp_unix_ms"] == now_unix_ms
    assert observed["cycle_duration_ms"] == sum(left.waits_ms)
    assert observed["recovered"] is False
    assert observed["queued_cases"] <= limits.queue_limit + observed["duplicate_skips"]


def assert_state(files: StateFiles, model: Model, left: Left) -> None:
    """Hold `state.json` against the model."""
    state, line = files.state(), left.event
    assert state["processed_case_keys"] == model.processed
    assert state["failed_case_keys"] == model.failed
    assert state["commands"] == [model.commands[name] for name in sorted(model.commands)]
    completed = line["applied_cases"] + line["malformed_cases"]
    observed = files.events()[-1]
    assert state["health"] == {
        "updated_unix_ms": observed["timestamp_unix_ms"],
        "cycle_duration_ms": observed["cycle_duration_ms"],
        "queue_depth": line["backlog_cases"],
        "active_runs": 0,
        "failure_streak": model.streak,
        "last_cycle_discovered": line["discovered_cases"],
        "last_cycle_processed": completed + line["failed_cases"] + line["duplicate_skips"],
        "last_cycle_completed": completed,
        "last_cycle_failed": line["failed_cases"],
        "last_cycle_duplicates": line["duplicate_skips"],
    }


def assert_channels(files: StateFiles, entries: dict[str, list[Json]], touched: set[str]) -> None:
    """Hold the channel store against the model: which entries, where, in which order."""
    if not touched:
        assert not (files.root / "channel-store").exists()
        return
    assert files.channels() == touched
    for channel in touched:
        constant = {"direction": "system", "source": "tau-custom-command-runner"}
        expected = [as_typed(entry | constant) for entry in entries.get(channel, [])]
        assert [as_typed(entry) for entry in files.entries(channel)] == expected
        context = files.entries(channel, "context.jsonl")
        assert [entry["timestamp_unix_ms"] for entry in context] == [
            entry["timestamp_unix_ms"] for entry in files.entries(channel)
        ]
        assert (files.channel(channel) / "MEMORY.md").stat().st_size > 0


def assert_chain(files: StateFiles, *, cycles_run: int) -> None:
    """Hold the chain together: each line names the digest of the one before, the state the last."""
    previous, numbers, ids = None, [], []
    for line, each in zip(files.event_lines(), files.events(), strict=True):
        assert each["previous_sha256"] == previous
        previous = sha256(line.removesuffix(b"\n")).hexdigest()
        numbers.append(each["cycle_number"])
        ids.append(each["cycle_id"])
    assert numbers == list(range(1, cycles_run + 1))
    assert ids == sorted(set(ids))
    assert files.state()["last_cycle"] == {
        "cycle_id": ids[-1],
        "cycle_number": cycles_run,
        "event_sha256": previous,
    }


def as_typed(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a JSON value in which 1, 1.0 and true are no longer equal to each other."""
    if isinstance(value, dict):
        return {key: as_typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_typed(item) for item in value]
    return (type(value).__name__, value)


def test_the_model_knows_what_a_key_is() -> None:
    """A case key is the upper-case operation, the name and the id, each trimmed."""
    assert key_of({"operation": " run ", "command_name": " a ", "case_id": " 1 "}) == "RUN:a:1"
