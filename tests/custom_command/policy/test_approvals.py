"""Approvals: what they cover, and what voids them (the runbook, "Approval")."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins
from msgspec.structs import replace

from tau_custom_command.contract.form_errors import MistakenFormError, read_form
from tau_custom_command.policy.approvals import (
    NO_APPROVALS,
    Approval,
    Approvals,
    ApprovedFile,
    BrokenApprovals,
    NotApproved,
    Subject,
    approval_in,
    problem,
    refusal,
    unknown,
)
from tau_custom_command.policy.model import ExecutionPolicy
from tests.custom_command.approving import NOW_UNIX_MS, PROGRAM, SUBJECT, TWO, approval_of


def _reason(
    subject: Subject = SUBJECT,
    approval: Approval | None = None,
    arguments: dict[str, object] | None = None,
    *,
    now_unix_ms: int = NOW_UNIX_MS,
) -> str | None:
    """Why a command may not run; None if it may."""
    given_by = approval_of() if approval is None else approval
    assert approval_in(NO_APPROVALS.with_(given_by), SUBJECT.command_name) == given_by
    return refusal(given_by, subject, arguments or {}, now_unix_ms=now_unix_ms)


def test_what_was_approved_is_approved() -> None:
    """The same command, whatever case registered it and whatever its arguments are."""
    assert _reason() is None
    assert _reason(arguments={"path": "/srv", "more": [1]}) is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"template": "df -- {{path}}"}, "the template"),
        ({"default_arguments": {"path": "/"}}, "the default arguments"),
        ({"default_arguments": {"path": "/", "depth": 1.0}}, "the default arguments"),
        ({"default_arguments": {"path": "/", "depth": True}}, "the default arguments"),
        ({"read_only": False}, "read_only"),
        ({"execution_policy": ExecutionPolicy(schema_version=1)}, "the registered policy"),
        (
            {
                "execution_policy": ExecutionPolicy(
                    schema_version=1, allow_network=True, allow_shell=False
                )
            },
            "the registered policy",
        ),
        ({"user": 0}, "the user was 65534, and is 0"),
        ({"workspace": "/srv/other"}, "the workspace was /srv/work, and is /srv/other"),
        ({"workspace": None}, "the workspace was /srv/work, and is none"),
        (
            {"program": replace(PROGRAM, sha256=TWO)},
            "the program was /usr/bin/df (111111111111), and is /usr/bin/df (222222222222)",
        ),
        (
            {"program": replace(PROGRAM, path="/opt/df")},
            "the program was /usr/bin/df (111111111111), and is /opt/df (111111111111)",
        ),
        ({"program": None}, "the program was /usr/bin/df (111111111111), and is not found"),
        (
            {"program": replace(PROGRAM, sha256=None)},
            "the program was /usr/bin/df (111111111111), and is /usr/bin/df (not readable)",
        ),
        (
            {"files": (ApprovedFile(path="/etc/df.conf", sha256=TWO),)},
            (
                "a file that the template names was /etc/df.conf (111111111111), "
                "and is /etc/df.conf (222222222222)"
            ),
        ),
        (
            {"files": ()},
            "a file that the template names was /etc/df.conf (111111111111), and is not found",
        ),
        (
            {"files": (*SUBJECT.files, ApprovedFile(path="/etc/x", sha256=TWO))},
            "a file that the template names was not found, and is /etc/x (222222222222)",
        ),
    ],
    ids=str,
)
def test_any_change_voids_an_approval_and_is_told(changes: dict[str, Any], told: str) -> None:
    """Each part of what was approved, one by one."""
    assert _reason(replace(SUBJECT, **changes)) == f"what alice approved has changed: {told}"
    assert replace(SUBJECT, **changes).sha256 != SUBJECT.sha256


def test_all_changes_are_told_at_once() -> None:
    """Who has to approve again sees what of it."""
    changed = replace(SUBJECT, template="df", read_only=False, user=1)
    assert _reason(changed) == (
        "what alice approved has changed: the template; read_only; the user was 65534, and is 1"
    )


def test_the_order_of_keys_says_nothing() -> None:
    """Default arguments in another order are the same."""
    other = replace(SUBJECT, default_arguments={"depth": 1, "path": "/"})
    assert other.sha256 == SUBJECT.sha256
    assert _reason(other) is None


def test_nobody_approved_another_command() -> None:
    """An approval is of one name."""
    assert approval_in(NO_APPROVALS.with_(approval_of()), "other") == NotApproved(
        "nobody approved it ('approve' does)"
    )


def test_what_is_broken_approves_nothing() -> None:
    """Unknown is no, and the reason is told."""
    found = approval_in(BrokenApprovals("x.json: not JSON"), SUBJECT.command_name)
    assert found == NotApproved("nothing is approved: x.json: not JSON")


def test_an_approval_expires_to_the_millisecond() -> None:
    """Until then it counts, from then on it does not."""
    ending = approval_of(expires_unix_ms=NOW_UNIX_MS)
    assert _reason(approval=ending, now_unix_ms=NOW_UNIX_MS - 1) is None
    for later in (NOW_UNIX_MS, NOW_UNIX_MS + 10**15):
        assert _reason(approval=ending, now_unix_ms=later) == (
            "what alice approved expired at 2026-01-01 00:00:00Z"
        )


@pytest.mark.parametrize(
    ("pins", "arguments", "told"),
    [
        ({"path": "/srv"}, {"path": "/srv", "other": 1}, None),
        ({"n": "1"}, {"n": 1}, None),
        ({"n": "1"}, {"n": "1"}, None),
        ({"n": "1"}, {"n": 1.0}, "has another value"),
        ({"n": "true"}, {"n": True}, None),
        ({"x": ""}, {"x": ""}, None),
        ({"x": ""}, {}, "is not given"),
        ({"x": "null"}, {"x": None}, "is not given"),
        ({"path": "/srv"}, {"path": "/srv/"}, "has another value"),
        ({"path": "/srv"}, {"Path": "/srv"}, "is not given"),
        ({"capture.v": "1"}, {"capture.v": "1"}, None),
        ({"capture.v": "1"}, {"v": "1"}, "is not given"),
        ({"a": "1", "b": "2"}, {"a": "1", "b": "3"}, "has another value"),
    ],
)
def test_a_pinned_argument_has_that_value_alone(
    pins: dict[str, str], arguments: dict[str, object], told: str | None
) -> None:
    """As it is filled in, in just those letters; the value that was given is not told."""
    reason = _reason(approval=approval_of(pins=pins), arguments=arguments)
    assert (reason is None) is (told is None)
    if reason is not None and told is not None:
        assert reason.startswith("alice approved ")
        assert reason.endswith(f" alone, and it {told}")


# The set of them.


@given(st.lists(st.sampled_from("abc"), max_size=6))
def test_a_command_has_one_approval_the_last(names: list[str]) -> None:
    """They are sorted by name, each once, and sound; taking one away leaves the others."""
    approvals = NO_APPROVALS
    for number, name in enumerate(names):
        subject = replace(SUBJECT, command_name=name, user=number)
        approvals = approvals.with_(approval_of(subject))
    assert [each.subject.command_name for each in approvals.approvals] == sorted(set(names))
    assert problem(approvals) is None
    for name in set(names):
        last = approvals.of(name)
        assert last is not None
        assert last.subject.user == max(n for n, other in enumerate(names) if other == name)
        assert approvals.without(name).of(name) is None
        assert len(approvals.without(name).approvals) == len(approvals.approvals) - 1


def test_what_stands_there_twice_is_a_problem() -> None:
    """Two approvals of a command cannot both be its last."""
    twice = Approvals(schema_version=1, approvals=(approval_of(), approval_of()))
    assert problem(twice) == "the command 'disk-usage' stands there twice"


def test_what_was_edited_is_a_problem() -> None:
    """A subject and its digest go together."""
    edited = approval_of(replace(SUBJECT, user=0), subject_sha256=SUBJECT.sha256)
    assert problem(NO_APPROVALS.with_(edited)) == (
        "what was approved of 'disk-usage' was edited: its digest is another"
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"program": None}, "the program 'df' is not found"),
        (
            {"program": replace(PROGRAM, sha256=None)},
            "/usr/bin/df cannot be read, or is too large to look through",
        ),
        (
            {"files": (ApprovedFile(path="/x", sha256=None),)},
            "/x cannot be read, or is too large to look through",
        ),
    ],
)
def test_what_is_not_known_is_never_approved(changes: dict[str, Any], told: str) -> None:
    """It could be anything by now; not even where an approval says so."""
    subject = replace(SUBJECT, **changes)
    assert list(unknown(subject)) == [told]
    assert problem(NO_APPROVALS.with_(approval_of(subject))) == (
        f"what was approved of 'disk-usage' cannot be held against anything: {told}"
    )


# The form.


def test_the_form_is_read_as_it_is_written() -> None:
    """Every field, with what a policy left out left out."""
    approvals = NO_APPROVALS.with_(approval_of(pins={"path": "/"}, expires_unix_ms=5))
    value = json.loads(json.dumps(to_builtins(approvals)))
    assert value["approvals"][0]["subject"]["execution_policy"] == {
        "schema_version": 1,
        "allow_network": True,
    }
    assert read_form(value, Approvals) == approvals


@pytest.mark.parametrize(
    "change",
    [
        {"approved_by": ""},
        {"approved_by": 1},
        {"approved_unix_ms": -1},
        {"approved_unix_ms": "0"},
        {"expires_unix_ms": 1.5},
        {"expires_unix_ms": True},
        {"pins": {"path": 1}},
        {"pins": []},
        {"subject_sha256": "A" * 64},
        {"subject_sha256": None},
        {"subject": {}},
        {"unknown": 1},
    ],
    ids=str,
)
def test_another_form_is_refused(change: dict[str, Any]) -> None:
    """A key that is not known could forbid something, so it is not passed over."""
    value: Any = to_builtins(NO_APPROVALS.with_(approval_of()))
    approval = {**value["approvals"][0], **change}
    with pytest.raises(MistakenFormError):
        read_form({"schema_version": 1, "approvals": [approval]}, Approvals)


@pytest.mark.parametrize("key", ["approved_by", "expires_unix_ms", "pins", "subject_sha256"])
def test_a_key_that_is_missing_is_refused(key: str) -> None:
    """Also the time it expires, which must be said to be none."""
    value: Any = json.loads(json.dumps(to_builtins(NO_APPROVALS.with_(approval_of()))))
    del value["approvals"][0][key]
    with pytest.raises(MistakenFormError):
        read_form(value, Approvals)
