"""What is told to be typed after a cycle works as it is printed, in the shell that printed it.

So it has the options that were given; what the environment says holds for it as well.
"""

import re
import shlex
from pathlib import Path

import pytest

from tau_custom_command.cli.answers.next_steps import HowAsked
from tests.custom_command.cases import case_object, success
from tests.custom_command.executing import UNCONFINED, create, run, write
from tests.custom_command.running import Command, Finished

PLACE = ("--state-dir", "it is here")
FRESH = ("--run-mode", "execute", "--no-policy-require-approval", *UNCONFINED)


def typed(command: Command, done: Finished, begins: str, **env: str) -> Finished:
    """Type the command that was told and begins so, as a shell would take it."""
    found = re.search(rf"'tau-custom-command ({begins}.*?)' shows", done.out)
    assert found, done.out
    return command(*shlex.split(found[1]), env=env)


@pytest.fixture
def fixture(command: Command) -> str:
    """Write a fixture that drifts; return its name, which has a blank."""
    write(command.folder, case_object("1", "LIST", "", expected=success("LIST", response_body={})))
    (command.folder / "fixture.json").rename(command.folder / "a fixture.json")
    return "a fixture.json"


@pytest.mark.parametrize("more", [(), ("--fresh",), ("--case-suffix=-2",)])
def test_accept_is_told_with_fixture_directory_and_suffix(
    command: Command, fixture: str, more: tuple[str, ...]
) -> None:
    """Of a fresh cycle it finds the suffix by itself."""
    done = command("run", fixture, *PLACE, *more)
    shown = typed(command, done, "accept")
    assert (shown.code, "1 case would change" in shown.out) == (3, True), shown


def test_what_the_environment_says_holds_for_what_is_told(command: Command, fixture: str) -> None:
    """As in the shell where it was set: options and their variables lead to the same place."""
    env = {"TAU_CUSTOM_COMMAND_STATE_DIR": "elsewhere", "TAU_CUSTOM_COMMAND_CASE_SUFFIX": "-9"}
    done = command("run", fixture, env=env)
    assert typed(command, done, "accept", **env).code == 3
    assert "1 case would change" in typed(command, done, "accept", **env).out


def test_a_fixture_whose_name_looks_like_an_option_is_told_as_a_file() -> None:
    """Else the command would take it for one."""
    told = HowAsked(fixture="-f.toml", state_dir="s").accept
    assert told == "tau-custom-command accept ./-f.toml --state-dir s"


def test_approve_is_told_with_what_an_approval_depends_on(command: Command) -> None:
    """By name, with the profile, the user and the workspace where these were given to `run`."""
    (command.folder / "work space").mkdir()
    write(command.folder, create("a", "true"), create("b", "true"), run("1", "a"), run("2", "b"))
    given = ("--policy-sandbox-profile", "unrestricted", "--workspace", "work space")
    options = ("--run-mode", "execute", "--policy-allow-shell", *given)
    done = command("run", "fixture.json", *PLACE, *options)
    assert "would cover, and so for b; the next cycle tries them again" in done.out
    assert "--run-as" not in done.out
    shown = typed(command, done, "approve a ")
    assert (shown.code, "nothing was changed" in shown.out) == (0, True), shown
    assert "'--workspace=work space' --policy-sandbox-profile=unrestricted --state-dir" in done.out


def test_an_approval_that_is_missing_is_told_before_what_to_accept(command: Command) -> None:
    """`accept` would have the fixture expect the refusal, of a command that nobody looked at."""
    drifting = case_object("2", "LIST", "", expected=success("LIST", response_body={}))
    write(command.folder, create("a", "true"), run("1", "a"), drifting)
    done = command("run", "fixture.json", *PLACE, "--run-mode", "execute", *UNCONFINED)
    approving, _, others = done.out.partition("; for the others: correct the fixture ('tau-")
    assert "approve the commands, if they are right: 'tau-custom-command approve a" in approving
    assert others.startswith("custom-command accept fixture.json"), done.out


@pytest.mark.parametrize("suffix", ["", "-x"])
def test_a_key_as_it_is_told_is_run_once_more(command: Command, suffix: str) -> None:
    """Also one of a cycle with --case-suffix, which the key says itself; no other RUN starts."""
    write(command.folder, create("a", "sh -c 'echo x >>marks'"), run("1", "a"), run("2", "a"))
    asked = ("run", "fixture.json", *PLACE, *FRESH)
    assert command(*asked, *([f"--case-suffix={suffix}"] if suffix else [])).code == 0
    again = command(*asked, "--rerun", f"RUN:a:1{suffix}", "--json")
    assert (again.code, again.json()["executed_runs"]) == (0, 1), again
    assert Path(command.folder, "marks").read_text() == "x\n" * 3


def test_a_key_whose_end_is_not_known_is_refused(command: Command) -> None:
    """Nothing is guessed: which case it is of, or that it ever ran."""
    write(command.folder, create("a", "true"), run("1", "a"), run("12", "a"))
    asked = ("run", "fixture.json", *PLACE, *FRESH)
    assert command(*asked, "--case-suffix=2-x").code == 0
    for key in ("RUN:a:12-x", "RUN:a:1-y"):
        refused = command(*asked, "--rerun", key)
        assert (refused.code, "with its --case-suffix if it had one" in refused.err) == (5, True)
    assert command(*asked, "--rerun", "RUN:a:12-x", "--case-suffix=2-x").code == 0


def test_after_a_fresh_cycle_no_key_is_offered(command: Command) -> None:
    """None of it is kept: only another fresh cycle runs it again."""
    write(command.folder, create("a", "false"), run("1", "a"))
    done = command("run", "fixture.json", *PLACE, *FRESH, "--fresh")
    assert done.out.rstrip().endswith("a RUN that was started runs again only with --fresh")
    done = command("run", "fixture.json", *PLACE, *FRESH)
    assert done.out.rstrip().endswith("runs again only with --fresh or --rerun KEY")
