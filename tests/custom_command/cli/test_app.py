"""The command line as users meet it: real processes, their output, exit codes, environment."""

import importlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import get_type_hints

import pytest

from tau_custom_command import __version__
from tau_custom_command.cli import main
from tau_custom_command.cli.commands.run import run
from tests import forking
from tests.custom_command.cases import case_object, fixture_object, malformed, retryable, success
from tests.custom_command.running import (
    COMMAND,
    PATIENCE_SECONDS,
    START_UNIX_MS,
    Command,
    Finished,
    Json,
    StateFiles,
    environment,
)

GOOD = fixture_object(case_object("a"), case_object("b", "RUN"))
DRIFTING = fixture_object(case_object("a", expected=success(status_code=299)), case_object("b"))
UNAVAILABLE = fixture_object(
    case_object("a", simulate_retryable_failure=True, expected=retryable())
)
REFUSED = fixture_object(case_object(" "), case_object("b", expected=success(status_code=0)))
HOSTILE = "a\x1b[31m\u202eb\nc\x9b\u200b"
"""An escape sequence, a right-to-left mark, a line break, a C1 control, an invisible space."""

Prepare = Callable[[Path], object]


def state_of(command: Command, state_dir: str = ".tau/custom-command") -> StateFiles:
    """Return the state files below the command's folder."""
    return StateFiles(command.folder / state_dir)


class TestRun:
    """`run`: the main job."""

    def test_a_fixture_is_processed(self, command: Command) -> None:
        """A count, what was done and the health on stdout; no more is said; the answer is 0."""
        command.write("f.json", GOOD)
        done = command("run", "f.json")
        assert (done.code, done.err) == (0, "")
        assert done.out.splitlines() == [
            "✓  2 cases applied",
            (
                "cycle 1 in .tau/custom-command: 2 cases, 2 applied; commands: 1 written, "
                "1 recorded, not run"
            ),
            "health: healthy, the last cycle ended without a failed case",
        ]
        assert [c["run_count"] for c in state_of(command).state()["commands"]] == [1]

    def test_json_is_all_there_is_on_stdout(self, command: Command) -> None:
        """With --json a program reads the event's keys, and the story stays on stderr."""
        command.write("f.json", DRIFTING)
        done = command("run", "f.json", "--json")
        assert done.json() == state_of(command).events()[-1] | {"queue_depth": 0}
        assert "✗  a  drifted  expected success 299, observed success 201" in done.err

    def test_a_drift_answers_no(self, command: Command) -> None:
        """Where a result differs from its expectation, the exit code is 3, and it is told."""
        command.write("f.json", DRIFTING)
        done = command("run", "f.json")
        assert (done.code, done.err) == (3, "")
        assert done.out.startswith("✗  a  drifted  expected success 299, observed success 201\n")
        assert len(done.out.splitlines()) == 4

    def test_an_expected_failure_answers_yes(self, command: Command) -> None:
        """A case that fails as its fixture expects is no drift: exit code 0."""
        command.write("f.json", UNAVAILABLE)
        done = command("run", "f.json")
        assert "1 case, 1 failed" in done.out
        assert done.code == 0

    def test_a_backlog_answers_yes(self, command: Command) -> None:
        """Cases left over by the queue limit are no drift: exit code 0."""
        command.write("f.json", GOOD)
        done = command("run", "f.json", "--queue-limit", "1")
        assert "1 left over" in done.out
        assert done.code == 0

    def test_duplicates_are_explained(self, command: Command) -> None:
        """Where every case is a duplicate, the way out is named, and the answer is 0."""
        command.write("f.json", GOOD)
        command("run", "f.json")
        done = command("run", "f.json")
        assert (done.code, "--fresh" in done.out) == (0, True)
        assert "2 done before" in done.out

    def test_fresh_does_every_case_anew(self, command: Command) -> None:
        """Cycle after cycle, by a suffix that no earlier one used; it excludes one's own."""
        command.write("f.json", GOOD)
        for _ in range(3):
            done = command("run", "f.json", "--fresh", "--json")
            assert (done.code, done.json()["applied_cases"]) == (0, 2)
        done = command("run", "f.json", "--fresh", "--case-suffix", "x")
        assert (done.code, "leave out --case-suffix" in done.err) == (2, True)

    @pytest.mark.parametrize(
        ("options", "env", "told"),
        [
            ((), {}, None),
            (("--release", "1.4.0"), {}, "1.4.0"),
            ((), {"TAU_CUSTOM_COMMAND_RELEASE": "v1.5.0-rc.1"}, "v1.5.0-rc.1"),
            (("--release-file", "release"), {}, "1.4.1"),
            ((), {"TAU_CUSTOM_COMMAND_RELEASE_FILE": "release"}, "1.4.1"),
        ],
    )
    def test_the_event_tells_the_release(
        self, command: Command, options: tuple[str, ...], env: dict[str, str], told: str | None
    ) -> None:
        """As the operator says, by option, environment or file; otherwise the key is left out."""
        command.write("f.json", GOOD)
        (command.folder / "release").write_bytes(b"\xef\xbb\xbf1.4.1\n")
        assert command("run", "f.json", *options, env=env).code == 0
        assert state_of(command).events()[-1].get("release") == told

    def test_the_release_s_file_is_read_at_each_cycle(self, command: Command) -> None:
        """A deployment replaces it; where it tells nothing the cycle does not run."""
        command.write("f.json", GOOD)
        for release in ("1.4.0", "1.5.0"):
            (command.folder / "release").write_text(release)
            assert command("run", "f.json", "--release-file", "release").code == 0
        assert [one["release"] for one in state_of(command).events()] == ["1.4.0", "1.5.0"]
        for content in (b"", b" \n", b"1.4.0\n1.5.0\n", b"x" * 129, b"\xff"):
            (command.folder / "release").write_bytes(content)
            done = command("run", "f.json", "--release-file", "release")
            assert (done.code, "release: must be one line" in done.err) == (5, True)
        done = command("run", "f.json", "--release-file", "gone")
        assert (done.code, "gone: there is no such file" in done.err) == (5, True)
        assert len(state_of(command).events()) == 2

    @pytest.mark.parametrize("release", ["", " ", "1.4.0\n", "1 4", "x" * 129])
    def test_what_names_no_release_is_refused(self, command: Command, release: str) -> None:
        """As wrong usage, and so is saying it twice; nothing is written."""
        command.write("f.json", GOOD)
        assert command("run", "f.json", "--release", release).code == 2
        done = command("run", "f.json", "--release", "1.4.0", "--release-file", "f.json")
        assert (done.code, "leave out --release" in done.err) == (2, True)
        assert not (command.folder / ".tau").exists()

    def test_a_terminal_without_our_marks(self, command: Command) -> None:
        """Where the encoding has no room for them, ASCII stands there, and other text escaped."""
        drifts = case_object("é", expected=success(status_code=299))
        command.write("f.json", fixture_object(drifts, case_object("b")))
        done = command("run", "f.json", env={"PYTHONIOENCODING": "ascii"})
        assert done.code == 3
        told, count, *_ = done.out.splitlines()
        assert told.startswith("x  \\xe9  drifted")
        assert count == "+  1 case applied"

    @pytest.mark.parametrize("as_json", [[], ["--json"]], ids=["text", "json"])
    def test_a_refused_fixture_is_not_run(self, command: Command, as_json: list[str]) -> None:
        """Every problem is told with file and field, the answer is 5, and nothing is written."""
        command.write("f.json", REFUSED)
        done = command("run", "f.json", *as_json)
        assert (done.code, done.out) == (5, "")
        assert re.search(r"f\.json: .*case_id: must not be blank", done.err)
        assert "f.json: case 'b': expected.status_code: must be greater than 0" in done.err
        assert [path.name for path in command.folder.iterdir()] == ["f.json"]

    def test_a_broken_chain_is_warned_of(self, command: Command) -> None:
        """Warnings about the state stand on stderr."""
        command.write("f.json", GOOD)
        command("run", "f.json")
        (state_of(command).root / "runtime-events.jsonl").write_bytes(b"{}\n")
        done = command("run", "f.json")
        assert done.code == 0
        assert "the event log does not end with the cycle" in done.err


