"""The command line as users meet it: real processes, their output, exit codes, environment."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tau_transport_health import __version__
from tau_transport_health.health.assessment import CLOCK_PINNED
from tests.transport_health.running import COMMAND, Inspector, environment, unprintable
from tests.transport_health.state_files import (
    NOW_UNIX_MS,
    StateDirectory,
    chain,
    event,
    failed,
    line_of,
    minimal_event,
    minimal_state,
    record,
    state_of,
)

HOSTILE = "\x1b[2J\x1b]0;title\x07<script>alert(1)</script>\u202e\u200b\x00\x9b31m\r\n|`$(id)[/]"
HUGE = "A" * 10_000_000
COMMANDS = ("inspect", "status", "check", "export")

ROW_KEYS = [
    "transport",
    "target",
    "state_path",
    "health",
    "health_state",
    "health_reason",
    "recommendation",
    "age_ms",
]


class TestAnswers:
    """What is printed and exited with."""

    def test_inspect_gives_rows(self, inspector: Inspector) -> None:
        """A list of one row, with the documented keys and the snapshot whole."""
        directory = inspector.directory()
        directory.good(backlog_cases=0)
        done = inspector("inspect", "custom-command", "--json", now_unix_ms=NOW_UNIX_MS + 5)
        (row,) = done.json()
        assert [key for key in row if key in ROW_KEYS] == ROW_KEYS
        assert (done.code, done.err, row["age_ms"]) == (0, "", 5)
        assert row["health"] == json.loads(directory.state.read_bytes())["health"]
        assert (row["transport"], row["target"]) == ("custom-command", "no-code-command-registry")
        assert row["state_path"] == ".tau/custom-command/state.json"
        assert row["recommendation"] == "nothing to do"

    def test_all_is_the_worst_of_all(self, inspector: Inspector) -> None:
        """Every target that exists, in the listed order: 0 before 3 before 5."""
        inspector.directory("voice").write(minimal_state(), [line_of(minimal_event())])
        done = inspector("inspect", "--all", "--json")
        assert (done.code, [row["transport"] for row in done.json()]) == (0, ["voice"])
        inspector.directory("memory").write(minimal_state(failure_streak=3), None)
        assert inspector("inspect", "--all").code == 3
        inspector.directory("custom-command").good()
        assert inspector("inspect", "--all").code == 3
        inspector.directory("gateway").root.mkdir()
        done = inspector("inspect", "--all")
        assert done.code == 5
        heads = [line.split(" ")[0] for line in done.out.splitlines() if line[:1].strip()]
        assert heads == ["custom-command", "voice", "memory", "gateway"]

    def test_all_of_nothing_cannot_be_answered(self, inspector: Inspector) -> None:
        """No target anywhere: exit 5, and where it was looked for."""
        for command in ("inspect", "export"):
            done = inspector(command, "--all", "--root", "elsewhere")
            assert (done.code, done.out) == (5, "")
            assert done.err.startswith("error: elsewhere: no target has a state directory")

    @pytest.mark.parametrize("command", ["inspect", "status", "check"])
    def test_every_option_has_its_variable(self, command: str, inspector: Inspector) -> None:
        """By option or by environment the same; the option wins."""
        directory = StateDirectory(inspector.folder / "deep/custom-command")
        directory.good()
        prefix = "TAU_TRANSPORT_HEALTH_"
        for option, name, value in (
            ("--root", "ROOT", "deep"),
            ("--state-dir", "STATE_DIR", "deep/custom-command"),
        ):
            by_option = inspector(command, "custom-command", option, value)
            by_variable = inspector(command, "custom-command", env={prefix + name: value})
            assert by_option == by_variable
            assert by_option.code == 0
            both = inspector(command, "custom-command", option, value, env={prefix + name: "no"})
            assert both == by_option
        root = {prefix + "ROOT": "deep"}
        late = {prefix + "NOW_UNIX_MS": str(NOW_UNIX_MS + 2000)}
        assert inspector(command, "custom-command", env=root | late).code == 0
        aged = root | late | {prefix + "MAX_AGE": "1s"}
        assert inspector(command, "custom-command", env=aged).code == (
            2 if command == "check" else 3
        )
        assert inspector(command, "custom-command", "--max-age=none", env=aged).code == 0

    @pytest.mark.parametrize(
        ("text", "limit_ms"),
        [("500ms", 500), ("2s", 2000), ("1m", 60_000), ("1h", 3_600_000)],
    )
    def test_a_duration_has_a_unit(self, text: str, limit_ms: int, inspector: Inspector) -> None:
        """Each unit to the millisecond."""
        inspector.directory().good()
        for late_ms, code in ((limit_ms, 0), (limit_ms + 1, 3)):
            done = inspector(
                "inspect", "custom-command", "--max-age", text, now_unix_ms=NOW_UNIX_MS + late_ms
            )
            assert done.code == code

    def test_the_clock_is_the_machines(self, inspector: Inspector) -> None:
        """Without a time given, files of long ago are stale, and files of now are not."""
        directory = inspector.directory()
        directory.good()
        assert inspector("inspect", "custom-command", now_unix_ms=None).code == 3
        directory.good(timestamp_unix_ms=time.time_ns() // 1_000_000)
        assert inspector("inspect", "custom-command", now_unix_ms=None).code == 0

    def test_none_warns(self, inspector: Inspector) -> None:
        """That any age will do is said wherever there are words."""
        inspector.directory().good()
        for command in ("inspect", "status", "check", "diagnose"):
            done = inspector(command, "custom-command", "--max-age", "none")
            assert done.code == 0
            assert "dead runtime" in done.out

    def test_a_pinned_clock_is_told_in_every_answer(self, inspector: Inspector) -> None:
        """By option or by environment: text, JSON, the line for monitoring and the page."""
        inspector.directory().good()
        option = ["--now-unix-ms", str(NOW_UNIX_MS)]
        for command in ("inspect", "status", "check", "diagnose"):
            for form in ([], ["--json"])[: 1 if command == "check" else 2]:
                words = [command, "custom-command", *form]
                assert CLOCK_PINNED in " ".join(inspector(*words).out.split())
                pinned = inspector(*words, *option, now_unix_ms=None)
                assert CLOCK_PINNED in " ".join(pinned.out.split())
                assert "is pinned" not in inspector(*words, now_unix_ms=None).out
        inspector("report", "custom-command", "--output", "page.html")
        assert CLOCK_PINNED in (inspector.folder / "page.html").read_text()
        for now_unix_ms, value in ((NOW_UNIX_MS, 1), (None, 0)):
            out = inspector("export", "custom-command", now_unix_ms=now_unix_ms).out
            assert re.search(f"\ntau_transport_clock_pinned{{.*}} {value}\n", out)

    @pytest.mark.parametrize(
        ("options", "code", "word", "perfdata"),
        [
            ([], 0, "OK", "queue_depth=4"),
            (["--warn-queue-depth", "4"], 0, "OK", "queue_depth=4;4"),
            (["--warn-queue-depth", "3"], 1, "WARNING", "queue_depth=4;3"),
            (["--crit-queue-depth", "3"], 2, "CRITICAL", "queue_depth=4;;3"),
            (
                ["--warn-queue-depth", "1", "--crit-queue-depth", "4"],
                1,
                "WARNING",
                "queue_depth=4;1;4",
            ),
            (["--warn-queue-depth", "0", "--max-age", "1s"], 2, "CRITICAL", "queue_depth=4;0"),
        ],
    )
    def test_check_may_warn_of_a_backlog(
        self, options: list[str], code: int, word: str, perfdata: str, inspector: Inspector
    ) -> None:
        """Above the limits, which stand in the figures; a worse judgement stays what it is."""
        inspector.directory().good(3, backlog_cases=4)
        done = inspector("check", "custom-command", *options, now_unix_ms=NOW_UNIX_MS + 2000)
        assert (done.code, done.out.split()[0]) == (code, word)
        assert perfdata in done.out.partition(" | ")[2].split()
        said = "4 cases were left over by the queue limit" in done.out
        assert said == (bool(options) and word != "OK" and "--max-age" not in options)

    def test_inspect_names_a_backlog(self, inspector: Inspector) -> None:
        """The gate passes, and yet there is something to do."""
        inspector.directory().good(3, backlog_cases=4)
        done = inspector("inspect", "custom-command")
        assert (done.code, "4 left over" in done.out) == (0, True)
        assert "--queue-limit 5`" in done.out
        assert "--warn-queue-depth 0`" in done.out

    def test_export_writes_a_file_at_once(self, inspector: Inspector) -> None:
        """Printed or in a file the same; 0 whatever the health; what cannot be written is said."""
        inspector.directory().good(2, **failed(streak=3))
        printed = inspector("export", "custom-command")
        written = inspector("export", "custom-command", "--output", "deep/m.prom")
        assert (printed.code, written.code, written.out) == (0, 0, "")
        assert written.err == "wrote deep/m.prom\n"
        assert (inspector.folder / "deep/m.prom").read_text() == printed.out
        assert [path.name for path in (inspector.folder / "deep").iterdir()] == ["m.prom"]
        refused = inspector("export", "custom-command", "--output", "deep")
        assert (refused.code, refused.out) == (5, "")
        assert refused.err.startswith("error: deep: cannot be written: ")
        assert [path.name for path in inspector.folder.iterdir() if path.is_file()] == []

    @pytest.mark.parametrize("linked", [False, True])
    def test_what_is_no_regular_file_is_written_to(
        self,
        linked: bool,  # noqa: FBT001 - a parameter of the test
        inspector: Inspector,
    ) -> None:
        """A pipe stays one, also where a link leads to it: nothing is put in its place."""
        inspector.directory().good()
        pipe = name = inspector.folder / "pipe"
        os.mkfifo(pipe)
        if linked:
            name = inspector.folder / "link"
            name.symlink_to(pipe)
        for command in ("export", "report"):
            reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
            done = inspector(command, "custom-command", "--output", name.name)
            content = os.read(reader, 1_000_000)
            os.close(reader)
            assert (done.code, done.err) == (0, f"wrote {name.name}\n")
            assert content[:15] in {b"# TYPE tau_tran", b"<!DOCTYPE html>"}
        assert (pipe.is_fifo(), name.is_symlink()) == (True, linked)
        assert {path.name for path in inspector.folder.iterdir()} <= {".tau", "pipe", "link"}

    def test_the_module_is_the_command(self) -> None:
        """`python -m` says the same, and the version is the package's."""
        done = subprocess.run(
            [sys.executable, "-m", "tau_transport_health", "--version"],
            check=True,
            capture_output=True,
            text=True,
        )
        assert done.stdout.splitlines()[0] == f"tau-transport-health {__version__}"


