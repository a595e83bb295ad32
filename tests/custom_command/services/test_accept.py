"""`accept`: the fixture expects what came out of its last cycle, and nothing else of it changes."""

import json
from pathlib import Path
from typing import Any

import pytest

from tau_custom_command.errors import FixtureRefusedError, Problem
from tau_custom_command.services.accept import Accepted, accept
from tests.custom_command.cases import case_object, fixture_object, malformed, retryable, success
from tests.custom_command.executing import EXECUTE, UNCONFINED, create, execute, run
from tests.custom_command.running import Command, Finished, Json, Runtime

ACCEPT = ("accept", "fixture.json", "--state-dir", "state")
DRIFTING = (
    case_object("1", "CREATE"),
    case_object("2", "RUN", expected=malformed()),
    case_object("3", "RUN", "none"),
    case_object("4", "LIST", "", expected=success(response_body={"status": "accepted"})),
)
"""Four cases of record mode, of which the last three drift."""


def expected_in(folder: Path) -> list[Json | None]:
    """Return what each case of the fixture expects, None where that is left out."""
    cases = json.loads(folder.joinpath("fixture.json").read_text())["cases"]
    return [case.get("expected") for case in cases]


def recorded(command: Command, *options: str) -> Finished:
    """Run the drifting cases in a cycle of record mode."""
    command.write("fixture.json", fixture_object(*DRIFTING))
    return command("run", "fixture.json", "--state-dir", "state", *options)


def _accepted(folder: Path, *, name: str = "fixture.json", suffix: str = "") -> Accepted:
    """Accept what the last cycle came to, in this very process, and write it."""
    return accept(folder / name, folder / "state", case_suffix=suffix, carry_out=True)


@pytest.mark.parametrize("options", [("--fresh",), ("--case-suffix", "-x")], ids=str)
def test_a_cycle_with_a_suffix_is_accepted(command: Command, options: tuple[str, ...]) -> None:
    """That of a fresh cycle is known; any other is to be told."""
    recorded(command, *options)
    suffix = "" if options == ("--fresh",) else "-x"
    assert _accepted(command.folder, suffix=suffix).cases == 3
    assert command("run", "fixture.json", "--state-dir", "other").code == 0


def test_where_nothing_drifted_there_is_nothing_to_accept(command: Command) -> None:
    """The file is not touched."""
    command.write("fixture.json", fixture_object())
    assert command("run", "fixture.json", "--state-dir", "state").code == 0
    inode = command.folder.joinpath("fixture.json").stat().st_ino
    assert _accepted(command.folder) == Accepted(0, (), ())
    assert command.folder.joinpath("fixture.json").stat().st_ino == inode


def test_the_last_cycle_of_the_fixture_counts(command: Command) -> None:
    """Also where another fixture ran after it, and where the log was rotated."""
    recorded(command)
    command.write("other.json", fixture_object(case_object("2", "RUN", "none")))
    command("run", "other.json", "--state-dir", "state", "--max-events-bytes", "1")
    assert _accepted(command.folder).cases == 3


def test_broken_lines_of_logs_are_passed_over(command: Command) -> None:
    """They say nothing; what is whole beside them does."""
    recorded(command)
    for log in command.folder.joinpath("state").rglob("*.jsonl"):
        log.write_bytes(b"{}\n[]\n?\n" + log.read_bytes() + b'{}\n?\n{"torn')
    assert _accepted(command.folder).cases == 3


def test_a_case_that_was_done_before_is_as_it_was(command: Command) -> None:
    """Of a key the last entry of the cycle counts; in a cycle that skipped it there is none."""
    recorded(command)
    command("run", "fixture.json", "--state-dir", "state", "--case-suffix", "-x")
    # Of the cycle without a suffix nothing is left to accept: the other one was the last.
    assert _accepted(command.folder) == Accepted(0, (), ())
    assert _accepted(command.folder, suffix="-x").cases == 3