class TestValidate:
    """`validate`: every problem at once."""

    def test_a_sound_fixture(self, command: Command) -> None:
        """It is said to be valid, and nothing is written."""
        command.write("f.json", GOOD)
        done = command("validate", "f.json")
        assert (done.code, done.out, done.err) == (0, "f.json: valid, 2 cases\n", "")
        assert [path.name for path in command.folder.iterdir()] == ["f.json"]

    def test_a_refused_fixture(self, command: Command) -> None:
        """Every problem is an answer on stdout, and the exit code is 5."""
        command.write("f.json", REFUSED)
        done = command("validate", "f.json")
        assert len(done.out.splitlines()) == 3
        assert done.out.endswith("f.json: 2 problems\n")
        assert done.code == 5

    def test_for_programs(self, command: Command) -> None:
        """With --json the same is JSON, whether valid or not."""
        command.write("f.json", REFUSED)
        value = command("validate", "f.json", "--json").json()
        assert (value["valid"], len(value["problems"]), value["fixture"]) == (False, 2, "f.json")
        command.write("g.json", fixture_object(case_object("s-2"), case_object("s-10")))
        value = command("validate", "g.json", "--json").json()
        assert (value["valid"], value["cases"], len(value["warnings"])) == (True, 2, 1)

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("none.json", "there is no such file"),
            ("folder", "cannot read: Is a directory"),
            ("f.json/x", "cannot read: Not a directory"),
        ],
    )
    @pytest.mark.parametrize("verb", ["validate", "run"])
    def test_a_fixture_that_cannot_be_read(
        self, command: Command, verb: str, name: str, reason: str
    ) -> None:
        """What cannot be read cannot be answered, whether it is there or not."""
        command.write("f.json", GOOD)
        (command.folder / "folder").mkdir()
        done = command(verb, name)
        assert (done.code, done.out, done.err) == (5, "", f"error: {name}: {reason}\n")


class TestRegistry:
    """`registry`: a look at the registered commands."""

    def test_list_and_show(self, command: Command) -> None:
        """A table of all, or one command key by key."""
        command.write("f.json", GOOD)
        command("run", "f.json", "--state-dir", "s")
        listed = command("registry", "list", "--state-dir", "s")
        assert listed.code == 0
        assert [line.split()[0] for line in listed.out.splitlines()] == ["COMMAND", "greet"]
        shown = command("registry", "show", "greet", "--state-dir", "s")
        assert shown.code == 0
        assert re.search(r"^run_count: +1$", shown.out, re.MULTILINE)

    def test_for_programs(self, command: Command) -> None:
        """With --json the records are those of `state.json`."""
        command.write("f.json", GOOD)
        command("run", "f.json")
        records = state_of(command).state()["commands"]
        assert command("registry", "list", "--json").json() == records
        assert command("registry", "show", "greet", "--json").json() == records[0]

    def test_a_command_that_is_not_registered(self, command: Command) -> None:
        """The answer is no, on stderr, with the next step."""
        command.write("f.json", GOOD)
        command("run", "f.json")
        done = command("registry", "show", "none", "--json")
        assert (done.code, done.out) == (3, "")
        assert "'none' is not registered" in done.err
        assert "registry list" in done.err

    def test_no_state(self, command: Command) -> None:
        """Without a state there is no answer, and none is made up."""
        done = command("registry", "list", "--state-dir", "none")
        assert (done.code, done.out) == (5, "")
        assert "none: there is no state.json; pass --state-dir" in done.err
        assert list(command.folder.iterdir()) == []


