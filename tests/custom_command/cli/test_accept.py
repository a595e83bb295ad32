"""`accept` as people and programs meet it: the diff, what is written with --yes, the exit codes."""

import json

from tests.custom_command.cases import case_object, fixture_object, malformed, success
from tests.custom_command.running import Command
from tests.custom_command.services.test_accept import ACCEPT, expected_in, recorded


def test_what_was_recorded_is_accepted(command: Command) -> None:
    """Shown first, and written with --yes; then the same fixture drifts no more."""
    assert recorded(command).code == 3
    before = command.folder.joinpath("fixture.json").read_bytes()
    shown = command(*ACCEPT)
    assert (shown.code, shown.err) == (3, "")
    assert shown.out.endswith("fixture.json: 3 cases would change; --yes writes it\n")
    assert command.folder.joinpath("fixture.json").read_bytes() == before
    written = command(*ACCEPT, "--yes")
    assert written.code == 0
    assert (
        written.out.replace("3 cases changed", "3 cases would change; --yes writes it") == shown.out
    )
    assert expected_in(command.folder) == [
        success(),
        success("RUN"),
        malformed(404),
        success(
            "LIST", response_body={"status": "accepted", "operation": "list", "commands": ["greet"]}
        ),
    ]
    again = command("run", "fixture.json", "--state-dir", "other")
    assert again.code == 0, again


def test_the_diff_for_programs_applies(command: Command) -> None:
    """`--json` has all of it."""
    recorded(command)
    before = command.folder.joinpath("fixture.json").read_text().splitlines()
    said = command(*ACCEPT, "--yes", "--json").json()
    assert (said["changed_cases"], said["written"], said["left"]) == (3, True, [])
    removed = [line[1:] for line in said["diff"][2:] if line.startswith("-")]
    assert set(removed) <= set(before)
    after = command.folder.joinpath("fixture.json").read_text().splitlines()
    assert {line[1:] for line in said["diff"][2:] if line.startswith("+")} <= set(after)


def test_a_fixture_that_never_ran_as_it_is(command: Command) -> None:
    """What another version of it came to is not what this one would."""
    command.write("fixture.json", fixture_object())
    nothing = command(*ACCEPT)
    assert nothing.code == 5
    advice = "no cycle ran fixture.json as it is; run it, then accept what came of it"
    assert nothing.err == f"error: state: {advice}\n"
    recorded(command)
    with command.folder.joinpath("fixture.json").open("a") as file:
        file.write(" ")
    assert command(*ACCEPT).code == 5
    assert command("accept", "none.json").err == "error: none.json: there is no such file\n"


def test_a_fixture_that_cannot_be_written(command: Command) -> None:
    """Exit 5 with the name of what is in the way, and it is as it was."""
    recorded(command)
    before = command.folder.joinpath("fixture.json").read_bytes()
    command.folder.joinpath("fixture.json.new").mkdir()
    ended = command(*ACCEPT, "--yes")
    assert (ended.code, ended.out) == (5, "")
    assert ended.err == "error: fixture.json.new: cannot write: File exists\n"
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


def test_what_is_left_is_told(command: Command) -> None:
    """With --yes the exit code is 3 then, and where there is nothing to accept, 0."""
    command.write("fixture.json", fixture_object(case_object("1", "RUN", "none")))
    command("run", "fixture.json", "--state-dir", "state")
    log = command.folder / "state/channel-store/custom-command/none/log.jsonl"
    entry = json.loads(log.read_text())
    difference = {"field": "stdout.contains", "expected": "'a'", "observed": "'b'"}
    entry["payload"]["drift"] |= {"differences": [difference]}
    entry["payload"]["drift"]["observed"] = entry["payload"]["drift"]["expected"]
    log.write_text(json.dumps(entry) + "\n")
    ended = command(*ACCEPT, "--yes")
    assert ended.code == 3
    assert ended.out == (
        "left to you: case '1': stdout.contains: the log does not say what was observed: "
        "expected 'a', observed 'b'\nfixture.json: nothing was changed\n"
    )
    log.write_text("")
    ended = command(*ACCEPT, "--yes")
    assert (ended.code, ended.out) == (0, "fixture.json: nothing to accept\n")


def test_the_suffix_is_told_as_that_of_the_cycle(command: Command) -> None:
    """`accept` runs nothing: its help is not that of `run`, which appends the suffix."""
    text = " ".join(command("accept", "--help").out.split())
    assert "The --case-suffix that the cycle was run with" in text
    assert "appended to every case id" not in text