class TestWrongUsage:
    """What is asked wrongly."""

    @pytest.mark.parametrize("command", ["inspect", "watch", "export"])
    def test_without_a_target_those_that_there_are_are_named(
        self, inspector: Inspector, command: str
    ) -> None:
        """The built-in ones, and those of the targets file."""
        assert inspector("targets", "add", "billing", "--state-dir", "b").code == 0
        done = inspector(command)
        assert done.code == 2
        known = "custom-command, voice, dashboard, memory, browser-automation, gateway, "
        assert done.err == (
            f"error: name one target, or say --all; known are {known}"
            "deployment, multi-agent, multi-channel, billing\n"
        )

    @pytest.mark.unmeasured
    @pytest.mark.parametrize(
        "arguments",
        [
            ["inspect"],
            ["inspect", "nope"],
            ["inspect", "voice", "--all"],
            ["inspect", "--all", "--state-dir", "x"],
            ["inspect", "voice", "--max-age", "soon"],
            ["inspect", "voice", "--max-age", "90"],
            ["inspect", "voice", "--format", "xml"],
            ["watch", "voice", "--interval", "2"],
            ["inspect", "voice", "--now-unix-ms", "-1"],
            ["inspect", "voice", "--bogus"],
            ["status"],
            ["status", "--all"],
            ["export"],
            ["bogus"],
            ["targets", "add", "voice", "--state-dir", "x"],
            ["targets", "add", "mine"],
        ],
        ids=" ".join,
    )
    def test_it_is_exit_2_and_said_on_stderr(
        self, arguments: list[str], inspector: Inspector
    ) -> None:
        """Nothing on stdout that a program could take for an answer."""
        done = inspector(*arguments)
        assert (done.code, done.out) == (2, "")
        assert done.err

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ([], "TARGET"),
            (["nope"], "'nope' is not a target"),
            (["a", "b"], "unexpected extra argument"),
            (["--bogus"], "--bogus"),
            (["voice", "--max-age", "soon"], "for '--max-age': 'soon' is not a duration"),
            (["voice", "--now-unix-ms", "x"], "--now-unix-ms"),
            (["voice", "--now-unix-ms"], "--now-unix-ms"),
            (["voice", "--targets", "bad.toml"], "not TOML"),
            (["\x1b[31m|"], r"\x1b[31m/"),
        ],
        ids=repr,
    )
    def test_to_check_it_is_unknown(
        self, arguments: list[str], words: str, inspector: Inspector
    ) -> None:
        """One line on stdout that says what is wrong, and exit 3; it is no bug of ours."""
        (inspector.folder / "bad.toml").write_bytes(b"[[[")
        done = inspector("check", *arguments)
        assert (done.code, done.err) == (3, "")
        (line,) = done.out.splitlines()
        assert line.startswith("UNKNOWN - ")
        assert words.lower() in line.lower()
        assert "bug of ours" not in line
        assert line.isprintable()
        assert "|" not in line

    @pytest.mark.parametrize("command", ["check", "export"])
    def test_who_must_run_it_is_said(self, command: str, inspector: Inspector) -> None:
        """A monitoring system runs as another user, which the files keep out."""
        help_text = " ".join(inspector(command, "--help").out.split())
        assert re.search(
            r"Run it as the user that the transports? runs? as, or as root: nobody else may read "
            r"(its|their) files\.",
            help_text,
        )

    def test_help_is_no_error(self, inspector: Inspector) -> None:
        """For every command, `check` included."""
        for command in ("inspect", "status", "check", "export", "watch", "targets"):
            done = inspector(command, "--help")
            assert (done.code, done.err) == (0, "")
            assert "Usage:" in done.out