class TestNew:
    """`new`: a fixture to begin with."""

    def test_it_validates_and_runs(self, command: Command) -> None:
        """The file and the schema that it names are written, and it runs as it is."""
        done = command("new", "mine.json")
        assert (done.code, done.out) == (0, "")
        assert "tau-custom-command validate mine.json" in done.err
        value = json.loads((command.folder / "mine.json").read_bytes())
        assert (command.folder / value["$schema"]).is_file()
        assert value["name"] == "mine"
        assert command("validate", "mine.json").code == 0
        assert command("run", "mine.json").code == 0

    def test_toml_by_its_ending(self, command: Command) -> None:
        """A commented TOML that editors find the schema of, too; it runs as it is."""
        done = command("new", "mine.toml")
        assert (done.code, done.out) == (0, "")
        text = (command.folder / "mine.toml").read_text()
        schema = text.partition("\n")[0].removeprefix("#:schema ")
        assert (command.folder / schema).is_file()
        assert command("validate", "mine.toml").out == "mine.toml: valid, 6 cases\n"
        assert command("run", "mine.toml").code == 0

    def test_to_stdout(self, command: Command) -> None:
        """With - the fixture goes to stdout and no file is written."""
        done = command("new", "-")
        assert (done.code, len(done.json()["cases"])) == (0, 6)
        assert list(command.folder.iterdir()) == []

    def test_nothing_is_overwritten(self, command: Command) -> None:
        """A file that is there stays, and so does a schema."""
        (command.folder / "mine.json").write_text("mine")
        done = command("new", "mine.json")
        assert done.code == 5
        assert "mine.json: is there already; name another file, or move it away" in done.err
        assert (command.folder / "mine.json").read_text() == "mine"
        (command.folder / "fixture.schema.json").write_text("{}")
        assert command("new", "other.json").code == 0
        assert (command.folder / "fixture.schema.json").read_text() == "{}"

    @pytest.mark.parametrize("path", [".", "/", "", b"\xff.json", "no/such/folder.json"], ids=repr)
    def test_a_path_that_cannot_be(self, command: Command, path: str | bytes) -> None:
        """What cannot be written is said in a message; no half file is left."""
        done = command("new", path)
        assert done.code in {0, 2, 5}
        assert done.out == ""
        left = [entry for entry in command.folder.iterdir() if not entry.stat().st_size]
        assert left == []


@pytest.mark.parametrize(
    "name",
    [
        "fixture",
        "state",
        "event",
        "channel",
        "channel-log",
        "context",
        "artifact-index",
        "paused",
        "shipped-state",
    ],
)
def test_schemas_are_printed(command: Command, name: str) -> None:
    """`schema NAME` prints a JSON Schema and nothing else."""
    done = command("schema", name)
    assert (done.code, done.err) == (0, "")
    assert done.json()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    usage, *_ = command("schema", "--help").out.splitlines()
    assert usage == "Usage: tau-custom-command schema [OPTIONS] {NAME}"


class TestUsage:
    """Help, version, wrong usage."""

    @pytest.mark.parametrize(
        "arguments",
        [[], ["run"], ["validate"], ["registry"], ["registry", "list"], ["new"], ["schema"]],
        ids=" ".join,
    )
    def test_help(self, command: Command, arguments: list[str]) -> None:
        """Every command explains itself, by -h too."""
        done = command(*arguments, "--help")
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith("Usage: tau-custom-command")
        assert command(*arguments, "-h").out == done.out

    def test_help_of_run_names_each_variable(self, command: Command) -> None:
        """An option's environment variable stands beside it, broken over lines where it is long."""
        text = "".join(command("run", "--help").out.split())
        for variable in {variable for variable, _, _ in VARIABLES}:
            assert variable in text

    def test_version(self, command: Command) -> None:
        """The version is that of the package; `python -m` is the same program."""
        done = command("--version")
        assert (done.code, done.out.splitlines()[0]) == (0, f"tau-custom-command {__version__}")
        module = subprocess.run(
            [sys.executable, "-m", "tau_custom_command", "--version"],
            capture_output=True,
            text=True,
            env=environment(),
            timeout=PATIENCE_SECONDS,
            check=True,
        )
        assert module.stdout == done.out

    @pytest.mark.parametrize(
        "arguments",
        [
            ["run"],
            ["frobnicate"],
            ["run", "f.json", "--frobnicate"],
            ["run", "f.json", "g.json"],
            ["run", "f.json", "--queue-limit", "0"],
            ["run", "f.json", "--queue-limit", "many"],
            ["run", "f.json", "--processed-case-cap", "0"],
            ["run", "f.json", "--retry-max-attempts", "0"],
            ["run", "f.json", "--retry-base-delay-ms", "-1"],
            ["run", "f.json", "--now-unix-ms", "-1"],
            ["run", "f.json", "--now-unix-ms", "9" * 5_000],
            ["run", "f.json", "--wait", "-1s"],
            ["run", "f.json", "--wait", "5"],
            ["run", "f.json", "--format", "yaml"],
            ["run", "f.json", "--run-mode", "pretend"],
            ["run", "f.json", "--policy-sandbox-profile", "none"],
            ["run", "f.json", "--policy-allowed-env", "a b"],
            ["run", "f.json", "--policy-allowed-env", "who", "--policy-denied-env", "WHO"],
            ["schema", "none"],
            ["registry", "show"],
        ],
        ids=lambda arguments: " ".join(arguments)[-48:],
    )
    def test_wrong_usage(self, command: Command, arguments: list[str]) -> None:
        """Wrong usage is exit code 2, told on stderr, and nothing is done."""
        command.write("f.json", GOOD)
        done = command(*arguments)
        assert (done.code, done.out) == (2, "")
        assert "Usage:" in done.err
        assert [path.name for path in command.folder.iterdir()] == ["f.json"]

    @pytest.mark.parametrize("arguments", [[], ["registry"]], ids=["program", "registry"])
    def test_without_a_command_help_is_shown(self, command: Command, arguments: list[str]) -> None:
        """Somebody who types the name alone sees what there is."""
        done = command(*arguments)
        assert done.code == 2
        assert "Commands:" in done.out + done.err


ALL_COMMANDS = [
    *(["run"], ["validate"], ["recover"], ["new"], ["schema"]),
    *(["approve"], ["approvals"], ["revoke"]),
    *(["registry", "list"], ["registry", "show"], ["channels", "repair"]),
]


