"""What is taken of a RUN's output, why something is missing, and who waits for whom."""

from typing import Any

import pytest
from msgspec.structs import replace

from tau_custom_command.cycle.checks.captures import (
    Captured,
    TakenSecrets,
    captured,
    environment,
    secrets_of,
    waits_for,
    why_missing,
)
from tau_custom_command.cycle.checks.pattern_match import Unmatched
from tau_custom_command.cycle.execution import Ended, Stream
from tau_custom_command.fixture.model import Case
from tests.custom_command.cases import case, registered
from tests.custom_command.cycle.test_pattern_match import matches

Json = dict[str, Any]
POINTER: Json = {"stdout": "json", "pointer": "/a"}
PATTERN: Json = {"stdout": "matches", "pattern": "v([0-9]+)(x)?"}


def _ended(stdout: bytes = b"", stderr: bytes = b"", left_out: int = 0) -> Ended:
    return Ended(
        started=True,
        command_line="x",
        stdout=Stream(stdout, len(stdout) + left_out, left_out),
        stderr=Stream(stderr, len(stderr)),
    )


NO_SECRETS = TakenSecrets({}, {}, frozenset())


def _captured(ended: Ended, **captures: Json) -> Captured:
    return captured(case("a", "RUN", capture=captures), ended, matches, NO_SECRETS)


def _secrets(ended: Ended, **captures: Json) -> TakenSecrets:
    return secrets_of(case("a", "RUN", capture=captures), ended, matches)


@pytest.mark.parametrize(
    ("capture", "output", "value"),
    [
        (PATTERN, b"x v12 v13", "12"),
        (PATTERN | {"group": 0}, b"x v12 v13", "v12"),
        (PATTERN | {"group": 2}, b"v12x", "x"),
        (PATTERN | {"pattern": "(?s)(.*)", "group": 1}, b"a\nb \n", "a\nb \n"),
        (POINTER, b'{"a": "x y"}\n', "x y"),
        (POINTER, b'{"a": 5}', "5"),
        (POINTER, b'{"a": 1.50}', "1.5"),
        (POINTER, b'{"a": true}', "true"),
        (POINTER, b'{"a": ""}', ""),
        (POINTER | {"pointer": ""}, b'"x"', "x"),
        (POINTER, '{"a": "\ufffd"}'.encode(), "\ufffd"),
    ],
)
def test_a_value_is_taken(capture: Json, output: bytes, value: str) -> None:
    """A string as it is, any other scalar as its JSON; from the stream that is named."""
    expected = Captured(values={"version": value})
    assert _captured(_ended(output), version=capture) == expected
    of_stderr = {"stderr": capture["stdout"]} | capture
    del of_stderr["stdout"]
    assert _captured(_ended(b"?", output), version=of_stderr) == expected


@pytest.mark.parametrize(
    ("capture", "output", "why"),
    [
        (PATTERN, b"w12", "the pattern was not found (no_match)"),
        (PATTERN | {"group": 2}, b"v12", "the pattern's group 2 took no part in the match"),
        (POINTER, b"no", "the output is no JSON: line 1, column 1: not JSON: Expecting value"),
        (POINTER, b'{"a": 1, "a": 2}', "the output is no JSON: the key 'a' stands twice"),
        (POINTER, b'{"b": 1}', "nothing is at /a"),
        (POINTER, b'{"a": null}', "null is at '/a'"),
        (POINTER, b'{"a": []}', "an object or an array is at '/a'"),
        (POINTER, b'{"a": {}}', "an object or an array is at '/a'"),
        (PATTERN | {"pattern": "(.*)"}, b"a\xff", "it may hold bytes that are not UTF-8"),
    ],
)
def test_what_is_not_there_is_missing(capture: Json, output: bytes, why: str) -> None:
    """With the reason for people; nothing is guessed."""
    found = _captured(_ended(output), version=capture)
    assert found.missing["version"].startswith(why)
    assert found == Captured(missing=found.missing)


def test_what_was_cut_is_not_searched() -> None:
    """What follows could have been matched instead."""
    for capture in (PATTERN, POINTER):
        found = _captured(_ended(b"v1", left_out=1), version=capture)
        assert found.missing == {"version": "the output is longer than what is kept of it"}


def test_who_could_not_look_has_found_nothing() -> None:
    """A pattern that takes too long captures nothing, and says so."""
    capturing = case("a", "RUN", capture={"version": PATTERN})
    found = captured(capturing, _ended(b"v1"), lambda *_: Unmatched.TIMED_OUT, NO_SECRETS)
    assert found.missing == {"version": "the pattern was not found (match_timeout)"}


def test_secrets_stay_apart() -> None:
    """They are taken first, of the output as it is; all else of what is left of it then."""
    both = case("a", "RUN", capture={"version": PATTERN, "token": PATTERN | {"secret": True}})
    secrets = secrets_of(both, _ended(b"v123456 v1"), matches)
    assert secrets == TakenSecrets({"token": "123456"}, {}, frozenset())
    found = captured(both, _ended(b"v*** v1"), matches, secrets)
    assert found == Captured(values={"version": "1"}, secrets={"token": "123456"})
    assert _secrets(_ended(b"v123456"), version=PATTERN) == NO_SECRETS


