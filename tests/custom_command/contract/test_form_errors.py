"""What is wrong with a value of a form, in words."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau_custom_command.contract.form_errors import MistakenFormError, read_form
from tau_custom_command.contract.state import ChainLink, HealthSnapshot, LastCycle, StateFile
from tau_custom_command.fixture.model import Case, Fixture
from tau_custom_command.policy.model import ExecutionPolicy

DIGEST = "0" * 64
LINK = {"cycle_number": 1, "previous_sha256": None}


def _told(value: object, form: type[msgspec.Struct]) -> list[tuple[str, str]]:
    try:
        read_form(value, form)
    except MistakenFormError as error:
        return list(error.mistakes)
    return []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"cycle_number": 0}, "must be at least 1 (found 0)"),
        ({"cycle_number": 2**63}, f"must be at most {2**63 - 1} (found {2**63})"),
        ({"cycle_number": None}, "must be an integer (found null)"),
        ({"previous_sha256": "x"}, "must match ^[0-9a-f]{64}$ (found 'x')"),
        (
            {"previous_sha256": DIGEST + "\n"},
            "has 65 characters, and the most is 64; shorten it",
        ),
        ({"previous_sha256": 1}, "must be a string (found 1)"),
    ],
    ids=str,
)
def test_bounds_are_told(changes: dict[str, Any], expected: str) -> None:
    """What a number or a text may be is said with what was found."""
    assert _told(LINK | {"previous_sha256": DIGEST}, ChainLink) == []
    assert _told(LINK | changes, ChainLink) == [(next(iter(changes)), expected)]


def test_a_time_is_told_like_a_number() -> None:
    """An example in the form of a key changes nothing of what is said."""
    told = [each for each in _told({"updated_unix_ms": -1}, HealthSnapshot) if each[1][0] == "m"]
    assert told == [("updated_unix_ms", "must be at least 0 (found -1)")]


def test_an_empty_name_is_told() -> None:
    """Where a text must not be empty, that is what is said."""
    value = {"cycle_id": "", "cycle_number": 1, "event_sha256": DIGEST}
    assert _told(value, LastCycle) == [("cycle_id", "must not be empty (found '')")]


def test_an_unknown_key_is_told_with_the_nearest() -> None:
    """So too in a state file, where a newer version may have written it."""
    near = [("allow_shel", "is not a known key; did you mean 'allow_shell'?")]
    assert _told({"allow_shel": True}, ExecutionPolicy) == near


def test_of_an_object_of_any_keys_the_first_wrong_item_is_told() -> None:
    """Its keys are somebody's, and a file has room for millions; any value may stand in `json`."""
    case = {"case_id": "a", "operation": "RUN"}
    right = {"stdout": "json", "pointer": ""}
    wrong = {"stdout": "jsn", "group": -1}
    told = [
        ("capture.b.stdout", "must be json or matches (found 'jsn')"),
        ("capture.b.group", "must be at least 0 (found -1)"),
    ]
    assert _told(case | {"capture": {"a": right, "b": wrong, "c": wrong}}, Case) == told
    assert _told(case | {"capture": {"a": right}}, Case) == []
    assert _told(case | {"capture": []}, Case) == [
        ("capture", "must be an object (found an array)")
    ]
    expected = {"outcome": "success", "status_code": 200, "stdout": {"json": [None, {"a": 1.5}]}}
    assert _told(case | {"expected": expected, "timeout_ms": 0}, Case) == [
        ("timeout_ms", "must be at least 1 (found 0)")
    ]


def test_keys_that_are_not_known_of_a_file_are_ignored() -> None:
    """Another version may write more of them."""
    assert _told(LINK | {"more": [{}]}, ChainLink) == []


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "a", DIGEST]),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)
HEALTH = st.fixed_dictionaries(
    {}, optional={key: VALUES | st.just(1) for key in HealthSnapshot.__struct_fields__}
)
FORMS: list[type[msgspec.Struct]] = [
    Case,
    ChainLink,
    ExecutionPolicy,
    Fixture,
    HealthSnapshot,
    LastCycle,
    StateFile,
]


@given(st.data())
def test_what_is_refused_is_told_of_a_field(data: st.DataObject) -> None:
    """Every refusal names a field in this project's words, never in those of a library."""
    form = data.draw(st.sampled_from(FORMS))
    keys = dict.fromkeys(form.__struct_fields__, VALUES | HEALTH)
    value = data.draw(st.fixed_dictionaries({}, optional=keys) | VALUES)
    for _, message in _told(value, form):
        assert message.startswith(("must ", "is missing", "has ", "is not a known key"))