@pytest.mark.parametrize("words", ALL_COMMANDS, ids=" ".join)
def test_every_command_has_an_example(command: Command, words: list[str]) -> None:
    """On one line in a terminal of ordinary width, so that it can be copied."""
    text = command(*words, "--help", env={"COLUMNS": "80"}).out
    (line,) = [line for line in text.splitlines() if line.startswith("  Example: ")]
    assert line.startswith(f"  Example: tau-custom-command {' '.join(words)}")


@pytest.mark.parametrize("group", [[], ["registry"], ["channels"]], ids=" ".join)
def test_no_summary_is_cut(command: Command, group: list[str]) -> None:
    """The list of commands says of each, in one whole line, what it does."""
    text = command(*group, "--help", env={"COLUMNS": "80"}).out
    listed = text.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    assert listed
    assert all(line.endswith(".") and "..." not in line for line in listed)


@pytest.mark.parametrize(
    "words",
    [
        ["run", "f.json", "--fresh"],
        ["validate", "f.json"],
        ["recover"],
        ["registry", "list"],
        ["registry", "show", "greet"],
        ["channels", "repair"],
        ["approve", "greet", "--by", "alice"],
        ["approvals"],
    ],
    ids=lambda words: words[0],
)
def test_json_may_be_asked_for_in_two_ways(command: Command, words: list[str]) -> None:
    """`--json` and `--format json` are the same; `--format text` is the default."""
    command.write("f.json", GOOD)
    command("run", "f.json")
    asked = [command(*words, *how).json() for how in (["--json"], ["--format", "json"])]
    assert type(asked[0]) is type(asked[1])
    if isinstance(asked[0], dict):
        assert asked[0].keys() == asked[1].keys()
    with pytest.raises(json.JSONDecodeError):
        command(*words, "--format", "text").json()


def completed(command: Command, *words: str) -> list[str]:
    """Return what a shell is offered at the end of the words."""
    line = ["tau-custom-command", *words]
    asking = {
        "_TAU_CUSTOM_COMMAND_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(line),
        "COMP_CWORD": str(len(line) - 1),
    }
    done = command(env=asking)
    assert done.err == ""
    return done.out.split()


def test_the_shell_completes_names(command: Command) -> None:
    """Registered commands, channels, and of course commands and options."""
    command.write("f.json", fixture_object(case_object("a"), case_object("b", "CREATE", "other")))
    command("run", "f.json", "--state-dir", "s")
    there = ["--state-dir", "s"]
    assert completed(command, "registry", "show", *there, "g") == ["greet"]
    assert completed(command, "channels", "repair", *there, "o") == ["other"]
    assert completed(command, "vali") == ["validate"]


@pytest.mark.parametrize("broken", ["none", "no state", "not JSON", "a file", "unreadable store"])
def test_completion_never_fails(command: Command, broken: str) -> None:
    """Where there is no state, or none that can be read, nothing is offered."""
    state_dir = command.folder / ".tau/custom-command"
    if broken == "a file":
        state_dir.parent.mkdir()
        state_dir.write_text("")
    elif broken != "none":
        state_dir.mkdir(parents=True)
        (state_dir / "state.json").write_text("{" if broken == "not JSON" else "{}")
    if broken == "no state":
        (state_dir / "state.json").unlink()
    if broken == "unreadable store":
        (state_dir / "channel-store/custom-command").mkdir(parents=True)
        (state_dir / "channel-store/custom-command/x\n").mkdir()
    assert completed(command, "registry", "show", "") == []
    assert completed(command, "channels", "repair", "") == []


PREFIX = "TAU_CUSTOM_COMMAND_"
VARIABLES: list[tuple[str, str, Callable[[Json], bool]]] = [
    (PREFIX + "FIXTURE", "f.json", lambda event: event["fixture_name"] == "demo"),
    (PREFIX + "STATE_DIR", "elsewhere", lambda event: event["discovered_cases"] == 4),
    (PREFIX + "RUN_MODE", "record", lambda event: event["run_mode"] == "record"),
    (PREFIX + "QUEUE_LIMIT", "1", lambda event: event["backlog_cases"] == 3),
    (PREFIX + "RETRY_MAX_ATTEMPTS", "2", lambda event: event["retry_attempts"] == 1),
    (PREFIX + "RETRY_BASE_DELAY_MS", "20", lambda event: event["cycle_duration_ms"] >= 140),
    (PREFIX + "CASE_SUFFIX", "@1", lambda event: event["applied_cases"] == 2),
    (PREFIX + "NOW_UNIX_MS", "7", lambda event: event["timestamp_unix_ms"] == 7),
    (PREFIX + "FRESH", "1", lambda event: event["applied_cases"] == 2),
    (PREFIX + "WAIT", "500ms", lambda event: event["discovered_cases"] == 4),
    (PREFIX + "PROCESSED_CASE_CAP", "1", lambda event: event["discovered_cases"] == 4),
    (PREFIX + "POLICY_REQUIRE_APPROVAL", "false", lambda event: event["applied_cases"] == 2),
    (PREFIX + "POLICY_ALLOW_SHELL", "true", lambda event: event["applied_cases"] == 3),
    (PREFIX + "POLICY_ALLOW_NETWORK", "true", lambda event: event["applied_cases"] == 2),
    (PREFIX + "POLICY_ALLOW_DASH_ARGUMENTS", "true", lambda event: event["applied_cases"] == 2),
    (PREFIX + "POLICY_ALLOW_LARGE_MEMORY", "true", lambda event: event["applied_cases"] == 2),
    (PREFIX + "POLICY_SANDBOX_PROFILE", "unrestricted", lambda event: event["applied_cases"] == 2),
    (PREFIX + "POLICY_ALLOWED_ENV", "other names", lambda event: event["applied_cases"] == 0),
    (PREFIX + "POLICY_DENIED_ENV", "who other", lambda event: event["applied_cases"] == 0),
]
"""Each option of `run` by its variable, a value, and what that does to a cycle of `OF_ALL`."""

