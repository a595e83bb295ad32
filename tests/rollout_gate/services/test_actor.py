"""Who asked: as said, else the CI's actor, else the login name."""

import getpass

import pytest

from tau_rollout_gate.services.actor import CI_ACTORS, actor


def test_what_was_said_counts_first() -> None:
    """Whatever the environment says."""
    assert actor(" ada ", {"GITHUB_ACTOR": "bob"}) == "ada"


@pytest.mark.parametrize("variable", CI_ACTORS)
def test_each_ci_system_names_its_actor(variable: str) -> None:
    """The variable of each is read; blank is as good as nothing."""
    assert actor(None, {variable: "bob", "USER": "root"}) == "bob"
    assert actor("", {variable: " "}) == getpass.getuser()


def test_a_name_that_is_no_text_is_passed_over() -> None:
    """Nobody gave it, and it must keep nobody from a rollback; one that was given is refused."""
    assert actor(None, {"GITHUB_ACTOR": "b\udce9", "GITLAB_USER_LOGIN": "bob"}) == "bob"
    assert actor("b\udce9", {"GITLAB_USER_LOGIN": "bob"}) == "b\udce9"


def test_without_any_it_is_the_login_name() -> None:
    """The record never lacks who."""
    assert actor(None, {}) == getpass.getuser()


@pytest.mark.parametrize("error", [KeyError("no such user"), OSError("no such user")])
def test_a_user_without_a_name_is_unknown(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """In a container the user need not have a name, and the record is made all the same."""

    def getuser() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", getuser)
    assert actor(None, {}) == "unknown"
