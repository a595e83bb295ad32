"""Results of commands that really ran are checked, parts of them are captured, secrets are masked.

The rules are the runbook's (custom-command-ops.md, "Results are checked").
"""

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from tests.custom_command.cases import malformed, retryable, success
from tests.custom_command.executing import create, execute, payloads, run
from tests.custom_command.running import Command, Json

ECHO = "sh -c 'printf %s \"$0\"' {{text}}"
TOKEN = "s3cr3t-of-the-service"  # noqa: S105 - made up


def _last(folder: Path, channel: str) -> Json:
    return payloads(folder, channel)[-1]


def _differences(folder: Path, channel: str = "a") -> list[tuple[str, str, str]]:
    drift = _last(folder, channel).get("drift", {})
    return [
        (each["field"], each["expected"], each["observed"]) for each in drift.get("differences", [])
    ]


def _echoing(text: str, **checks: Any) -> tuple[Json, Json]:  # noqa: ANN401 - JSON
    expected = success("RUN", **checks)
    return create("a", ECHO), run("1", "a", arguments={"text": text}, expected=expected)


@pytest.mark.parametrize(
    "stdout",
    [
        {"equals": '{"status": "ok", "items": [1, 2.0]}'},
        {"contains": '"ok"'},
        {"matches": r"(?m)^\{.*\}$"},
        {"json": {"items": [1.0, 2], "status": "ok"}},
        {"json_contains": {"status": "ok"}},
    ],
    ids=lambda stdout: next(iter(stdout)),
)
def test_an_assertion_that_holds(command: Command, stdout: Json) -> None:
    """The case is applied, and nothing is told of it."""
    cases = _echoing('{"status": "ok", "items": [1, 2.0]}\n', stdout=stdout, max_duration_ms=20_000)
    ended = execute(command, *cases)
    assert (ended.code, ended.json()["applied_cases"]) == (0, 2)
    assert "drift" not in _last(command.folder, "a")


@pytest.mark.parametrize(
    ("stdout", "told"),
    [
        ({"equals": "ready\n"}, ("'ready\\n'", "'ready\\r\\n' at line 1, column 6")),
        ({"contains": "steady"}, ("'steady'", "'ready\\r\\n' at line 1, column 1")),
        ({"matches": "^steady"}, ("^steady", "'ready\\r\\n'")),
        (
            {"json": "ready"},
            ('"ready"', "no JSON: line 1, column 1: not JSON: Expecting value: 'ready\\r\\n'"),
        ),
    ],
    ids=["equals", "contains", "matches", "json"],
)
def test_an_assertion_that_does_not_hold(
    command: Command, stdout: Json, told: tuple[str, str]
) -> None:
    """It is drift though the command succeeded: exit 3, and the first difference in its context."""
    ended = execute(command, *_echoing("ready\r\n", stdout=stdout))
    assert (ended.code, ended.json()["failed_cases"]) == (3, 1)
    assert _differences(command.folder) == [(f"stdout.{next(iter(stdout))}", *told)]
    assert _last(command.folder, "a")["outcome"] == "success"


def test_a_pattern_that_takes_for_ever_is_drift(command: Command) -> None:
    """It is ended after two seconds, and the cycle goes on."""
    started = time.monotonic()
    cases = _echoing("a" * 64 + "b", stdout={"matches": "(a+)+$"})
    assert execute(command, *cases).code == 3
    assert time.monotonic() - started < 10
    ((field, _, observed),) = _differences(command.folder)
    assert field == "stdout.matches"
    assert observed.startswith("match_timeout: ")


def test_what_follows_the_first_mib_is_not_known(command: Command) -> None:
    """A text that is not in it may still follow."""
    template = "sh -c 'head -c 2000000 /dev/zero | tr \"\\\\0\" a; echo end'"
    checks = {"contains": "end"}
    cases = create("a", template), run("1", "a", expected=success("RUN", stdout=checks))
    assert execute(command, *cases).code == 3
    ((field, expected, observed),) = _differences(command.folder)
    assert (field, expected) == ("stdout.contains", "'end'")
    assert observed.startswith("output_truncated: ")


def test_an_exit_code_that_is_expected_is_a_success(command: Command) -> None:
    """No counter and no code of a failure is raised; another code is drift, and not tried again."""
    cases = create("a", "sh -c 'exit 3'"), run("1", "a", expected=success("RUN", exit_code=3))
    said = execute(command, *cases).json()
    assert (said["applied_cases"], said["run_non_zero_exit_failures"]) == (2, 0)
    assert said["retryable_failures"] == 0
    audit = _last(command.folder, "a")["run_audit"]
    assert (audit["exit_code"], audit["failure_reason"]) == (3, None)
    other = run("2", "a", expected=success("RUN", exit_code=4))
    ended = execute(command, cases[0], other, options=("--retry-max-attempts", "3"))
    assert (ended.code, ended.json()["retry_attempts"]) == (3, 0)
    assert _differences(command.folder) == [("exit_code", "4", "3")]