OF_ALL = fixture_object(
    case_object("a"),
    case_object("b", "RUN"),
    case_object("c", template="a; b"),
    case_object("d", simulate_retryable_failure=True, expected=retryable()),
)


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("variable", "value", "has_effect"), VARIABLES, ids=[name for name, _, _ in VARIABLES]
)
def test_each_option_has_a_variable(
    command: Command, variable: str, value: str, has_effect: Callable[[Json], bool]
) -> None:
    """An option's environment variable does what the option does; the option wins over it."""
    command.write("f.json", OF_ALL)
    fixture = [] if variable.endswith("_FIXTURE") else ["f.json"]
    done = command("run", *fixture, "--json", env={variable: value})
    assert has_effect(done.json()), done.out
    state_dir = "elsewhere" if variable.endswith("STATE_DIR") else ".tau/custom-command"
    assert (command.folder / state_dir / "state.json").is_file()


def test_no_option_of_run_is_without_a_variable() -> None:
    """But those for the form of the answer, as the package's README says."""
    hints = get_type_hints(run, include_extras=True)
    variables = {
        name: hint.__metadata__[0].envvar
        for name, hint in hints.items()
        if name not in {"return", "ctx"}
    }
    without = {name for name, variable in variables.items() if variable is None}
    assert without == {"output_format", "as_json"}
    assert {name: PREFIX + name.upper() for name in variables.keys() - without} == {
        name: variable for name, variable in variables.items() if name not in without
    }


@pytest.mark.parametrize(
    ("variable", "value"),
    [(PREFIX + "QUEUE_LIMIT", "none"), (PREFIX + "WAIT", "5"), (PREFIX + "RUN_MODE", "x")],
)
def test_a_wrong_variable_is_wrong_usage(command: Command, variable: str, value: str) -> None:
    """A variable is judged as its option is."""
    command.write("f.json", GOOD)
    assert command("run", "f.json", env={variable: value}).code == 2


def test_an_option_wins_over_its_variable(command: Command) -> None:
    """What is typed counts more than what is set."""
    command.write("f.json", GOOD)
    done = command("run", "f.json", "--queue-limit", "2", env={PREFIX + "QUEUE_LIMIT": "1"})
    assert "left over" not in done.out


def test_the_time_can_be_told(command: Command) -> None:
    """With --now-unix-ms the files hold that time, and two runs the same bytes but for ids."""
    command.write("f.json", GOOD)
    command("run", "f.json", "--now-unix-ms", str(START_UNIX_MS))
    files = state_of(command)
    assert files.events()[0]["timestamp_unix_ms"] == START_UNIX_MS
    assert files.state()["commands"][0]["updated_unix_ms"] == START_UNIX_MS
    assert {e["timestamp_unix_ms"] for e in files.entries("greet")} == {START_UNIX_MS}


def nested(depth: int) -> bytes:
    """Return a fixture whose argument is that deep."""
    text = json.dumps(fixture_object(case_object("a", arguments={"who": "HERE"})))
    return text.replace('"HERE"', "[" * depth + "1" + "]" * depth).encode()


def fixture_of(content: bytes) -> Prepare:
    """Return what writes `f.json` with this content."""
    return lambda folder: (folder / "f.json").write_bytes(content)


def state_file_of(content: bytes) -> Prepare:
    """Return what writes a sound `f.json` and a `state.json` with this content."""

    def prepare(folder: Path) -> None:
        (folder / "f.json").write_text(json.dumps(GOOD))
        (folder / "s").mkdir()
        (folder / "s/state.json").write_bytes(content)

    return prepare


def in_the_way(*paths: str, of: str = "folder") -> Prepare:
    """Return what writes a sound `f.json` and puts something else where files should be."""

    def prepare(folder: Path) -> None:
        (folder / "f.json").write_text(json.dumps(GOOD))
        for path in paths:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            if of == "folder":
                (folder / path).mkdir()
            elif of == "file":
                (folder / path).write_bytes(b"x")
            else:
                (folder / path).symlink_to(folder / path)

    return prepare


HOSTILE_INPUTS: list[tuple[str, Prepare, list[str | bytes]]] = [
    ("fixture is a folder", lambda folder: (folder / "f.json").mkdir(), []),
    ("fixture is a loop of links", lambda folder: (folder / "f.json").symlink_to("f.json"), []),
    ("fixture is empty", fixture_of(b""), []),
    ("fixture is binary", fixture_of(bytes(range(256))), []),
    ("fixture is UTF-16", fixture_of(json.dumps(GOOD).encode("utf-16")), []),
    ("fixture begins with a byte order mark", fixture_of(b"\xef\xbb\xbf{}"), []),
    ("fixture is null", fixture_of(b"null"), []),
    ("fixture is a number", fixture_of(b"1"), []),
    ("fixture has no key", fixture_of(b"{}"), []),
    ("fixture has NaN", fixture_of(b'{"schema_version":NaN}'), []),
    ("fixture has a key twice", fixture_of(b'{"name":"a","name":"b"}'), []),
    ("fixture has a huge number", fixture_of(b'{"schema_version":' + b"9" * 9_999 + b"}"), []),
    ("fixture has half a character", fixture_of(b'{"name":"\\ud800"}'), []),
    ("fixture is nested 100000 deep", fixture_of(b"[" * 100_000), []),
    ("fixture is nested 900 deep", fixture_of(nested(900)), []),
    ("fixture is nested 300 deep", fixture_of(nested(300)), []),
    ("cases are no array", fixture_of(b'{"schema_version":1,"name":"x","cases":{"a":1}}'), []),
    ("a case is no object", fixture_of(b'{"schema_version":1,"name":"x","cases":[1]}'), []),
    ("state directory is a file", in_the_way("s", of="file"), []),
    ("state directory below a file", in_the_way("x", of="file"), ["--state-dir", "x/s"]),
    ("state directory is a loop", in_the_way("s", of="link"), []),
    ("state directory name is too long", fixture_of(b"{}"), ["--state-dir", "x" * 5_000]),
    ("state is a folder", in_the_way("s/state.json"), []),
    ("state is a loop", in_the_way("s/state.json", of="link"), []),
    ("new state is a folder", in_the_way("s/state.json.new"), []),
    ("lock is a folder", in_the_way("s/.lock"), []),
    ("event log is a folder", in_the_way("s/runtime-events.jsonl"), []),
    ("event log is a loop", in_the_way("s/runtime-events.jsonl", of="link"), []),
    ("channel store is a file", in_the_way("s/channel-store", of="file"), []),
    (
        "channel log is a folder",
        in_the_way("s/channel-store/custom-command/greet/log.jsonl"),
        [],
    ),
    ("state is empty", state_file_of(b""), []),
    ("state is binary", state_file_of(bytes(range(256))), []),
    ("state is of tomorrow", state_file_of(b'{"schema_version":2}'), []),
    ("state has no key", state_file_of(b"{}"), []),
    ("state is deep", state_file_of(b"[" * 100_000), []),
    ("suffix is no text", in_the_way(), ["--case-suffix", b"\xff"]),
    ("fixture name is no text", in_the_way(), ["--state-dir", b"\xff"]),
]


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("prepare", "options"),
    [(prepare, options) for _, prepare, options in HOSTILE_INPUTS],
    ids=[name for name, _, _ in HOSTILE_INPUTS],
)
def test_bad_input_is_told_and_changes_no_state(
    command: Command, prepare: Prepare, options: list[str | bytes]
) -> None:
    """Never a traceback: a message that names the file, the exit code 5 (or 2), no state."""
    prepare(command.folder)
    done = command("run", "f.json", "--state-dir", "s", *options)
    if options[-1:] == [b"\xff"] and done.code == 0:
        return  # a name that is no text may work as well as be refused
    assert (done.code, done.out) in {(5, ""), (2, "")}
    assert done.err.startswith(("error: ", "Usage: "))
    assert max(map(len, done.err.splitlines())) < 2_000 + len(str(options))
    state = command.folder / "s" / "state.json"
    assert not state.is_file() or prepare_again(prepare, state.read_bytes())