def test_a_standing_clock_is_no_obstacle(runtime: Runtime) -> None:
    """Cycles of the same millisecond are told apart by what they wrote last."""
    runtime.time.now_unix_ms -= 1_000
    runtime.run(case_object("3", "RUN", "none", expected=retryable()))
    runtime.time.now_unix_ms -= 1_000
    runtime.run(*DRIFTING)
    assert _accepted(runtime.folder).cases == 3


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
    assert _accepted(command.folder).left == ()
    assert expected_in(command.folder)[3:] == [
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
    """The rest is written."""
    cases = (
        create("a", STDOUT),
        create("b", "head -c 2000000 /dev/zero"),
        create("c", "printf '\\377'"),
        _echo("1", "one", expected=success("RUN", stdout={"contains": "two"}, exit_code=1)),
        run("2", "b", expected=success("RUN", stdout={"equals": "x"})),
        run("3", "c", expected=success("RUN", stdout={"equals": "x"})),
    )
    assert execute(command, *cases).code == 3
    left = _accepted(command.folder).left
    not_kept = "not all of the output was kept, or it is not text in UTF-8: expected 'x', observed"
    for_you = "what is to be found there is for you to say: expected 'two', observed 'one'"
    expected = [
        f"case '1': stdout.contains: {for_you}",
        f"case '2': stdout.equals: {not_kept} ",
        f"case '3': stdout.equals: {not_kept} '\ufffd'",
    ]
    assert len(left) == 3
    for problem, start in zip(left, expected, strict=True):
        assert str(problem).startswith(start)
    assert expected_in(command.folder)[3] == success("RUN", stdout={"contains": "two"}, exit_code=0)


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
    assert _accepted(folder, name="f.toml").cases == 1
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
    left = Problem("1", "expected", "TOML has no null, which was observed")
    assert _accepted(command.folder, name="f.toml") == Accepted(0, (), (left,))


def test_a_producer_may_be_expected_to_be_refused(command: Command) -> None:
    """The checks of its process go; its capture stays, and is missing for who uses it."""
    capture = {"v": {"stdout": "json", "pointer": "/v"}}
    cases = (
        create("a", "no-such-program"),
        run("1", "a", capture=capture, expected=success("RUN", stdout={"equals": "x"})),
    )
    assert execute(command, *cases).code == 3
    assert _accepted(command.folder).cases == 1
    assert expected_in(command.folder)[1] == malformed(422, "custom_command_invalid_template")


def test_what_would_be_refused_is_not_written(command: Command) -> None:
    """A log that another program wrote may say what no fixture can expect."""
    recorded(command)
    before = command.folder.joinpath("fixture.json").read_bytes()
    log = command.folder / "state/channel-store/custom-command/none/log.jsonl"
    log.write_text(log.read_text().replace('"outcome":"malformed_input"', '"outcome":"success"'))
    with pytest.raises(FixtureRefusedError) as refused:
        _accepted(command.folder)
    assert "fixture.json: with what was observed: case '3': expected.error_code: a success" in str(
        refused.value
    )
    assert command.folder.joinpath("fixture.json").read_bytes() == before


@pytest.mark.parametrize("damage", ["altered", "gone", "not named", "named wrongly"])
def test_an_artifact_that_is_not_what_it_was(command: Command, damage: str) -> None:
    """Then not all of the output is there, and what it was is left to people."""
    command.folder.joinpath("large").write_text("x" * 100_000)
    expected = success("RUN", stdout={"equals": "x"})
    assert execute(command, create("a", "cat large"), run("1", "a", expected=expected)).code == 3
    folder = command.folder / "state/channel-store/custom-command/a/artifacts"
    (artifact,) = folder.glob("*.txt")
    index = folder / "index.jsonl"
    match damage:
        case "altered":
            artifact.write_text("y" * 100_000)
        case "gone":
            artifact.unlink()
        case "not named":
            index.write_text("{}\n")
        case _:
            index.write_text(index.read_text().replace(artifact.name, "../log.jsonl"))
    (left,) = _accepted(command.folder).left
    assert str(left).startswith("case '1': stdout.equals: not all of the output was kept")