def test_a_failure_that_is_expected_can_be_checked(command: Command) -> None:
    """It counts as failed, as each does, and drifts only if its output does."""
    cases = create("a", "sh -c 'echo oops >&2; exit 3'"), run("1", "a", expected=retryable())
    assert execute(command, *cases).code == 0
    checked = retryable(stderr={"equals": "ouch"})
    assert execute(command, cases[0], run("2", "a", expected=checked)).code == 3
    told = ("stderr.equals", "'ouch'", "'oops\\n' at line 1, column 2")
    assert _differences(command.folder) == [told]


def test_a_run_that_only_reads_is_tried_until_it_holds(command: Command) -> None:
    """A service becomes ready meanwhile; only the last attempt counts, and each is in the log."""
    template = "sh -c 'echo . >> tries; test $(wc -l < tries) -ge 3 && echo ready'"
    until = {"attempts": 5, "every_ms": 10}
    spec = {"name": "a", "template": template, "read_only": True}
    waiting = run("1", "a", retry_until=until, expected=success("RUN", stdout={"equals": "ready"}))
    ended = execute(command, create("a", template) | {"command_spec": spec}, waiting)
    assert (ended.code, ended.json()["retry_attempts"]) == (0, 2)
    exits = [payload["run_audit"]["exit_code"] for payload in payloads(command.folder, "a")[1:]]
    assert exits == [1, 1, 0]


def test_what_may_write_is_not_tried_until_it_holds(command: Command) -> None:
    """Unless its command is registered as one that only reads, it is refused."""
    waiting = run("1", "a", retry_until={"attempts": 2, "every_ms": 0})
    assert execute(command, create("a", "true"), waiting).code == 3
    payload = _last(command.folder, "a")
    assert (payload["status_code"], payload["run_audit"]["executed"]) == (403, False)


VERSION: Json = {"version": {"stdout": "json", "pointer": "/version"}}


def test_a_capture_is_one_word_of_a_later_run(command: Command) -> None:
    """Whatever it holds: nothing of it is a second word, or syntax of a shell."""
    text = json.dumps({"version": "1.4; touch here $(id) 'x"})
    ended = execute(
        command,
        create("a", ECHO),
        create("b", "sh -c 'echo $#:$1' - {{capture.version}}"),
        run("1", "a", arguments={"text": text}, capture=VERSION),
        run("2", "b", expected=success("RUN", stdout={"equals": "1:1.4; touch here $(id) 'x"})),
    )
    assert ended.code == 0, payloads(command.folder, "b")
    assert not (command.folder / "here").exists()


def test_a_capture_that_is_missing(command: Command) -> None:
    """The consumer starts nothing, and says why; so it does where the producer was a duplicate."""
    missing = malformed(422, "custom_command_invalid_template")
    producing = [create("a", ECHO), run("1", "a", arguments={"text": "{}"}, capture=VERSION)]
    consuming = [create("b", "echo {{capture.version}}"), run("2", "b", expected=missing)]
    assert execute(command, *producing, *consuming).code == 0
    payload = _last(command.folder, "b")
    assert payload["run_audit"]["failure_reason"] == "capture_missing"
    context = (command.folder / "state/channel-store/custom-command/b/context.jsonl").read_text()
    assert "there is no {{capture.version}}: nothing is at /version" in context
    later = create("c", "echo {{capture.version}}"), run("3", "c", expected=missing)
    assert execute(command, *producing, *later).code == 0
    context = (command.folder / "state/channel-store/custom-command/c/context.jsonl").read_text()
    assert "there is no {{capture.version}}: no RUN of this cycle captured it" in context


SECRET: Json = {"token": {"stdout": "json", "pointer": "/token", "secret": True}}
PRINTS_IT = 'sh -c \'echo "$token"; echo "${#token}"\''


def _found(folder: Path, text: str) -> list[Path]:
    files = [path for path in folder.joinpath("state").rglob("*") if path.is_file()]
    return [path for path in files if text.encode() in path.read_bytes()]


def _login(folder: Path, text: str) -> str:
    """Return a template that writes a text which is in no fixture."""
    folder.joinpath("answer").write_text(text)
    return "cat answer"


def test_a_secret_capture_goes_by_environment_and_is_masked(command: Command) -> None:
    """To the RUN whose policy lists it, and to no other; it is written nowhere."""
    ended = execute(
        command,
        create("login", _login(command.folder, json.dumps({"token": TOKEN, "user": "me"}))),
        create("use", PRINTS_IT, allowed_env=["token"]),
        create("other", PRINTS_IT),
        run("1", "login", capture=SECRET, expected=success("RUN", stdout={"contains": "***"})),
        run("2", "use", expected=success("RUN", stdout={"equals": f"***\n{len(TOKEN)}"})),
        run("3", "other", expected=success("RUN", stdout={"equals": "\n0"})),
    )
    assert ended.code == 0, payloads(command.folder, "use")
    assert _found(command.folder, TOKEN) == []
    assert TOKEN not in str(ended)