def prepare_again(prepare: Prepare, content: bytes) -> bool:
    """Tell whether `state.json` is still what `prepare` made it."""
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        return (Path(folder) / "s" / "state.json").read_bytes() == content


@pytest.mark.unmeasured
@pytest.mark.parametrize("depth", range(249, 257))
def test_depth_is_refused_or_works(command: Command, depth: int) -> None:
    """There is no depth of nesting that loads but then cannot be written."""
    text = json.dumps(
        fixture_object(
            case_object("a"),
            case_object("b", "RUN", arguments={"who": "HERE"}, expected=success("CREATE")),
        )
    ).replace('"HERE"', "[" * depth + "1" + "]" * depth)
    (command.folder / "f.json").write_text(text)
    done = command("run", "f.json")
    assert done.code in {3, 5}


@pytest.mark.parametrize(
    "option",
    [["--retry-base-delay-ms", "9" * 30], ["--now-unix-ms", "9" * 30], ["--queue-limit", "9" * 30]],
    ids=lambda option: option[0],
)
def test_huge_numbers(command: Command, option: list[str]) -> None:
    """A number beyond what the machine counts is refused as usage, or works."""
    command.write("f.json", fixture_object(case_object("a"), *UNAVAILABLE_TWICE))
    assert command("run", "f.json", *option, "--queue-limit", "1").code in {0, 2}
    if option[0] == "--retry-base-delay-ms":
        assert command("run", "f.json", *option).code == 2


UNAVAILABLE_TWICE = [
    case_object(case_id, simulate_retryable_failure=True, expected=retryable()) for case_id in "xy"
]


def test_a_wait_of_no_duration(command: Command) -> None:
    """What is no duration is wrong usage, not a wait for ever."""
    command.write("f.json", GOOD)
    with busy(command) as first:
        waiting = command.start("run", "f.json", "--wait", "nan")
        try:
            code = waiting.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            waiting.kill()
            waiting.communicate()
        assert first.poll() is None
        assert code == 2


AS_NOBODY = """
import os, sys
from tau_custom_command.cli.main import main
import tau_custom_command.cli.app, tau_custom_command.cli.commands.run, encodings.idna, json
is_root = os.geteuid() == 0
if is_root:
    os.seteuid(65534)
try:
    main()
finally:
    if is_root:
        os.seteuid(0)
"""


@pytest.mark.parametrize(
    ("path", "mode"),
    [("f.json", 0o000), (".", 0o555), ("s", 0o555), ("s/state.json", 0o000)],
    ids=["fixture unreadable", "no state directory", "read-only directory", "state unreadable"],
)
def test_missing_permissions(path: str, mode: int) -> None:
    """What the user may not read or write is said, with exit code 5, and the state is as before."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "f.json").write_text(json.dumps(GOOD))
        if path != ".":
            Command(folder)("run", "f.json", "--state-dir", "s")
        owner = 65534 if os.geteuid() == 0 else os.geteuid()
        for each in (folder, *folder.rglob("*")):
            os.chown(each, owner, -1)
        (folder / path).chmod(mode)
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, "run", "f.json", "--state-dir", "s"],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        (folder / path).chmod(0o700)
        assert (done.returncode, done.stdout) == (5, ""), done.stderr
        assert "Permission denied" in done.stderr
        assert "Traceback" not in done.stderr
        if path != ".":
            assert StateFiles(folder / "s").state()["last_cycle"]["cycle_number"] == 1


class TestAFullDisk:
    """No room: exit 5, and the earlier state stands."""

    @pytest.mark.parametrize("limit", [200, 2_000, 6_000])
    def test_the_earlier_state_is_intact(self, command: Command, limit: int) -> None:
        """Wherever the room ends, nothing is half written, and later the cycle works."""
        command.write("f.json", GOOD)
        command("run", "f.json", "--state-dir", "s")
        many = [case_object(f"{number:03}", "UPDATE") for number in range(60)]
        command.write("g.json", fixture_object(*many))
        before = (command.folder / "s/state.json").read_bytes()
        done = subprocess.run(
            [sys.executable, "-c", WITH_LITTLE_ROOM, str(limit)],
            cwd=command.folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 5, done.stderr
        assert "cannot write: File too large" in done.stderr
        assert "Traceback" not in done.stderr
        assert (command.folder / "s/state.json").read_bytes() == before
        for path in (command.folder / "s").rglob("*.jsonl"):
            assert path.read_bytes().endswith(b"\n")
        after = command("run", "g.json", "--state-dir", "s")
        assert (after.code, "60 applied" in after.out) == (0, True)


WITH_LITTLE_ROOM = """
import resource, sys
from tau_custom_command.cli.main import main
limit, sys.argv[1:] = int(sys.argv[1]), ["run", "g.json", "--state-dir", "s"]
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
try:
    main()
finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
"""


@contextmanager
def busy(command: Command) -> Iterator[subprocess.Popen[str]]:
    """Have a run that holds the lock of the default state directory until it is killed."""
    command.write("busy.json", UNAVAILABLE)
    process = command.start("run", "busy.json", "--retry-base-delay-ms", "60000")
    lock = command.folder / ".tau/custom-command/.lock"
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (lock.exists() and lock.read_text() == f"{process.pid}\n"):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.communicate()


class TestTwoRunners:
    """One state directory, two runners."""

    def test_the_second_says_who_holds_the_lock(self, command: Command) -> None:
        """It answers 5 at once, with the first one's process id and --wait."""
        command.write("f.json", GOOD)
        with busy(command) as first:
            done = command("run", "f.json")
            assert (done.code, done.out) == (5, "")
            assert f"locked by the process {first.pid}" in done.err
            assert "--wait 30s" in done.err

    def test_the_second_waits_and_runs(self, command: Command) -> None:
        """With --wait it runs as soon as the first is gone, also where that was killed."""
        command.write("f.json", GOOD)
        with busy(command) as first:
            second = command.start("run", "f.json", "--wait", f"{PATIENCE_SECONDS:.0f}s")
            with pytest.raises(subprocess.TimeoutExpired):
                second.wait(0.6)
            first.send_signal(signal.SIGKILL)
            out, err = second.communicate(timeout=PATIENCE_SECONDS)
        assert (second.returncode, err) == (0, "")
        assert "2 applied" in out
        assert len(state_of(command).events()) == 1

    def test_looking_needs_no_lock(self, command: Command) -> None:
        """`registry list` answers while a run is busy."""
        command.write("f.json", GOOD)
        command("run", "f.json")
        with busy(command):
            assert command("registry", "list").code == 0


def test_an_interruption_is_130(command: Command) -> None:
    """Ctrl-C ends a run without a traceback, with 130, and leaves no state behind."""
    with busy(command) as running:
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=PATIENCE_SECONDS)
        assert (running.returncode, out, err) == (130, "", "interrupted\n")
    assert not (state_of(command).root / "state.json").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["schema", "state"],
        ["run", "f.json"],
        ["run", "f.json", "--json"],
        ["validate", "f.json"],
        ["validate", "f.json", "--json"],
        ["new", "-"],
        ["--help"],
    ],
    ids=" ".join,
)
def test_a_reader_that_goes_away(command: Command, arguments: list[str]) -> None:
    """With `| head` there is no traceback and no complaint of the interpreter's."""
    command.write("f.json", GOOD)
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [COMMAND, *arguments],
        cwd=command.folder,
        env=environment(),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    os.close(writing)
    assert done.stderr == ""
    if arguments != ["--help"]:
        assert done.returncode == 141


def shown_in_a_terminal(command: Command, *arguments: str) -> str:
    """Run the command with stdout and stderr in a terminal, and return what that is sent."""
    shown, terminal = pty.openpty()
    with ThreadPoolExecutor() as reader:
        output = reader.submit(all_of, shown)
        forking.run(
            COMMAND,
            *arguments,
            cwd=command.folder,
            env=environment({"TERM": "xterm"}),
            timeout=PATIENCE_SECONDS,
            output=os.ttyname(terminal),
        )
        os.close(terminal)
    return output.result().decode()


def all_of(terminal: int) -> bytes:
    """Read what is shown on a terminal until it is closed, and close this side of it."""
    shown = b""
    # An error is how Linux says that the other side is closed.
    with os.fdopen(terminal, "rb", buffering=0) as ours, suppress(OSError):
        while part := ours.read(65_536):
            shown += part
    return shown


