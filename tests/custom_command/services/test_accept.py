"""`accept`: the fixture expects what came out, after a diff, and nothing else of it changes."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.custom_command.cases import case_object, fixture_object, malformed, retryable, success
from tests.custom_command.running import Command, Finished, Json, Runtime
from tests.custom_command.services.test_execute import EXECUTE, UNCONFINED, create, execute, run

ACCEPT = ("accept", "fixture.json", "--state-dir", "state")
DRIFTING = (
    case_object("1", "CREATE"),
    case_object("2", "RUN", expected=malformed()),
    case_object("3", "RUN", "none"),
    case_object("4", "LIST", "", expected=success(response_body={"status": "accepted"})),
)
"""Four cases of record mode, of which the last three drift."""


def _expected(folder: Path, name: str = "fixture.json") -> list[Json | None]:
    cases = json.loads(folder.joinpath(name).read_text())["cases"]
    return [case.get("expected") for case in cases]


def _recorded(command: Command, *options: str) -> Finished:
    command.write("fixture.json", fixture_object(*DRIFTING))
    return command("run", "fixture.json", "--state-dir", "state", *options)


@pytest.mark.parametrize("options", [(), ("--fresh",), ("--case-suffix", "-x")], ids=str)
def test_what_was_recorded_is_accepted(command: Command, options: tuple[str, ...]) -> None:
    """Shown first, and written with --yes; then the same fixture drifts no more."""
    assert _recorded(command, *options).code == 3
    before = command.folder.joinpath("fixture.json").read_bytes()
    suffix = () if options == ("--fresh",) else options
    shown = command(*ACCEPT, *suffix)
    assert (shown.code, shown.err) == (3, "")
    assert shown.out.endswith("fixture.json: 3 cases would change; --yes writes it\n")
    assert command.folder.joinpath("fixture.json").read_bytes() == before
    written = command(*ACCEPT, *suffix, "--yes")
    assert written.code == 0
    assert (
        written.out.replace("3 cases changed", "3 cases would change; --yes writes it") == shown.out
    )
    assert _expected(command.folder) == [
        success(),
        success("RUN"),
        malformed(404),
        success(
            "LIST", response_body={"status": "accepted", "operation": "list", "commands": ["greet"]}
        ),
    ]
    again = command("run", "fixture.json", "--state-dir", "other", *options)
    assert again.code == 0, again


def test_the_diff_for_programs_applies(command: Command) -> None:
    """`--json` has all of it."""
    _recorded(command)
    before = command.folder.joinpath("fixture.json").read_text().splitlines()
    said = command(*ACCEPT, "--yes", "--json").json()
    assert (said["changed_cases"], said["written"], said["left"]) == (3, True, [])
    removed = [line[1:] for line in said["diff"][2:] if line.startswith("-")]
    assert set(removed) <= set(before)
    after = command.folder.joinpath("fixture.json").read_text().splitlines()
    assert {line[1:] for line in said["diff"][2:] if line.startswith("+")} <= set(after)


def test_where_nothing_drifted_there_is_nothing_to_accept(command: Command) -> None:
    """Exit 0, and the file is not touched."""
    command.write("fixture.json", fixture_object())
    assert command("run", "fixture.json", "--state-dir", "state").code == 0
    inode = command.folder.joinpath("fixture.json").stat().st_ino
    ended = command(*ACCEPT, "--yes")
    assert (ended.code, ended.out) == (0, "fixture.json: nothing to accept\n")
    assert command.folder.joinpath("fixture.json").stat().st_ino == inode


def test_a_fixture_that_never_ran_as_it_is(command: Command) -> None:
    """What another version of it came to is not what this one would."""
    command.write("fixture.json", fixture_object())
    nothing = command(*ACCEPT)
    assert nothing.code == 5
    advice = "no cycle ran fixture.json as it is; run it, then accept what came of it"
    assert nothing.err == f"error: state: {advice}\n"
    _recorded(command)
    with command.folder.joinpath("fixture.json").open("a") as file:
        file.write(" ")
    assert command(*ACCEPT).code == 5
    assert command("accept", "none.json").err == "error: none.json: there is no such file\n"


def test_the_last_cycle_of_the_fixture_counts(command: Command) -> None:
    """Also where another fixture ran after it, and where the log was rotated."""
    _recorded(command)
    command.write("other.json", fixture_object(case_object("2", "RUN", "none")))
    command("run", "other.json", "--state-dir", "state", "--max-events-bytes", "1")
    assert command(*ACCEPT).out.endswith("3 cases would change; --yes writes it\n")


def test_broken_lines_of_logs_are_passed_over(command: Command) -> None:
    """They say nothing; what is whole beside them does."""
    _recorded(command)
    for log in command.folder.joinpath("state").rglob("*.jsonl"):
        log.write_bytes(b"{}\n[]\n?\n" + log.read_bytes() + b'{}\n?\n{"torn')
    assert command(*ACCEPT).out.endswith("3 cases would change; --yes writes it\n")


def test_a_case_that_was_done_before_is_as_it_was(command: Command) -> None:
    """Of a key the last entry of the cycle counts; in a cycle that skipped it there is none."""
    _recorded(command)
    command("run", "fixture.json", "--state-dir", "state", "--case-suffix", "-x")
    # Of the cycle without a suffix nothing is left to accept: the other one was the last.
    assert command(*ACCEPT).out == "fixture.json: nothing to accept\n"
    assert command(*ACCEPT, "--case-suffix", "-x").code == 3


def test_a_standing_clock_is_no_obstacle(runtime: Runtime, command: Command) -> None:
    """Cycles of the same millisecond are told apart by what they wrote last."""
    runtime.run(*DRIFTING)
    fixture = runtime.folder / "fixture.json"
    ended = command("accept", fixture, "--state-dir", runtime.state_dir)
    assert ended.out.endswith("3 cases would change; --yes writes it\n")


STDOUT = "sh -c 'printf %s \"$0\"; exit $1' {{text}} {{code}}"


def _echo(case_id: str, text: str, code: int = 0, **changes: Any) -> Json:  # noqa: ANN401 - JSON
    return run(case_id, "a", arguments={"text": text, "code": code}, **changes)


def test_what_was_executed_is_accepted(command: Command) -> None:
    """Output, exit code, a failure by its time limit; then the same fixture drifts no more."""
    large = json.dumps({"rest": "x" * 100_000, "status": "ok"})
    command.folder.joinpath("large").write_text(large)
    cases = (
        create("a", STDOUT),
        create("b", "cat large"),
        create("slow", "sleep 60"),
        _echo("1", "one\ntwo\n", expected=success("RUN", stdout={"equals": "one"})),
        _echo("2", '{"a": 1, "b": 2}', expected=success("RUN", stdout={"json_contains": {"a": 2}})),
        _echo("3", "", 3),
        _echo("4", "x", 4, expected=success("RUN", exit_code=5)),
        run("5", "b", expected=success("RUN", stdout={"json_contains": {"status": "down"}})),
        run("6", "b", expected=success("RUN", stdout={"json": 5}, stderr={"equals": "x"})),
        run("7", "slow", timeout_ms=100),
    )
    assert execute(command, *cases).json()["failed_cases"] == 7
    ended = command(*ACCEPT, "--yes")
    assert ended.code == 0, ended
    assert _expected(command.folder)[3:] == [
        success("RUN", stdout={"equals": "one\ntwo"}),
        success("RUN", stdout={"json_contains": {"a": 1}}),
        success("RUN", exit_code=3),
        success("RUN", exit_code=4),
        success("RUN", stdout={"json_contains": {"status": "ok"}}),
        success("RUN", stdout={"json": json.loads(large)}, stderr={"equals": ""}),
        retryable(),
    ]
    again = command("run", "fixture.json", "--state-dir", "other", *EXECUTE, *UNCONFINED)
    assert again.code == 0, again


def test_what_cannot_be_taken_over_is_left(command: Command) -> None:
    """The rest is written, and exit 3 says that something is left."""
    cases = (
        create("a", STDOUT),
        create("b", "head -c 2000000 /dev/zero"),
        create("c", "printf '\\377'"),
        _echo("1", "one", expected=success("RUN", stdout={"contains": "two"}, exit_code=1)),
        run("2", "b", expected=success("RUN", stdout={"equals": "x"})),
        run("3", "c", expected=success("RUN", stdout={"equals": "x"})),
    )
    assert execute(command, *cases).code == 3
    ended = command(*ACCEPT, "--yes")
    assert ended.code == 3
    left = [line for line in ended.out.splitlines() if line.startswith("left to you: ")]
    not_kept = "not all of the output was kept, or it is not text in UTF-8: expected 'x', observed"
    for_you = "what is to be found there is for you to say: expected 'two', observed 'one'"
    expected = [
        f"case '1': stdout.contains: {for_you}",
        f"case '2': stdout.equals: {not_kept} ",
        f"case '3': stdout.equals: {not_kept} '\ufffd'",
    ]
    assert len(left) == 3
    for line, start in zip(left, expected, strict=True):
        assert line.startswith(f"left to you: {start}")
    assert _expected(command.folder)[3] == success("RUN", stdout={"contains": "two"}, exit_code=0)


TOML = """\ufeffname = "demo" # a demo
schema_version = 1

