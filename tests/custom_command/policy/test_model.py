"""The form of an execution policy, and what is wrong with one in itself."""

from typing import Any

import msgspec
import pytest

from tau_custom_command.contract.form_errors import MistakenFormError, read_form
from tau_custom_command.policy.model import DEFAULTS, ExecutionPolicy, contradictions

DENIED_NAMES = [
    "aws_secret_access_key",
    "gcp_service_account_key",
    "openai_api_key",
    "anthropic_api_key",
    "google_api_key",
]
NOT_IDENTIFIERS = [
    "",
    " ",
    "1a",
    "a-b",
    "a b",
    " a",
    "a ",
    "a.b",
    "a\n",
    "é",
    "a\u0661",
    "$a",
]


def test_the_defaults_are_the_strict_ones() -> None:
    """A policy that says nothing asks for approval and allows no shell, network or secret."""
    assert msgspec.to_builtins(DEFAULTS) == {
        "schema_version": 1,
        "require_approval": True,
        "allow_shell": False,
        "allow_network": False,
        "allow_dash_arguments": False,
        "allow_large_memory": False,
        "sandbox_profile": "restricted",
        "allowed_env": (),
        "denied_env": tuple(DENIED_NAMES),
    }
    assert set(DEFAULTS) == set(ExecutionPolicy.__struct_fields__)
    policy = ExecutionPolicy()
    assert not policy.allow_shell
    assert [policy.names("allowed_env"), policy.names("denied_env")] == [(), tuple(DENIED_NAMES)]


def test_a_list_that_is_stated_empty_is_empty() -> None:
    """Who denies no name has said so, and no list by default stands in for that."""
    policy = read_form({"allowed_env": [], "denied_env": []}, ExecutionPolicy)
    assert policy.names("allowed_env") == policy.names("denied_env") == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"schema_version": 2},
        {"schema_version": "1"},
        {"schema_version": True},
        {"schema_version": 1.0},
        {"require_approval": 0},
        {"allow_shell": "false"},
        {"allow_network": 1},
        {"allow_dash_arguments": "yes"},
        {"allow_large_memory": None},
        {"sandbox_profile": "none"},
        {"sandbox_profile": "RESTRICTED"},
        {"sandbox_profile": None},
        {"allowed_env": "a"},
        {"allowed_env": [1]},
        {"denied_env": None},
        {"allow_everything": True},
    ],
    ids=str,
)
def test_a_policy_of_another_form_is_refused(changes: dict[str, Any]) -> None:
    """An unknown key, profile or version is refused, and no value is coerced."""
    with pytest.raises(MistakenFormError):
        read_form(changes, ExecutionPolicy)


@pytest.mark.parametrize("profile", ["restricted", "workspace_write", "unrestricted"])
def test_the_three_profiles_are_known(profile: str) -> None:
    """Every profile of the page is accepted."""
    assert read_form({"sandbox_profile": profile}, ExecutionPolicy).sandbox_profile == profile


def test_only_what_was_written_is_written_again() -> None:
    """A field that was left out says nothing, so it is not written."""
    written = {"allow_shell": False, "denied_env": ["a"]}
    policy = read_form(written, ExecutionPolicy)
    assert msgspec.json.decode(msgspec.json.encode(policy)) == written


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"allowed_env": ["a", "B_2", "_c"], "denied_env": ["d"]}, []),
        (
            {"allowed_env": ["a", "A"]},
            [("allowed_env", "'A' stands there twice (case does not count); leave one out")],
        ),
        (
            {"denied_env": ["x", "y", "x"]},
            [("denied_env", "'x' stands there twice (case does not count); leave one out")],
        ),
        (
            {"allowed_env": ["OpenAI_API_Key"]},
            [
                (
                    "allowed_env",
                    "'OpenAI_API_Key' is in denied_env too; leave it out of one of the two",
                )
            ],
        ),
        (
            {"allowed_env": ["A"], "denied_env": ["b", "a"]},
            [("allowed_env", "'A' is in denied_env too; leave it out of one of the two")],
        ),
    ],
    ids=str,
)
def test_contradictions(changes: dict[str, Any], found: list[tuple[str, str]]) -> None:
    """Keys are unique and in one list only, whatever the case of their letters."""
    assert list(contradictions(read_form(changes, ExecutionPolicy))) == found


@pytest.mark.parametrize("key", NOT_IDENTIFIERS)
@pytest.mark.parametrize("field", ["allowed_env", "denied_env"])
def test_a_key_of_a_policy_is_an_identifier(field: str, key: str) -> None:
    """A bad key is named, in whichever list it stands."""
    found = list(contradictions(read_form({field: ["ok", key]}, ExecutionPolicy)))
    message = f"{key!r} is not an identifier (a letter or _, then letters, digits, _)"
    assert found == [(field, message)]
