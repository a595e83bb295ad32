"""What each operation does to the registry of commands (state-files.md)."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tau_custom_command.contract.state import CommandRecord
from tau_custom_command.contract.vocabulary import Outcome
from tau_custom_command.cycle.registry import Registry, RegistryChange
from tau_custom_command.policy.model import DEFAULTS, ExecutionPolicy
from tests.custom_command.cases import case, registered, result_of

CLEARED: dict[str, Any] = {
    "last_error_code": "",
    "last_command_line": "",
    "last_exit_code": None,
    "last_stdout": "",
    "last_stderr": "",
    "last_timed_out": False,
    "last_duration_ms": 0,
}
EXECUTED: dict[str, Any] = {
    "last_error_code": "custom_command_backend_unavailable",
    "last_command_line": "echo world",
    "last_exit_code": 3,
    "last_stdout": "world",
    "last_stderr": "oh",
    "last_timed_out": True,
    "last_duration_ms": 7,
}


def _apply(
    registry: Registry,
    operation: str,
    name: str = "greet",
    **changes: Any,  # noqa: ANN401 - JSON
) -> RegistryChange:
    subject = case("020-next", operation, name, **changes)
    return registry.apply(subject, result_of(subject, registry), now_unix_ms=2_000)


def _written(record: CommandRecord | ExecutionPolicy) -> Any:  # noqa: ANN401 - JSON
    """Return what `state.json` holds of it."""
    return msgspec.json.decode(msgspec.json.encode(record))


def _executed() -> Registry:
    """Return a registry whose one command was run five times, the last time with a failure."""
    record = registered("greet")["greet"]
    return Registry.of([replace(record, **EXECUTED, run_count=5, operation="RUN")])


def test_create_makes_a_whole_record() -> None:
    """CREATE registers every field: what the case says, no runs, nothing of an execution."""
    registry = Registry()
    change = _apply(
        registry,
        "CREATE",
        template="printf {{x}}",
        execution_policy={"allow_shell": True},
    )
    assert change == RegistryChange(upserted_commands=1)
    assert _written(registry["greet"]) == CLEARED | {
        "case_key": "CREATE:greet:020-next",
        "case_id": "020-next",
        "command_name": "greet",
        "template": "printf {{x}}",
        "operation": "CREATE",
        "last_status_code": 201,
        "last_outcome": "success",
        "run_count": 0,
        "updated_unix_ms": 2_000,
        "execution_policy": {"schema_version": 1, "allow_shell": True},
        "default_arguments": {},
        "read_only": False,
    }


def test_what_the_spec_says_of_a_command_is_registered() -> None:
    """Default arguments and `read_only` are the command's, and go with the next spec."""
    registry, spec = Registry(), {"name": "greet", "template": "echo {{who}}"}
    arguments = {"who": "world", "n": 10**30, "more": [1.0, None]}
    about = {"default_arguments": arguments, "read_only": True}
    _apply(registry, "CREATE", command_spec=spec | about)
    assert _written(registry["greet"]).items() >= about.items()
    _apply(registry, "RUN", arguments={"who": "you"})
    assert CommandRecord.parse(registry["greet"].as_line()) == registry["greet"]
    assert _written(registry["greet"]).items() >= about.items()
    _apply(registry, "UPDATE")
    assert (registry["greet"].default_arguments, registry["greet"].read_only) == ({}, False)


def test_a_record_of_before_is_read() -> None:
    """A record without the two keys has no default arguments, and is not read-only."""
    written = _written(registered("greet")["greet"])
    del written["default_arguments"], written["read_only"]
    record = CommandRecord.parse(json.dumps(written).encode())
    assert record == registered("greet")["greet"]


@pytest.mark.parametrize(
    ("operation", "status_code"), [("CREATE", 201), ("UPDATE", 200), ("update", 200)]
)
def test_create_and_update_over_a_command(operation: str, status_code: int) -> None:
    """Both replace template and policy, keep `run_count`, and clear the last execution."""
    registry = _executed()
    change = _apply(registry, operation, template="date", execution_policy={"allow_network": True})
    record = registry["greet"]
    assert change == RegistryChange(upserted_commands=1)
    assert record.run_count == 5
    assert record.template == "date"
    assert _written(record.execution_policy) == {
        "schema_version": 1,
        "allow_network": True,
    }
    assert record.operation == operation.upper()
    assert record.last_status_code == status_code
    assert record.case_key == f"{operation.upper()}:greet:020-next"
    assert record.updated_unix_ms == 2_000
    assert {key: getattr(record, key) for key in CLEARED} == CLEARED


def test_update_of_an_absent_command_inserts_it() -> None:
    """UPDATE is an upsert: it registers what is not there."""
    registry = Registry()
    assert _apply(registry, "UPDATE") == RegistryChange(upserted_commands=1)
    assert registry["greet"].operation == "UPDATE"
    assert registry["greet"].run_count == 0


def test_delete_removes_only_its_command() -> None:
    """DELETE counts one and leaves the others."""
    registry = registered("greet", "other")
    assert _apply(registry, "DELETE") == RegistryChange(deleted_commands=1)
    assert set(registry) == {"other"}


def test_delete_of_an_absent_command_deletes_nothing() -> None:
    """Deleting what is not there succeeds and deletes 0."""
    registry = registered("other")
    before = dict(registry)
    assert _apply(registry, "DELETE") == RegistryChange(deleted_commands=0)
    assert dict(registry) == before


def test_create_after_delete_starts_anew() -> None:
    """A command that was deleted and created again has no runs: nothing of it was kept."""
    registry = _executed()
    _apply(registry, "DELETE")
    _apply(registry, "CREATE")
    assert registry["greet"].run_count == 0