[[cases]]
case_id = "1"
operation = "RUN" # of nothing
command_name = "none"
"""


def test_toml_keeps_its_comments(command: Command) -> None:
    """And its byte order mark, its mode, and the link that leads to it."""
    folder = command.folder
    folder.joinpath("real.toml").write_text(TOML, encoding="utf-8")
    folder.joinpath("real.toml").chmod(0o640)
    folder.joinpath("f.toml").symlink_to("real.toml")
    assert command("run", "f.toml", "--state-dir", "state").code == 3
    ended = command("accept", "f.toml", "--state-dir", "state", "--yes")
    assert ended.code == 0, ended
    added = (
        'expected = {outcome = "malformed_input", status_code = 404, '
        'error_code = "custom_command_invalid_name"}\n'
    )
    assert folder.joinpath("real.toml").read_text(encoding="utf-8") == TOML + added
    assert folder.joinpath("real.toml").stat().st_mode & 0o777 == 0o640
    assert folder.joinpath("f.toml").is_symlink()
    assert sorted(path.name for path in folder.iterdir()) == ["f.toml", "real.toml", "state"]


def test_toml_has_no_null(command: Command) -> None:
    """A value that it cannot hold is left to people, and the case is not touched."""
    template = "cat answer"
    command.folder.joinpath("answer").write_text('{"a": [null]}')
    text = json.dumps(template)
    command.folder.joinpath("f.toml").write_text(
        f"""schema_version = 1