@pytest.mark.parametrize(
    ("capture", "output", "is_withheld"),
    [
        (PATTERN, b"w123456", False),
        (PATTERN | {"group": 2}, b"v123456", False),
        (POINTER, b'{"b": "123456"}', False),
        (POINTER, b'{"a": null}', False),
        (PATTERN, b"v12345", True),
        (POINTER, b'{"a": {"b": "123456"}}', True),
        (POINTER, b'{"a": "123456"} done', True),
        (PATTERN | {"pattern": "v(.*)"}, b"v12345\xff", True),
    ],
)
def test_output_that_may_hold_a_secret_is_withheld(
    capture: Json,
    output: bytes,
    is_withheld: bool,  # noqa: FBT001 - a table
) -> None:
    """Where it could not be taken, and it is not certain that it is not there."""
    found = _secrets(_ended(output), token=capture | {"secret": True})
    assert (found.values, list(found.missing)) == ({}, ["token"])
    assert found.withheld == ({"stdout"} if is_withheld else set())


def test_a_secret_that_is_written_by_escapes_is_withheld() -> None:
    """It is taken as it is, and what stands in the output would not be masked."""
    secret = POINTER | {"secret": True}
    for written in (rb'"a\/b+c\/d"', rb'"\u0061/b+c/d"'):
        found = _secrets(_ended(b'{"a": ' + written + b"}"), token=secret)
        assert found == TakenSecrets({"token": "a/b+c/d"}, {}, frozenset({"stdout"}))
    plain = _secrets(_ended(b'{"a": "a/b+c/d"}'), token=secret)
    assert plain == TakenSecrets({"token": "a/b+c/d"}, {}, frozenset())


def test_a_cut_may_go_through_a_secret() -> None:
    """What is kept may hold a part of it, whatever is found there."""
    secret = {"stderr": "matches", "pattern": "v(.*)", "secret": True}
    ended = _ended()._replace(stderr=Stream(b"v123456", 9, 2))
    assert _secrets(ended, token=secret).withheld == {"stderr"}


def test_why_a_run_lacks_something() -> None:
    """What its template has a placeholder for, and secrets that its policy lists."""
    use = case("c", "RUN", "use")
    before = Captured.before_any(["Token"])
    none = "no RUN of this cycle captured it"
    assert why_missing("curl", use, before, None) is None
    assert why_missing("curl", use, before, frozenset({"other"})) is None
    lacking = f"there is no secret 'Token', which allowed_env lists: {none}"
    assert why_missing("curl", use, before, frozenset({"token"})) == lacking
    template = "curl {{capture.v}}"
    assert why_missing(template, use, before, None) == f"there is no {{{{capture.v}}}}: {none}"
    later = before.and_then(Captured(missing={"v": "it rained"}))
    assert why_missing(template, use, later, None) == "there is no {{capture.v}}: it rained"
    there = later.and_then(Captured(values={"v": "1"}, secrets={"Token": "123456"}))
    assert why_missing(template, use, there, frozenset({"token", "v"})) is None
    itself = case("b", "RUN", "use", capture={"Token": PATTERN | {"secret": True}})
    assert why_missing("curl", itself, before, frozenset({"token"})) is None


def test_a_secret_goes_to_whose_policy_lists_it() -> None:
    """Where nothing is listed, nobody asked for it."""
    secrets = {"Token": "123456", "other": "654321"}
    assert environment(secrets, frozenset({"token"})) == {"Token": "123456"}
    assert environment(secrets, None) == {}
    assert environment(secrets, frozenset()) == {}


def _queue(*more: Case) -> tuple[Case, ...]:
    producer = case("b", "RUN", "version", capture={"v": POINTER, "w": POINTER})
    return (case("a", "CREATE", "use", template="curl {{capture.v}}"), producer, *more)


def test_a_consumer_waits_for_its_producer() -> None:
    """By the template that is registered, before the cycle or in it, or that the RUN repeats."""
    use = case("c", "RUN", "use")
    assert waits_for(_queue(use), {}) == {2: (1,)}
    assert waits_for(_queue(replace(use, command_name="other")), {}) == {}
    known = registered("other", template="curl {{capture.w}}")
    assert waits_for(_queue(replace(use, command_name="other")), known) == {2: (1,)}
    own = replace(use, command_name="other", template="curl {{capture.v}}")
    assert waits_for(_queue(own), {}) == {2: (1,)}
    assert waits_for((use, *_queue(use)), registered("use")) == {3: (2,)}


def test_nobody_waits_for_what_comes_later_or_never() -> None:
    """Else the cycle would stand still: it is missing then."""
    use = case("c", "RUN", "use")
    assert waits_for((_queue()[0], use, _queue()[1]), {}) == {}
    assert waits_for((_queue()[0], use), {}) == {}
    itself = case("c", "RUN", "use", capture={"v": POINTER})
    assert waits_for((_queue()[0], itself), {}) == {}


def test_a_failed_update_takes_no_wait_away() -> None:
    """Whether an UPDATE will apply is not known before: both templates count."""
    update = case("b2", "UPDATE", "use", template="curl")
    assert waits_for(_queue(update, case("c", "RUN", "use")), {}) == {3: (1,)}


def test_who_lists_a_secret_waits_for_it() -> None:
    """By the policy of the command, or of the case itself."""
    secret = POINTER | {"secret": True}
    producer = case("a", "RUN", "login", capture={"token": secret})
    policy = {"allowed_env": ["TOKEN"]}
    create = case("b", "CREATE", "use", template="curl", execution_policy=policy)
    listing = case("c", "RUN", "other", execution_policy=policy)
    queue = (producer, create, case("b2", "RUN", "use"), listing, case("d", "RUN", "no"))
    assert waits_for(queue, {}) == {2: (0,), 3: (0,)}
