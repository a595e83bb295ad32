"""A `run` in plain words is carried out before the command line is imported, with its answers."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tau_custom_command.cli.plain import plain_answer
from tau_custom_command.cli.plain_run import asked_plainly
from tests.custom_command.cases import case_object, fixture_object, success
from tests.custom_command.running import COMMAND, START_UNIX_MS, Command, Json

GOOD = fixture_object(case_object("a"), case_object("b", "RUN"))
DRIFTING = fixture_object(case_object("a", expected=success(status_code=299)))
CHANCE = re.compile(r"\d{13}-\d{8}-[0-9a-f]{8}|[0-9a-f]{64}|_ms\": \d+")
"""What differs from one run to the next."""

NOW = ("--now-unix-ms", str(START_UNIX_MS))
PLAIN = (
    "good.json",
    "drifting.json",
    "good.json --state-dir st --json",
    "--fresh good.json --release 1.4.0 --queue-limit 1 --processed-case-cap 5",
    "nope.json",
    "broken.json --json",
)
NOT_PLAIN = (
    "",
    "good.json drifting.json",
    "good.json --json --json",
    "good.json --state-dir",
    "good.json --state-dir --json",
    "good.json --state-dir=st",
    "good.json --queue-limit 0",
    "good.json --queue-limit x",
    f"good.json --queue-limit {'9' * 5_000}",
    "good.json --queue-limit 9223372036854775808",
    f"good.json --release {'x' * 10_000}",
    "good.json --run-mode execute",
    "good.json --nope 1",
    "--help",
)


@pytest.fixture(autouse=True)
def _written(command: Command) -> None:
    command.write("good.json", GOOD)
    command.write("drifting.json", DRIFTING)
    (command.folder / "broken.json").write_text("{")


def events(state_dir: Path) -> list[Json]:
    """Return a log's events without what differs from one run to the next."""
    log = state_dir / "runtime-events.jsonl"
    found = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    chance = ("cycle_id", "previous_sha256", "cycle_duration_ms")
    return [{key: event[key] for key in event if key not in chance} for event in found]


@pytest.mark.parametrize("words", PLAIN)
def test_plain_words_have_the_command_lines_answer(command: Command, words: str) -> None:
    """The same output, exit code and events, whether a cycle goes well, drifts or is refused."""
    answers: list[object] = []
    for environment in ({}, {"TAU_CUSTOM_COMMAND_WAIT": "0s"}):  # a variable: not plain
        done = [command("run", *words.split(), *NOW, env=environment) for _ in range(2)]
        folders = [command.folder / name for name in ("st", ".tau")]
        told = [(one.code, CHANCE.sub("", one.out), one.err) for one in done]
        answers.append((told, [events(folder) for folder in (folders[0], *folders[1].glob("*"))]))
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
    assert answers[0] == answers[1]


@pytest.mark.parametrize(("words", "is_imported"), [("good.json", False), ("nope.json", True)])
def test_plain_words_need_no_command_line(
    command: Command, words: str, *, is_imported: bool
) -> None:
    """Nothing of it is imported where all goes well; where not, it says what is wrong."""
    line: list[str | Path] = [sys.executable, "-X", "importtime", COMMAND, "run", words]
    done = subprocess.run(line, cwd=command.folder, capture_output=True, text=True, check=False)
    assert (" typer" in done.stderr) == is_imported
    assert ("no such file" in done.stderr) == is_imported


@pytest.mark.parametrize("words", NOT_PLAIN)
def test_other_words_are_left_to_the_command_line(words: str) -> None:
    """Whatever is wrong or seldom is told there; nothing is done before."""
    assert asked_plainly(words.split()) is None
    assert plain_answer(["run", *words.split()]) is None


def test_an_answer_that_is_not_taken_is_told_and_no_cycle_is_run_again(command: Command) -> None:
    """The command line only says what is wrong."""
    with Path("/dev/full").open("w") as full:
        line: list[str | Path] = [COMMAND, "run", "good.json", "--state-dir", "st"]
        done = subprocess.run(
            line, cwd=command.folder, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 5
    assert b"cannot be written" in done.stderr
    assert len(events(command.folder / "st")) == 1


def test_an_interruption_ends_it_as_always(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is raised: here, by Ctrl-C."""
    monkeypatch.chdir(command.folder)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tau_custom_command.cli.plain_run.run_cycle", interrupted)
    with pytest.raises(SystemExit) as ended:
        plain_answer(["run", "good.json"])
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"