def test_a_secret_is_masked_in_a_run_that_drifts(command: Command) -> None:
    """Whatever came of it, and in what is told of the difference; its consumer has nothing."""
    ended = execute(
        command,
        create("login", _login(command.folder, json.dumps({"token": TOKEN}))),
        create("use", PRINTS_IT, allowed_env=["token"]),
        run("1", "login", capture=SECRET, expected=success("RUN", stdout={"json": {"token": 1}})),
        run("2", "use", expected=malformed(422, "custom_command_invalid_template")),
    )
    assert ended.code == 3
    assert _differences(command.folder, "login") == [
        ("stdout.json", "1 at /token", '"***" at /token')
    ]
    assert _last(command.folder, "use")["run_audit"]["failure_reason"] == "capture_missing"
    assert _found(command.folder, TOKEN) == []
    assert TOKEN not in str(ended)


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps({"token": TOKEN}) + " and more",
        json.dumps({"token": {"value": TOKEN}}),
        json.dumps({"token": TOKEN, "rest": "x" * 2_000_000}),
    ],
    ids=["no JSON", "an object", "cut"],
)
def test_output_that_may_hold_a_secret_is_not_shown(command: Command, answer: str) -> None:
    """Where it could not be taken, and so not be masked; no assertion on it holds."""
    ended = execute(
        command,
        create("login", _login(command.folder, answer)),
        run("1", "login", capture=SECRET, expected=success("RUN", stdout={"contains": "token"})),
    )
    assert ended.code == 3
    audit = _last(command.folder, "login")["run_audit"]
    assert audit["stdout"] == f"***...<truncated:{len(answer)} bytes>"
    assert _found(command.folder, TOKEN) == []
    assert TOKEN not in str(ended)


def test_what_a_run_that_drifted_captured_is_masked_later(command: Command) -> None:
    """Nobody is given it, and nobody's output shows it either."""
    command.folder.joinpath("token").write_text(TOKEN)
    ended = execute(
        command,
        create("login", _login(command.folder, json.dumps({"token": TOKEN}))),
        create("show", "cat token"),
        run("1", "login", capture=SECRET, expected=success("RUN", exit_code=1)),
        run("2", "show", expected=success("RUN", stdout={"equals": "***"})),
        options=("--max-parallel", "1"),
    )
    assert ended.json()["failed_cases"] == 1
    assert _found(command.folder, TOKEN) == []


@pytest.mark.parametrize("seed", range(6))
def test_captures_are_the_same_however_many_run_at_once(tmp_path: Path, seed: int) -> None:
    """Each RUN has what the RUNs before it captured, and nothing of those that come later."""
    chance = random.Random(seed)  # noqa: S311 - to be had again
    shown = "sh -c 'sleep 0.0$(($$ % 10)); for word; do echo $word; done' - "
    cases = [create(name, ECHO) for name in ("p", "q")]
    wanted: dict[str, str] = {}
    captured: dict[str, str] = {}
    for number in range(1, 13):
        name, case_id = chance.choice("pq"), f"{number:02}"
        if chance.random() < 0.5:
            text = chance.choice(["", f"v{number}"])
            capture = {f"n{number}": {"stdout": "matches", "pattern": "v(.*)"}}
            cases.append(run(case_id, name, arguments={"text": text}, capture=capture))
            captured |= {f"n{number}": text[1:]} if text else {}
        else:
            names = [f"n{chance.randrange(1, 13)}" for _ in range(chance.randrange(3))]
            template = shown + " ".join(f"{{{{capture.{each}}}}}" for each in names)
            cases.append(create(f"c{number}", template))
            is_there = all(each in captured for each in names)
            wanted[f"c{number}"] = "".join(f"{captured[n]}\n" for n in names) if is_there else ""
            refused = malformed(422, "custom_command_invalid_template")
            expected = success("RUN") if is_there else refused
            cases.append(run(case_id, f"c{number}", expected=expected))
    for parallel in ("1", "8"):
        command = Command(tmp_path)
        ended = execute(command, *cases, options=("--max-parallel", parallel))
        assert ended.code == 0, ended
        for name, text in wanted.items():
            assert _last(tmp_path, name)["run_audit"]["stdout"] == text
        tmp_path.joinpath("state").rename(tmp_path / f"state-{parallel}")


def test_the_smaller_time_limit_counts(command: Command) -> None:
    """The case's, or the operator's."""
    cases = create("a", "sleep 60"), run("1", "a", timeout_ms=100, expected=retryable())
    assert execute(command, *cases).code == 0
    assert _last(command.folder, "a")["run_audit"]["failure_reason"] == "timeout"
    longer = run("2", "a", timeout_ms=60_000, expected=retryable())
    assert execute(command, cases[0], longer, options=("--run-timeout-ms=100",)).code == 0
    assert _last(command.folder, "a")["run_audit"]["timed_out"]


def test_record_mode_judges_none_of_it(command: Command) -> None:
    """It starts no process that could be judged."""
    checks = {"exit_code": 3, "stdout": {"equals": "x"}, "max_duration_ms": 0}
    cases = create("a", "true"), run("1", "a", expected=success("RUN", **checks), capture=VERSION)
    ended = execute(command, *cases, options=("--run-mode", "record"))
    assert (ended.code, ended.json()["applied_cases"]) == (0, 2)