@pytest.mark.parametrize(
    ("arguments", "never"),
    [
        (["inspect", "custom-command", "--json"], {"pydantic", "rich", "msgspec", "tomlkit"}),
        (["inspect", "custom-command"], {"pydantic", "rich", "msgspec", "tomlkit"}),
        (["check", "custom-command"], {"pydantic", "rich", "msgspec", "tomlkit"}),
        (["status", "custom-command", "--json"], {"pydantic", "rich", "tomlkit", "jinja2"}),
        (["export", "custom-command"], {"pydantic", "rich", "jinja2"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_imports_only_what_it_needs(
    arguments: list[str], never: set[str], inspector: Inspector
) -> None:
    """Start-up counts: the heavy libraries stay out where they are not used."""
    inspector.directory().good()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "tau_transport_health", *arguments],
        cwd=inspector.folder,
        env=environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    imported = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()
    }
    assert "tau_transport_health" in imported
    assert imported & never == set()


class TestHostileFiles:
    """Whatever stands in the files: nothing acts, counts and exit codes are right, no traceback."""

    @pytest.mark.parametrize("command", [*COMMANDS, "status --json", "inspect --json"])
    def test_in_every_string(self, command: str, inspector: Inspector) -> None:
        """Every string of state and event at once: healthy all the same."""
        directory = inspector.directory()
        last = {
            key: HOSTILE
            for key, value in event().items()
            if isinstance(value, str) and key not in {"run_mode", "health_state", "fixture_sha256"}
        }
        lines = chain(3, **last, reason_codes=[HOSTILE])
        strings = {key: HOSTILE for key, value in record().items() if isinstance(value, str)}
        enums = {"operation": "RUN", "last_outcome": "success", "last_error_code": ""}
        state = state_of(
            lines[-1],
            processed_case_keys=[HOSTILE],
            failed_case_keys=[HOSTILE],
            commands=[record(**(strings | enums))],
        )
        directory.write(state, lines)
        name, *options = command.split()
        done = inspector(name, "custom-command", *options)
        assert done.code == 0
        assert unprintable(done.out + done.err) == set()
        if command == "status --json":
            report = done.json()
            assert (report["cycle_reports"], report["invalid_cycle_reports"]) == (3, 0)
            assert report["reason_code_counts"][HOSTILE] == 1
            assert report["command_name_counts"] == {HOSTILE: 1}
        if command == "check":
            assert len(done.out.splitlines()) == 1

    @pytest.mark.parametrize("command", ["inspect", "status", "check"])
    def test_in_a_line_of_10_mb(self, command: str, inspector: Inspector) -> None:
        """A long line is a line; `check` keeps to what a monitoring system takes (8 KiB)."""
        directory = inspector.directory()
        directory.good(3, health_reason=HUGE)
        done = inspector(command, "custom-command")
        assert done.code == 0
        if command == "check":
            assert " | age=0.000s" in done.out
        if command == "status":
            assert "cycles:     3 in " in done.out
            assert "invalid:" not in done.out
        assert len(done.out) < 8192

    @pytest.mark.parametrize("command", COMMANDS)
    def test_in_the_place_of_what_is_required(self, command: str, inspector: Inspector) -> None:
        """A hostile value that makes the state invalid is quoted harmlessly."""
        directory = inspector.directory()
        for key in ("schema_version", "health", "last_cycle", "commands"):
            directory.write(state_of(chain()[-1], **{key: HOSTILE}), chain())
            done = inspector(command, "custom-command")
            assert done.code == {"check": 3, "export": 0}.get(command, 5)
            assert unprintable(done.out + done.err) == set()

    @pytest.mark.parametrize("command", COMMANDS)
    @pytest.mark.parametrize(
        "line",
        [b"\xff\xfe\x00\n", b"\x00" * 1000 + b"\n", b"\x1b[2J\n", b"\n", b"9" * 10_000_000 + b"\n"],
        ids=lambda line: repr(line)[:20],
    )
    def test_in_lines_that_are_none(self, line: bytes, command: str, inspector: Inspector) -> None:
        """Invalid lines before the end are counted and hold nothing."""
        directory = inspector.directory()
        lines = directory.good()
        directory.write(None, [lines[0], line, *lines[1:]])
        done = inspector(command, "custom-command")
        assert done.code == 0
        assert unprintable(done.out + done.err) == set()
        if command == "status":
            assert "invalid:    1 lines of the event log\n" in done.out

    @pytest.mark.unmeasured
    @pytest.mark.parametrize("command", COMMANDS)
    @pytest.mark.parametrize("digits", [16, 30, 400, 4300])
    @pytest.mark.parametrize("key", ["updated_unix_ms", "cycle_duration_ms", "queue_depth"])
    def test_in_numbers(self, key: str, digits: int, command: str, inspector: Inspector) -> None:
        """A number of any size is answered or refused; it never becomes a bug of ours."""
        directory = inspector.directory("voice")
        directory.write(minimal_state(**{key: int("9" * digits)}), [line_of(minimal_event())])
        done = inspector(command, "voice")
        assert done.code in {0, 3, 5}
        assert "bug of ours" not in done.out

    def test_in_sums(self, inspector: Inspector) -> None:
        """Two numbers that can be read may add up to one that cannot be printed."""
        lines = chain()
        commands = [record(name, run_count=int("9" * 4300)) for name in ("a", "b")]
        inspector.directory().write(state_of(lines[-1], commands=commands), lines)
        assert inspector("status", "custom-command", "--json").code in {0, 5}

    @pytest.mark.parametrize("command", COMMANDS)
    def test_in_the_name_of_the_directory(self, command: str, inspector: Inspector) -> None:
        """A folder's name may hold anything but a NUL, bytes that are no text included."""
        name = b"\x1b[2J\xff|\n\xe2\x80\xae"
        os.mkdir(os.fsencode(inspector.folder) + b"/" + name)  # noqa: PTH102 - no text, no Path
        done = inspector(command, "custom-command", "--state-dir", name)
        assert done.code == {"check": 3, "export": 0}.get(command, 5)
        assert unprintable(done.out + done.err) == set()


@pytest.mark.parametrize("command", ["inspect", "status", "export"])
def test_a_reader_that_goes_away_is_no_bug(command: str, inspector: Inspector) -> None:
    """`… | head` ends the command quietly."""
    inspector.directory().good(2, health_reason="x" * 1_000_000)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [COMMAND, command, "custom-command"],
        cwd=inspector.folder,
        env=environment(),
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert done.stderr == b""
    assert done.returncode == 141


@pytest.mark.parametrize(("command", "code"), [("targets", 5), ("check", 3)])
def test_an_answer_that_cannot_be_written(tmp_path: Path, command: str, code: int) -> None:
    """A full disk behind stdout is no bug of ours: it is said, and nothing can be answered."""
    arguments = {"targets": ["targets", "list"], "check": ["check", "custom-command"]}[command]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [Path(sys.executable).parent / "tau-transport-health", *arguments],
            cwd=tmp_path,
            env=kept,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == code
    assert done.stderr == "error: the answer cannot be written: No space left on device\n"