HOSTILE_FIXTURES = {
    "id that drifts": fixture_object(case_object(HOSTILE, expected=success(status_code=299))),
    "id that is refused": fixture_object(case_object(HOSTILE, expected=success(status_code=0))),
    "id twice": fixture_object(case_object(HOSTILE), case_object(HOSTILE + " ")),
    "ids out of order": fixture_object(
        case_object(HOSTILE + "step-2"), case_object(HOSTILE + "step-10")
    ),
    "name": fixture_object(case_object("a", "CREATE", HOSTILE)),
    "operation": fixture_object(
        case_object("a", HOSTILE, expected=malformed(400, "custom_command_invalid_name"))
    ),
    "operation that is refused": fixture_object(case_object("a", HOSTILE)),
    "template": fixture_object(case_object("a", template=HOSTILE)),
    "argument": fixture_object(case_object("a", arguments={HOSTILE: 1})),
    "placeholder": fixture_object(case_object("a", template="echo {{" + HOSTILE + "}}")),
    "key of the fixture": fixture_object() | {HOSTILE: 1},
    "key of a case": fixture_object(case_object("a") | {HOSTILE: 1}),
    "key of a policy": fixture_object(case_object("a", execution_policy={HOSTILE: 1})),
    "denied name": fixture_object(case_object("a", execution_policy={"denied_env": [HOSTILE]})),
    "error code": fixture_object(case_object("a", expected=malformed(400, HOSTILE))),
    "version": fixture_object(schema_version=HOSTILE),
    "name of the fixture": fixture_object(case_object("a"), name=HOSTILE),
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("arguments", [["validate"], ["run"]], ids=" ".join)
@pytest.mark.parametrize("what", HOSTILE_FIXTURES)
def test_hostile_text_never_reaches_the_terminal(
    command: Command, what: str, arguments: list[str]
) -> None:
    """Whatever text a fixture holds, the terminal is sent printable characters and line ends."""
    command.write("f.json", HOSTILE_FIXTURES[what])
    shown = shown_in_a_terminal(command, *arguments, "f.json")
    assert shown
    assert "Traceback" not in shown
    for line in shown.replace("\r\n", "\n").splitlines():
        assert line.isprintable(), line


def test_a_hostile_template_in_the_registry(command: Command) -> None:
    """`registry list` and `show` escape what a template holds."""
    policy = {"allow_shell": True}
    case = case_object("a", template=f"echo {HOSTILE}", execution_policy=policy)
    command.write("f.json", fixture_object(case))
    assert command("run", "f.json").code == 0
    for arguments in (["list"], ["show", "greet"]):
        shown = shown_in_a_terminal(command, "registry", *arguments)
        assert "\\x1b[31m\\u202e" in shown
        assert all(line.isprintable() for line in shown.replace("\r\n", "\n").splitlines())


def test_a_slow_cycle_shows_a_bar(command: Command) -> None:
    """At a terminal, a cycle longer than a second has a progress bar."""
    cases = [case_object(i, simulate_retryable_failure=True, expected=retryable()) for i in "abc"]
    command.write("f.json", fixture_object(*cases))
    slow = ["--retry-base-delay-ms", "600", "--retry-max-attempts", "2"]
    shown = shown_in_a_terminal(command, "run", "f.json", *slow)
    assert re.search(r"cases +\[[#-]+\]", shown)


def test_a_quick_cycle_shows_none(command: Command) -> None:
    """At a terminal, a quick cycle shows its summary alone."""
    command.write("f.json", GOOD)
    shown = shown_in_a_terminal(command, "run", "f.json")
    assert "[#" not in shown
    assert shown.count("\r\n") == 3


def test_importing_the_module_starts_nothing() -> None:
    """`python -m tau_custom_command` starts the program; importing it for its names does not."""
    module = importlib.import_module("tau_custom_command.__main__")
    assert module.main is main.main


@pytest.mark.parametrize("arguments", [["run", "f.json"], ["schema", "state"]], ids=" ".join)
def test_an_answer_that_cannot_be_written(command: Command, arguments: list[str]) -> None:
    """A full disk behind stdout is no bug of ours: it is said, and nothing can be answered."""
    command.write("f.json", GOOD)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [COMMAND, *arguments],
            cwd=command.folder,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 5
    assert "error: the answer cannot be written: No space left on device" in done.stderr


@pytest.mark.parametrize(
    ("made", "linked", "state_dir"),
    [("real", "link", "link"), ("releases/3", "current", "current/state/new")],
    ids=["itself", "above it"],
)
@pytest.mark.parametrize("options", [[], ["--no-fsync"]], ids=["fsync", "no fsync"])
def test_a_state_directory_by_way_of_a_link(
    command: Command, made: str, linked: str, state_dir: str, options: list[str]
) -> None:
    """Links that the operator names are followed, from the first run on, and stay links."""
    (command.folder / made).mkdir(parents=True)
    (command.folder / linked).symlink_to(made)
    command.write("f.json", GOOD)
    words = ["f.json", "--state-dir", state_dir, *options]
    assert [command("run", *words).code for _ in range(2)] == [0, 0]
    assert (command.folder / linked).is_symlink()
    below = state_dir.removeprefix(linked).strip("/")
    assert len(StateFiles(command.folder / made / below).events()) == 2
    for repairing in (["recover"], ["channels", "repair"]):
        done = command(*repairing, "--yes", "--state-dir", state_dir)
        assert done.code == 0, done.err


def with_closed(command: Command, closed: str, *words: str | Path) -> Finished:
    """Run a program in the command's folder with some of its streams closed from the start."""
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *words],
        cwd=command.folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    return Finished(code=done.returncode, out=done.stdout, err=done.stderr)


CLOSED = ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"]


@pytest.mark.unmeasured
@pytest.mark.parametrize("closed", CLOSED)
@pytest.mark.parametrize(
    ("fixture", "code"), [(GOOD, 0), (DRIFTING, 3)], ids=["as expected", "drift"]
)
def test_a_run_with_closed_streams(command: Command, closed: str, fixture: Json, code: int) -> None:
    """The cycle is written and answered by its exit code, and what is still open says the same."""
    command.write("f.json", fixture)
    done = with_closed(command, closed, COMMAND, "run", "f.json")
    assert done.code == code
    assert state_of(command).state()["last_cycle"]["cycle_number"] == 1
    assert ("cycle 1 in" in done.out) == (">&-" not in closed.split())
    assert "Traceback" not in done.err


@pytest.mark.unmeasured
@pytest.mark.parametrize("closed", CLOSED)
def test_a_refusal_with_closed_streams(command: Command, closed: str) -> None:
    """What is wrong is the exit code's to say where nothing can be; it never goes to stdout."""
    assert with_closed(command, closed, COMMAND, "run", "none.json").code == 5
    wrong = with_closed(command, closed, COMMAND, "no-such-command")
    assert (wrong.code, wrong.out) == (2, "")


def test_an_interruption_with_stderr_closed(command: Command) -> None:
    """It is 130 also where that cannot be said, while the program starts, too."""
    script = """
import sys
from tau_custom_command.cli.main import main
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "tau_custom_command.cli.app":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
main()
"""
    assert with_closed(command, "2>&-", sys.executable, "-c", script).code == 130


def test_no_file_takes_the_number_of_a_closed_stream(command: Command) -> None:
    """All three lead nowhere, so that nothing meant for people ends up in a file of ours."""
    script = """
import os, sys
from tau_custom_command.cli.main import main
sys.argv = ["tau-custom-command", "--version"]
try:
    main()
except SystemExit:
    nowhere = os.stat(os.devnull)
    sys.exit(0 if all(os.path.samestat(os.fstat(n), nowhere) for n in range(3)) else 9)
"""
    assert with_closed(command, CLOSED[-1], sys.executable, "-c", script).code == 0