name = "demo"
[[cases]]
case_id = "0"
operation = "CREATE"
command_name = "a"
template = {text}
[[cases]]
case_id = "1"
operation = "RUN"
command_name = "a"
[cases.expected]
outcome = "success"
status_code = 200
stdout.json = {{ a = [1] }}
"""
    )
    ran = command("run", "f.toml", "--state-dir", "state", *EXECUTE, *UNCONFINED)
    assert ran.code == 3, ran
    ended = command("accept", "f.toml", "--state-dir", "state", "--yes")
    assert ended.code == 3
    assert ended.out == (
        "left to you: case '1': expected: TOML has no null, which was observed\n"
        "f.toml: nothing was changed\n"
    )


def test_what_would_be_refused_is_not_written(command: Command) -> None:
    """A capture whose producer is to be refused: the fixture says so, and stays as it was."""
    capture = {"v": {"stdout": "json", "pointer": "/v"}}
    cases = (
        create("a", "no-such-program"),
        run("1", "a", capture=capture, expected=success("RUN", stdout={"equals": "x"})),
    )
    assert execute(command, *cases).code == 3
    assert command(*ACCEPT, "--yes").code == 0  # a producer may be expected to be refused
    assert _expected(command.folder)[1] == malformed(422, "custom_command_invalid_template")


def test_a_fixture_that_cannot_be_written(command: Command) -> None:
    """Exit 5 with its name, and it is as it was."""
    _recorded(command)
    before = command.folder.joinpath("fixture.json").read_bytes()
    command.folder.joinpath("fixture.json.new").mkdir()
    ended = command(*ACCEPT, "--yes")
    assert (ended.code, ended.out) == (5, "")
    assert ended.err == "error: fixture.json: cannot write: File exists\n"
    assert command.folder.joinpath("fixture.json").read_bytes() == before
    piped = command("accept", "/dev/null", "--state-dir", "state", "--yes")
    assert piped.code == 5


def test_what_a_fixture_holds_acts_on_no_terminal(command: Command) -> None:
    """Nor on the log of a CI job; what programs read is the diff as it is."""
    description = "::error::x \x1b[31m"
    case = case_object("1", "RUN", "none", template="::error::y")
    text = json.dumps(fixture_object(case, description=description), indent=0, ensure_ascii=False)
    command.folder.joinpath("fixture.json").write_text(text.replace("\\u001b", "\\u001b"))
    command("run", "fixture.json", "--state-dir", "state")
    shown = command(*ACCEPT)
    assert shown.code == 3
    assert "\x1b" not in shown.out
    assert not any(line.lstrip(' "+-').startswith("::") for line in shown.out.splitlines())