def test_the_largest_run_count_stays() -> None:
    """A RUN beyond it is carried out, and the record can be read back."""
    largest = replace(registered("greet")["greet"], run_count=2**63 - 1)
    registry = Registry.of([largest])
    assert _apply(registry, "RUN") == RegistryChange(executed_runs=1)
    assert registry["greet"].run_count == 2**63 - 1
    assert CommandRecord.parse(registry["greet"].as_line()) == registry["greet"]


def test_run_counts_and_changes_neither_template_nor_policy() -> None:
    """A RUN adds one to `run_count`; template, policy and last execution stay as they are."""
    registry = _executed()
    before = registry["greet"]
    change = _apply(
        registry,
        "RUN",
        arguments={"who": "x"},
        template="echo {{who}}",
        execution_policy={"allow_network": True},
        command_spec={
            "name": "greet",
            "template": "echo {{who}}",
            "execution_policy": {"sandbox_profile": "unrestricted"},
        },
    )
    assert change == RegistryChange(executed_runs=1)
    assert _written(registry["greet"]) == _written(before) | {
        "case_key": "RUN:greet:020-next",
        "case_id": "020-next",
        "operation": "RUN",
        "run_count": 6,
        "last_status_code": 200,
        "last_outcome": Outcome.SUCCESS,
        "updated_unix_ms": 2_000,
    }
    assert registry["greet"].execution_policy == before.execution_policy


def test_a_blank_template_in_a_run_keeps_the_registered_one() -> None:
    """A RUN that leaves its template out does not clear the command's."""
    registry = registered("greet", template="echo {{who}}")
    _apply(registry, "RUN", template=" ")
    assert registry["greet"].template == "echo {{who}}"


def test_list_changes_nothing() -> None:
    """LIST only reads."""
    registry = registered("greet")
    before = dict(registry)
    assert _apply(registry, "LIST", "") == RegistryChange()
    assert dict(registry) == before


@pytest.mark.parametrize(
    ("changes", "written"),
    [
        pytest.param({}, {"schema_version": 1}, id="none: nothing is said"),
        pytest.param(
            {"execution_policy": {"allow_network": True}},
            {"schema_version": 1, "allow_network": True},
            id="the case's",
        ),
        pytest.param(
            {
                "execution_policy": {"allow_network": True},
                "command_spec": {
                    "name": "greet",
                    "template": "echo {{who}}",
                    "execution_policy": {"require_approval": False},
                },
            },
            {"schema_version": 1, "require_approval": False},
            id="the spec's is the command's",
        ),
        pytest.param(
            {
                "execution_policy": {"require_approval": True},
                "command_spec": {"name": "greet", "template": "echo {{who}}"},
            },
            {"schema_version": 1, "require_approval": True},
            id="a spec without one",
        ),
    ],
)
def test_a_policy_is_registered_as_it_was_written(
    changes: dict[str, Any], written: dict[str, Any]
) -> None:
    """A field that is left out stays left out (it says nothing); a default may be said."""
    registry = Registry()
    _apply(registry, "CREATE", **changes)
    assert _written(registry["greet"].execution_policy) == written


def test_a_policy_that_says_nothing_has_the_defaults() -> None:
    """What a reader of the record takes for left-out fields is the runbook's column of defaults."""
    policy = registered("greet")["greet"].execution_policy
    assert policy == ExecutionPolicy(schema_version=1)
    assert policy.names("denied_env") == DEFAULTS["denied_env"]


def test_the_operators_policy_is_not_registered() -> None:
    """The options judge a case; they are not written into the command (they may change)."""
    registry = Registry()
    subject = case(template="sh -c {{x}}")
    result = result_of(subject, registry, default=ExecutionPolicy(allow_shell=True))
    registry.apply(subject, result, now_unix_ms=1)
    assert _written(registry["greet"].execution_policy) == {"schema_version": 1}


def test_blanks_around_names_do_not_reach_the_record() -> None:
    """Keys, ids and names in a record are trimmed."""
    registry = Registry()
    subject = case(" 1 ", " create ", " greet ", template="echo")
    registry.apply(subject, result_of(subject, registry), now_unix_ms=1)
    assert registry["greet"].case_key == "CREATE:greet:1"
    assert registry["greet"].case_id == "1"


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["CREATE", "UPDATE", "DELETE", "RUN", "LIST"]),
        st.sampled_from(["a", "B", "c"]),
    ),
    max_size=20,
)


@given(OPERATIONS)
def test_any_sequence_agrees_with_a_plain_count(operations: list[tuple[str, str]]) -> None:
    """After any operations: the names, run counts and changes are those of a counting model."""
    registry = Registry()
    runs: dict[str, int] = {}
    for operation, name in operations:
        subject = case("1", operation, name)
        result = result_of(subject, registry)
        if operation == "RUN" and name not in runs:
            assert result.outcome is Outcome.MALFORMED_INPUT
            continue
        change = registry.apply(subject, result, now_unix_ms=1)
        assert change.upserted_commands == (operation in {"CREATE", "UPDATE"})
        assert change.deleted_commands == (operation == "DELETE" and name in runs)
        assert change.executed_runs == (operation == "RUN")
        match operation:
            case "CREATE" | "UPDATE":
                runs.setdefault(name, 0)
            case "DELETE":
                runs.pop(name, None)
            case "RUN":
                runs[name] += 1
            case _:
                assert operation == "LIST"
    assert {name: record.run_count for name, record in registry.items()} == runs
    assert [record.command_name for record in registry.sorted_records()] == sorted(runs)
    assert dict(Registry.of(registry.sorted_records())) == dict(registry)
